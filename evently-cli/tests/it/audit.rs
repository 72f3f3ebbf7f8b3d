//! A service that finds out by itself that its store contradicts itself.

use std::time::Duration;

use evently_cli::http1::Request;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::evently::{Evently, Service, body_of};

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

/// One file of settings or one environment may be for all processes, and says that those which take requests leave the rest to others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_works_whatever_the_services_leave_to_it() {
    let evently = Evently::new().with("EVENTLY__WORKERS__ENABLED", "false");
    let event = evently.event(1);
    evently.account("ada@example.org", "customer");
    let service = evently.serve();
    let token = service.log_in("ada@example.org").await;
    let mut connection = service.connection();
    let mut send = async |request: Request<'_>| body_of(&connection.send(&request).await.unwrap());
    let seats = send(Request::get(&format!("/api/v1/events/{event}/seats"))).await;
    let hold = json!({"event_id": event, "seat_ids": [seats["seats"][0]["id"]]}).to_string();
    let booking = send(Request::post("/api/v1/bookings", hold.as_bytes()).by(&token)).await;
    let payment = json!({"method": {"type": "card", "token": "tok_visa"}}).to_string();
    let path = format!("/api/v1/bookings/{}/payment", booking["id"].as_str().unwrap());
    let paid = send(Request::post(&path, payment.as_bytes()).by(&token)).await;
    assert_eq!(paid["booking"]["status"], "confirmed", "{paid}");
    let _worker = evently.work();
    let mails = evently.data.path().join("mail");
    let mailed = async {
        while std::fs::read_dir(&mails).map_or(0, Iterator::count) == 0 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(1), mailed).await.expect("a mail is sent");
}
