//! A primary with a streaming replica, for tests that stop, pause or promote one of them.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    memory::SeededIds,
    ports::{Ids, Store},
};
use evently_postgres::{Options, PgStore, Time};
use evently_testkit::StorePlace;
use evently_testservers::Postgres;

/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Pair {
    pub primary: Postgres,
    pub replica: Postgres,
}

impl Pair {
    pub fn start() -> Self {
        // What it has acknowledged is flushed at once, so that a replica soon has it.
        let primary = Postgres::options().set("synchronous_commit", "local").start().unwrap();
        let replica = primary.replica().unwrap();
        Self { primary, replica }
    }

    /// One pair for all tests of the process that leave it alone.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Pair> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub fn options(&self) -> Options {
        let replica_url = Some(self.replica.url());
        Options { connections: 4, replica_url, time: Time::Caller, ..Options::new(self.primary.url()) }
    }

    /// A store on the pair, once its replica is fit.
    pub async fn open(&self) -> PgStore {
        self.open_with(&self.options()).await
    }

    pub async fn open_with(&self, options: &Options) -> PgStore {
        let store = PgStore::open(Arc::new(SeededIds::new(7)), options).await.unwrap();
        until_in_use(&store).await;
        store
    }

    /// Changes data behind the back of every store.
    pub fn execute(&self, statement: &str) {
        self.primary.query("evently", &[statement]).unwrap();
    }

    /// Waits until this is what the replica answers. It may not even have the table yet.
    pub async fn replayed(&self, question: &str, answer: &str) {
        until("replayed", || self.replica.query("evently", &[question]).is_ok_and(|found| found == answer)).await;
    }

    /// Lets the replica stand where it is, or go on.
    pub fn replay(&self, goes_on: bool) {
        let how = if goes_on { "resume" } else { "pause" };
        self.replica.query("evently", &[&format!("select pg_wal_replay_{how}()")]).unwrap();
        if !goes_on {
            // It is only asked to, and does so at the next record.
            self.execute("select pg_create_restore_point('here')");
            self.await_state("paused");
        }
    }

    fn await_state(&self, state: &str) {
        let began = tokio::time::Instant::now();
        // Each question is a program of its own, which is pause enough.
        while self.replica.query("evently", &["select pg_get_wal_replay_pause_state()"]).unwrap() != state {
            assert!(began.elapsed() < PATIENCE, "the replica is never {state}");
        }
    }
}

/// Waits until the replica is fit, or is not.
pub async fn until_up(store: &PgStore, up: bool) {
    until(&format!("replica up: {up}"), || store.replica().unwrap().up == up).await;
}

/// Waits until browsing goes to the replica.
pub async fn until_in_use(store: &PgStore) {
    until("replica in use", || store.replica().unwrap().in_use).await;
}

/// Waits until something is so.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let looked = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// A database on the shared pair.
pub struct Replicated {
    name: String,
}

impl Replicated {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("place_{}", COUNT.fetch_add(1, Relaxed));
        Pair::shared().primary.create_database(&name).unwrap();
        Self { name }
    }
}

#[async_trait]
impl StorePlace for Replicated {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        let pair = Pair::shared();
        let replica_url = Some(pair.replica.admin_url(&self.name));
        let url = pair.primary.admin_url(&self.name);
        let options = Options { connections: 4, patience: PATIENCE, replica_url, time: Time::Caller, ..Options::new(url) };
        let store = PgStore::open(ids, &options).await.unwrap();
        until_in_use(&store).await;
        Store::new(Arc::new(store))
    }
}
