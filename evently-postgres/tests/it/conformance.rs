//! The contracts of the store ports, against a real server.

use crate::support::Place;

evently_testkit::store_conformance!(Place::new());
evently_testkit::durable_conformance!(Place::new());

#[test]
fn random_histories_agree_with_the_model() {
    evently_testkit::model::run(Place::new, 24);
}
