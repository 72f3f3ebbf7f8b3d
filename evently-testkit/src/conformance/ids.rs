//! Ids and secrets.

use std::{collections::HashSet, sync::Arc, time::Duration};

use evently_core::{domain::Timestamp, ports::Ids};

use super::race;

pub async fn no_two_are_the_same(ids: Arc<dyn Ids>) {
    let now = Timestamp::from_secs(1_800_000_000);
    let made = race(move |_| {
        let ids = ids.clone();
        async move { (0..1_000).map(|_| (ids.uuid(now), ids.secret())).collect::<Vec<_>>() }
    });
    let (mut uuids, mut secrets) = (HashSet::new(), HashSet::new());
    for (uuid, secret) in made.await.into_iter().flatten() {
        assert_eq!(uuid.get_version_num(), 7);
        assert!(uuids.insert(uuid) && secrets.insert(secret));
    }
}

pub async fn ids_are_in_the_order_of_their_times(ids: Arc<dyn Ids>) {
    let start = Timestamp::from_secs(1_800_000_000);
    let made = (0..1_000).map(|n| ids.uuid(start + Duration::from_millis(n))).collect::<Vec<_>>();
    assert!(made.is_sorted());
}

/// Every bit of a secret is as often set as not: whoever has seen some has no hint of the next.
pub async fn secrets_leave_no_bit_to_guess(ids: Arc<dyn Ids>) {
    let secrets = (0..4_096).map(|_| ids.secret()).collect::<Vec<_>>();
    for bit in 0..128 {
        let set = secrets.iter().filter(|secret| **secret >> bit & 1 == 1).count();
        assert!((1_600..2_500).contains(&set), "bit {bit} is set in {set} of 4096");
    }
}
