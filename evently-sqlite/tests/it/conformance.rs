//! The contracts of the store ports, against real files.

use std::sync::Arc;

use async_trait::async_trait;
use evently_core::ports::{Ids, Store};
use evently_sqlite::{Options, SqliteStore};
use evently_testkit::StorePlace;

use crate::support::Place;

#[async_trait]
impl StorePlace for Place {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        Store::new(Arc::new(SqliteStore::open(self.path(), ids, &Options::default()).unwrap()))
    }
}

evently_testkit::store_conformance!(Place::new());
evently_testkit::durable_conformance!(Place::new());

#[test]
fn random_histories_agree_with_the_model() {
    evently_testkit::model::run(Place::new, 48);
}
