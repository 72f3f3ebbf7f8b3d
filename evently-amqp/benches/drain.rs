//! How fast what has piled up goes out while the broker was away, and how fast it is taken in again, by a private RabbitMQ on this
//! machine: `cargo bench -p evently-amqp`.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use evently_amqp::{AmqpCarrier, Broker, Consumer, Options, Topology, Work};
use evently_core::{
    domain::Entry,
    ports::{Claim, Handler, OtherError, Outbox, StoreError},
    services::{InProcess, Relay, RelayParts},
};
use evently_testkit::{MemoryPlace, World, customer};
use evently_testservers::RabbitMq;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

const ROUNDS: usize = 5;
/// Held, and of those bought.
const SEATS: (u32, u32) = (60_000, 20_000);

#[tokio::main]
async fn main() {
    let rabbitmq = tokio::task::spawn_blocking(RabbitMq::start).await.expect("it does not panic").expect("RabbitMQ is installed");
    let world = World::new(MemoryPlace).await;
    let entries = sale(&world).await;
    println!("{} entries of the journal, of {} holds and {} sales", entries.len(), SEATS.0, SEATS.1);
    let (mut out, mut in_again) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let topology = Topology::try_new(&format!("bench-{round}")).expect("it is plain");
        let options = Options { topology, ..Options::new(rabbitmq.url(), world.clock.clone()) };
        let broker = Broker::open(options).await.expect("the broker is there");
        out.push(publish(&world, &broker, &entries).await);
        in_again.push(consume(&broker, entries.len()).await);
    }
    say("out of the outbox, published and confirmed", &mut out);
    say("consumed and acknowledged", &mut in_again);
}

/// What a full sale writes: holds, and payments between them.
async fn sale(world: &World) -> Vec<Entry> {
    let (held, bought) = SEATS;
    let event = world.event(100, held / 100).await;
    for seat in 0..held {
        if seat % (held / bought) == 0 {
            world.buy(&event, customer(seat), &[seat]).await;
        } else {
            world.hold(&event, customer(seat), &[seat]).await;
        }
    }
    world.store.outbox.after(0, u32::MAX).await.expect("it is in memory")
}

/// An outbox that is read once.
struct Pile {
    entries: Vec<Entry>,
    position: Mutex<u64>,
}

#[async_trait]
impl Outbox for Pile {
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let begin = usize::try_from(position).expect("it is in memory");
        Ok(self.entries[begin..].iter().take(limit as usize).cloned().collect())
    }

    async fn position(&self, _: &str) -> Result<u64, StoreError> {
        Ok(*self.position.lock().expect("nobody panics"))
    }

    async fn claim(&self, consumer: &str, _: &Claim) -> Result<Option<u64>, StoreError> {
        self.position(consumer).await.map(Some)
    }

    async fn advance(&self, _: &str, position: u64, _: &Claim) -> Result<bool, StoreError> {
        *self.position.lock().expect("nobody panics") = position;
        Ok(true)
    }
}

async fn publish(world: &World, broker: &Broker, entries: &[Entry]) -> f64 {
    let outbox = Arc::new(Pile { entries: entries.to_vec(), position: Mutex::new(0) });
    let carrier = Arc::new(AmqpCarrier::new(broker.clone(), Arc::new(InProcess::new(Vec::new()))));
    let relay = Relay::new(RelayParts { outbox, carrier, clock: world.clock.clone(), ids: world.ids.clone() });
    let (began, mut taken) = (Instant::now(), 0);
    while taken < entries.len() {
        taken += relay.hand_on().await.expect("the outbox is in memory");
    }
    per_second(taken, began)
}

/// Counts what it gets.
struct Count {
    left: AtomicUsize,
    done: Notify,
}

#[async_trait]
impl Handler for Count {
    async fn handle(&self, _: &Entry) -> Result<(), OtherError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.done.notify_one();
        }
        Ok(())
    }
}

async fn consume(broker: &Broker, entries: usize) -> f64 {
    let count = Arc::new(Count { left: AtomicUsize::new(entries), done: Notify::new() });
    let consumer = Consumer::new(broker.clone(), Work::Analytics, count.clone());
    let (stop, stopping) = watch::channel(false);
    let began = Instant::now();
    let consuming = tokio::spawn(async move { consumer.run(stopping).await });
    count.done.notified().await;
    stop.send_replace(true);
    consuming.await.expect("it does not panic");
    per_second(entries, began)
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer entries")]
fn per_second(entries: usize, began: Instant) -> f64 {
    entries as f64 / began.elapsed().as_secs_f64()
}

fn say(what: &str, rates: &mut [f64]) {
    rates.sort_by(f64::total_cmp);
    println!("{what}: {:.0} entries/s (median of {ROUNDS}; {:.0} to {:.0})", rates[ROUNDS / 2], rates[0], rates[ROUNDS - 1]);
}
