//! Everything again behind Sentinels, and in a cluster.

mod sentinels {
    use crate::places::suites;

    suites!(evently_testservers::shared_redis_sentinels().unwrap());
}

#[cfg(feature = "cluster")]
mod cluster {
    use crate::places::suites;

    suites!(evently_testservers::shared_redis_cluster().unwrap());
}

macro_rules! suites {
    ($url:expr) => {
        evently_testkit::seat_locks_conformance!(crate::seat_locks::under_test_at($url).await);
        evently_testkit::cache_conformance!(crate::cache::under_test_at($url).await);

        use std::sync::Arc;

        use evently_core::ports::{Catalog, SeatFeed};

        fn feed(catalog: Arc<dyn Catalog>) -> Arc<dyn SeatFeed> {
            crate::feed::feed_of($url, catalog)
        }

        evently_testkit::seat_feed_conformance!(feed);

        #[tokio::test]
        async fn rates_are_counted_for_all_instances_together() {
            crate::rates::share_one_bucket_at($url).await;
        }
    };
}

use suites;
