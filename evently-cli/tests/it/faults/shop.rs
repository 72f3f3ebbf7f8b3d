//! Customers at several instances at once, who ask until they are answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use evently_cli::http1::{Answer, Connection, Target};
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::soon::{PATIENCE, until};
use crate::{
    evently::body_of,
    load::{Asked, Customer, Hall, What, is_decided},
};

/// How long a customer waits for an answer before asking another instance. Longer than it takes on a busy machine, and shorter than
/// most faults last.
const ANSWER: Duration = Duration::from_secs(3);
/// How long a customer thinks at most before the next request; so there is load, and the machine has time for the service.
const THOUGHT_MS: usize = 40;
/// How many requests are decided at least before something breaks, so that there is something to lose.
const BUSY: u64 = 100;
/// How long a customer waits who was told to come again.
const AGAIN: Duration = Duration::from_millis(100);
/// What an instance shows may be as old as this, where it is cut off from the others and from the store for a while.
pub const SHOWN_LATE: Duration = Duration::from_secs(10);

/// The way to the instances, and what is seen there.
pub struct Front {
    targets: Vec<Target>,
    open: AtomicBool,
    began: Instant,
    /// When the latest request was sent that each instance has answered, in milliseconds since the beginning.
    served: Vec<AtomicU64>,
    /// Answers that said what became of a request.
    decided: AtomicU64,
    /// Answers that never came.
    lost: AtomicU64,
    /// Answers that said to come again.
    turned_away: AtomicU64,
    /// Answers that said that nothing was done, although it was.
    untrue: AtomicU64,
}

impl Front {
    pub fn new(targets: Vec<Target>) -> Self {
        let served = targets.iter().map(|_| AtomicU64::new(0)).collect();
        let (open, began) = (AtomicBool::new(false), Instant::now());
        let (decided, lost, turned_away, untrue) = Default::default();
        Self { targets, open, began, served, decided, lost, turned_away, untrue }
    }

    fn note_served(&self, instance: usize, asked: Instant) {
        let asked = u64::try_from((asked - self.began).as_millis()).unwrap();
        self.served[instance].fetch_max(asked, Ordering::SeqCst);
        self.decided.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether an instance has decided something that it was asked after this moment.
    pub fn serves(&self, instance: usize, after: Instant) -> bool {
        let after = u64::try_from((after - self.began).as_millis()).unwrap();
        self.served[instance].load(Ordering::SeqCst) > after
    }

    /// Whether all of them have.
    pub fn all_serve(&self, after: Instant) -> bool {
        (0..self.served.len()).all(|instance| self.serves(instance, after))
    }

    /// Waits until enough has been decided from now on for so many things to break.
    pub async fn is_busy(&self, faults: usize) {
        let decided = || self.decided.load(Ordering::SeqCst);
        let enough = decided() + BUSY * faults as u64;
        until("everybody is busy", Instant::now(), async || decided() > enough).await;
    }

    /// Answers that said that nothing was done, although it was.
    pub fn untrue(&self) -> u64 {
        self.untrue.load(Ordering::SeqCst)
    }

    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }

    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::SeqCst)
    }
}

/// Lets all customers in; they leave when the front closes, each as soon as they know what became of their last request.
pub fn let_in(front: &Arc<Front>, customers: Vec<Customer>, hall: &Arc<Hall>) -> JoinSet<Customer> {
    front.open.store(true, Ordering::SeqCst);
    let mut inside = JoinSet::new();
    for customer in customers {
        let visit = Visit { connections: connections(front), front: Arc::clone(front), customer };
        inside.spawn(visit.go_on(Arc::clone(hall)));
    }
    inside
}

/// Closes the front, and waits until everybody has left.
pub async fn close(front: &Front, inside: &mut JoinSet<Customer>) -> Vec<Customer> {
    front.open.store(false, Ordering::SeqCst);
    let mut customers = Vec::new();
    let leaving = async {
        while let Some(customer) = inside.join_next().await {
            customers.push(customer.expect("customers do not panic"));
        }
    };
    timeout(PATIENCE, leaving).await.expect("everybody is answered at last");
    customers
}

fn connections(front: &Front) -> Vec<Connection> {
    front.targets.iter().map(|target| Connection::new(target.clone(), ANSWER)).collect()
}

/// A customer on their way round the instances.
struct Visit {
    customer: Customer,
    connections: Vec<Connection>,
    front: Arc<Front>,
}

impl Visit {
    async fn go_on(mut self, hall: Arc<Hall>) -> Customer {
        self.customer.rested = self.customer.answered.len();
        while self.front.open.load(Ordering::SeqCst) {
            let mut asked = self.customer.wish(&hall);
            let answer = self.insist(&mut asked).await;
            // Turned away by a seat lock it was never decided, so that another time it may be.
            if asked.what == What::Hold && answer.status == 409 {
                self.customer.recorder.note_booked(&asked, &body_of(&answer), SHOWN_LATE);
            } else {
                self.customer.learn(asked, &answer);
            }
            let thought = self.customer.below(THOUGHT_MS) as u64;
            sleep(Duration::from_millis(thought)).await;
        }
        self.customer
    }

    /// Asks with the same key, now here, now there, until it has been decided.
    async fn insist(&mut self, asked: &mut Asked) -> Answer {
        // What was said of the request before it was decided.
        let mut told = Vec::new();
        let mut may_be_done = false;
        loop {
            let instance = self.customer.below(self.connections.len());
            let began = Instant::now();
            let Some(answer) = self.customer.send(&mut self.connections[instance], asked).await else {
                self.front.lost.fetch_add(1, Ordering::SeqCst);
                may_be_done = true;
                sleep(AGAIN).await;
                continue;
            };
            if is_decided(&answer) {
                asked.by = instance;
                // Seats are shown without the store.
                if asked.what != What::Look {
                    self.front.note_served(instance, began);
                }
                if may_be_done && asked.what == What::Hold && may_be_a_lock(&answer) {
                    self.customer.refused_in_doubt += 1;
                }
                let replayed = answer.header("idempotent-replayed") == Some("true");
                if replayed && !may_be_done {
                    eprintln!("{asked:?} was done, and its customer was told {told:?}");
                    self.front.untrue.fetch_add(1, Ordering::SeqCst);
                }
                return answer;
            }
            let detail = body_of(&answer)["detail"].as_str().unwrap_or_default().to_owned();
            may_be_done |= !detail.contains("nothing was done");
            told.push(detail);
            self.front.turned_away.fetch_add(1, Ordering::SeqCst);
            sleep(AGAIN).await;
        }
    }
}

/// Whether a hold may have been refused by a seat lock: of seats that are booked only the store says so.
fn may_be_a_lock(answer: &Answer) -> bool {
    let body = body_of(answer);
    body["code"] == "seats_unavailable" && body["seats"].as_array().unwrap().iter().all(|seat| seat["status"] == "reserved")
}

/// A JSON document posted by nobody in particular.
pub async fn post(connection: &mut Connection, path: &str, body: &Value) -> Value {
    let body = body.to_string();
    let answer = connection.send(&evently_cli::http1::Request::post(path, body.as_bytes())).await.unwrap();
    assert!(answer.status < 300, "{path} was answered {}: {}", answer.status, body_of(&answer));
    body_of(&answer)
}
