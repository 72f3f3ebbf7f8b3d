//! Whether a service still stands by everything that it has said.

use std::{collections::HashSet, time::Duration};

use evently_cli::http1::{Answer, Connection, Request};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    evently::{Service, body_of},
    load::{Asked, Customer, Told, ids, is_decided},
};

/// Longer than a seat lock lasts whose owner does not settle it.
pub const LOCKS_LAST: Duration = Duration::from_secs(12);
/// How long is asked at most what cannot be answered now.
const PATIENCE: Duration = Duration::from_secs(90);

/// How a booking may stand; it goes on in this order, and never back.
const STATUSES: [&str; 5] = ["pending", "expired", "confirmed", "cancelled", "refunded"];

/// Asks again for every answer that got lost, with the same key, until it is known.
pub async fn resolve(service: &Service, customers: &mut [Customer]) -> usize {
    let mut connection = service.connection();
    let mut resolved = 0;
    for customer in customers {
        if let Some(asked) = customer.unknown.take() {
            let answer = customer.insist(&mut connection, &asked).await.expect("the service is up again");
            customer.learn(asked, &answer);
            resolved += 1;
        }
    }
    resolved
}

/// Lets the customers look at the bookings of which nobody could tell them whether their money has come.
pub async fn look_again(mut connection: Connection, customers: &mut [Customer]) {
    for customer in customers {
        let open = customer.bookings.iter().filter(|(_, told)| !told.paid && (told.in_doubt || told.unanswered));
        for id in open.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            if let Some(seen) = Seen::at_one_moment(&mut connection, customer, &id).await {
                customer.look_at(&id, &seen.now, &seen.entries);
            }
        }
    }
}

/// What of all that was told is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Scope {
    /// All bookings.
    Everything,
    /// What was told last, and one of so many of the older bookings.
    Lately {
        /// Which of them.
        turn: usize,
        /// How many turns it takes to see all.
        turns: usize,
    },
}

/// Everything in which the service contradicts what it has told the customers. `locks_last` says for how long a seat lock may be in the
/// way of a hold that is asked for again.
pub async fn contradictions(
    mut connection: Connection,
    customers: &[Customer],
    scope: Scope,
    locks_last: Duration,
) -> Vec<String> {
    let mut found = Vec::new();
    for customer in customers {
        let lately = customer.answered.iter().skip(customer.rested).filter_map(|(asked, _, body)| asked.booking(body));
        let lately = lately.collect::<HashSet<_>>();
        for (number, (id, told)) in customer.bookings.iter().enumerate() {
            let looked_at = match scope {
                Scope::Everything => true,
                Scope::Lately { turn, turns } => number % turns == turn % turns || lately.contains(id.as_str()),
            };
            if looked_at {
                booking(&mut connection, customer, id, told, &mut found).await;
            }
        }
        // The last answers, asked for again: the same, and nothing done twice.
        for (asked, status, body) in customer.answered.iter().skip(customer.rested) {
            let answer = again(&mut connection, customer, asked, (*status, locks_last)).await;
            let again = body_of(&answer);
            if answer.status != *status || without_trace(again.clone()) != without_trace(body.clone()) {
                found.push(format!("{asked:?} was answered {status} {body}, and again {} {again}", answer.status));
            }
        }
    }
    found
}

/// The request once more. Who has a hold that was decided while Redis was away may be turned away by a seat lock that somebody has left
/// behind meanwhile, until that has run out.
async fn again(connection: &mut Connection, customer: &Customer, asked: &Asked, (status, locks_last): (u16, Duration)) -> Answer {
    let request = Request::post(&asked.path, asked.body.as_bytes()).by(&customer.token).keyed(&asked.key);
    let began = Instant::now();
    loop {
        let sent = began.elapsed();
        let answer = ask(connection, &request).await;
        let turned_away = status == 201 && answer.status == 409;
        if !turned_away || sent >= locks_last {
            return answer;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Asks until it is decided: a house that is whole again may still be too busy to answer at once.
async fn ask(connection: &mut Connection, request: &Request<'_>) -> Answer {
    let began = Instant::now();
    loop {
        let answer = connection.send(request).await.expect("the service is up");
        if is_decided(&answer) || began.elapsed() >= PATIENCE {
            return answer;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// A problem names the request that it was the answer to.
fn without_trace(mut body: Value) -> Value {
    if let Some(object) = body.as_object_mut() {
        object.remove("trace_id");
    }
    body
}

async fn booking(connection: &mut Connection, customer: &Customer, id: &str, told: &Told, found: &mut Vec<String>) {
    let Some(Seen { statuses, now, entries }) = Seen::at_one_moment(connection, customer, id).await else {
        found.push(format!("booking {id} was acknowledged, and is gone"));
        return;
    };
    let may_be: &[&str] = match (told.cancelled, told.paid, told.asked_to_cancel) {
        _ if told.in_doubt => &STATUSES,
        (true, _, _) => &["cancelled", "refunded"],
        (false, true, false) => &["confirmed"],
        (false, true, true) => &["confirmed", "refunded", "cancelled"],
        (false, false, _) => &["pending", "expired", "cancelled"],
    };
    for status in &statuses {
        if !may_be.contains(&status.as_str()) {
            found.push(format!("booking {id} should be one of {may_be:?}, and is {status}"));
        }
    }
    let status = now["status"].as_str().unwrap_or_default();
    let mut seats = ids(&now["seats"]);
    let mut acknowledged = told.seats.clone();
    seats.sort_unstable();
    acknowledged.sort_unstable();
    if seats != acknowledged || now["total"] != told.total {
        found.push(format!("booking {id} was for {acknowledged:?}, and is for {seats:?}"));
    }
    if told.code.is_some() && now["code"].as_str() != told.code.as_deref() {
        found.push(format!("booking {id} had the code {:?}, and has {}", told.code, now["code"]));
    }
    history(id, status, &entries, found);
    if told.paid {
        tickets(connection, customer, id, status, &acknowledged, found).await;
    }
}

/// A booking as it was seen.
struct Seen {
    /// How it stood, each time that it was asked for.
    statuses: Vec<String>,
    now: Value,
    /// Its history.
    entries: Value,
}

impl Seen {
    /// The booking and its history as they are together: between the one question and the other a hold may run out, and then both are asked
    /// again. It only goes on, and so it is not asked for ever: what goes back is at odds with its history.
    async fn at_one_moment(connection: &mut Connection, customer: &Customer, id: &str) -> Option<Self> {
        let path = format!("/api/v1/bookings/{id}");
        let status = |booking: &Value| booking["status"].as_str().unwrap_or_default().to_owned();
        let mut statuses = vec![status(&get(connection, customer, &path).await?)];
        loop {
            let entries = get(connection, customer, &format!("{path}/history")).await.unwrap_or_default();
            let now = get(connection, customer, &path).await?;
            let went_on = STATUSES.iter().position(|known| *known == status(&now))
                > STATUSES.iter().position(|known| Some(*known) == statuses.last().map(String::as_str));
            statuses.push(status(&now));
            if !went_on {
                return Some(Self { statuses, now, entries });
            }
        }
    }
}

/// Where the booking stands is where its history has led, step by step.
fn history(id: &str, status: &str, entries: &Value, found: &mut Vec<String>) {
    let mut stands: Option<String> = None;
    for entry in entries.as_array().into_iter().flatten() {
        let to = entry["to"].as_str().unwrap_or_default();
        if STATUSES.contains(&to) {
            if entry["from"].as_str() != stands.as_deref() {
                found.push(format!("booking {id} went from {} although it was {stands:?}", entry["from"]));
            }
            stands = Some(to.to_owned());
        }
    }
    if stands.as_deref() != Some(status) {
        found.push(format!("booking {id} is {status}, and its history ends in {stands:?}"));
    }
}

/// What was paid for has one ticket for each seat, good as long as the booking is.
async fn tickets(
    connection: &mut Connection,
    customer: &Customer,
    id: &str,
    status: &str,
    seats: &[String],
    found: &mut Vec<String>,
) {
    let tickets = get(connection, customer, &format!("/api/v1/bookings/{id}/tickets")).await.unwrap_or_default();
    let good = tickets.as_array().into_iter().flatten().filter(|ticket| ticket["status"] == "valid");
    let mut good = good.map(|ticket| ticket["seat"]["id"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>();
    good.sort_unstable();
    let wanted = if status == "confirmed" { seats } else { &[] };
    if good != wanted {
        found.push(format!("booking {id} is {status} with the seats {seats:?} and has good tickets for {good:?}"));
    }
}

async fn get(connection: &mut Connection, customer: &Customer, path: &str) -> Option<Value> {
    let answer = ask(connection, &Request::get(path).by(&customer.token)).await;
    (answer.status == 200).then(|| body_of(&answer))
}
