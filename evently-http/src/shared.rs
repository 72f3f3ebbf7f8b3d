//! What several instances share: Redis and RabbitMQ, each optional, and each away at any time without harm.

use std::{sync::Arc, time::Duration};

use evently_amqp::{AmqpCarrier, Broker, ConnectError, Inspection};
use evently_core::{
    cache::{Caches, Seal},
    memory::MemorySeatFeed,
    ports::{Carrier, Catalog, Clock, RateLimits, SeatFeed, SeatLocks},
    rate::LocalRateLimits,
};
pub use evently_redis::Health;
use evently_redis::{Options, Redis, RedisCache, RedisRateLimits, RedisSeatFeed, RedisSeatLocks};

use crate::{
    compose::StartError,
    config::{Config, ServerUrl},
};

/// How long a start waits for Redis.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long somebody who only looks does: several Sentinels may have to be asked one after the other.
const LOOK: Duration = Duration::from_secs(10);

/// The servers that the configuration names.
#[derive(Clone)]
pub struct Shared {
    /// For locks, rates, caches and the live feed.
    pub redis: Option<Redis>,
    /// For what has happened.
    pub broker: Option<Broker>,
}

/// How it is with Redis, and where it is; none where there is to be none. Nothing is kept there.
pub async fn inspect_redis(config: &Config) -> Option<(&ServerUrl, Result<Health, evently_redis::OpenError>)> {
    let url = config.redis.url.0.as_ref()?;
    let redis = match Redis::open(&Options::new(url.reveal())) {
        Ok(redis) => redis,
        Err(error) => return Some((url, Err(error))),
    };
    let _ = tokio::time::timeout(LOOK, redis.wait_until_known()).await;
    Some((url, Ok(redis.health())))
}

/// What there is to know of RabbitMQ, and where it is; none where there is to be none. Nothing is changed there.
pub async fn inspect_rabbitmq(config: &Config) -> Option<(&ServerUrl, Result<Inspection, ConnectError>)> {
    let url = config.rabbitmq.url.0.as_ref()?;
    Some((url, evently_amqp::inspect(url.reveal(), &config.rabbitmq.prefix.topology()).await))
}

impl Shared {
    /// Looks for them; they need not be there. Where Redis answers in time, the first request already finds it: rates that began to be
    /// counted in this process would begin once more in Redis.
    pub async fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, StartError> {
        let redis = config.redis.url.0.as_ref().map(|url| Redis::open(&Options::new(url.reveal()))).transpose()?;
        let broker = match &config.rabbitmq.url.0 {
            Some(url) => {
                let options = evently_amqp::Options::new(url.reveal(), Arc::clone(clock));
                Some(Broker::open(evently_amqp::Options { topology: config.rabbitmq.prefix.topology(), ..options }).await?)
            }
            None => None,
        };
        if let Some(redis) = &redis {
            let _ = tokio::time::timeout(PATIENCE, redis.wait_until_known()).await;
        }
        Ok(Self { redis, broker })
    }

    /// The state of seats and what changes in it, told to the visitors of all instances alike. Where there may be others, `random` keeps
    /// the numbers of this one apart.
    pub fn feed(&self, catalog: Arc<dyn Catalog>, random: Option<u128>) -> Arc<dyn SeatFeed> {
        #[expect(clippy::cast_possible_truncation, reason = "half of the bits are plenty")]
        match (&self.redis, random) {
            (Some(redis), _) => Arc::new(RedisSeatFeed::new(redis.clone(), catalog)),
            (None, Some(random)) => Arc::new(MemorySeatFeed::beside_others(catalog, random as u64)),
            (None, None) => Arc::new(MemorySeatFeed::new(catalog)),
        }
    }

    /// What turns the crowd away before the store is asked.
    pub fn locks(&self) -> Option<Arc<dyn SeatLocks>> {
        self.redis.clone().map(|redis| Arc::new(RedisSeatLocks::new(redis)) as Arc<dyn SeatLocks>)
    }

    /// Where it is counted how often somebody asks.
    pub fn limits(&self) -> Arc<dyn RateLimits> {
        match &self.redis {
            Some(redis) => Arc::new(RedisRateLimits::new(redis.clone())),
            None => Arc::new(LocalRateLimits),
        }
    }

    /// What the store need not be asked again. Only those who know the secret are believed.
    pub fn caches(&self, clock: &Arc<dyn Clock>, secret: &str) -> Caches {
        match &self.redis {
            Some(redis) => {
                Caches::shared(Arc::clone(clock), Arc::new(RedisCache::new(redis.clone())), Seal::new(secret.as_bytes()))
            }
            None => Caches::local(Arc::clone(clock)),
        }
    }

    /// What brings an entry of the journal to those who act on it, which without a broker are in this process.
    pub fn carrier(&self, in_process: Arc<dyn Carrier>) -> Arc<dyn Carrier> {
        match &self.broker {
            Some(broker) => Arc::new(AmqpCarrier::new(broker.clone(), in_process)),
            None => in_process,
        }
    }
}
