//! What buyers do: choose seats, hold them, and pay, or not.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    OnSale, Steps,
    accounts::Account,
    hall::Hall,
    record::{Confirmed, Record},
    stage::{Problem, Stage},
};
use crate::http1::{Answer, Connection, Request};

/// How often a buyer chooses other seats.
const CHOICES: u32 = 5;
/// How often an answer that was lost is asked for again.
const ASKED_AGAIN: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// All buyers of an on-sale. They live on one thread.
pub struct Rush {
    pub record: RefCell<Record>,
    pub hall: RefCell<Hall>,
    pub stage: Stage,
    pub accounts: Vec<Account>,
    options: OnSale,
    random: RefCell<fastrand::Rng>,
    began: Instant,
    next: Cell<u64>,
    served: Cell<u64>,
}

/// A hold as far as a buyer reads it.
#[derive(Debug, Deserialize)]
struct Held {
    id: String,
    expires_in: u64,
}

/// A payment as far as a buyer reads it.
#[derive(Debug, Deserialize)]
struct Paid {
    booking: PaidBooking,
}

#[derive(Debug, Deserialize)]
struct PaidBooking {
    status: String,
}

/// Somebody at a connection, with the account that they use.
struct Till<'a> {
    connection: &'a mut Connection,
    account: usize,
}

impl Rush {
    pub fn new(options: &OnSale, stage: Stage, accounts: Vec<Account>, began: Instant) -> Self {
        Self {
            record: RefCell::default(),
            hall: RefCell::new(Hall::new(stage.seat_ids.clone())),
            stage,
            accounts,
            options: options.clone(),
            random: RefCell::new(fastrand::Rng::with_seed(options.seed)),
            began,
            next: Cell::new(0),
            served: Cell::new(0),
        }
    }

    pub fn event_id(&self) -> &str {
        &self.stage.event_id
    }

    /// How many buyers are done.
    pub const fn served(&self) -> u64 {
        self.served.get()
    }

    /// Serves one buyer after another until there are no more.
    pub async fn serve(self: Rc<Self>, mut connection: Connection) {
        loop {
            let buyer = self.next.get();
            if buyer >= self.options.buyers {
                return;
            }
            self.next.set(buyer + 1);
            let came = self.arrival(buyer).await;
            let account = usize::try_from(buyer).unwrap_or_default() % self.accounts.len();
            let till = Till { connection: &mut connection, account };
            self.buy(buyer, came, till).await;
            self.served.set(self.served.get() + 1);
        }
    }

    /// Waits for the buyer. In an open loop they come when they come, and have been waiting if nobody was free to serve them.
    async fn arrival(&self, buyer: u64) -> Instant {
        let Some(rate) = self.options.rate else { return Instant::now() };
        #[expect(clippy::cast_precision_loss, reason = "nobody runs as many buyers as that")]
        let due = self.began + Duration::from_secs_f64(buyer as f64 / rate);
        sleep_until(due).await;
        due
    }

    async fn buy(&self, buyer: u64, came: Instant, mut till: Till<'_>) {
        for choice in 0..CHOICES {
            let Some(seats) = self.choose(choice) else {
                self.record.borrow_mut().turned_away += 1;
                return;
            };
            let since = if choice == 0 { came } else { Instant::now() };
            match self.hold(buyer, choice, since, &seats, &mut till).await {
                Hold::Ours(booking) => return self.pay_or_leave(booking, seats, &mut till).await,
                Hold::Taken => {}
                Hold::Failed => return,
            }
        }
        self.record.borrow_mut().gave_up += 1;
    }

    fn choose(&self, choice: u32) -> Option<Vec<usize>> {
        let mut hall = self.hall.borrow_mut();
        let quantity = self.options.seats_per_buyer as usize;
        match (self.options.hot, choice) {
            (false, _) => hall.choose(&mut self.random.borrow_mut(), quantity),
            // Everybody comes for the same seats, whether or not somebody has them.
            (true, 0) => hall.first(quantity),
            (true, _) => hall.best(quantity),
        }
    }

    async fn hold(&self, buyer: u64, choice: u32, since: Instant, seats: &[usize], till: &mut Till<'_>) -> Hold {
        let body = self.hold_body(seats);
        let key = format!("hold-{buyer}-{choice}");
        let sent = Instant::now();
        let Some(answer) = self.ask("/api/v1/bookings", &key, &body, till).await else { return Hold::Failed };
        let now = Instant::now();
        let mut record = self.record.borrow_mut();
        let mut hall = self.hall.borrow_mut();
        match answer.status {
            201 => {
                record.hold.add(now - since);
                let Ok(held) = serde_json::from_slice::<Held>(answer.body()) else {
                    record.error("unreadable");
                    return Hold::Failed;
                };
                for &seat in seats {
                    hall.take(seat);
                }
                // It was granted between the two, and lasts from then on; what is told is rounded by up to a second.
                record.held(&held.id, seats, now, sent + Duration::from_secs(held.expires_in.saturating_sub(1)));
                Hold::Ours(held.id)
            }
            409 => {
                let problem = Problem::of(&answer);
                if problem.code != "seats_unavailable" {
                    record.error(&problem.code);
                    return Hold::Failed;
                }
                record.conflict.add(now - since);
                for seat in &problem.seats {
                    if let Some(seat) = hall.seat(&seat.id) {
                        hall.take(seat);
                    }
                }
                Hold::Taken
            }
            _ => {
                record.error(&Problem::of(&answer).code);
                Hold::Failed
            }
        }
    }

    fn hold_body(&self, seats: &[usize]) -> String {
        let hall = self.hall.borrow();
        let ids = seats.iter().map(|&seat| format!("\"{}\"", hall.id(seat))).collect::<Vec<_>>().join(",");
        format!(r#"{{"event_id":"{}","seat_ids":[{ids}]}}"#, self.stage.event_id)
    }

    async fn pay_or_leave(&self, booking: String, seats: Vec<usize>, till: &mut Till<'_>) {
        if self.options.steps == Steps::Hold {
            return;
        }
        if self.random.borrow_mut().u8(..100) < self.options.abandon {
            self.record.borrow_mut().abandoned += 1;
            return;
        }
        let since = Instant::now();
        let path = format!("/api/v1/bookings/{booking}/payment");
        let body = r#"{"method":{"type":"card","token":"tok_visa"}}"#;
        let Some(answer) = self.ask(&path, &format!("pay-{booking}"), body, till).await else { return };
        let mut record = self.record.borrow_mut();
        match serde_json::from_slice::<Paid>(answer.body()) {
            Ok(paid) if answer.status == 200 && paid.booking.status == "confirmed" => {
                record.pay.add(since.elapsed());
                record.sold(Confirmed { booking, seats, account: till.account });
            }
            Ok(paid) if answer.status == 200 => record.error(&format!("paid_and_{}", paid.booking.status)),
            _ => record.error(&Problem::of(&answer).code),
        }
    }

    /// Asks until there is an answer: the key makes it the same request, however often it is sent.
    async fn ask(&self, path: &str, key: &str, body: &str, till: &mut Till<'_>) -> Option<Answer> {
        for _ in 0..ASKED_AGAIN {
            let token = self.accounts[till.account].token(till.connection).await;
            let request = Request::post(path, body.as_bytes()).by(&token).keyed(key);
            let pause = match till.connection.send(&request).await {
                Ok(answer) if answer.status == 503 || answer.status == 429 => {
                    self.record.borrow_mut().error(&Problem::of(&answer).code);
                    answer.retry_after().unwrap_or(PAUSE)
                }
                Ok(answer) if answer.status == 409 && Problem::of(&answer).code == "request_in_flight" => PAUSE,
                Ok(answer) => {
                    if answer.header("idempotent-replayed").is_some() {
                        self.record.borrow_mut().replayed += 1;
                    }
                    return Some(answer);
                }
                Err(_) => {
                    self.record.borrow_mut().lost += 1;
                    PAUSE
                }
            };
            sleep(pause).await;
        }
        self.record.borrow_mut().error("no_answer");
        None
    }
}

/// What became of a try to hold seats.
enum Hold {
    Ours(String),
    Taken,
    Failed,
}
