//! The layers of a configuration, later ones over earlier ones, and the reading of values out of them.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive};

use super::{
    Row,
    error::{ConfigError, Source, unknown},
    settings::{SETTINGS, Setting},
    value::{Profile, Value},
    yaml::{Entry, Node},
};

/// What has been said of each setting, and what was wrong with that.
#[derive(Default)]
pub(super) struct Values {
    given: BTreeMap<&'static str, (String, Source)>,
    shown: BTreeMap<&'static str, String>,
    pub(super) errors: Vec<ConfigError>,
}

impl Values {
    /// Says what a setting is, over whatever was said before; `spell` writes a setting's name as the source would.
    pub(super) fn set(&mut self, key: &str, text: String, source: Source, spell: impl Fn(&str) -> String) {
        match setting(key) {
            Some(setting) => {
                self.given.insert(setting.key, (text, source));
            }
            None => self.wrong(key, source, unknown(key, spell)),
        }
    }

    /// Takes over a file that was read.
    pub(super) fn merge(&mut self, node: &Node, prefix: &str, source: &dyn Fn(u64) -> Source) {
        let Node::Map(entries) = node else {
            return self.wrong(prefix, source(0), "must be a list of settings such as `http:` and below it `listen: …`");
        };
        for Entry { key, line, value } in entries {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                Node::Empty => {}
                Node::Scalar(text) => self.set(&path, text.clone(), source(*line), str::to_owned),
                Node::List(items) => self.set(&path, items.join(","), source(*line), str::to_owned),
                Node::Map(_) if setting(&path).is_some() => {
                    self.wrong(&path, source(*line), "must be a value, and has settings below it");
                }
                Node::Map(_) if path.contains('.') || !is_section(&path) => {
                    self.wrong(&path, source(*line), unknown(&path, str::to_owned));
                }
                Node::Map(_) => self.merge(value, &path, source),
            }
        }
    }

    /// The value of a setting. If it is wrong that is noted, and the reading goes on with the default.
    pub(super) fn read<T: Value>(&mut self, key: &'static str, range: &impl Admits<T>) -> T {
        let setting = setting(key).expect("every setting that is read stands in the table");
        let (text, source) =
            self.given.get(key).map_or((setting.default, Source::Default), |(text, source)| (text, source.clone()));
        let value = T::parse(text);
        if let Some(value) = value.filter(|value| range.admits(value)) {
            self.shown.insert(key, value.show());
            return value;
        }
        let right = format!("must be {}{}", T::RIGHT, range.in_words());
        let problem = if setting.secret { right } else { format!("{right}, not `{text}`") };
        self.wrong(key, source, problem);
        T::parse(setting.default).expect("defaults are right")
    }

    /// Who says what a setting is.
    pub(super) fn source(&self, key: &str) -> Source {
        self.given.get(key).map_or(Source::Default, |(_, source)| source.clone())
    }

    /// Whether something is wrong with a setting already.
    pub(super) fn is_wrong(&self, key: &str) -> bool {
        self.errors.iter().any(|error| error.key == key)
    }

    /// Notes that something is wrong.
    pub(super) fn wrong(&mut self, key: &str, source: Source, problem: impl Into<String>) {
        self.errors.push(ConfigError { key: key.to_owned(), source, problem: problem.into() });
    }

    /// Every setting as it was read, in the order of the table.
    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |setting: &Setting| {
            let value = self.shown.get(setting.key).cloned().unwrap_or_default();
            Row { key: setting.key, value, source: self.source(setting.key), about: setting.about }
        };
        SETTINGS.iter().map(row).collect()
    }
}

fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

fn is_section(name: &str) -> bool {
    let known = SETTINGS.iter().map(|setting| setting.key);
    known.filter_map(|key| key.split_once('.')).any(|(section, _)| section == name)
}

/// Which values a setting may have, beyond their kind.
pub(super) trait Admits<T> {
    /// Whether this is one of them.
    fn admits(&self, value: &T) -> bool;

    /// What is said about it after the kind of value.
    fn in_words(&self) -> String;
}

/// All of them.
impl<T> Admits<T> for () {
    fn admits(&self, _value: &T) -> bool {
        true
    }

    fn in_words(&self) -> String {
        String::new()
    }
}

impl<T: Value + PartialOrd + fmt::Debug> Admits<T> for RangeInclusive<T> {
    fn admits(&self, value: &T) -> bool {
        self.contains(value)
    }

    fn in_words(&self) -> String {
        format!(", from {} to {}", self.start().show(), self.end().show())
    }
}

/// The name of the profile, and what is wrong with it.
pub(super) fn profile(name: Option<&str>) -> Result<Profile, ConfigError> {
    let Some(name) = name else { return Ok(Profile::Development) };
    Profile::parse(name).ok_or_else(|| ConfigError {
        key: "profile".to_owned(),
        source: Source::Environment("EVENTLY_PROFILE".to_owned()),
        problem: format!("must be {}, not `{name}`", Profile::RIGHT),
    })
}
