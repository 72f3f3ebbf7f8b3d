//! The fault tests are worth something only if they can fail: here is what they must find out.

use tokio::time::Instant;

use super::{
    sale::{Sale, Servers},
    soon::until,
};
use crate::witness::Scope;

/// The store is that of an hour ago, so to say; and what was handed on is handed on again to consumers who have forgotten it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_who_act_twice_and_a_store_that_forgets_are_found_out() {
    let servers = Servers::start();
    let postgres = &servers.postgres;
    let mut sale = Sale::open(&servers.urls()).await;
    sale.through(postgres, "nothing broke", async |_| {}).await;
    let known = sale.customers.iter().flat_map(|customer| customer.bookings.keys().cloned()).collect::<Vec<_>>();
    sale.fleet.stop();
    postgres.query("postgres", &["create database earlier template evently"]).unwrap();
    sale.fleet.start_on(&postgres.url());
    sale.through(postgres, "nothing broke", async |_| {}).await;
    assert_eq!(sale.contradictions(Scope::Everything).await, Vec::<String>::new());

    // Only one is left, so that what the others have sent is sent by somebody who does not see it in their own folder.
    (0..2).for_each(|instance| sale.fleet.kill(instance));
    sale.fleet.kill_worker();
    let anew = ["delete from inbox", "update consumers set position = 0 where name = 'relay'"];
    postgres.query("evently", &anew).unwrap();
    let enough = sale.mails_in_the_middle();
    until("mails are sent twice", Instant::now(), async || sale.mails().doubled.len() > enough).await;
    let found = sale.contradictions(Scope::Everything).await;
    assert!(matches!(&found[..], [one] if one.contains("handed over twice")), "{found:?}");

    sale.fleet.kill(2);
    sale.fleet.start_on(&postgres.admin_url("earlier"));
    let found = sale.contradictions(Scope::Everything).await;
    let bookings = sale.customers.iter().flat_map(|customer| customer.bookings.keys());
    for id in bookings.filter(|id| !known.contains(id)) {
        assert!(found.contains(&format!("booking {id} was acknowledged, and is gone")), "{id}: {found:?}");
    }
}
