//! A sale at a whole house: what is done to it, and what has to be true afterwards.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use evently_testservers::{Postgres, RabbitMq, Redis};
use fastrand::Rng;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    fleet::{Fleet, INSTANCES, Urls},
    mails::Mails,
    report::{Report, Survived},
    shop::{self, Front},
    soon::{until, until_nothing},
};
use crate::{
    evently::PASSWORD,
    knobs::seed,
    load::{Customer, Hall},
    recorder::{Judged, judged},
    witness::{LOCKS_LAST, Scope, contradictions, look_again},
};

const CUSTOMERS: usize = 12;
const SEATS: u32 = 400;

/// The servers of a house.
pub struct Servers {
    pub postgres: Postgres,
    pub redis: Redis,
    pub rabbitmq: RabbitMq,
}

impl Servers {
    pub fn start() -> Self {
        // The slowest starts while the others do.
        let rabbitmq = std::thread::spawn(RabbitMq::start);
        let postgres = Postgres::options().durable(true).start().unwrap();
        let redis = Redis::start().unwrap();
        Self { postgres, redis, rabbitmq: rabbitmq.join().unwrap().unwrap() }
    }

    pub fn urls(&self) -> Urls {
        Urls { store: self.postgres.url(), redis: self.redis.url(), rabbitmq: self.rabbitmq.url() }
    }
}

/// An event on sale, and everybody who wants to go there.
pub struct Sale {
    pub fleet: Fleet,
    pub front: Arc<Front>,
    hall: Arc<Hall>,
    pub customers: Vec<Customer>,
    inside: JoinSet<Customer>,
    random: Rng,
    faults: usize,
    report: Report,
}

impl Sale {
    pub async fn open(urls: &Urls) -> Self {
        let fleet = Fleet::start(urls);
        let event = fleet.command_line().event(SEATS);
        let mut connection = fleet.connection(0);
        let mut customers = Vec::new();
        for number in 0..CUSTOMERS {
            let email = format!("customer{number}@example.org");
            let account = json!({ "email": email, "password": PASSWORD, "name": "Somebody" });
            shop::post(&mut connection, "/auth/register", &account).await;
            customers.push(Customer::new(number, seed(), fleet.service(0).log_in(&email).await));
        }
        let hall = Arc::new(Hall::of(event, fleet.connection(0)).await);
        let front = Arc::new(Front::new(fleet.targets()));
        eprintln!("seed {}", seed());
        let (inside, random, report) = (JoinSet::new(), Rng::with_seed(seed()), Report::default());
        Self { fleet, front, hall, customers, inside, random, faults: 0, report }
    }

    /// Sells, and breaks something meanwhile; what it broke is whole again when it returns. Then the house has to be as before.
    pub async fn through(&mut self, store: &Postgres, what: &str, fault: impl AsyncFnOnce(&mut Fleet)) {
        self.through_all(store, what, 1, fault).await;
    }

    /// The same with so many faults in one.
    pub async fn through_all(&mut self, store: &Postgres, what: &str, faults: usize, fault: impl AsyncFnOnce(&mut Fleet)) {
        self.inside = shop::let_in(&self.front, std::mem::take(&mut self.customers), &self.hall);
        let (lost, turned_away) = (self.front.lost(), self.front.turned_away());
        self.front.is_busy(1).await;
        // The moment is drawn; nothing is waited for here.
        sleep(Duration::from_millis(self.random.u64(100..500))).await;
        fault(&mut self.fleet).await;
        self.faults += faults;
        let healed = Instant::now();
        let served = self.recovered(what, healed).await;
        self.customers = shop::close(&self.front, &mut self.inside).await;
        let settled = self.settled(store, what, healed).await;
        let (lost, turned_away) = (self.front.lost() - lost, self.front.turned_away() - turned_away);
        self.report.note(&Survived { what, lost, turned_away, served, settled });
        assert_eq!(
            self.contradictions(Scope::Lately { turn: self.faults, turns: 5 }).await,
            Vec::<String>::new(),
            "after {what}"
        );
    }

    /// Waits until every instance is well and has served somebody again.
    async fn recovered(&self, what: &str, healed: Instant) -> Duration {
        let all_well = async || {
            for instance in 0..INSTANCES {
                if !self.fleet.is_well(instance).await {
                    return false;
                }
            }
            true
        };
        until(&format!("{what}: every instance is well"), healed, all_well).await;
        until(&format!("{what}: every instance serves"), healed, async || self.front.all_serve(healed)).await
    }

    /// Waits until nothing is left to do: all holds have ended, all money is where it belongs, everything has been handed on, and
    /// every mail is written.
    async fn settled(&mut self, store: &Postgres, what: &str, healed: Instant) -> Duration {
        until_nothing(&format!("{what}: nothing is left to do"), healed, async || {
            let left = store.query("evently", &[LEFT_TO_DO]).unwrap_or_else(|error| error);
            self.look_again().await;
            let mails = self.mails().contradictions(&self.customers);
            (left != "f|f|f|f|f|f" || !mails.is_empty()).then(|| format!("{left} {mails:?}"))
        })
        .await
    }

    pub fn mails(&self) -> Mails {
        Mails::in_folders(self.fleet.folders())
    }

    async fn look_again(&mut self) {
        look_again(self.fleet.connection(self.faults % INSTANCES), &mut self.customers).await;
    }

    /// Everything in which the house contradicts itself, or what the customers were told.
    pub async fn contradictions(&mut self, scope: Scope) -> Vec<String> {
        self.look_again().await;
        let checked = self.fleet.verified();
        let mut found = contradictions(self.fleet.connection(self.faults % INSTANCES), &self.customers, scope, LOCKS_LAST).await;
        let mails = self.mails();
        found.extend(mails.contradictions(&self.customers));
        found.extend(sold_twice(&self.customers));
        let told = self.customers.iter().map(|customer| customer.bookings.len()).sum::<usize>();
        let in_doubt = self.customers.iter().map(|customer| customer.refused_in_doubt).sum::<usize>();
        let bookings = usize::try_from(checked["bookings"].as_u64().unwrap()).unwrap();
        if !(told..=told + in_doubt).contains(&bookings) {
            found.push(format!("the customers know of {told} bookings and may not of {in_doubt}, and there are {bookings}"));
        }
        if mails.doubled.len() > self.mails_in_the_middle() {
            found.push(format!("{} mails were handed over twice: {:?}", mails.doubled.len(), mails.doubled));
        }
        found
    }

    /// Who is stopped in the middle of a mail leaves it to somebody else, who cannot know how far it got.
    pub fn mails_in_the_middle(&self) -> usize {
        self.faults * (INSTANCES + 1)
    }

    /// The end: the load was one, and everything that was ever said still holds.
    pub async fn ends_well(&mut self, store: &Postgres) {
        assert_eq!(self.contradictions(Scope::Everything).await, Vec::<String>::new());
        let journal = store.query("evently", &["select content from journal"]).unwrap();
        let journal = journal.lines().map(|entry| serde_json::from_str(entry).unwrap()).collect::<Vec<_>>();
        let Judged { calls, looks, found } =
            judged(&self.customers, &journal, |instance, asked| self.fleet.shown_late(instance, asked));
        assert_eq!(found, Vec::<String>::new());
        eprintln!("{calls} calls and {looks} looks judged");
        let told = || self.customers.iter().flat_map(|customer| customer.bookings.values());
        let (paid, cancelled) = (told().filter(|told| told.paid).count(), told().filter(|told| told.cancelled).count());
        let answers = self.customers.iter().map(|customer| customer.answered.len()).sum::<usize>();
        eprintln!(
            "{answers} answers about {} bookings, {paid} of them paid, {cancelled} given up; {} mails handed over twice",
            told().count(),
            self.mails().doubled.len(),
        );
        assert_eq!(self.front.untrue(), 0, "nobody was told that nothing was done, and it was");
        assert!(paid > 5 * self.faults && cancelled > 0, "there was next to nothing to lose");
        let parked = self.fleet.command_line().json(&["queue", "list"]);
        assert_eq!(parked["items"], json!([]), "nobody has to look after a message");
        self.report.write(&json!({
            "calls": calls,
            "looks": looks,
            "answers": answers,
            "bookings": told().count(),
            "paid": paid,
            "given_up": cancelled,
            "mails_handed_over_twice": self.mails().doubled.len(),
            "violations": 0,
            "undecided": 0,
        }));
    }
}

/// Seats that two customers have paid for, if neither has asked for it to be given up.
fn sold_twice(customers: &[Customer]) -> Vec<String> {
    let mut owners = BTreeMap::new();
    let mut found = Vec::new();
    let bookings = customers.iter().flat_map(|customer| &customer.bookings);
    for (id, told) in bookings.filter(|(_, told)| told.paid && !told.asked_to_cancel) {
        for seat in &told.seats {
            if let Some(other) = owners.insert(seat, id) {
                found.push(format!("seat {seat} was sold to {id} and to {other}"));
            }
        }
    }
    found
}

/// Whether there are holds, payments, refunds, entries without a position, entries to hand on, entries to take in.
const LEFT_TO_DO: &str = "
    select
        exists (select from bookings where status = 'pending'),
        exists (select from payments where status in ('processing', 'requires_action')),
        exists (select from refunds where succeeded_at is null),
        exists (select from journal where position is null),
        (select position from consumers where name = 'relay') is distinct from (select position from journal_head),
        (select position from sales_position) is distinct from (select position from journal_head)
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Told;

    #[test]
    fn a_seat_that_two_have_paid_for_is_sold_twice() {
        let owner = |number: usize, booking: &str, told: Told| {
            let mut customer = Customer::new(number, 1, String::new());
            customer.bookings.insert(booking.to_owned(), told);
            customer
        };
        let paid = Told { seats: vec!["A 1".to_owned()], paid: true, ..Told::default() };
        let given_up = Told { asked_to_cancel: true, ..paid.clone() };
        assert_eq!(sold_twice(&[owner(1, "one", paid.clone()), owner(2, "other", given_up)]), Vec::<String>::new());
        let found = sold_twice(&[owner(1, "one", paid.clone()), owner(2, "other", paid)]);
        assert_eq!(found, ["seat A 1 was sold to other and to one"]);
    }
}
