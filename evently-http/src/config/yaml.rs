//! YAML files, read just far enough to know which line says what.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

/// A part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Nothing: `key:` and nothing after it.
    Empty,
    /// A value, as it would be written elsewhere.
    Scalar(String),
    /// A list of values.
    List(Vec<String>),
    /// Settings below this one, in the order of the file.
    Map(Vec<Entry>),
}

/// One line of a file, with whatever stands below it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The name before the colon.
    pub(super) key: String,
    /// The line it stands in, from 1.
    pub(super) line: u64,
    /// What stands after it.
    pub(super) value: Node,
}

/// Reads a file. An empty one is an empty map. The error says where it is.
pub(super) fn read(text: &str) -> Result<Node, (u64, String)> {
    match serde_saphyr::from_str(text) {
        Ok(Node::Empty) => Ok(Node::Map(Vec::new())),
        Ok(node) => Ok(node),
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line());
            let message = error.without_snippet().to_string();
            Err((line, format!("not YAML: {}", message.lines().next().unwrap_or_default())))
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Empty)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            match item {
                Node::Scalar(text) => items.push(text),
                _ => return Err(de::Error::custom("a list may only have values in it")),
            }
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let value = map.next_value()?;
            entries.push(Entry { line: key.referenced.line(), key: key.value, value });
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_known() {
        let Node::Map(entries) =
            read("# a comment\nhttp:\n  listen: 0.0.0.0:80\n  body_limit: 10\ncors:\n  origins: [a, b]\n").unwrap()
        else {
            panic!("settings")
        };
        let Node::Map(http) = &entries[0].value else { panic!("a section") };
        assert_eq!((entries[0].line, http[0].line, http[1].line, entries[1].line), (2, 3, 4, 5));
        assert_eq!(http[1].value, Node::Scalar("10".to_owned()));
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_line() {
        let (line, message) = read("http:\n  listen: [a\n").unwrap_err();
        assert!(line >= 2, "{line}: {message}");
        assert!(read("").is_ok_and(|node| node == Node::Map(Vec::new())));
        assert!(read("http:\n  listen: a\n  listen: b\n").is_err(), "the same key twice");
    }
}
