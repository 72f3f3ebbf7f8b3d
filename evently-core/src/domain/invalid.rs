//! Input that is not what it must be, field by field.

use std::fmt;

use serde::{Deserialize, Serialize};

/// All that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Invalid {
    /// At least one field.
    pub fields: Vec<InvalidField>,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidField {
    /// The field's path in the request, such as `seat_ids[2]`.
    pub field: String,
    /// A stable word.
    pub code: String,
    /// What would be right.
    pub message: String,
}

impl Invalid {
    /// One wrong field.
    pub fn field(field: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        let mut invalid = Self::default();
        invalid.add(field, code, message);
        invalid
    }

    /// Notes another wrong field.
    pub fn add(&mut self, field: impl Into<String>, code: &str, message: impl Into<String>) {
        self.fields.push(InvalidField { field: field.into(), code: code.into(), message: message.into() });
    }

    /// Notes the field unless `right`.
    pub fn require(&mut self, right: bool, field: &str, code: &str, message: impl Into<String>) {
        if !right {
            self.add(field, code, message);
        }
    }

    /// An error if any field is wrong.
    pub fn into_result(self) -> Result<(), Self> {
        if self.fields.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, InvalidField { field, message, .. }) in self.fields.iter().enumerate() {
            write!(f, "{}{field}: {message}", if i > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_wrong_with_each_field() {
        let mut invalid = Invalid::field("name", "required", "say how it is called");
        invalid.add("seats", "too_many", "at most 10");
        assert_eq!(invalid.to_string(), "name: say how it is called; seats: at most 10");
    }
}
