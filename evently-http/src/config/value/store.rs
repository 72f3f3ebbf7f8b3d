//! Which store.

use std::{fmt, path::PathBuf};

use super::Value;

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// In the data folder.
    InData,
    /// In this SQLite file.
    Sqlite(PathBuf),
    /// In a PostgreSQL database.
    Postgres(ServerUrl),
}

impl Value for StoreUrl {
    const RIGHT: &'static str = "sqlite: and a path, such as sqlite:/var/lib/evently/evently.db, or \
                                 postgres://user:password@host:5432/database";

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::InData);
        }
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return (!path.is_empty()).then(|| Self::Sqlite(path.into()));
        }
        ServerUrl::of(text, &["postgres", "postgresql"]).map(Self::Postgres)
    }

    fn show(&self) -> String {
        match self {
            Self::InData => String::new(),
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(url) => url.to_string(),
        }
    }
}

macro_rules! server_urls {
    ($($(#[$doc:meta])* $name:ident, $right:literal: $($scheme:literal),+;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name(pub Option<ServerUrl>);

        impl Value for $name {
            const RIGHT: &'static str = $right;

            fn parse(text: &str) -> Option<Self> {
                if text.is_empty() { Some(Self(None)) } else { ServerUrl::of(text, &[$($scheme),+]).map(|url| Self(Some(url))) }
            }

            fn show(&self) -> String {
                self.0.as_ref().map(ToString::to_string).unwrap_or_default()
            }
        }
    )+};
}

server_urls!(
    /// A PostgreSQL database, or none.
    PostgresUrl, "postgres://user:password@host:5432/database": "postgres", "postgresql";
    /// A Redis, or none.
    RedisUrl, "redis://host:6379, rediss:// for TLS, redis+sentinel://host:26379,host:26379/service, or redis-cluster://host:6379,host:6379":
        "redis", "rediss", "redis+sentinel", "redis-cluster", "rediss-cluster";
    /// A RabbitMQ, or none.
    RabbitMqUrl, "amqp://user:password@host:5672/%2f": "amqp", "amqps";
);

/// Where a server is. It is shown without the password that it may have.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// A URL of one of these schemes, as its driver reads it.
    fn of(text: &str, schemes: &[&str]) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        (schemes.contains(&scheme) && !rest.is_empty()).then(|| Self(text.to_owned()))
    }

    /// All of it, for whoever connects.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str("****") };
        // A password may have any signs in it where somebody has forgotten to encode them, so that the last @ counts.
        let (user, address) = rest.rsplit_once('@').map_or((None, rest), |(user, address)| (Some(user), address));
        match user.map(|user| user.split_once(':').map_or((user, ""), |(name, _)| (name, ":****"))) {
            Some((name, hidden)) => write!(f, "{scheme}://{name}{hidden}@")?,
            None => write!(f, "{scheme}://")?,
        }
        match address.split_once('?') {
            // A password in the query says as much, and so does one whose name is encoded.
            Some((host, query)) if query.contains('%') || query.to_ascii_lowercase().contains("pass") => write!(f, "{host}?****"),
            _ => f.write_str(address),
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::is_kept, *};

    #[test]
    fn only_what_can_be_opened_is_taken() {
        for text in [
            "sqlite:/tmp/evently.db",
            "postgres://evently@db:5432/evently",
            "postgres://evently@db:5432,db2:5433/evently",
            "postgresql://db/evently?sslmode=require",
        ] {
            assert!(is_kept::<StoreUrl>(text), "{text}");
        }
        for text in ["mysql://host/evently", "postgres:", "postgres://", "sqlite:", "evently.db"] {
            assert_eq!(StoreUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let shown = |text| StoreUrl::parse(text).map(|url| format!("{} {url:?}", url.show())).unwrap();
        for text in [
            "postgres://me:hush@db/evently",
            "postgres://me:hu@sh@db/evently",
            "postgres://me:hu?sh@db/evently",
            "postgres://me:hu?sh@db/evently?sslmode=require",
            "postgres://db/evently?password=hush",
            "postgres://db/evently?PASSWORD=hush",
            "postgres://db/evently?pass%77ord=hush",
            "postgres://db/evently?p%61ss%77ord=hush",
        ] {
            assert!(!shown(text).contains("hu"), "{text} is shown as {}", shown(text));
        }
        assert_eq!(StoreUrl::parse("postgres://me:hush@db/evently").unwrap().show(), "postgres://me:****@db/evently");
    }
}
