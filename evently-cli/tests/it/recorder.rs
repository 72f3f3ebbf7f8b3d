//! What customers did and saw, with its times, and whether there is an order of it in which each seat was one seat.

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
    sync::OnceLock,
    time::{Duration, Instant},
};

use evently_core::domain::{BookingId, SeatId, SeatStatus, SeatStep, Timestamp};
use evently_testkit::history::{Call, Did, Lapse, Sight, Transaction, judge, one_order};
use serde::Deserialize as _;
use serde_json::{Value, json};

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
    looks: Vec<Look>,
}

/// What was seen of all seats at once.
#[derive(Debug, Clone)]
struct Look {
    /// The instance that showed it.
    by: usize,
    sent: u64,
    answered: u64,
    /// Each with its version, and how it stood.
    seats: Vec<(u32, u64, SeatStatus)>,
}

/// What came of judging.
#[derive(Debug)]
pub struct Judged {
    /// How many calls there were, each once for each of its seats.
    pub calls: usize,
    /// How often all seats were looked at beside them.
    pub looks: usize,
    pub found: Vec<String>,
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
                if matches!(status, 200 | 402) {
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
            (What::Look, 200) => {
                let seats = body["seats"].as_array().expect("it has the seats").iter().map(seen).collect();
                self.looks.push(Look { by: asked.by, sent, answered, seats });
            }
            (What::Hold, 409) if body["code"] == "seats_unavailable" => {
                self.calls.extend(in_the_way(body).map(|(seat, sight)| call(vec![seat], Did::See(sight))));
            }
            _ => {}
        }
    }

    /// Notes what a hold was refused for where a seat lock may refuse for somebody who then gets nothing, so that only seats that were booked count,
    /// and where what is shown may be `lag` old.
    pub fn note_booked(&mut self, asked: &Asked, body: &Value, lag: Duration) {
        let (sent, answered) = (asked.sent.saturating_sub(whole_micros(lag)), Some(now()));
        let refused = Some(body).filter(|body| body["code"] == "seats_unavailable");
        let booked = refused.into_iter().flat_map(in_the_way).filter(|(_, sight)| *sight == Sight::Booked);
        self.calls.extend(booked.map(|(seat, _)| Call { sent, answered, seats: vec![seat], did: Did::See(Sight::Booked) }));
    }

    /// Notes that a booking was found to be paid for, with these seats, by a payment of which nobody could say so when it was asked for.
    pub fn note_paid(&mut self, id: &str, seats: &Value) {
        let did = Did::Pay { booking: booking(id) };
        let sent = self.calls.iter().find(|call| call.did == did).expect("it was asked for").sent;
        self.change(Call { sent, answered: Some(now()), seats: numbers(seats), did }, id.to_owned(), "confirmed");
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

    /// One look saw a seat as it had been before.
    pub fn tell_an_old_story(&mut self) {
        let [.., before, last] = &mut self.looks[..] else { panic!("nobody looked twice") };
        let as_before = |(one, other): &(&(u32, u64, SeatStatus), &mut (u32, u64, SeatStatus))| one.1 == other.1 && one.1 > 1;
        let (_, seat) = before.seats.iter().zip(&mut last.seats).find(as_before).expect("a seat that has not changed since");
        seat.1 -= 1;
    }

    fn change(&mut self, call: Call, booking: String, to: &'static str) {
        self.went.insert(self.calls.len(), (booking, to));
        self.calls.push(call);
    }
}

/// What is wrong with all that the customers did and saw: at each seat, and over all of them by the versions that the journal says it made.
/// `journal` has the store's entries as JSON. What is shown of the seats is as of one moment, or each seat as it was at most so long ago as `lag` says
/// of the instance that showed it, for what it was asked and has answered between these times.
pub fn judged(customers: &[Customer], journal: &[Value], lag: impl Fn(usize, RangeInclusive<u64>) -> Duration) -> Judged {
    let recorders = || customers.iter().map(|customer| &customer.recorder);
    let calls = recorders().flat_map(|recorder| recorder.calls.iter().cloned()).collect::<Vec<_>>();
    let judgement = judge(&calls);
    let mut found = judgement.violations.iter().map(ToString::to_string).collect::<Vec<_>>();
    found.extend(judgement.undecided.iter().map(|seat| format!("seat {seat} is undecided")));
    let made = Made::by(journal);
    let mut transactions = Vec::new();
    for recorder in recorders() {
        for (at, went) in &recorder.went {
            let Some(wrote) = made.versions.get(went) else {
                found.push(format!("booking {} went to {}, and the journal does not know of it", went.0, went.1));
                continue;
            };
            let Call { sent, answered, .. } = recorder.calls[*at];
            transactions.push(Transaction { sent, answered, wrote: wrote.clone(), saw: Vec::new() });
        }
        for Look { by, sent, answered, seats } in &recorder.looks {
            let lag = lag(*by, *sent..=*answered);
            found.extend(seats.iter().filter_map(|seat| made.contradicts(*seat)));
            let sent = sent.saturating_sub(whole_micros(lag));
            let saw = seats.iter().map(|(seat, version, _)| (*seat, *version)).collect::<Vec<_>>();
            // What is shown late is of several moments: an instance has its own sales before those of others.
            let at_once = if lag.is_zero() { saw.len() } else { 1 };
            transactions.extend(saw.chunks(at_once).map(|saw| {
                let (answered, saw) = (Some(*answered), saw.to_vec());
                Transaction { sent, answered, wrote: Vec::new(), saw }
            }));
        }
    }
    found.extend(one_order(&transactions).err().map(|disorder| disorder.to_string()));
    Judged { calls: judgement.operations, looks: recorders().map(|recorder| recorder.looks.len()).sum(), found }
}

/// What the journal says was made.
#[derive(Default)]
struct Made {
    /// The versions of seats that each step of each booking has made.
    versions: BTreeMap<(String, &'static str), Vec<(u32, u64)>>,
    /// How each version of each seat stands.
    stands: HashMap<(u32, u64), SeatStatus>,
}

impl Made {
    fn by(journal: &[Value]) -> Self {
        let mut made = Self::default();
        for entry in journal {
            let steps = Vec::<SeatStep>::deserialize(entry.get("s").unwrap_or(&json!([]))).expect("steps of seats");
            made.stands.extend(steps.iter().map(|step| ((step.number, u64::from(step.version)), step.status)));
            let booking = &entry["f"]["booking"];
            let to = match (booking["from"].as_str(), booking["to"].as_str()) {
                (None, Some("pending")) => "pending",
                (_, Some("confirmed")) => "confirmed",
                (_, Some("cancelled" | "refunded")) => "ended",
                _ => continue,
            };
            let steps = steps.iter().map(|step| (step.number, u64::from(step.version)));
            made.versions.insert((text(&booking["id"]), to), steps.collect());
        }
        made
    }

    /// In which way a seat was seen as it never stood.
    fn contradicts(&self, (seat, version, seen): (u32, u64, SeatStatus)) -> Option<String> {
        let stood = self.stands.get(&(seat, version));
        // As the event was published.
        let stood = stood.or((version <= 1).then_some(&SeatStatus::Available));
        let what = format!("version {version} of seat {seat} was seen as {}", seen.name());
        match stood {
            None => Some(format!("{what}, and the journal does not know of it")),
            Some(stood) => (*stood != seen).then(|| format!("{what}, and is {}", stood.name())),
        }
    }
}

/// The seats that a hold was refused for, and how they were seen.
fn in_the_way(body: &Value) -> impl Iterator<Item = (u32, Sight)> {
    let seats = body["seats"].as_array().expect("it names the seats");
    seats.iter().map(|seat| {
        let sight = match seat["status"].as_str() {
            Some("reserved") => Sight::Held,
            Some("booked") => Sight::Booked,
            other => panic!("a seat is in the way that is {other:?}"),
        };
        (number(&seat["id"]).expect("it has a number"), sight)
    })
}

fn whole_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("it is short")
}

/// A seat as it is shown.
fn seen(seat: &Value) -> (u32, u64, SeatStatus) {
    let (id, version) = (number(&seat["id"]), seat["version"].as_u64());
    let status = SeatStatus::NAMES.into_iter().find(|(name, _)| seat["status"] == *name).map(|(_, status)| status);
    let seen = (|| Some((id?, version?, status?)))();
    seen.unwrap_or_else(|| panic!("{seat} is no seat with a version and a status"))
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
