//! A disk without room, played by a limit on how large files may become: it works on any machine, and can be lifted again.

use evently_cli::http1::{Answer, Connection, Request};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};

use crate::evently::{Evently, Service, body_of};

/// How large the service's files may become from now on.
fn files_may_have(service: &Service, bytes: Option<u64>) {
    let pid = Pid::from_raw(service.id().try_into().unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

struct Buyer {
    connection: Connection,
    token: String,
    event: String,
}

impl Buyer {
    async fn get(&mut self, path: &str) -> Answer {
        self.connection.send(&Request::get(path).by(&self.token)).await.unwrap()
    }

    async fn post(&mut self, path: &str, key: &str, body: &Value) -> Answer {
        let body = body.to_string();
        self.connection.send(&Request::post(path, body.as_bytes()).by(&self.token).keyed(key)).await.unwrap()
    }

    async fn hold(&mut self, seat: &str) -> Answer {
        let body = json!({"event_id": self.event, "seat_ids": [seat]});
        self.post("/api/v1/bookings", seat, &body).await
    }

    /// The seats that are not to be had any more, and how many bookings there are.
    async fn taken(&mut self) -> (Vec<String>, usize) {
        let seats = body_of(&self.get(&format!("/api/v1/events/{}/seats", self.event)).await);
        let taken = seats["seats"].as_array().unwrap().iter().filter(|seat| seat["status"] != "available");
        let taken = taken.map(|seat| seat["id"].as_str().unwrap().to_owned()).collect();
        let bookings = body_of(&self.get("/api/v1/bookings?limit=100").await);
        (taken, bookings["items"].as_array().unwrap().len())
    }
}

#[track_caller]
fn refused_for_lack_of_room(answer: &Answer) {
    assert_eq!((answer.status, &body_of(answer)["code"]), (503, &json!("store_unavailable")));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_full_disk_refuses_what_it_cannot_keep_and_goes_on_when_there_is_room() {
    let evently = Evently::new();
    let event = evently.event(100);
    evently.account("ada@example.org", "customer");
    // Without this whoever writes too much would be killed.
    let service = evently.serve_after("trap '' XFSZ");
    let token = service.log_in("ada@example.org").await;
    let mut ada = Buyer { connection: service.connection(), token, event };
    let seats = body_of(&ada.get(&format!("/api/v1/events/{}/seats", ada.event)).await);
    let seats = seats["seats"].as_array().unwrap().iter().map(|seat| seat["id"].as_str().unwrap().to_owned());
    let seats = seats.collect::<Vec<_>>();

    // Room for a few more, and then in the middle of one for no more.
    let log = std::fs::metadata(evently.data.path().join("evently.db-wal")).unwrap().len();
    files_may_have(&service, Some(log + 100_000));
    let mut held = Vec::new();
    let first_refused = loop {
        let seat = &seats[held.len()];
        let answer = ada.hold(seat).await;
        if answer.status != 201 {
            refused_for_lack_of_room(&answer);
            break seat;
        }
        held.push((seat.clone(), body_of(&answer)["id"].as_str().unwrap().to_owned()));
    };
    assert!(!held.is_empty());

    // Nothing can be written, and everything be read.
    files_may_have(&service, Some(0));
    let booking = format!("/api/v1/bookings/{}", held[0].1);
    let payment = json!({"method": {"type": "card", "token": "tok_visa"}});
    refused_for_lack_of_room(&ada.hold(first_refused).await);
    refused_for_lack_of_room(&ada.post(&format!("{booking}/extend"), "extend", &json!({})).await);
    refused_for_lack_of_room(&ada.post(&format!("{booking}/payment"), "pay", &payment).await);
    refused_for_lack_of_room(&ada.post(&format!("{booking}/cancel"), "cancel", &json!({})).await);
    let acknowledged = held.iter().map(|(seat, _)| seat.clone()).collect::<Vec<_>>();
    assert_eq!(ada.taken().await, (acknowledged.clone(), held.len()), "nothing is half done");
    assert_eq!(body_of(&ada.get(&booking).await)["status"], "pending");
    assert_eq!(ada.get("/health/live").await.status, 200);

    // The same requests again, with the same keys.
    files_may_have(&service, None);
    assert_eq!(ada.hold(first_refused).await.status, 201);
    let paid = ada.post(&format!("{booking}/payment"), "pay", &payment).await;
    assert_eq!((paid.status, &body_of(&paid)["booking"]["status"]), (200, &json!("confirmed")));
    assert_eq!(ada.taken().await.1, held.len() + 1);
    service.kill();
    assert_eq!(evently.run(&["verify"]).code, 0);
    let again = evently.serve();
    ada.connection = again.connection();
    let (taken, bookings) = ada.taken().await;
    assert_eq!(taken, [&acknowledged[..], std::slice::from_ref(first_refused)].concat());
    assert_eq!(bookings, held.len() + 1);
}
