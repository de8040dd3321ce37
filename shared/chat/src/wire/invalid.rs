//! Why a value was not taken, before it is known which field it stood in.

use crate::Rejection;

/// What a value must be: a fragment that follows "must be".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid(pub String);

impl Invalid {
    pub fn expected(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    pub fn in_field(self, field: &'static str) -> Rejection {
        Rejection::Invalid { field, expected: self.0 }
    }
}
