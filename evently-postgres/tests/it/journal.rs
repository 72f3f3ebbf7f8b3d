//! What was committed gets its place in the journal.

use std::sync::Arc;

use evently_core::{memory::SeededIds, ports::Outbox};

use crate::{
    elsewhere::{hold, on_sale},
    support::Place,
};

/// More rows than get their positions in one transaction, with nobody who has asked for them meanwhile.
#[tokio::test]
async fn all_that_was_committed_has_a_position_however_much_it_is() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = on_sale(&store, &ids).await;
    for seat in 0..200 {
        hold(&store, &ids, &event, seat).await;
    }
    let entries = store.after(0, 1_000).await.unwrap();
    let held = entries.iter().filter(|entry| entry.transition.booking_id().is_some()).count();
    assert_eq!(held, 200);
    assert_eq!(entries.last().map(|last| last.position), u64::try_from(entries.len()).ok());
}

/// The server finds rows in whatever order they stand on the disk, unless an index happens to have another.
#[tokio::test]
async fn what_was_written_first_comes_first_wherever_it_stands() {
    let place = Place::new();
    place.without_indexes();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = on_sale(&store, &ids).await;
    let mut held = Vec::new();
    for seat in 0..5 {
        held.push(hold(&store, &ids, &event, seat).await);
    }
    place.execute(
        "with gone as (delete from journal returning *) \
         insert into journal (event_id, sequence, content, entries, writer) overriding system value \
            select event_id, sequence, content, entries, writer from gone order by sequence desc",
    );
    let entries = store.after(0, 1_000).await.unwrap();
    assert_eq!(entries.iter().filter_map(|entry| entry.transition.booking_id()).collect::<Vec<_>>(), held);
}
