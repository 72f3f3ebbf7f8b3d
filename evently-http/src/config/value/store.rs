//! Which store.

use std::path::PathBuf;

use super::Value;

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// In the data folder.
    InData,
    /// In this SQLite file.
    Sqlite(PathBuf),
}

impl Value for StoreUrl {
    const RIGHT: &'static str = "sqlite: and a path, such as sqlite:/var/lib/evently/evently.db (PostgreSQL comes with the \
                                 production stack)";

    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("sqlite:") {
            None => text.is_empty().then_some(Self::InData),
            Some(path) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                (!path.is_empty()).then(|| Self::Sqlite(path.into()))
            }
        }
    }

    fn show(&self) -> String {
        match self {
            Self::InData => String::new(),
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::is_kept, *};

    #[test]
    fn only_what_can_be_opened_is_taken() {
        assert!(is_kept::<StoreUrl>("sqlite:/tmp/evently.db"));
        for text in ["postgres://host/evently", "sqlite:", "evently.db"] {
            assert_eq!(StoreUrl::parse(text), None, "{text}");
        }
    }
}
