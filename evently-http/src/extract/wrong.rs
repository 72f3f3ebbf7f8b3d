//! What serde says is wrong, in the words of the contract: the path of the field, a stable word, what would be right.

use serde_path_to_error::Path;

use crate::problem::Problem;

/// How a field is called whose name has no letters, as JSON allows.
const NAMELESS: &str = r#""""#;

/// The problem with a request that is well formed and yet not what it must be.
pub(super) fn field(path: &Path, message: &str) -> Problem {
    let path = path.to_string();
    let within = if path == "." { "" } else { path.as_str() };
    // The position in the text is of no use beside the path.
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let named = |prefix: &str| {
        let (name, _) = message.strip_prefix(prefix)?.split_once('`')?;
        Some(if name.is_empty() { NAMELESS } else { name })
    };
    if let Some(name) = named("unknown field `") {
        let message = if let Some((_, fields)) = message.split_once(", expected ") {
            format!("there is no such field; known are {}", fields.trim_start_matches("one of "))
        } else {
            "there is no such field".to_owned()
        };
        return Problem::field(below(within, name), "unknown_field", message);
    }
    if let Some(name) = named("missing field `") {
        return Problem::field(below(within, name), "required", "this field is needed");
    }
    if let Some(name) = named("duplicate field `") {
        return Problem::field(below(within, name), "duplicate", "give this field once");
    }
    let field = if within.is_empty() { "body" } else { within };
    let kinds = ["invalid type: ", "invalid value: ", "invalid length "];
    match message.rsplit_once(", expected ").filter(|_| kinds.iter().any(|kind| message.starts_with(kind))) {
        // What was found instead is left out: it may be a password.
        Some((_, expected)) => Problem::field(field, "invalid_type", format!("must be {}", in_words(expected))),
        None => Problem::field(field, "invalid", message),
    }
}

/// The path of `name` within `path`, which may name it already.
fn below(path: &str, name: &str) -> String {
    let path = if name == NAMELESS { path.trim_end_matches('.') } else { path };
    match path.strip_suffix(name) {
        Some(parent) if parent.is_empty() || parent.ends_with('.') => path.to_owned(),
        _ if path.is_empty() => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

/// Kinds of values as they are called in JSON.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "an array",
        "a map" => "an object",
        text if text.starts_with("struct ") || text.starts_with("internally tagged enum") => "an object",
        text if text.starts_with("tuple ") => "an array",
        text => text,
    }
}
