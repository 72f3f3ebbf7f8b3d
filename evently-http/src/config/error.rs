//! What is wrong with a configuration, all of it at once.

use std::{fmt, path::PathBuf};

use super::settings::SETTINGS;

/// Who says what a setting is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody; it is as it always is.
    Default,
    /// A file, and the line in it, from 1.
    File(PathBuf, u64),
    /// The file of this name that comes with the program, and the line in it, from 1.
    Embedded(&'static str, u64),
    /// An environment variable.
    Environment(String),
    /// A flag on the command line.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, 0) => path.display().fmt(f),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Embedded(name, line) => write!(f, "built-in {name}:{line}"),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Something wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The setting as it was named; empty where a file as a whole is wrong.
    pub key: String,
    /// Who named it.
    pub source: Source,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, source, problem } = self;
        match source {
            Source::Default => write!(f, "{key}: {problem}"),
            _ if key.is_empty() => write!(f, "{source}: {problem}"),
            _ => write!(f, "{key} ({source}): {problem}"),
        }
    }
}

/// Everything that is wrong with a configuration, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// What to say of a name that no setting has; `spell` writes a setting's name as its source would.
pub(super) fn unknown(key: &str, spell: impl Fn(&str) -> String) -> String {
    match similar(key, SETTINGS.iter().map(|setting| setting.key)) {
        Some(similar) => format!("there is no such setting; did you mean {}?", spell(similar)),
        None => "there is no such setting; `evently config show` lists them all".to_owned(),
    }
}

/// The name that somebody probably meant.
pub(super) fn similar<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.replace(['-', '_'], "");
    names
        .map(|name| {
            // Most often the key is right and its section forgotten.
            let key_alone = name.rsplit_once('.').map_or(name, |(_, key)| key).replace('_', "") == wrong;
            (if key_alone { 1 } else { strsim::damerau_levenshtein(&name.replace('_', ""), &wrong) }, name)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance <= 1 + name.len() / 5)
        .map(|(_, name)| name)
}
