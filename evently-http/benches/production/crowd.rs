//! The service on its servers, and crowds that come there alone.

use crate::shared::evently::{Evently, STRIDE, pair_of, post};

impl Evently {
    /// On a database and a Redis, and a RabbitMQ where there is one.
    pub async fn start(url: &str, redis: &str, rabbitmq: Option<&str>) -> Self {
        let servers = [("store.url", url), ("redis.url", redis)].into_iter();
        Self::with(servers.chain(rabbitmq.map(|url| ("rabbitmq.url", url)))).await
    }

    /// The same at so many events in turn.
    pub async fn many_events(&self, events: u32, holds: u32) -> Vec<String> {
        let tokens = self.tokens(holds).await;
        let mut halls = Vec::new();
        for _ in 0..events {
            halls.push(self.event(holds.div_ceil(events) * 2).await);
        }
        let request = |hold: u32| post(&halls[(hold % events) as usize], &tokens, hold, &pair_of(hold / events));
        (0..holds).map(request).collect()
    }

    /// A seat each, `buyers` for each seat.
    pub async fn rush(&self, seats: u32, buyers: u32) -> Vec<String> {
        let event = self.event(seats).await;
        let tokens = self.tokens(seats * buyers).await;
        let wish = |hold| post(&event, &tokens, hold, &[hold * STRIDE % seats]);
        (0..seats * buyers).map(wish).collect()
    }
}
