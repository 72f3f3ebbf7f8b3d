//! One word of a few.

use evently_amqp::Topology;

use super::Value;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $right:literal: $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl Value for $name {
            const RIGHT: &'static str = $right;

            fn parse(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn show(&self) -> String {
                match self {
                    $(Self::$variant => $word,)+
                }.to_owned()
            }
        }
    };
}

words!(
    /// What a line of the log looks like.
    LogFormat, "json or text":
    /// One JSON object a line, for machines.
    Json = "json",
    /// For people.
    Text = "text"
);

words!(
    /// What stands between the service and a PostgreSQL store.
    Pooler, "none or transaction":
    /// Nothing.
    None = "none",
    /// A pooler in transaction mode, such as `PgBouncer`.
    Transaction = "transaction"
);

words!(
    /// Who moves the money.
    Gateway, "sandbox":
    /// Nobody: it plays a gateway, for trying out and for tests.
    Sandbox = "sandbox"
);

words!(
    /// What the service is there for.
    Profile, "development, staging or production":
    /// Somebody's own machine.
    Development = "development",
    /// A rehearsal.
    Staging = "staging",
    /// Real buyers and real money.
    Production = "production"
);

/// What the names of everything at the broker begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePrefix(pub String);

impl QueuePrefix {
    /// The names.
    pub fn topology(&self) -> Topology {
        Topology::try_new(&self.0).expect("no other is read")
    }
}

impl Value for QueuePrefix {
    const RIGHT: &'static str = "1 to 100 letters, digits, `.`, `-` or `_`";

    fn parse(text: &str) -> Option<Self> {
        Topology::try_new(text).is_ok().then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevel(pub String);

impl Value for LogLevel {
    const RIGHT: &'static str = "error, warn, info, debug or trace, also for parts of the service as in info,evently_http=debug";

    fn parse(text: &str) -> Option<Self> {
        let right = text.split(',').all(|part| {
            let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
            matches!(level.trim(), "off" | "error" | "warn" | "info" | "debug" | "trace")
        });
        right.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}
