//! Customers who hold, pay and cancel while the service may die at any moment. Everything they are told is written down.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use evently_cli::http1::{Answer, Connection, Request};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    evently::Service,
    recorder::{self, Recorder},
};

/// One of so many wishes is to look at the seats.
const LOOKS: usize = 40;

/// A customer with everything that they were told.
#[derive(Debug)]
pub struct Customer {
    pub token: String,
    pub bookings: BTreeMap<String, Told>,
    /// The request whose answer got lost, if there is one.
    pub unknown: Option<Asked>,
    /// How many holds were refused because of a seat lock when an answer had been lost before: whoever was asked first may have been decided
    /// on all the same.
    pub refused_in_doubt: usize,
    /// Requests that were answered, each with its answer.
    pub answered: Vec<(Asked, u16, Value)>,
    /// How many of them had been given when the service was last started.
    pub rested: usize,
    /// The same with its times, for the judge.
    pub recorder: Recorder,
    random: u64,
    number: usize,
    asked: u64,
}

/// A request as it was sent.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub key: String,
    pub body: String,
    pub what: What,
    /// Before it was sent for the first time.
    pub sent: u64,
    /// The instance that has answered, where there are several.
    pub by: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Hold,
    Pay {
        booking: String,
    },
    Cancel {
        booking: String,
    },
    /// At all seats of the event.
    Look,
}

impl Asked {
    /// The booking that it was about, or that it was answered with.
    pub fn booking<'a>(&'a self, answer: &'a Value) -> Option<&'a str> {
        match &self.what {
            What::Hold => answer["id"].as_str(),
            What::Pay { booking } | What::Cancel { booking } => Some(booking),
            What::Look => None,
        }
    }
}

/// What a customer was told of a booking.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each was said, or not")]
pub struct Told {
    pub seats: Vec<String>,
    pub total: Value,
    pub code: Option<String>,
    /// Whether a payment of it succeeded.
    pub paid: bool,
    /// Whether a payment of it was left to the gateway to decide.
    pub in_doubt: bool,
    /// Whether a payment of it was given up without an answer of the gateway, so that its money may come all the same.
    pub unanswered: bool,
    /// Whether it was given up.
    pub cancelled: bool,
    /// Whether somebody asked for it to be given up, whatever they were told.
    pub asked_to_cancel: bool,
}

impl Customer {
    pub fn new(number: usize, seed: u64, token: String) -> Self {
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number as u64);
        Self {
            token,
            bookings: BTreeMap::new(),
            unknown: None,
            refused_in_doubt: 0,
            answered: Vec::new(),
            rested: 0,
            recorder: Recorder::default(),
            random,
            number,
            asked: 0,
        }
    }

    /// Xorshift, <https://www.jstatsoft.org/article/view/v008i14>.
    pub fn below(&mut self, end: usize) -> usize {
        self.random |= 1;
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % end as u64).unwrap()
    }

    /// Goes on until the service is gone.
    async fn go_on(mut self, mut connection: Connection, hall: Arc<Hall>) -> Self {
        self.rested = self.answered.len();
        while self.unknown.is_none() {
            let asked = self.wish(&hall);
            match self.insist(&mut connection, &asked).await {
                Some(answer) => self.learn(asked, &answer),
                None => self.unknown = Some(asked),
            }
        }
        self
    }

    /// Sends a request until it is decided, as a service that is too busy asks for; nothing if the answer got lost.
    pub async fn insist(&self, connection: &mut Connection, asked: &Asked) -> Option<Answer> {
        loop {
            let answer = self.send(connection, asked).await?;
            if answer.status != 503 || crate::evently::body_of(&answer)["code"] != "overloaded" {
                return Some(answer);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Sends a request once; nothing if the answer got lost.
    pub async fn send(&self, connection: &mut Connection, asked: &Asked) -> Option<Answer> {
        let request = match asked.what {
            What::Look => Request::get(&asked.path),
            _ => Request::post(&asked.path, asked.body.as_bytes()).by(&self.token).keyed(&asked.key),
        };
        connection.send(&request).await.ok()
    }

    /// Something to do: pay for what is on hold, give something up, hold something else, or now and then look at all seats.
    pub fn wish(&mut self, hall: &Hall) -> Asked {
        let asked = self.choose(hall);
        if let What::Cancel { booking } = &asked.what {
            self.bookings.get_mut(booking).unwrap().asked_to_cancel = true;
        }
        asked
    }

    fn choose(&mut self, hall: &Hall) -> Asked {
        self.asked += 1;
        if self.below(LOOKS) == 0 {
            let path = format!("/api/v1/events/{}/seats", hall.event);
            return Asked { path, key: String::new(), body: String::new(), what: What::Look, sent: recorder::now(), by: 0 };
        }
        let key = format!("{}-{}", self.number, self.asked);
        let open = self
            .bookings
            .iter()
            .filter(|(_, told)| !told.paid && !told.in_doubt && !told.asked_to_cancel)
            .map(|(id, _)| id.clone());
        let open = open.max();
        let paid = self.bookings.iter().filter(|(_, told)| told.paid && !told.asked_to_cancel).map(|(id, _)| id.clone());
        let paid = paid.collect::<Vec<_>>();
        match (self.below(10), open) {
            (0..=6, Some(booking)) => {
                let body = json!({ "method": { "type": "card", "token": "tok_visa" } }).to_string();
                let path = format!("/api/v1/bookings/{booking}/payment");
                Asked { path, key, body, what: What::Pay { booking }, sent: recorder::now(), by: 0 }
            }
            (7, Some(booking)) => cancel(key, booking),
            (8 | 9, _) if paid.len() > 2 => {
                let booking = paid[self.below(paid.len())].clone();
                cancel(key, booking)
            }
            _ => {
                let first = self.below(hall.seats.len());
                let chosen = [&hall.seats[first], &hall.seats[(first + 1) % hall.seats.len()]];
                let body = json!({ "event_id": hall.event, "seat_ids": chosen }).to_string();
                Asked { path: "/api/v1/bookings".to_owned(), key, body, what: What::Hold, sent: recorder::now(), by: 0 }
            }
        }
    }

    /// Notes what an answer says.
    pub fn learn(&mut self, asked: Asked, answer: &Answer) {
        let body = crate::evently::body_of(answer);
        self.recorder.note(&asked, answer.status, &body);
        if asked.what == What::Look {
            assert_eq!(answer.status, 200, "{body}");
            return;
        }
        match (&asked.what, answer.status) {
            (What::Hold, 201) => {
                let told = Told { seats: ids(&body["seats"]), total: body["total"].clone(), ..Told::default() };
                self.bookings.insert(body["id"].as_str().unwrap().to_owned(), told);
            }
            (What::Pay { booking }, 200) => {
                let told = self.bookings.get_mut(booking).unwrap();
                let status = body["payment"]["status"].as_str();
                // Asked when the hold was over, with a key with which somebody may have charged before.
                told.in_doubt = status == Some("processing");
                told.paid = status == Some("succeeded");
                // Charged when the time to pay was over and the seats had gone to somebody else.
                let gave_back = status == Some("refunded")
                    && body["booking"]["status"] == "expired"
                    && self.recorder.may_have_run_out(booking);
                // Charged although the money of the one that was given up has come.
                let second = status == Some("refunded") && told.unanswered;
                assert!(told.paid || told.in_doubt || gave_back || second, "{body}");
                told.code = body["booking"]["code"].as_str().map(str::to_owned);
                // Paid late, after the hold had run out, the seats may be others.
                told.seats = ids(&body["booking"]["seats"]);
            }
            (What::Cancel { booking }, 200) => self.bookings.get_mut(booking).unwrap().cancelled = true,
            // Somebody was faster, or time ran out.
            (_, 409) => {}
            // Whoever was to charge the card has died before the gateway heard of it, or stands still and has yet to say what it
            // answered. The seats stay on hold.
            (What::Pay { booking }, 402) if body["code"] == "payment_declined" => {
                self.bookings.get_mut(booking).unwrap().unanswered = true;
            }
            (what, status) => panic!("{what:?} was answered {status}: {body}"),
        }
        self.answered.push((asked, answer.status, body));
    }

    /// Notes what became of a booking of which nobody could say whether its money had come: how it stands, and its history.
    pub fn look_at(&mut self, id: &str, now: &Value, history: &Value) {
        let was = |status: &str| history.as_array().into_iter().flatten().any(|entry| entry["to"] == status);
        if !was("confirmed") {
            return;
        }
        let told = self.bookings.get_mut(id).unwrap();
        (told.paid, told.in_doubt, told.unanswered) = (true, false, false);
        told.cancelled |= told.asked_to_cancel && (was("cancelled") || was("refunded"));
        told.seats = ids(&now["seats"]);
        told.code = now["code"].as_str().map(str::to_owned);
        self.recorder.note_paid(id, &now["seats"]);
    }
}

pub fn ids(seats: &Value) -> Vec<String> {
    seats.as_array().into_iter().flatten().map(|seat| seat["id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Whether it says what became of the request, and not only that it should be sent again.
pub fn is_decided(answer: &Answer) -> bool {
    let again = ["overloaded", "store_unavailable", "request_in_flight"];
    answer.status < 400 || !again.iter().any(|code| crate::evently::body_of(answer)["code"] == *code)
}

fn cancel(key: String, booking: String) -> Asked {
    let path = format!("/api/v1/bookings/{booking}/cancel");
    Asked { path, key, body: "{}".to_owned(), what: What::Cancel { booking }, sent: recorder::now(), by: 0 }
}

/// What is fought over.
#[derive(Debug)]
pub struct Hall {
    pub event: String,
    pub seats: Vec<String>,
}

impl Hall {
    /// The hall of this event, as the service shows it.
    pub async fn of(event: String, mut connection: Connection) -> Self {
        let answer = connection.send(&Request::get(&format!("/api/v1/events/{event}/seats"))).await.unwrap();
        let body = crate::evently::body_of(&answer);
        let seats = body["seats"].as_array().unwrap().iter().map(|seat| seat["id"].as_str().unwrap().to_owned());
        Self { seats: seats.collect(), event }
    }
}

/// Lets all customers loose on the service; they come back when it is gone.
pub fn rush(service: &Service, customers: Vec<Customer>, hall: &Arc<Hall>) -> JoinSet<Customer> {
    let mut running = JoinSet::new();
    for customer in customers {
        running.spawn(customer.go_on(service.connection(), Arc::clone(hall)));
    }
    running
}
