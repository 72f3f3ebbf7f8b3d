//! JSON as a tree that knows the place of everything in it, for messages that lead there.
//!
//! Texts are borrowed from the file, the values are counted, and the parser's own limit of nesting stays in force: a hostile
//! file costs no more memory or stack than a large plan.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{
    limits::{COORDINATE_MAX, VALUES_MAX},
    problem::{Findings, ImportError, Path},
    text::{listed, quote},
};

/// Members of one object up to which a repeated one is looked for; nothing in a plan has nearly as many.
const MEMBERS_COMPARED_MAX: usize = 64;

/// A value in a file.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<Member<'a>>),
}

type Member<'a> = (Cow<'a, str>, Node<'a>);

/// Reads the whole file.
pub(super) fn parse(text: &str) -> Result<Node<'_>, ImportError> {
    let mut left = VALUES_MAX;
    let mut json = serde_json::Deserializer::from_str(text);
    let node = Nodes { left: &mut left }.deserialize(&mut json).and_then(|node| json.end().map(|()| node));
    node.map_err(|error| {
        let told = error.to_string();
        let (what, _) = told.split_once(" at line ").unwrap_or((&told, ""));
        let place = format!("line {} column {}", error.line(), error.column());
        let hint = if text.trim_start().starts_with(['{', '[']) { "" } else { "; a table is read with the format csv" };
        let message = if error.is_data() { what.to_owned() } else { format!("this is not JSON: {what}{hint}") };
        ImportError::single(place, message)
    })
}

impl Node<'_> {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Makes nodes as long as any are left.
struct Nodes<'b> {
    left: &'b mut u32,
}

impl<'de> DeserializeSeed<'de> for Nodes<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        *self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| D::Error::custom(format_args!("there are more than {VALUES_MAX} values in it")))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nodes<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "what is not exact here is far out of bounds and refused as such")]
    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "what is not exact here is far out of bounds and refused as such")]
    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Nodes { left: &mut *self.left })? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut given: A) -> Result<Node<'de>, A::Error> {
        let mut members: Vec<Member<'de>> = Vec::new();
        // A key is read like a text, but only its value counts.
        while let Some(key) = given.next_key_seed(Nodes { left: &mut 1 })? {
            let Node::Text(key) = key else { return Err(A::Error::custom("a key that is not a text")) };
            if members.len() < MEMBERS_COMPARED_MAX && members.iter().any(|(other, _)| *other == key) {
                return Err(A::Error::custom(format_args!("{} stands twice in one object", quote(&key))));
            }
            members.push((key, given.next_value_seed(Nodes { left: &mut *self.left })?));
        }
        Ok(Node::Object(members))
    }
}

/// An object together with its place. Reading a member of the wrong kind reports it, and goes on without.
#[derive(Clone, Copy)]
pub(super) struct Object<'n> {
    pub(super) path: Path<'n>,
    pub(super) found: &'n Findings,
    members: &'n [Member<'n>],
}

impl<'n> Object<'n> {
    pub(super) fn new(node: &'n Node<'n>, path: Path<'n>, found: &'n Findings) -> Option<Self> {
        match node {
            Node::Object(members) => Some(Self { path, found, members }),
            other => {
                found.problem(path, format!("this is {} and should be an object", other.kind()));
                None
            }
        }
    }

    /// The members whose keys are not among `known`; `null` says nothing and does not count.
    pub(super) fn others(&self, known: &[&str]) -> impl Iterator<Item = &'n str> {
        let members = self.members.iter();
        members.filter(|(key, node)| !matches!(node, Node::Null) && !known.contains(&&**key)).map(|(key, _)| &**key)
    }

    /// Reports every member whose key is not among `known`.
    pub(super) fn only(&self, known: &[&str]) {
        for key in self.others(known) {
            self.problem(format!("{} is not known here; known are {}", quote(key), listed(known.iter().copied())));
        }
    }

    /// The member, unless it is absent or `null`.
    pub(super) fn node(&self, key: &str) -> Option<&'n Node<'n>> {
        let (_, node) = self.members.iter().find(|(other, _)| other == key)?;
        (!matches!(node, Node::Null)).then_some(node)
    }

    pub(super) fn text(&self, key: &str) -> Option<&'n str> {
        match self.node(key)? {
            Node::Text(text) => Some(text),
            other => self.not(key, other, "a text"),
        }
    }

    /// A coordinate or a size, within [`COORDINATE_MAX`] of zero.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        match self.node(key)? {
            Node::Number(number) if number.abs() <= COORDINATE_MAX => Some(*number),
            Node::Number(number) => {
                self.problem_in(key, out_of_bounds(*number));
                None
            }
            other => self.not(key, other, "a number"),
        }
    }

    pub(super) fn object<'s>(&'s self, key: &'s str) -> Option<Object<'s>> {
        Object::new(self.node(key)?, self.path.member(key), self.found)
    }

    pub(super) fn list(&self, key: &str) -> Option<&'n [Node<'n>]> {
        match self.node(key)? {
            Node::List(items) => Some(items),
            other => self.not(key, other, "a list"),
        }
    }

    /// The objects of a list, each with its position; none where the list is absent.
    pub(super) fn objects<'s>(&'s self, key: &'s str) -> impl Iterator<Item = (usize, Object<'s>)> {
        let items = self.list(key).unwrap_or_default().iter().enumerate();
        items.filter_map(move |(i, node)| Some((i, Object::new(node, self.path.item(key, i), self.found)?)))
    }

    /// Reports the member if it is absent.
    pub(super) fn require(&self, key: &str) {
        if self.node(key).is_none() {
            self.problem(format!("`{key}` is missing"));
        }
    }

    pub(super) fn required_number(&self, key: &str) -> Option<f64> {
        self.require(key);
        self.number(key)
    }

    /// A text made proper by `check`; what `check` says against it is reported at the member.
    pub(super) fn checked<T>(&self, key: &str, check: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.accept(key, check(self.text(key)?))
    }

    pub(super) fn required<T>(&self, key: &str, check: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.require(key);
        self.checked(key, check)
    }

    /// The value, or a report of what is wrong with it at the member.
    pub(super) fn accept<T>(&self, key: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.problem_in(key, message)).ok()
    }

    pub(super) fn problem(&self, message: impl Into<String>) {
        self.found.problem(self.path, message);
    }

    pub(super) fn problem_in(&self, key: &str, message: impl Into<String>) {
        self.found.problem(self.path.member(key), message);
    }

    fn not<T>(&self, key: &str, node: &Node<'_>, expected: &str) -> Option<T> {
        self.problem_in(key, format!("this is {} and should be {expected}", node.kind()));
        None
    }
}

/// What to say about a coordinate that is too large.
pub(super) fn out_of_bounds(number: f64) -> String {
    format!("{number} is out of bounds; coordinates and sizes lie between -{COORDINATE_MAX} and {COORDINATE_MAX}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn broken_json_is_reported_with_its_place() {
        assert_eq!(error("{\n\"name\":}"), "line 2 column 8: this is not JSON: expected value");
        assert!(error("section,row\nA,1").ends_with("a table is read with the format csv"));
        assert!(error("{} {}").contains("trailing characters"));
    }

    #[test]
    fn deep_nesting_is_refused_without_filling_the_stack() {
        assert!(error(&"[".repeat(10_000_000)).contains("recursion limit exceeded"));
        assert!(error(&r#"{"a":"#.repeat(1_000_000)).contains("recursion limit exceeded"));
    }

    #[test]
    fn a_small_file_of_many_values_is_refused() {
        assert!(error(&format!("[{}0]", "0,".repeat(VALUES_MAX as usize))).contains("more than 2500000 values"));
    }

    #[test]
    fn a_number_that_is_none_is_refused() {
        for text in [r#"{"x":1e999}"#, r#"{"x":NaN}"#, r#"{"x":Infinity}"#] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_member_that_stands_twice_is_refused() {
        assert_eq!(error(r#"{"x":1,"y":2,"x":3}"#), "line 1 column 16: `x` stands twice in one object");
        // Where there are more than any plan needs, the others are not looked at.
        let again = |others: usize| {
            let others = (0..others).map(|i| format!("\"{i}\":0,")).collect::<Vec<_>>().concat();
            parse(&format!("{{{others}\"0\":0}}")).is_err()
        };
        assert_eq!((again(MEMBERS_COMPARED_MAX - 1), again(MEMBERS_COMPARED_MAX)), (true, false));
    }

    #[test]
    fn members_of_the_wrong_kind_are_reported_at_their_place() {
        let found = Findings::default();
        let node = parse(r#"{"rows":[{"x":"1","label":7,"far":1e7},[]]}"#).unwrap();
        let plan = Object::new(&node, Path::FILE, &found).unwrap();
        for (_, row) in plan.objects("rows") {
            assert_eq!((row.number("x"), row.text("label"), row.number("far")), (None, None, None));
            row.require("y");
        }
        let problems: Vec<_> = found.into_warnings().unwrap_err().problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "rows[0].x: this is a text and should be a number",
                "rows[0].label: this is a number and should be a text",
                "rows[0].far: 10000000 is out of bounds; coordinates and sizes lie between -1000000 and 1000000",
                "rows[0]: `y` is missing",
                "rows[1]: this is a list and should be an object",
            ]
        );
    }
}
