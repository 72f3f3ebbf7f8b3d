//! Asks the store and the model the same.

use std::{collections::BTreeMap, time::Duration};

use evently_core::domain::{
    Actor, BookingId, Command, EventChange, GatewayReport, OnSale, PaymentId, PriceDraft, RefundId, RefundPolicy, Rejection,
    Request, RequestKey, Seat, SeatMap, SeatState, TicketCode, Timestamp,
};

use super::{
    Seen,
    rules::{Model, Report},
    step::{Ask, By, Instead, Keyed, SEATS, Says, Step},
    view::{Said, View, view},
};
use crate::{DOOR, Fixture, GATEWAY, ORGANIZER, SYSTEM, World, customer, fixtures::user_of};

const HOUR: Duration = Duration::from_hours(1);
/// How long the answer to a key is good.
const ANSWERS: Duration = Duration::from_hours(24);

/// A key's number and the number of its content.
type KeyNumbers = (u8, u8);

pub(super) struct Driver {
    pub world: World,
    pub event: Fixture,
    pub other: Fixture,
    pub model: Model,
    /// The seats as whoever follows the changes sees them.
    pub map: SeatMap,
    /// In the order in which they came into being.
    bookings: Vec<BookingId>,
    payments: Vec<PaymentId>,
    /// What the store has made of itself, learned after each step.
    pub refunds: BTreeMap<PaymentId, RefundId>,
    pub tickets: BTreeMap<(BookingId, u32), TicketCode>,
    answers: BTreeMap<u8, (u8, Timestamp, Said)>,
    pub seen: Seen,
}

impl Driver {
    /// An event of two rows, short enough on everything that limits and deadlines are met.
    pub async fn new(mut world: World) -> Self {
        let now = world.now();
        world.terms.cap = world.terms.ttl + Duration::from_mins(1);
        let event = world.event_with(2, u32::from(SEATS) / 2, |event| {
            event.details.max_seats_per_booking = 3;
            event.details.max_seats_held = 5;
            event.details.on_sale = OnSale { opens_at: now, closes_at: now + HOUR * 30 };
            event.details.start_time = now + HOUR * 40;
            event.details.end_time = now + HOUR * 50;
            event.details.refunds = RefundPolicy { until: now + HOUR, percent: 50 };
        });
        let event = event.await;
        let other = Fixture::new(&*world.ids, now, 1, 1);
        let published = world.store.catalog.event(event.id()).await.expect("the store is at hand").expect("it was made");
        let categories = event.layout.places().map(|place| place.seat.category);
        let model = Model::new(now, world.terms, (*published).clone(), categories);
        let map = world.store.catalog.seat_map(event.id()).await.expect("the store is at hand").expect("it was made");
        Self {
            world,
            event,
            other,
            model,
            map,
            bookings: Vec::new(),
            payments: Vec::new(),
            refunds: BTreeMap::new(),
            tickets: BTreeMap::new(),
            answers: BTreeMap::new(),
            seen: Seen::new(),
        }
    }

    pub async fn play(mut self, steps: &[Step]) -> Result<Seen, String> {
        for (number, step) in steps.iter().enumerate() {
            self.step(step).await.map_err(|reason| format!("step {number}: {reason}"))?;
            self.world.wait(Duration::from_secs(step.wait.into()));
            self.model.now = self.world.now();
        }
        self.look_back().await;
        Ok(self.seen)
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        let (mut requests, mut expected) = (Vec::new(), Vec::new());
        for keyed in &step.asks {
            let Some((request, said)) = self.ask(keyed) else { continue };
            requests.push(request);
            expected.push((keyed, said));
        }
        let applied = self.world.apply(&requests).await;
        if applied.answers.len() != requests.len() {
            return Err(format!("there are {} answers to {} requests", applied.answers.len(), requests.len()));
        }
        for (answer, (keyed, (replayed, said))) in applied.answers.into_iter().zip(expected) {
            let answered = (answer.replayed, view(answer.result));
            if answered != (replayed, said.clone()) {
                return Err(format!("{keyed:?}\nwas answered {answered:#?}\nand the model says {:#?}", (replayed, said)));
            }
            if let Err(rejection) = &answered.1 {
                let name = format!("{rejection:?}");
                let name = name.split([' ', '(', '{']).next().expect("it has a name");
                *self.seen.entry(format!("refused: {name}")).or_default() += 1;
            }
            *self.seen.entry("replayed".to_owned()).or_default() += u64::from(answered.0);
        }
        self.map.take_in(applied.changes);
        self.compare().await
    }

    /// The request, and what the model says to it; nothing where what it is about is not there yet.
    fn ask(&mut self, Keyed { ask, key }: &Keyed) -> Option<(Request, (bool, Said))> {
        let (who, command) = self.command(ask)?;
        let request = Request::new(who, command).with_key(key.map(request_key));
        if let Some((number, content)) = *key
            && let Some((kept_for, at, said)) = self.answers.get(&number)
            && self.model.now < *at + ANSWERS
        {
            let same = *kept_for == content;
            return Some((request, if same { (true, said.clone()) } else { (false, Err(Rejection::KeyReused)) }));
        }
        let said = self.judge(&request);
        if let Some((number, content)) = *key {
            self.answers.insert(number, (content, self.model.now, said.clone()));
        }
        let said = match ask {
            Ask::Report { answers: Some(answers), .. } => self.settled(*answers, said),
            _ => (false, said),
        };
        Some((request, said))
    }

    /// The first report of a payment answers the request that began it, and whoever brings another one is answered the same.
    fn settled(&mut self, (number, content): (u8, u8), said: Said) -> (bool, Said) {
        match self.answers.get(&number) {
            Some((_, at, kept)) if self.model.now < *at + ANSWERS && !matches!(kept, Ok(View::Started(..))) => {
                let ours = matches!((kept, &said), (Ok(View::Paid(first, _)), Ok(View::Paid(now, _))) if first.id == now.id);
                if ours { (true, kept.clone()) } else { (false, said) }
            }
            _ => {
                self.answers.insert(number, (content, self.model.now, said.clone()));
                (false, said)
            }
        }
    }

    /// What the model says. What comes into being is noted.
    fn judge(&mut self, Request { actor, command, .. }: &Request) -> Said {
        let model = &mut self.model;
        let said = match command {
            Command::Hold { booking_id, user_id, seats, .. } => model.hold(*booking_id, *user_id, &numbers(seats)),
            Command::Extend { booking_id, .. } => model.extend(*booking_id, *actor),
            Command::StartPayment { payment_id, booking_id, .. } => model.start_payment(*payment_id, *booking_id, *actor),
            Command::SettlePayment { payment_id, report, reference, message, instead, .. } => {
                let message = message.as_ref().map(|message| message.parse().expect("the driver has numbered it"));
                let report = Report { says: report.clone(), reference: reference.as_deref(), message, instead };
                model.report(*payment_id, &report)
            }
            Command::Confirm { booking_id, payment_id, .. } => model.confirm(*booking_id, *payment_id),
            Command::Cancel { booking_id, expected, .. } => model.cancel(*booking_id, *expected, *actor),
            Command::Expire { booking_id } => model.expire(*booking_id),
            Command::SettleRefund { refund_id } => {
                let of = self.refunds.iter().find(|(_, id)| *id == refund_id).expect("the driver has learned of it");
                model.settle_refund(*of.0)
            }
            Command::Block { seats, .. } => model.house(&numbers(seats), SeatState::Available, SeatState::Blocked),
            Command::Unblock { seats, .. } => model.house(&numbers(seats), SeatState::Blocked, SeatState::Available),
            Command::CheckIn { code, event_id } => {
                let ticket = self.tickets.iter().find(|(_, known)| *known == code).expect("the driver has learned of it");
                model.check_in(*ticket.0, user_of(*actor), event_id.is_some_and(|id| id != self.event.id()))
            }
            Command::EditEvent { change, .. } => {
                let percent = change.refund_percent.expect("each has one");
                model.edit(change.prices[0].price, percent, change.refunds_until, change.start_time.zip(change.end_time))
            }
            Command::PublishEvent { .. } => model.publish(),
            Command::CancelEvent { .. } => model.call_off(),
            Command::CreateVenue { .. } | Command::CreateEvent { .. } => unreachable!("a history has one event"),
        };
        self.bookings.extend(model.bookings.keys().filter(|id| !self.bookings.contains(id)).copied().collect::<Vec<_>>());
        self.payments.extend(model.payments.keys().filter(|id| !self.payments.contains(id)).copied().collect::<Vec<_>>());
        said
    }

    fn command(&self, ask: &Ask) -> Option<(Actor, Command)> {
        let terms = self.world.terms;
        let event_id = self.event.id();
        let seats = |seats: &[u8]| self.event.seats(&wide(seats));
        Some(match ask {
            Ask::Hold { who, seats, again } => {
                let who = customer(u32::from(*who));
                let mut hold = self.world.hold_command(&self.event, who, &wide(seats));
                if let (Command::Hold { booking_id, .. }, Some(again)) = (&mut hold, again) {
                    *booking_id = self.booking(*again)?;
                }
                (who, hold)
            }
            Ask::Extend { booking, by } => {
                let booking_id = self.booking(*booking)?;
                (self.actor(booking_id, *by), Command::Extend { booking_id, terms })
            }
            Ask::StartPayment { booking, by, again } => {
                let booking_id = self.booking(*booking)?;
                let mut start = self.world.start_command(booking_id);
                if let (Command::StartPayment { payment_id, .. }, Some(again)) = (&mut start, again) {
                    *payment_id = nth(&self.payments, *again)?;
                }
                (self.actor(booking_id, *by), start)
            }
            Ask::Report { payment, says, reference, message, instead, answers } => {
                let payment_id = nth(&self.payments, *payment)?;
                let command = Command::SettlePayment {
                    payment_id,
                    report: report(*says),
                    reference: reference.then(|| "ch_1".to_owned()),
                    message: message.map(|message| message.to_string()),
                    instead: match instead {
                        Instead::Fitting => self.fitting(payment_id),
                        Instead::Seats(seats) => wide(seats),
                    },
                    terms,
                    answers: answers.map(request_key),
                };
                (GATEWAY, command)
            }
            Ask::Confirm { booking, again } => {
                let booking_id = self.booking(*booking)?;
                let payment_id = match again {
                    Some(again) => nth(&self.payments, *again)?,
                    None => self.world.payment_id(),
                };
                (ORGANIZER, Command::Confirm { booking_id, payment_id, reference: Some("till".to_owned()) })
            }
            Ask::Cancel { booking, by, expected } => {
                let booking_id = self.booking(*booking)?;
                (self.actor(booking_id, *by), Command::Cancel { booking_id, expected: *expected, reason: None })
            }
            Ask::Expire { booking } => (SYSTEM, Command::Expire { booking_id: self.booking(*booking)? }),
            Ask::SettleRefund { payment } => {
                let known = self.refunds.values().copied().collect::<Vec<_>>();
                (SYSTEM, Command::SettleRefund { refund_id: nth(&known, *payment)? })
            }
            Ask::Block { seats: wanted } => (ORGANIZER, Command::Block { event_id, seats: seats(wanted) }),
            Ask::Unblock { seats: wanted } => (ORGANIZER, Command::Unblock { event_id, seats: seats(wanted) }),
            Ask::CheckIn { booking, seat, elsewhere } => {
                let known = self.tickets.values().copied().collect::<Vec<_>>();
                let code = nth(&known, booking.wrapping_add(*seat))?;
                (DOOR, Command::CheckIn { code, event_id: Some(if *elsewhere { self.other.id() } else { event_id }) })
            }
            Ask::Edit { front, percent, minutes, ends } => {
                let event = &self.model.event;
                let prices = vec![PriceDraft { name: event.categories[0].name.clone(), price: *front }];
                let began = event.details.on_sale.opens_at;
                let after = |minutes: u8| began + Duration::from_mins(minutes.into());
                let (refunds_until, end_time) = (minutes.map(after), ends.map(after));
                let change = EventChange {
                    refund_percent: Some(*percent),
                    refunds_until,
                    start_time: end_time.map(|end| end - Duration::from_secs(30)),
                    end_time,
                    closes_at: end_time,
                    prices,
                    ..EventChange::default()
                };
                (ORGANIZER, Command::EditEvent { event_id, change })
            }
            Ask::Publish => (ORGANIZER, self.event.publish()),
            Ask::CallOff => (ORGANIZER, Command::CancelEvent { event_id, reason: None }),
        })
    }

    fn booking(&self, number: u8) -> Option<BookingId> {
        nth(&self.bookings, number)
    }

    /// Free seats that cost what those of the payment's booking do, as far as there are any.
    fn fitting(&self, payment: PaymentId) -> Vec<u32> {
        let booking = &self.model.bookings[&self.model.payments[&payment].booking_id];
        let mut free = self.model.seats.iter().filter(|seat| seat.state == SeatState::Available);
        let price = |seat: &Seat| self.model.event.categories[usize::from(seat.category)].price;
        booking.seats.iter().filter_map(|paid| free.find(|seat| price(seat) == paid.price)).map(|seat| seat.number).collect()
    }

    fn actor(&self, booking: BookingId, by: By) -> Actor {
        let owner = self.model.bookings[&booking].user_id;
        match by {
            By::Owner => Actor::User(owner, evently_core::domain::Role::Customer),
            By::Stranger => customer(99),
            By::House => ORGANIZER,
        }
    }
}

fn nth<T: Copy>(list: &[T], number: u8) -> Option<T> {
    list.get(usize::from(number).checked_rem(list.len())?).copied()
}

fn wide(seats: &[u8]) -> Vec<u32> {
    seats.iter().copied().map(u32::from).collect()
}

fn numbers(seats: &[evently_core::domain::SeatId]) -> Vec<u32> {
    seats.iter().map(|seat| seat.number().expect("it is a seat of the layout")).collect()
}

fn request_key((number, content): KeyNumbers) -> RequestKey {
    RequestKey::new(&["history"], &number.to_string(), &[content])
}

fn report(says: Says) -> GatewayReport {
    match says {
        Says::Processing => GatewayReport::Processing,
        Says::RequiresAction => GatewayReport::RequiresAction { client_secret: "secret".to_owned() },
        Says::Succeeded => GatewayReport::Succeeded,
        Says::Failed => GatewayReport::Failed { reason: "card_declined".to_owned() },
    }
}
