//! A database of its own for each test.

use std::{
    fs,
    hash::{DefaultHasher, Hasher as _},
    sync::Arc,
    thread,
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    memory::SeededIds,
    ports::{Ids, Store},
};
use evently_postgres::{Options, PgStore, Pooler, Time};
use evently_testkit::StorePlace;
use evently_testservers::{Database, PgBouncer, shared_postgres};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::pair::until;

/// A database with the schema; gone when this is dropped.
pub struct Place {
    // Ends first, so that nobody is connected any more.
    pooler: Option<PgBouncer>,
    database: Database,
}

impl Place {
    pub fn new() -> Self {
        let (server, schema) = (shared_postgres().unwrap(), schema());
        let copy = server.copy_of(&schema).unwrap().unwrap_or_else(|| {
            let draft = server.fresh_database().unwrap();
            migrate(draft.url());
            draft.into_template(&schema).unwrap();
            server.copy_of(&schema).unwrap().expect("it has just been made")
        });
        Self { pooler: None, database: copy }
    }

    /// The same through a pooler of its own.
    pub fn pooled() -> Self {
        let server = shared_postgres().unwrap().port().unwrap();
        Self { pooler: Some(PgBouncer::before(server).unwrap()), ..Self::new() }
    }

    pub fn options(&self) -> Options {
        // Few, because many tests share the server, which a busy machine may keep from answering for some seconds. Their clocks are moved by hand.
        let (patience, time) = (Duration::from_mins(1), Time::Caller);
        let direct = Options { connections: 4, patience, time, ..Options::new(self.database.url()) };
        match &self.pooler {
            None => direct,
            Some(pooler) => Options { url: pooler.url(self.database.name()), pooler: Pooler::Transaction, ..direct },
        }
    }

    /// A statement by somebody else.
    pub fn execute(&self, statement: &str) {
        self.database.execute(statement).unwrap();
    }

    /// Tries a statement by somebody else.
    pub fn try_execute(&self, statement: &str) -> Result<(), String> {
        self.database.execute(statement)
    }

    /// Has the server find rows in the order in which they stand on the disk, for whoever connects from now on.
    pub fn without_indexes(&self) {
        for scan in ["indexscan", "indexonlyscan", "bitmapscan"] {
            self.execute(&format!("alter database \"{}\" set enable_{scan} = off", self.database()));
        }
    }

    pub fn database(&self) -> &str {
        self.database.name()
    }

    /// Takes away what no mistake of ours gets past.
    pub fn drop_the_constraint(&self) {
        self.database.execute("alter table booking_items drop constraint booking_items_pk").unwrap();
    }

    pub async fn open_with(&self, ids: Arc<dyn Ids>, options: &Options) -> PgStore {
        PgStore::open(ids, options).await.unwrap()
    }
}

/// Waits until this line is in the metrics.
pub async fn until_said(figures: &PrometheusHandle, line: &str) {
    until(line, || figures.render().lines().any(|said| said == line)).await;
}

/// The name of the template: another one for other migrations, because the server may have those of an earlier build.
fn schema() -> String {
    let mut files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect::<Vec<_>>();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        hasher.write(&fs::read(file).unwrap());
    }
    format!("store_{:016x}", hasher.finish())
}

/// In a thread of its own, with its own runtime: whoever waits may be in one.
fn migrate(url: &str) {
    let options = Options { patience: Duration::from_mins(1), ..Options::new(url) };
    let open = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(PgStore::open(Arc::new(SeededIds::new(1)), &options)).map(drop)
    };
    thread::spawn(open).join().unwrap().unwrap();
}

#[async_trait]
impl StorePlace for Place {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        Store::new(Arc::new(self.open_with(ids, &self.options()).await))
    }
}
