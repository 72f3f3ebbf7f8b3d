//! The same contracts through a pooler in transaction mode.

use evently_core::{memory::SeededIds, ports::Ids};
use evently_postgres::{Options, PgStore, Problem, Way, inspect};
use evently_testservers::fresh_database;
use std::sync::Arc;

use crate::support::Place;

evently_testkit::store_conformance!(Place::pooled());

#[test]
fn random_histories_agree_with_the_model() {
    evently_testkit::model::run(Place::pooled, 12);
}

fn ids() -> Arc<dyn Ids> {
    Arc::new(SeededIds::new(1))
}

#[tokio::test]
async fn a_database_without_the_schema_is_refused_unless_there_is_a_direct_way() {
    let empty = fresh_database().unwrap();
    let place = Place::pooled();
    let options = Options { url: place.options().url.replace(place.database(), empty.name()), ..place.options() };
    let refused = PgStore::open(ids(), &options).await.err().unwrap();
    assert!(matches!(refused.problem, Problem::NotMigrated { found: 0, .. }), "{refused}");
    let direct = Options { direct_url: Some(empty.url().to_owned()), ..options.clone() };
    PgStore::open(ids(), &direct).await.unwrap();
    PgStore::open(ids(), &options).await.unwrap();
}

/// It would be changed in place of the one that is used, which would be opened as it is.
#[tokio::test]
async fn a_direct_way_to_another_database_is_refused_and_that_left_alone() {
    let (place, another) = (Place::pooled(), fresh_database().unwrap());
    place.execute("alter table bookings drop constraint bookings_refunds, drop column refund_until, drop column refund_percent");
    place.execute("delete from _sqlx_migrations where version = 20261128200000");
    let options = Options { direct_url: Some(another.url().to_owned()), ..place.options() };
    let refused = PgStore::open(ids(), &options).await.err().expect("it does not open");
    assert_eq!((refused.way, refused.problem), (Way::DirectUrl, Problem::AnotherDatabase));
    assert_eq!(inspect(&Options::new(another.url())).await.unwrap().schema, 0);
}
