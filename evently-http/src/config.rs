//! How the service is set up: built-in defaults, under the file of the profile, under a file that was named, under the
//! environment, under flags.
//!
//! Whatever is wrong is told all at once, with where it was said and what would be right. Nothing here acts on a setting.

mod error;
mod layers;
mod settings;
mod value;
mod yaml;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use self::{error::similar, layers::Values};
pub use self::{
    error::{ConfigError, ConfigErrors, Source},
    settings::{
        Auth, Booking, BoxOffice, Config, Cors, Data, Demo, Http, Log, Payment, RabbitMq, RateLimit, Redis, SETTINGS, Setting,
        Store, Workers,
    },
    value::{
        Gateway, LogFormat, LogLevel, Network, Origin, Pooler, PostgresUrl, Profile, RabbitMqUrl, Rate, RedisUrl, Secrets,
        ServerUrl, Size, StoreUrl,
    },
};

const DEVELOPMENT: &str = include_str!("../../config/development.yaml");
const STAGING: &str = include_str!("../../config/staging.yaml");
const PRODUCTION: &str = include_str!("../../config/production.yaml");

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The folder in which `config/` is looked for; without it the files that come with the program are taken.
    pub folder: Option<PathBuf>,
    /// A file that was named on the command line.
    pub file: Option<PathBuf>,
    /// Environment variables; those of others are passed over.
    pub environment: Vec<(String, String)>,
    /// Flags: what each is called, the setting it is for, and what it says.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

impl Sources {
    /// What this process was given besides its command line.
    pub fn of_process() -> Self {
        let text =
            |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self {
            folder: Some(PathBuf::new()),
            file: None,
            environment: std::env::vars_os().filter_map(text).collect(),
            flags: Vec::new(),
        }
    }
}

/// One setting as it is.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name.
    pub key: &'static str,
    /// Its value; stars where it is secret.
    pub value: String,
    /// Who says so.
    pub source: Source,
    /// What it is for.
    pub about: &'static str,
}

impl Config {
    /// Reads the layers.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        let mut values = Values::default();
        let named = sources.environment.iter().find(|(name, _)| name == "EVENTLY_PROFILE");
        let profile = layers::profile(named.map(|(_, value)| value.as_str())).unwrap_or_else(|error| {
            values.errors.push(error);
            Profile::Development
        });
        profile_file(&mut values, profile, sources.folder.as_deref());
        for (name, value) in &sources.environment {
            environment(&mut values, name, value);
        }
        // Whoever names a file means it, whatever the machine has set.
        if let Some(path) = &sources.file {
            file(&mut values, path, fs::read_to_string(path));
        }
        for (flag, key, value) in &sources.flags {
            values.set(key, value.clone(), Source::Flag((*flag).to_owned()), str::to_owned);
        }
        let config = Self::read(profile, &mut values);
        config.check(&mut values);
        if values.errors.is_empty() { Ok(config) } else { Err(ConfigErrors(values.errors)) }
    }

    /// Every setting with its value and who says so; secrets are stars.
    pub fn describe(&self) -> &[Row] {
        &self.rows
    }

    /// The file that the store is in; none where it is on a server.
    pub fn store_file(&self) -> Option<PathBuf> {
        match &self.store.url {
            StoreUrl::InData => Some(self.data.dir.join("evently.db")),
            StoreUrl::Sqlite(path) => Some(path.clone()),
            StoreUrl::Postgres(_) => None,
        }
    }

    /// The folder that mails are written into, a file each; whoever runs the service has them delivered.
    pub fn mail_folder(&self) -> PathBuf {
        self.data.dir.join("mail")
    }

    /// What no setting can tell for itself.
    fn check(&self, values: &mut Values) {
        let on_postgres = matches!(self.store.url, StoreUrl::Postgres(_)) || values.is_wrong("store.url");
        let mut require = |right: bool, key: &str, problem: &str| {
            if !right && !values.is_wrong(key) {
                let source = values.source(key);
                values.wrong(key, source, problem);
            }
        };
        let Self { booking, auth, store, .. } = self;
        // A store.url that got lost would otherwise be an empty store in a file.
        let beside = "needs a store.url on PostgreSQL, such as postgres://user:password@host:5432/database";
        require(on_postgres || store.pooler == Pooler::None, "store.pooler", beside);
        require(on_postgres || store.direct_url.0.is_none(), "store.direct_url", beside);
        require(on_postgres || store.replica_url.0.is_none(), "store.replica_url", beside);
        require(booking.hold_ttl <= booking.hold_cap, "booking.hold_ttl", "must not be longer than booking.hold_cap");
        require(auth.access_ttl <= auth.refresh_ttl, "auth.access_ttl", "must not be longer than auth.refresh_ttl");
        if self.profile == Profile::Production {
            let made = "must be set in production: at least 32 bytes, as `openssl rand -hex 32` makes them";
            require(!auth.secret.is_empty(), "auth.secret", made);
            require(!self.payment.webhook_secret.is_empty(), "payment.webhook_secret", made);
            require(auth.bcrypt_cost >= 10, "auth.bcrypt_cost", "must be at least 10 in production");
            require(!self.demo.enabled, "demo.enabled", "made-up accounts have no place in production");
            let named = self.rows.iter().any(|row| row.key == "payment.gateway" && row.source != Source::Default);
            require(named, "payment.gateway", "must be named in production; `sandbox` moves no money");
        }
    }
}

fn profile_file(values: &mut Values, profile: Profile, folder: Option<&Path>) {
    let (name, embedded) = match profile {
        Profile::Development => ("config/development.yaml", DEVELOPMENT),
        Profile::Staging => ("config/staging.yaml", STAGING),
        Profile::Production => ("config/production.yaml", PRODUCTION),
    };
    if let Some(path) = folder.map(|folder| folder.join(name)).filter(|path| path.exists()) {
        return file(values, &path, fs::read_to_string(&path));
    }
    let node = yaml::read(embedded).expect("the files that come with the program are tested");
    values.merge(&node, "", &|line| Source::Embedded(name, line));
}

fn file(values: &mut Values, path: &Path, text: io::Result<String>) {
    let source = |line| Source::File(path.to_owned(), line);
    match text.map(|text| yaml::read(&text)) {
        Ok(Ok(node)) => values.merge(&node, "", &source),
        Ok(Err((line, problem))) => values.wrong("", source(line), problem),
        Err(error) => values.wrong("", source(0), format!("cannot be read: {error}")),
    }
}

fn environment(values: &mut Values, name: &str, value: &str) {
    let source = || Source::Environment(name.to_owned());
    if let Some(key) = name.strip_prefix("EVENTLY__") {
        values.set(&key.to_ascii_lowercase().replace("__", "."), value.to_owned(), source(), variable);
    } else if name.strip_prefix("EVENTLY_").is_some_and(|key| key.contains("__")) {
        let names: Vec<String> = SETTINGS.iter().map(|setting| variable(setting.key)).collect();
        let meant = similar(name, names.iter().map(String::as_str)).unwrap_or("EVENTLY__SECTION__KEY");
        values.wrong(name, source(), format!("two underscores between levels: did you mean {meant}?"));
    }
}

fn variable(key: &str) -> String {
    format!("EVENTLY__{}", key.to_ascii_uppercase().replace('.', "__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_environment(variables: &[(&str, &str)]) -> Sources {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sources { environment, ..Sources::default() }
    }

    fn problems(sources: &Sources) -> Vec<String> {
        Config::load(sources).expect_err("it is wrong").0.iter().map(ToString::to_string).collect()
    }

    fn source_of(config: &Config, key: &str) -> String {
        config.describe().iter().find(|row| row.key == key).unwrap().source.to_string()
    }

    #[test]
    fn without_any_source_everything_is_as_documented() {
        let config = Config::load(&Sources::default()).unwrap();
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.store_file().as_deref(), Some(Path::new("./evently-data/evently.db")));
        for (key, default) in [
            ("http.body_limit", "1MiB"),
            ("rate_limit.enabled", "true"),
            ("rate_limit.events", "100/minute"),
            ("rate_limit.bookings", "10/minute"),
            ("rate_limit.admin", "1000/minute"),
            ("rate_limit.auth", "20/minute"),
            ("rate_limit.sessions", "300/minute"),
            ("rate_limit.login", "10/15m"),
            ("booking.hold_ttl", "5m"),
            ("booking.hold_cap", "30m"),
            ("booking.payment_window", "30m"),
            ("auth.access_ttl", "30m"),
            ("auth.refresh_ttl", "7d"),
            ("auth.bcrypt_cost", "12"),
            ("payment.gateway", "sandbox"),
            ("demo.enabled", "false"),
        ] {
            let row = config.describe().iter().find(|row| row.key == key).unwrap();
            assert_eq!((&*row.value, &row.source), (default, &Source::Default), "{key}");
        }
        assert_eq!(config.log.format, LogFormat::Text, "in development");
        assert_eq!(config.describe().len(), SETTINGS.len());
    }

    #[test]
    fn later_layers_win() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("config")).unwrap();
        let profile = "http:\n  listen: 10.0.0.1:1\n  body_limit: 2MiB\nbooking:\n  hold_ttl: 6m\n  hold_cap: 60m\n";
        fs::write(folder.path().join("config/development.yaml"), profile).unwrap();
        let named = folder.path().join("mine.yaml");
        fs::write(&named, "http:\n  listen: 10.0.0.2:2\n  body_limit: 3MiB\n  trusted_proxies: [10.0.0.0/8, '::1']\n").unwrap();
        let config = Config::load(&Sources {
            folder: Some(folder.path().to_owned()),
            file: Some(named),
            environment: [
                ("EVENTLY__HTTP__LISTEN", "10.0.0.3:3"),
                ("EVENTLY__HTTP__BODY_LIMIT", "4MiB"),
                ("EVENTLY__BOOKING__HOLD_CAP", "50m"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            flags: vec![("--listen", "http.listen", "10.0.0.4:4".to_owned())],
        })
        .unwrap();
        assert_eq!(config.http.listen.to_string(), "10.0.0.4:4");
        assert_eq!(config.http.body_limit, Size(3 << 20));
        assert_eq!(config.http.trusted_proxies.len(), 2);
        assert_eq!((config.booking.hold_ttl.as_secs(), config.booking.hold_cap.as_secs()), (360, 3000));
        assert_eq!(source_of(&config, "http.listen"), "--listen");
        assert!(source_of(&config, "booking.hold_ttl").ends_with("config/development.yaml:5"));
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let named = folder.path().join("mine.yaml");
        fs::write(&named, "http:\n  lisen: 10.0.0.2:2\n  body_limit:\n    bytes: 5\nbooking:\n  hold_ttl: 5\nhold_cap: 30m\nhttq:\n  listen: 10.0.0.2:2\n").unwrap();
        let mut sources = with_environment(&[
            ("EVENTLY__RATE_LIMIT__EVENTS", "many"),
            ("EVENTLY__HTTP__BODYLIMIT", "1MiB"),
            ("EVENTLY_HTTP__LISTEN", "127.0.0.1:1"),
            ("EVENTLY__REDIS__URL", "http://me:hush@localhost"),
            ("EVENTLY__STORE__URL", "postgre://me:hush@localhost/evently"),
            ("EVENTLY__STORE__REPLICA_URL", "localhost:5432/hush"),
            ("EVENTLY__AUTH__SECRET", "hunter2"),
            ("UNRELATED", "x"),
        ]);
        sources.file = Some(named.clone());
        let problems = problems(&sources);
        let expected = [
            "http.bodylimit (EVENTLY__HTTP__BODYLIMIT): there is no such setting; did you mean EVENTLY__HTTP__BODY_LIMIT?"
                .to_owned(),
            "EVENTLY_HTTP__LISTEN (EVENTLY_HTTP__LISTEN): two underscores between levels: did you mean EVENTLY__HTTP__LISTEN?"
                .to_owned(),
            format!("http.lisen ({}:2): there is no such setting; did you mean http.listen?", named.display()),
            format!("http.body_limit ({}:3): must be a value, and has settings below it", named.display()),
            format!("hold_cap ({}:7): there is no such setting; did you mean booking.hold_cap?", named.display()),
            format!("httq ({}:8): there is no such setting; `evently config show` lists them all", named.display()),
            format!("store.url (EVENTLY__STORE__URL): must be {}", <StoreUrl as value::Value>::RIGHT),
            format!("store.replica_url (EVENTLY__STORE__REPLICA_URL): must be {}", <PostgresUrl as value::Value>::RIGHT),
            format!("redis.url (EVENTLY__REDIS__URL): must be {}", <RedisUrl as value::Value>::RIGHT),
            "rate_limit.events (EVENTLY__RATE_LIMIT__EVENTS): must be a rate such as 5/second, 100/minute or 10/15m, in 12d at most, not `many`"
                .to_owned(),
            format!(
                "booking.hold_ttl ({}:6): must be a duration such as 250ms, 90s, 5m, 12h or 7d, from 1s to 1d, not `5`",
                named.display()
            ),
            format!("auth.secret (EVENTLY__AUTH__SECRET): must be {}", <Secrets as value::Value>::RIGHT),
        ];
        assert_eq!(problems, expected);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let both = [("EVENTLY__AUTH__BCRYPT_COST", "31"), ("EVENTLY__BOOKING__HOLD_TTL", "1ms")];
        let both = problems(&with_environment(&both));
        assert_eq!(both.len(), 2, "{both:?}");
        let sources = with_environment(&[("EVENTLY__BOOKING__HOLD_TTL", "2h")]);
        assert_eq!(
            problems(&sources),
            ["booking.hold_ttl (EVENTLY__BOOKING__HOLD_TTL): must not be longer than booking.hold_cap"]
        );
        // A buyer may pay with another card by then, and would be charged for both.
        let patience = problems(&with_environment(&[("EVENTLY__PAYMENT__GATEWAY_TIMEOUT", "15s")]));
        assert!(patience[0].contains("payment.gateway_timeout") && patience[0].contains("to 14s"), "{patience:?}");
        let tokens = [("EVENTLY__AUTH__ACCESS_TTL", "2h"), ("EVENTLY__AUTH__REFRESH_TTL", "1h")];
        assert_eq!(
            problems(&with_environment(&tokens)),
            ["auth.access_ttl (EVENTLY__AUTH__ACCESS_TTL): must not be longer than auth.refresh_ttl"]
        );
    }

    /// Or whoever loses the URL works on an empty store and does not notice.
    #[test]
    fn what_goes_with_a_server_is_refused_without_one() {
        let url = "postgres://evently@localhost/evently";
        let beside = [
            ("EVENTLY__STORE__POOLER", "transaction"),
            ("EVENTLY__STORE__DIRECT_URL", url),
            ("EVENTLY__STORE__REPLICA_URL", url),
        ];
        let problems = problems(&with_environment(&beside));
        assert_eq!(problems.len(), 3, "{problems:?}");
        for (problem, (name, _)) in problems.iter().zip(beside) {
            assert!(problem.contains(name) && problem.contains("needs a store.url on PostgreSQL"), "{problem}");
        }
        let with = |url| [&beside[..], &[("EVENTLY__STORE__URL", url)]].concat();
        Config::load(&with_environment(&with(url))).unwrap();
        let wrong = self::problems(&with_environment(&with("postgres:/evently")));
        assert!(wrong.len() == 1 && wrong[0].starts_with("store.url"), "{wrong:?}");
    }

    #[test]
    fn production_takes_nothing_for_granted() {
        let mut sources = with_environment(&[
            ("EVENTLY_PROFILE", "production"),
            ("EVENTLY__AUTH__BCRYPT_COST", "4"),
            ("EVENTLY__HTTP__LISTEN", "nowhere"),
        ]);
        sources.flags.push(("--demo", "demo.enabled", "true".to_owned()));
        let problems = problems(&sources).join("\n");
        for key in ["auth.secret", "payment.webhook_secret", "auth.bcrypt_cost", "demo.enabled", "payment.gateway", "http.listen"]
        {
            assert!(problems.contains(key), "{key} in {problems}");
        }
        let secret = "0123456789abcdef0123456789abcdef";
        let cheap = with_environment(&[("EVENTLY_PROFILE", "production"), ("EVENTLY__AUTH__BCRYPT_COST", "9")]);
        assert!(self::problems(&cheap).join("\n").contains("auth.bcrypt_cost"), "a password is to cost something");
        let right = with_environment(&[
            ("EVENTLY_PROFILE", "production"),
            ("EVENTLY__AUTH__BCRYPT_COST", "10"),
            ("EVENTLY__AUTH__SECRET", secret),
            ("EVENTLY__PAYMENT__WEBHOOK_SECRET", secret),
            ("EVENTLY__PAYMENT__GATEWAY", "sandbox"),
        ]);
        let config = Config::load(&right).unwrap();
        assert_eq!(config.log.format, LogFormat::Json);
        assert!(!format!("{:?}{:?}", config, config.describe()).contains(secret), "secrets are shown to nobody");
    }

    #[test]
    fn a_profile_that_is_none_is_told() {
        let problems = problems(&with_environment(&[("EVENTLY_PROFILE", "prod")]));
        assert_eq!(problems, ["profile (EVENTLY_PROFILE): must be development, staging or production, not `prod`"]);
    }

    #[test]
    fn the_files_that_come_with_the_program_are_right() {
        for text in [DEVELOPMENT, STAGING, PRODUCTION] {
            let mut values = Values::default();
            values.merge(&yaml::read(text).unwrap(), "", &|line| Source::Embedded("config", line));
            assert_eq!(values.errors, []);
        }
    }
}
