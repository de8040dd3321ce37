use crate::Fault;
use std::collections::HashMap;

/// The environment variables of a function, as `template.yaml` sets them.
#[derive(Debug, Clone, Default)]
pub struct Vars {
    vars: HashMap<String, String>,
    #[cfg(feature = "simulation")]
    wire: Option<std::sync::Arc<dyn crate::simulation::Wire>>,
}

impl Vars {
    /// Those of this process.
    #[allow(clippy::disallowed_methods, reason = "the one owner of the environment")]
    pub fn from_env() -> Self {
        std::env::vars().collect()
    }

    /// These, with some set or replaced.
    #[must_use]
    pub fn with<V: Into<String>>(mut self, changes: impl IntoIterator<Item = (&'static str, V)>) -> Self {
        self.vars.extend(changes.into_iter().map(|(name, value)| (name.to_owned(), value.into())));
        self
    }

    /// These, for a function whose requests go through a wire and not over sockets.
    #[cfg(feature = "simulation")]
    #[must_use]
    pub fn through(self, wire: std::sync::Arc<dyn crate::simulation::Wire>) -> Self {
        Self { wire: Some(wire), ..self }
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn wire(&self) -> Option<&std::sync::Arc<dyn crate::simulation::Wire>> {
        self.wire.as_ref()
    }

    /// A variable that may be left out; empty counts as left out, since a template cannot omit one.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable without which the function cannot start.
    pub fn required(&self, name: &'static str) -> Result<&str, Fault> {
        self.optional(name).ok_or_else(|| Fault::because("failed to start", format!("{name} is not set")))
    }

    /// A variable that must be `true` or `false`, false if it is left out.
    pub fn flag(&self, name: &'static str) -> Result<bool, Fault> {
        self.parsed(name, false)
    }

    /// A variable of any type that can be parsed from text.
    pub fn parsed<T: std::str::FromStr>(&self, name: &'static str, default: T) -> Result<T, Fault> {
        let invalid = |value| Fault::because("failed to start", format!("{name} cannot be {value:?}"));
        self.optional(name).map_or(Ok(default), |value| value.parse().map_err(|_| invalid(value)))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Vars {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(vars: I) -> Self {
        Self { vars: vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect(), ..Self::default() }
    }
}
