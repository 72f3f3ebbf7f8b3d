use evently_amqp::{Broker, Work};
use evently_testkit::{MemoryPlace, World, customer};
use tokio::time::Instant;

use crate::support::{Running, Teller, hand_on_all, options, relay_to, url};

/// How fast what has piled up goes out: to the broker, confirmed, and on to those who act on it. It prints what it measures.
#[tokio::test(flavor = "multi_thread")]
async fn what_piled_up_is_drained() {
    const HELD: u32 = 20_000;
    let (world, url) = (World::new(MemoryPlace).await, url().await);
    let event = world.event(100, 200).await;
    for seat in 0..HELD {
        world.hold(&event, customer(seat), &[seat]).await;
    }
    let broker = Broker::open(options(&url, &world)).await.unwrap();
    let relay = relay_to(&world, &broker);
    let last = u64::from(HELD) + 2;
    let per_second = |began: Instant| f64::from(HELD) / began.elapsed().as_secs_f64();

    let began = Instant::now();
    hand_on_all(&world, &relay).await;
    println!("published and confirmed: {:.0} messages/s", per_second(began));

    let (teller, mut told) = Teller::new();
    let began = Instant::now();
    let running = Running::start(&broker, Work::Analytics, teller);
    assert_eq!(told.take(usize::try_from(last).unwrap()).await, (1..=last).collect::<Vec<_>>());
    println!("consumed and acknowledged: {:.0} messages/s", per_second(began));
    running.stop().await;
}
