//! All settings there are, in one table: name, kind, default and purpose.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use evently_core::domain::GATEWAY_PATIENCE;

use super::{
    Row,
    layers::Values,
    value::{
        Gateway, LogFormat, LogLevel, Network, Origin, Pooler, PostgresUrl, Profile, QueuePrefix, RabbitMqUrl, Rate, RedisUrl,
        Secrets, Size, StoreUrl,
    },
};

/// What is known of a setting before anybody has set it.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name: section and key.
    pub key: &'static str,
    /// What it is unless somebody says otherwise.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Whether it may hold a password, so that what was said is never repeated.
    pub secret: bool,
}

macro_rules! settings {
    ($(
        $(#[doc = $section_about:literal])+
        $section:ident: $Section:ident {
            $(#[doc = $about:literal] $key:ident: $kind:ty = $default:literal $(in $range:expr)?;)+
        }
    )+) => {
        /// All settings, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[$($(
            Setting {
                key: concat!(stringify!($section), ".", stringify!($key)),
                default: $default,
                about: $about.trim_ascii(),
                secret: is_secret(stringify!($kind)),
            },
        )+)+];

        $(
            $(#[doc = $section_about])+
            #[derive(Debug, Clone)]
            pub struct $Section {
                $(#[doc = $about] pub $key: $kind,)+
            }
        )+

        /// How the service is set up.
        #[derive(Debug, Clone)]
        pub struct Config {
            /// What it is there for.
            pub profile: Profile,
            $($(#[doc = $section_about])+ pub $section: $Section,)+
            pub(super) rows: Vec<Row>,
        }

        impl Config {
            /// Reads every setting.
            pub(super) fn read(profile: Profile, values: &mut Values) -> Self {
                $(let $section = ($(
                    values.read::<$kind>(concat!(stringify!($section), ".", stringify!($key)), &settings!(@range $($range)?)),
                )+);)+
                $(let $section = {
                    let ($($key,)+) = $section;
                    $Section { $($key,)+ }
                };)+
                Self { profile, $($section,)+ rows: values.rows() }
            }
        }
    };
    (@range) => { () };
    (@range $range:expr) => { $range };
}

const fn is_secret(kind: &str) -> bool {
    matches!(kind.as_bytes(), b"Secrets" | b"StoreUrl" | b"PostgresUrl" | b"RedisUrl" | b"RabbitMqUrl")
}

settings! {
    /// The connections.
    http: Http {
        /// Where it listens.
        listen: SocketAddr = "127.0.0.1:8080";
        /// The largest body of a request.
        body_limit: Size = "1MiB" in Size(1 << 10)..=Size(1 << 30);
        /// The largest file that may be imported.
        import_limit: Size = "32MiB" in Size(1 << 10)..=Size(1 << 30);
        /// How long a request may take, its body included, or a client take nothing of the answer; six times as long for an import.
        request_timeout: Duration = "10s" in MOMENT..=HOUR;
        /// How long a client may take to send the head of a request.
        header_timeout: Duration = "10s" in MOMENT..=HOUR;
        /// Connections at a time; what comes beyond is closed at once. Three quarters of them may be live feeds; a feed beyond is answered 503.
        connections_max: usize = "16000" in 1..=1_000_000;
        /// Connections at a time of one address; those of trusted proxies are not counted.
        connections_per_client: usize = "2000" in 1..=1_000_000;
        /// Live feeds at a time of one client address.
        live_per_client: usize = "100" in 1..=1_000_000;
        /// Requests at a time; what comes beyond is answered 503 at once. Live feeds, health and metrics do not count.
        in_flight_max: usize = "1024" in 1..=1_000_000;
        /// Proxies whose X-Forwarded-For is believed.
        trusted_proxies: Vec<Network> = "";
        /// How long a shutdown goes on serving before it refuses connections; longer than a proxy keeps idle ones.
        drain: Duration = "0s" in Duration::ZERO..=HOUR;
        /// How long a shutdown then waits for requests that are under way.
        shutdown_grace: Duration = "20s" in Duration::ZERO..=HOUR;
    }
    /// What is kept on disk.
    data: Data {
        /// The folder of everything that is kept: the store, mails, generated secrets.
        dir: PathBuf = "./evently-data";
    }
    /// The store.
    store: Store {
        /// Where the store is; without it `evently.db` in the data folder. Of several PostgreSQL hosts the one that can be written to counts.
        url: StoreUrl = "";
        /// What stands between the service and a PostgreSQL store: none, or transaction for a pooler in transaction mode.
        pooler: Pooler = "none";
        /// The PostgreSQL store without the pooler; where it is set, the schema is brought up to date at the start.
        direct_url: PostgresUrl = "";
        /// A streaming replica of the PostgreSQL store, to which browsing goes while it is there and less than 10 seconds behind.
        replica_url: PostgresUrl = "";
        /// Connections to a PostgreSQL store at a time, from this process; and as many to its replica.
        connections: u32 = "16" in 2..=10_000;
        /// How long a request waits for one of them.
        patience: Duration = "3s" in MOMENT..=HOUR;
        /// How long a PostgreSQL store may take for a statement, and wait for a lock.
        statement_timeout: Duration = "3s" in MOMENT..=HOUR;
    }
    /// What several instances share: seat locks, rates, caches, the live feed. It may be away at any time.
    redis: Redis {
        /// Where it is; without it each instance keeps these for itself.
        url: RedisUrl = "";
    }
    /// What carries what has happened to those who act on it.
    rabbitmq: RabbitMq {
        /// Where it is; without it the instances do that among themselves.
        url: RabbitMqUrl = "";
        /// What the names of the exchange and the queues begin with; another one for each store that shares a broker.
        prefix: QueuePrefix = "evently";
    }
    /// What goes on beside the requests.
    workers: Workers {
        /// Whether this process does it: mails, figures, refunds, holds that have run out. One of the processes on a store has to.
        enabled: bool = "true";
        /// How often one of the processes that answer checks what the store holds, as `evently verify` does: it reads everything. 0s means never.
        audit: Duration = "6h" in Duration::ZERO..=YEAR;
    }
    /// How often somebody may ask.
    rate_limit: RateLimit {
        /// Whether anybody is limited at all.
        enabled: bool = "true";
        /// Reads of events and of one's own bookings, for each client.
        events: Rate = "100/minute";
        /// Holds, payments and whatever else changes bookings, for each user.
        bookings: Rate = "10/minute";
        /// Administration, for each user.
        admin: Rate = "1000/minute";
        /// Logins and whatever else checks a password, for each client address.
        auth: Rate = "20/minute";
        /// Logins that are renewed or ended, for each client address.
        sessions: Rate = "300/minute";
        /// Wrong passwords for one account, from everywhere; an address that it has logged in from has as many of its own.
        login: Rate = "10/15m";
    }
    /// Pages of other origins.
    cors: Cors {
        /// The origins whose pages may call the service.
        origins: Vec<Origin> = "https://evently.com,https://app.evently.com";
    }
    /// Holds and payments.
    booking: Booking {
        /// How long a hold lasts, and by how much it is extended.
        hold_ttl: Duration = "5m" in SECOND..=DAY;
        /// How long a hold may last in all, however often it is extended.
        hold_cap: Duration = "30m" in SECOND..=DAY;
        /// How long a payment may take.
        payment_window: Duration = "30m" in SECOND..=DAY;
    }
    /// Accounts and logins.
    auth: Auth {
        /// How long an access token is good.
        access_ttl: Duration = "30m" in SECOND..=DAY;
        /// How long a login lasts, however often it is refreshed.
        refresh_ttl: Duration = "7d" in SECOND..=YEAR;
        /// What access tokens are signed with; without it one is made and kept in the data folder.
        secret: Secrets = "";
        /// How slow it is to check a password: each step doubles it.
        bcrypt_cost: u32 = "12" in 4..=15;
    }
    /// Money.
    payment: Payment {
        /// Who moves the money.
        gateway: Gateway = "sandbox";
        /// What the gateway signs its messages with; without it one is made and kept in the data folder.
        webhook_secret: Secrets = "";
        /// How long the gateway may take to answer. After 15 s a buyer may pay with another card, so it is less.
        gateway_timeout: Duration = "8s" in MOMENT..=GATEWAY_TIMEOUT_MAX;
    }
    /// The queue in front of the store.
    box_office: BoxOffice {
        /// Requests that may wait; what comes beyond is answered 503 at once. Behind seat locks up to two batches more.
        queue: usize = "4096" in 1..=1_000_000;
        /// Requests that are decided in one transaction.
        batch: usize = "256" in 1..=10_000;
    }
    /// The log.
    log: Log {
        /// What a line looks like.
        format: LogFormat = "json";
        /// What is logged: a level, or levels for parts of the service as in `info,evently_http=debug`.
        level: LogLevel = "info";
    }
    /// Something to look at.
    demo: Demo {
        /// Whether empty data is filled with made-up venues, events, accounts and sales.
        enabled: bool = "false";
    }
}

const MOMENT: Duration = Duration::from_millis(10);
const SECOND: Duration = Duration::from_secs(1);
/// A gateway that has not been given up can answer still.
const GATEWAY_TIMEOUT_MAX: Duration = GATEWAY_PATIENCE.saturating_sub(Duration::from_secs(1));
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(366 * 24);
