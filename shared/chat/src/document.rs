//! The examples of `docs/asyncapi.yaml`. The tests here hold the types against them; those in `tests/` hold the examples
//! against the document's schemas.

use saphyr::{LoadableYamlNode, Yaml};

/// Values of every variant: a variant that is missing here does not compile.
macro_rules! every {
    ($kind:ident { $($variant:ident: [$($value:expr),+ $(,)?]),+ $(,)? }) => {{
        let values = [$($({
            let value = $value;
            assert!(matches!(value, $kind::$variant { .. }), "{value:?} is no {}", stringify!($variant));
            value
        }),+),+];
        for value in &values {
            match value {
                $($kind::$variant { .. } => {}),+
            }
        }
        values
    }};
}
pub(crate) use every;

fn document() -> Yaml<'static> {
    Yaml::load_from_str(include_str!("../../../docs/asyncapi.yaml")).expect("YAML").remove(0)
}

fn entries<'a>(node: &'a Yaml<'static>) -> impl Iterator<Item = (&'a str, &'a Yaml<'static>)> {
    node.as_mapping().expect("a mapping").iter().map(|(name, node)| (name.as_str().expect("a name"), node))
}

/// Panics unless these are the examples of what the server sends, all of them, to the order of their fields.
pub(crate) fn assert_shown(frames: &[String]) {
    let document = document();
    // What has no type is a request of a client, comes from API Gateway, or is an event of the bus.
    let typed = |message: &Yaml<'_>| {
        let properties = message["payload"].as_mapping_get("properties");
        properties.is_some_and(|properties| properties.as_mapping_get("type").is_some())
    };
    let messages = entries(&document["components"]["messages"]).filter(|(_, message)| typed(message));
    let examples: Vec<_> = messages
        .flat_map(|(name, message)| {
            let examples = message["examples"].as_sequence().expect("examples").iter();
            examples.map(move |example| (name, example["name"].as_str().expect("a name"), &example["payload"]))
        })
        .collect();
    // JSON is YAML as well.
    let read = |frame: &String| Yaml::load_from_str(frame).expect("JSON").remove(0);
    let read: Vec<_> = frames.iter().map(read).collect();
    for (text, frame) in frames.iter().zip(&read) {
        let is_shown = examples.iter().any(|(.., example)| *example == frame);
        assert!(is_shown, "docs/asyncapi.yaml has no example that is this frame: {text}");
    }
    for (message, name, example) in examples {
        assert!(read.contains(example), "docs/asyncapi.yaml: no frame is the example {name} of {message}");
    }
}

/// The codes that an error may have.
pub(crate) fn error_codes() -> Vec<String> {
    let document = document();
    let codes = document["components"]["schemas"]["ErrorCode"]["oneOf"].as_sequence().expect("codes");
    codes.iter().map(|code| code["const"].as_str().expect("a code").to_owned()).collect()
}
