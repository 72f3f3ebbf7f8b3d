//! How the service is set up.

use std::{cell::RefCell, os::unix::fs::FileExt};

use evently_http::config::{Config, SETTINGS, Sources};
use tempfile::NamedTempFile;

use crate::as_text;

thread_local! {
    static FILE: RefCell<NamedTempFile> = RefCell::new(NamedTempFile::new().expect("there is a folder for temporary files"));
}

/// What ends the file; the environment comes behind it.
const END: &[u8] = b"\n---env\n";

/// A file of YAML, and behind it environment variables, a line each.
pub fn settings(bytes: &[u8]) {
    let end = bytes.windows(END.len()).position(|part| part == END);
    let (yaml, environment) = end.map_or((bytes, &[][..]), |end| (&bytes[..end], &bytes[end + END.len()..]));
    let Some(environment) = as_text(environment) else { return };
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>();
    let secrets = environment.iter().filter(|(name, value)| is_secret(name) && value.len() >= 12);
    // What stands elsewhere too is no secret.
    let once = |secret: &&str| bytes.windows(secret.len()).filter(|part| *part == secret.as_bytes()).count() == 1;
    let secrets = secrets.filter_map(|(_, value)| password(value)).filter(once).map(str::to_owned).collect::<Vec<_>>();
    let file = written(yaml);
    let loaded = Config::load(&Sources { file: Some(file), environment, ..Sources::default() });
    let told = match loaded {
        Ok(config) => {
            again(&config);
            config.describe().iter().map(|row| format!("{}={}", row.key, row.value)).collect::<Vec<_>>().join("\n")
                + &format!("{config:?}")
        }
        Err(errors) => {
            assert!(!errors.0.is_empty());
            assert!(errors.0.iter().all(|error| !error.problem.is_empty()));
            errors.to_string()
        }
    };
    for secret in secrets {
        assert!(!told.contains(&secret), "{secret} is told in {told}");
    }
}

/// The same settings as they are shown, where nothing is hidden of them.
fn again(config: &Config) {
    let rows = config.describe();
    assert_eq!(rows.len(), SETTINGS.len());
    let shown = rows.iter().filter(|row| !row.value.contains("****"));
    let flags = shown.clone().map(|row| ("shown", row.key, row.value.clone())).collect();
    let profile = ("EVENTLY_PROFILE".to_owned(), "development".to_owned());
    let again = Config::load(&Sources { environment: vec![profile], flags, ..Sources::default() });
    let again = again.unwrap_or_else(|errors| panic!("what is shown is not taken: {errors}"));
    for row in shown {
        let found = again.describe().iter().find(|other| other.key == row.key).expect("all settings are shown");
        assert_eq!(found.value, row.value, "{}", row.key);
    }
}

fn is_secret(variable: &str) -> bool {
    let named = |key: &str| format!("EVENTLY__{}", key.to_ascii_uppercase().replace('.', "__")) == variable;
    SETTINGS.iter().any(|setting| setting.secret && named(setting.key))
}

/// The part of a secret that must not be told: of a URL its password, before the host or in the query.
fn password(secret: &str) -> Option<&str> {
    let password = match secret.split_once("://") {
        None => secret,
        Some((_, rest)) => match rest.rsplit_once('@') {
            Some((user, _)) => user.split_once(':')?.1,
            None => rest.split_once("?password=").or_else(|| rest.split_once("?Password="))?.1,
        },
    };
    // What is short, or made of few letters, is found anywhere.
    (password.len() >= 8 && password.starts_with("hush")).then_some(password)
}

fn written(yaml: &[u8]) -> std::path::PathBuf {
    FILE.with_borrow(|file| {
        let length = u64::try_from(yaml.len()).expect("it is in memory");
        file.as_file().write_all_at(yaml, 0).and_then(|()| file.as_file().set_len(length)).expect("there is room for it");
        file.path().to_owned()
    })
}
