//! What customers did and saw, with its times, and whether there is an order of it in which each seat was one seat.

use std::{collections::BTreeMap, sync::OnceLock, time::Instant};

use evently_core::domain::{BookingId, SeatId, Timestamp};
use evently_testkit::history::{Call, Did, Lapse, Sight, Transaction, judge, one_order};
use serde_json::Value;

use crate::load::{Asked, Customer, What};

/// For how long a payment may keep a hold alive. The services are started with this.
const PAYMENT_WINDOW_US: u64 = 5_000_000;
/// By how much two clocks of one machine may differ in as much time as a hold lasts, and what a microsecond is rounded to.
const CLOCKS_US: u64 = 10_000;

/// The time, in microseconds since the first call.
#[expect(clippy::disallowed_methods, reason = "what customers see is measured")]
pub fn now() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(BEGAN.get_or_init(Instant::now).elapsed().as_micros()).expect("a test is short")
}

/// The calls of one customer.
#[derive(Debug, Default)]
pub struct Recorder {
    calls: Vec<Call>,
    /// Of those that changed something: the booking, and where it went.
    went: BTreeMap<usize, (String, &'static str)>,
    holds: BTreeMap<String, (Vec<u32>, Lapse)>,
}

impl Recorder {
    /// Whether the time for which somebody was told to have the seats may be over.
    pub fn may_have_run_out(&self, booking: &str) -> bool {
        now() >= self.holds[booking].1.from
    }

    /// Notes what came of a request, now that its answer has been read.
    pub fn note(&mut self, asked: &Asked, status: u16, body: &Value) {
        let (sent, answered) = (asked.sent, now());
        let call = |seats: Vec<u32>, did| Call { sent, answered: Some(answered), seats, did };
        match (&asked.what, status) {
            (What::Hold, 201) => {
                let (id, seats) = (text(&body["id"]), numbers(&body["seats"]));
                let lasts = micros(&body["expires_at"]).saturating_sub(micros(&body["created_at"]));
                let lapse = Lapse { from: (sent + lasts).saturating_sub(CLOCKS_US), by: answered + lasts + CLOCKS_US };
                self.holds.insert(id.clone(), (seats.clone(), lapse));
                self.change(call(seats, Did::Hold { booking: booking(&id), lapse }), id, "pending");
            }
            (What::Pay { booking: id }, 200) if body["payment"]["status"] == "succeeded" => {
                let (held, lapse) = &self.holds[id];
                let (booking, seats) = (booking(id), numbers(&body["booking"]["seats"]));
                let in_time = answered < lapse.from && seats == *held;
                let did = if in_time { Did::Confirm { booking } } else { Did::Pay { booking } };
                if !in_time {
                    let lapse = Lapse { by: lapse.by.max(answered) + PAYMENT_WINDOW_US, ..*lapse };
                    let extended = Did::Extend { booking, lapse };
                    self.calls.push(Call { answered: None, ..call(held.clone(), extended) });
                }
                self.change(call(seats, did), id.clone(), "confirmed");
            }
            // It may have begun all the same, and kept the seats for longer.
            (What::Pay { booking: id }, _) => {
                let (seats, lapse) = self.holds[id].clone();
                let lapse = Lapse { by: lapse.by.max(answered) + PAYMENT_WINDOW_US, ..lapse };
                let extended = Did::Extend { booking: booking(id), lapse };
                self.calls.push(Call { answered: None, ..call(seats.clone(), extended) });
                if status == 200 {
                    self.calls.push(Call { answered: None, ..call(seats, Did::Pay { booking: booking(id) }) });
                }
            }
            (What::Cancel { booking: id }, 200) => {
                let release = call(numbers(&body["seats"]), Did::Release { booking: booking(id) });
                let paid = self.went.values().any(|(other, to)| other == id && *to == "confirmed");
                // What has run out has no seats any more to give up.
                let had_them = paid || self.holds.get(id).is_some_and(|(_, lapse)| release.answered < Some(lapse.from));
                let answered = release.answered.filter(|_| had_them);
                self.change(Call { answered, ..release }, id.clone(), "ended");
            }
            (What::Hold, 409) if body["code"] == "seats_unavailable" => {
                for seat in body["seats"].as_array().expect("it names the seats") {
                    let sight = match seat["status"].as_str() {
                        Some("reserved") => Sight::Held,
                        Some("booked") => Sight::Booked,
                        other => panic!("a seat is in the way that is {other:?}"),
                    };
                    self.calls.push(call(number(&seat["id"]).into_iter().collect(), Did::See(sight)));
                }
            }
            _ => {}
        }
    }

    /// How many calls there are, each once for each of its seats.
    pub fn calls(&self) -> usize {
        self.calls.iter().map(|call| call.seats.len()).sum()
    }

    /// One payment in the middle was for somebody else's booking.
    pub fn tell_a_lie(&mut self) {
        let paid = |call: &Call| matches!(call.did, Did::Confirm { .. });
        let paid = self.calls.iter().enumerate().filter(|(_, call)| paid(call)).map(|(at, _)| at).collect::<Vec<_>>();
        self.calls[paid[paid.len() / 2]].did = Did::Confirm { booking: BookingId::from_uuid(uuid::Uuid::from_u128(1)) };
    }

    fn change(&mut self, call: Call, booking: String, to: &'static str) {
        self.went.insert(self.calls.len(), (booking, to));
        self.calls.push(call);
    }
}

/// What is wrong with all that the customers did: at each seat, and over all of them by the versions that the journal says it made. `journal`
/// has the store's entries as JSON. How many calls were judged, each once for each of its seats.
pub fn judged(customers: &[Customer], journal: &[Value]) -> (usize, Vec<String>) {
    let recorders = || customers.iter().map(|customer| &customer.recorder);
    let calls = recorders().flat_map(|recorder| recorder.calls.iter().cloned()).collect::<Vec<_>>();
    let judgement = judge(&calls);
    let mut found = judgement.violations.iter().map(ToString::to_string).collect::<Vec<_>>();
    found.extend(judgement.undecided.iter().map(|seat| format!("seat {seat} is undecided")));
    let made = versions(journal);
    let mut transactions = Vec::new();
    for recorder in recorders() {
        for (at, went) in &recorder.went {
            let Some(wrote) = made.get(went) else {
                found.push(format!("booking {} went to {}, and the journal does not know of it", went.0, went.1));
                continue;
            };
            let Call { sent, answered, .. } = recorder.calls[*at];
            transactions.push(Transaction { sent, answered, wrote: wrote.clone(), saw: Vec::new() });
        }
    }
    found.extend(one_order(&transactions).err().map(|disorder| disorder.to_string()));
    (judgement.operations, found)
}

/// The versions of seats that each step of each booking has made.
fn versions(journal: &[Value]) -> BTreeMap<(String, &'static str), Vec<(u32, u64)>> {
    let mut made = BTreeMap::new();
    for entry in journal {
        let booking = &entry["f"]["booking"];
        let to = match (booking["from"].as_str(), booking["to"].as_str()) {
            (None, Some("pending")) => "pending",
            (_, Some("confirmed")) => "confirmed",
            (_, Some("cancelled" | "refunded")) => "ended",
            _ => continue,
        };
        let steps = entry["s"].as_array().into_iter().flatten();
        let steps = steps.map(|step| (u32::try_from(step["n"].as_u64().unwrap()).unwrap(), step["v"].as_u64().unwrap()));
        made.insert((text(&booking["id"]), to), steps.collect());
    }
    made
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn booking(id: &str) -> BookingId {
    id.parse().expect("the service names bookings by their ids")
}

fn micros(time: &Value) -> u64 {
    let time = text(time).parse::<Timestamp>().expect("it is a time");
    u64::try_from(time.as_micros()).expect("it is not that long ago")
}

fn number(id: &Value) -> Option<u32> {
    id.as_str()?.parse::<SeatId>().ok()?.number()
}

fn numbers(seats: &Value) -> Vec<u32> {
    let mut numbers = seats.as_array().into_iter().flatten().filter_map(|seat| number(&seat["id"])).collect::<Vec<_>>();
    numbers.sort_unstable();
    numbers
}
