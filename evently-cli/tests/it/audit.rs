//! A service that finds out by itself that its store contradicts itself.

use std::time::Duration;

use evently_cli::http1::Request;
use tokio::time::{sleep, timeout};

use crate::evently::{Evently, Service};

async fn says(service: &Service, figure: &str) {
    let asking = async {
        let mut connection = service.connection();
        loop {
            let answer = connection.send(&Request::get("/metrics")).await.unwrap();
            if String::from_utf8_lossy(answer.body()).lines().any(|line| line == figure) {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(1), asking).await.unwrap_or_else(|_| panic!("it does not say {figure}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_never_be_is_in_the_metrics_once_it_is() {
    let evently = Evently::new().with("EVENTLY__WORKERS__AUDIT", "1s");
    evently.event(4);
    let service = evently.serve();
    says(&service, "evently_invariant_violations 0").await;
    let store = rusqlite::Connection::open(evently.data.path().join("evently.db")).unwrap();
    store.busy_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(store.execute("update seats set status = 3 where number = 2", []).unwrap(), 1);
    says(&service, "evently_invariant_violations 1").await;
}
