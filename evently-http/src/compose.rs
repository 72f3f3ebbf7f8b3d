//! The composition root: the one place that knows every adapter, and builds the whole application from one configuration.

use std::{io, net::SocketAddr, path::Path, sync::Arc};

use evently_core::{
    cache::Caches,
    domain::{HoldTerms, RequestKey},
    memory::{SandboxGateway, SandboxTimes},
    ports::{AccessTokens, Clock, Ids, PasswordHasher, PaymentGateway, RateLimits, Store},
    services::{
        AnalyticsService, AuthParts, AuthService, AuthTerms, BookingService, BoxOffice, EventService, Forgetting, InProcess,
        Jobs, NotificationParts, NotificationService, OfficeSize, PaymentParts, PaymentService, Relay, RelayParts, Upkeep,
    },
};
use evently_postgres::{PgStore, Time};
use evently_sqlite::SqliteStore;
use tokio::sync::watch;

use crate::{
    clock::{StoreClock, SystemClock},
    config::{Config, Secrets},
    database,
    gateway::InTime,
    ids::SystemIds,
    login_limit::LoginLimit,
    mail::EmlMailer,
    passwords::BcryptHasher,
    places::Places,
    seat_bodies::SeatBodies,
    secrets,
    set_aside::SetAside,
    shared::Shared,
    tokens::JwtAccessTokens,
};

/// The latest version of the store's file that this build can open.
pub const STORE_VERSION: usize = evently_sqlite::SCHEMA_VERSION;

/// The application: its services, over adapters that nobody else knows.
pub struct App {
    /// What it was built from.
    pub config: Config,
    /// The ports of the store.
    pub store: Store,
    /// The store itself where it is on a server.
    pub database: Option<PgStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids and secrets.
    pub ids: Arc<dyn Ids>,
    /// Passwords.
    pub passwords: Arc<dyn PasswordHasher>,
    /// Access tokens.
    pub tokens: Arc<dyn AccessTokens>,
    /// Accounts and logins.
    pub auth: AuthService,
    /// How often passwords may be tried.
    pub logins: LoginLimit,
    /// Venues and events.
    pub events: Arc<EventService>,
    /// Bookings.
    pub bookings: BookingService,
    /// Payments.
    pub payments: Arc<PaymentService>,
    /// Figures of sales.
    pub analytics: Arc<AnalyticsService>,
    /// Mails.
    pub notifications: Arc<NotificationService>,
    /// What is to be done at once.
    pub jobs: Arc<Jobs>,
    /// Hands on what has happened to those who act on it.
    pub relay: Relay,
    /// What time brings with it.
    pub upkeep: Arc<Upkeep>,
    /// What other instances share with this one.
    pub shared: Shared,
    /// What the store need not be asked again.
    pub caches: Caches,
    /// How often somebody may ask.
    pub limits: Arc<dyn RateLimits>,
    /// The built-in gateway, whose webhooks somebody has to deliver.
    pub sandbox: Arc<SandboxGateway>,
    /// Room for live feeds.
    pub live_places: Places,
    /// The state of seats as it is sent.
    pub seat_bodies: SeatBodies,
    /// Turns true when the application is to stop.
    pub stopping: watch::Sender<bool>,
}

impl App {
    /// The key of a request, or a new one where it came without: an answer that is lost between the store's server and us is found again
    /// by its key. Holds and payments need none for that, having ids.
    pub fn key_or_new(&self, key: Option<RequestKey>) -> Option<RequestKey> {
        let new = || RequestKey::new(&["new"], &self.ids.uuid(self.clock.now()).to_string(), &[]);
        key.or_else(|| self.database.is_some().then(new))
    }
}

/// Why the application does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder, or a secret in it, cannot be used.
    #[error("{what} cannot be used")]
    Data {
        /// What.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store's file cannot be opened.
    #[error(transparent)]
    Sqlite(#[from] evently_sqlite::OpenError),
    /// The store's server is away, or its database cannot be opened.
    #[error("{problem} ({setting})")]
    Postgres {
        /// What is wrong, and what would be right.
        problem: evently_postgres::Problem,
        /// The setting that it is about.
        setting: &'static str,
        /// What the server or the driver says.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The URL of Redis is none.
    #[error("{0} (redis.url)")]
    Redis(#[from] evently_redis::OpenError),
    /// The message broker cannot be used.
    #[error("{0} (rabbitmq.url)")]
    RabbitMq(#[from] evently_amqp::OpenError),
    /// The address is not to be had.
    #[error("cannot listen on {address} (http.listen)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The made-up data could not be made.
    #[error("the demo data could not be made: {0}")]
    Demo(String),
}

impl From<evently_postgres::OpenError> for StartError {
    fn from(error: evently_postgres::OpenError) -> Self {
        let setting = match error.way {
            evently_postgres::Way::Url => "store.url",
            evently_postgres::Way::DirectUrl => "store.direct_url",
            evently_postgres::Way::ReplicaUrl => "store.replica_url",
        };
        Self::Postgres { problem: error.problem, setting, source: error.source }
    }
}

/// Builds the application, and opens its box office on the runtime that this is called on. Its time is that of the store's server, or of
/// this machine where the store is a file.
pub async fn open(config: Config) -> Result<App, StartError> {
    Box::pin(build(config, None)).await
}

/// The same by another clock.
pub async fn open_at(config: Config, clock: Arc<dyn Clock>) -> Result<App, StartError> {
    Box::pin(build(config, Some(clock))).await
}

/// What opening everything takes is large; those who call it box it, so that their own futures are not.
async fn build(config: Config, clock: Option<Arc<dyn Clock>>) -> Result<App, StartError> {
    let data = &config.data.dir;
    let in_data = |what: String| |source| StartError::Data { what, source };
    private_folder(data).map_err(in_data(format!("the data folder {} (data.dir)", data.display())))?;
    let ids: Arc<dyn Ids> = Arc::new(SystemIds::new());
    let secret = |set, name: &str| {
        let file = data.join(name);
        secrets::set_or_kept(set, &file, &*ids).map_err(in_data(format!("the secret in {}", file.display())))
    };
    let token_secret = secret(&config.auth.secret, "auth.secret")?;
    let webhook_secret = secret(&config.payment.webhook_secret, "webhook.secret")?;

    let time = if clock.is_some() { Time::Caller } else { Time::Server };
    let (store, database) = open_store(&config, time, &ids).await?;
    let clock = match (clock, &database) {
        (Some(clock), _) => clock,
        (None, Some(database)) => StoreClock::following(database.clone()).await,
        (None, None) => Arc::new(SystemClock::new()),
    };
    let shared = Shared::open(&config, &clock).await?;
    let feed = shared.feed(store.catalog.clone(), database.is_some().then(|| ids.secret()));
    let limits = shared.limits();
    let caches = shared.caches(&clock, token_secret.0.first().map(String::as_str).unwrap_or_default());
    let size = OfficeSize { queue: config.box_office.queue, batch: config.box_office.batch };
    let (office, work) = BoxOffice::open_behind(shared.locks(), store.bookings.clone(), feed.clone(), clock.clone(), size);
    tokio::spawn(work);

    let sandbox = Arc::new(sandbox(&webhook_secret, clock.clone()));
    let gateway: Arc<dyn PaymentGateway> = Arc::new(InTime::new(sandbox.clone(), config.payment.gateway_timeout));
    let terms =
        HoldTerms { ttl: config.booking.hold_ttl, cap: config.booking.hold_cap, payment_window: config.booking.payment_window };
    let passwords: Arc<dyn PasswordHasher> = Arc::new(BcryptHasher::new(config.auth.bcrypt_cost, cores()));
    let tokens: Arc<dyn AccessTokens> = Arc::new(JwtAccessTokens::new(&token_secret.0));
    let auth = AuthService::new(AuthParts {
        accounts: store.accounts.clone(),
        sessions: store.sessions.clone(),
        passwords: passwords.clone(),
        tokens: tokens.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
        caches: caches.clone(),
        terms: AuthTerms { access_ttl: config.auth.access_ttl, refresh_ttl: config.auth.refresh_ttl },
    });
    let events = EventService::new(office.clone(), store.catalog.clone(), feed, clock.clone(), ids.clone());
    let events = Arc::new(events.with_caches(&caches));
    let payments = Arc::new(PaymentService::new(PaymentParts {
        office: office.clone(),
        store: store.bookings.clone(),
        chores: store.chores.clone(),
        events: events.clone(),
        gateway,
        clock: clock.clone(),
        ids: ids.clone(),
        terms,
    }));
    let analytics = AnalyticsService::new(store.outbox.clone(), store.figures.clone(), events.clone());
    let analytics = Arc::new(analytics.with_caches(&caches));
    let upkeep = Arc::new(Upkeep::new(office.clone(), store.chores.clone(), clock.clone()));
    let notifications = Arc::new(NotificationService::new(NotificationParts {
        inbox: store.inbox.clone(),
        store: store.bookings.clone(),
        accounts: store.accounts.clone(),
        events: events.clone(),
        mailer: Arc::new(EmlMailer::new(config.mail_folder())),
        clock: clock.clone(),
        ids: ids.clone(),
    }));
    let carrier = shared.carrier(Arc::new(InProcess::new(vec![Arc::new(SetAside::new(notifications.clone()))])));
    let relay = Relay::new(RelayParts {
        outbox: store.outbox.clone(),
        carrier: Arc::new(Forgetting::before(carrier, events.clone())),
        clock: clock.clone(),
        ids: ids.clone(),
    });
    Ok(App {
        passwords,
        tokens,
        auth,
        logins: LoginLimit::counted_by(&*limits, &config.rate_limit, clock.clone()),
        bookings: BookingService::new(office, store.bookings.clone(), events.clone(), clock.clone(), ids.clone(), terms),
        jobs: Arc::new(Jobs::new(payments.clone(), upkeep.clone())),
        payments,
        analytics,
        notifications,
        relay,
        upkeep,
        shared,
        caches,
        limits,
        events,
        sandbox,
        live_places: Places::new(config.http.live_per_client),
        seat_bodies: SeatBodies::default(),
        stopping: watch::Sender::new(false),
        config,
        store,
        database,
        clock,
        ids,
    })
}

/// The gateway that takes what was signed with any of the secrets.
fn sandbox(secrets: &Secrets, clock: Arc<dyn Clock>) -> SandboxGateway {
    let (signing, others) = secrets.0.split_first().expect("where none is set one is kept");
    SandboxGateway::new(signing.as_str(), SandboxTimes::default(), clock).also_taking(others.iter().map(String::as_str))
}

async fn open_store(config: &Config, time: Time, ids: &Arc<dyn Ids>) -> Result<(Store, Option<PgStore>), StartError> {
    let ids = Arc::clone(ids);
    if let Some(file) = config.store_file() {
        return Ok((Store::new(Arc::new(open_file(&file, ids)?)), None));
    }
    let store = database::open_by(time, config, ids).await?;
    Ok((Store::new(Arc::new(store.clone())), Some(store)))
}

/// The embedded store in this file.
pub fn open_file(file: &Path, ids: Arc<dyn Ids>) -> Result<SqliteStore, StartError> {
    Ok(SqliteStore::open(file, ids, &evently_sqlite::Options::default())?)
}

/// Waits until the application is to stop.
pub async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Without anybody who could say so it is to stop as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Makes the folder if it is not there: for its owner alone, since it holds addresses and secrets.
fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_data_folder_is_its_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        super::private_folder(&folder).unwrap();
        assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
