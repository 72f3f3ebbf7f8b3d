//! The connection, which is up or away.
//!
//! One task keeps it: it connects, looks every second whether the server still answers, and connects anew when it does not. Calls
//! only use what is there. A call that meets a broken connection, or the last of some calls that were not answered in time, takes the
//! connection away, and until the keeper has another one every call is told so at once. That is all there is of a circuit breaker.

use std::{
    error::Error as _,
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::{
    FromRedisValue, RedisError, ScriptInvocation,
    aio::{MultiplexedConnection, PubSub},
    cmd,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    error::{Away, Verdict},
    options::{OpenError, Options},
    place::{Place, in_time},
};

/// The connection to Redis. A handle: clones share it, and it is closed with the last one.
#[derive(Clone)]
pub struct Redis {
    link: Arc<Link>,
}

struct Link {
    place: Place,
    options: Options,
    state: watch::Sender<State>,
    /// Calls in a row that were not answered in time.
    failures: AtomicU32,
    latency_micros: AtomicU64,
    /// Tells the keeper that there is something to do.
    look: Arc<Notify>,
}

struct State {
    /// None while the server is away.
    connection: Option<MultiplexedConnection>,
    /// Names the server's process: another one may have lost what this one had.
    run: String,
    /// Counts connections, so that a call that fails late takes away no other than its own.
    number: u64,
    since: Instant,
}

/// How it is with Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Whether it is there.
    pub up: bool,
    /// For how long it has been so.
    pub lasts: Duration,
    /// How long it took to answer when it was last looked at, once a second; none while it is away.
    pub latency: Option<Duration>,
}

impl Redis {
    /// Begins to look for the server, on the runtime that this is called on. It need not be there.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if options.namespace.is_empty() || !options.namespace.chars().all(good) {
            return Err(OpenError::Namespace);
        }
        metrics::describe_gauge!("redis_up", "Whether Redis is there: 1 or 0.");
        metrics::describe_counter!("redis_calls_total", "Calls of Redis, by operation and what became of them.");
        metrics::describe_histogram!("redis_call_duration_seconds", "How long Redis took to answer, in seconds.");
        metrics::gauge!("redis_up").set(0.0);
        let state = State { connection: None, run: String::new(), number: 0, since: Instant::now() };
        let link = Arc::new(Link {
            place: Place::parse(&options.url)?,
            options: options.clone(),
            state: watch::Sender::new(state),
            failures: AtomicU32::new(0),
            latency_micros: AtomicU64::new(0),
            look: Arc::default(),
        });
        tokio::spawn(keep(Arc::downgrade(&link), Arc::clone(&link.look)));
        Ok(Self { link })
    }

    /// Waits until the server is there, or until it is away; false if that did not come within `patience`.
    pub async fn wait_until_up(&self, up: bool, patience: Duration) -> bool {
        let mut state = self.link.state.subscribe();
        timeout(patience, state.wait_for(|state| state.connection.is_some() == up)).await.is_ok()
    }

    /// How it is with the server.
    pub fn health(&self) -> Health {
        let state = self.link.state.borrow();
        let up = state.connection.is_some();
        let latency = up.then(|| Duration::from_micros(self.link.latency_micros.load(Relaxed)));
        Health { up, lasts: state.since.elapsed(), latency }
    }

    /// A key or channel of ours. What is in braces decides where in a cluster it would lie.
    pub(crate) fn key(&self, rest: impl std::fmt::Display) -> String {
        format!("{}:{rest}", self.link.options.namespace)
    }

    /// Which process of the server we are connected to.
    pub(crate) fn run(&self) -> Result<String, Away> {
        let state = self.link.state.borrow();
        if state.connection.is_some() { Ok(state.run.clone()) } else { Err(Away::Known) }
    }

    /// How often a server is looked at.
    pub(crate) fn probe(&self) -> Duration {
        self.link.options.probe
    }

    /// How long a call may take.
    pub(crate) fn patience(&self) -> Duration {
        self.link.options.timeout
    }

    /// A connection that listens to these channels.
    pub(crate) async fn listen(&self, channels: &str) -> Result<PubSub, Away> {
        if !self.health().up {
            return Err(Away::Known);
        }
        let patience = self.link.options.connect_timeout;
        let client = self.link.place.client(patience).await?;
        let mut listener = in_time(patience, client.get_async_pubsub()).await?;
        in_time(patience, listener.psubscribe(channels)).await?;
        Ok(listener)
    }

    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        operation: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Away> {
        self.call(operation, |mut connection| async move { script.invoke_async(&mut connection).await }).await
    }

    async fn call<T, F>(&self, operation: &'static str, ask: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, Away>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let began = Instant::now();
        let answer = self.link.ask(ask).await;
        let outcome = answer.as_ref().map_or_else(Away::name, |_| "answered");
        metrics::counter!("redis_calls_total", "operation" => operation, "outcome" => outcome).increment(1);
        if !matches!(answer, Err(Away::Known)) {
            metrics::histogram!("redis_call_duration_seconds", "operation" => operation).record(began.elapsed().as_secs_f64());
        }
        if let Err(Away::Failed(error)) = &answer {
            tracing::warn!(operation, %error, "redis has failed");
        }
        answer
    }
}

impl Link {
    async fn ask<T, F>(&self, ask: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, Away>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let (connection, number) = {
            let state = self.state.borrow();
            (state.connection.clone().ok_or(Away::Known)?, state.number)
        };
        let answer = in_time(self.options.timeout, ask(connection)).await;
        match answer.as_ref().map_or_else(Away::verdict, |_| Verdict::Good) {
            Verdict::Good => self.failures.store(0, Relaxed),
            Verdict::Doubtful => {
                if self.failures.fetch_add(1, Relaxed) + 1 >= self.options.failures_max {
                    self.give_up(number);
                }
            }
            Verdict::Broken => self.give_up(number),
        }
        answer
    }

    async fn ping(&self) -> Result<(), Away> {
        self.ask(|mut connection| async move { cmd("PING").query_async(&mut connection).await }).await
    }

    /// From now on the server is away, unless somebody has connected anew in the meantime.
    fn give_up(&self, number: u64) {
        let gone = self.state.send_if_modified(|state| {
            let ours = state.number == number && state.connection.is_some();
            if ours {
                (state.connection, state.since) = (None, Instant::now());
            }
            ours
        });
        if gone {
            tracing::warn!("redis is away");
            metrics::gauge!("redis_up").set(0.0);
            self.look.notify_one();
        }
    }

    fn take_up(&self, connection: MultiplexedConnection, run: String) {
        self.failures.store(0, Relaxed);
        self.state.send_modify(|state| {
            *state = State { connection: Some(connection), run, number: state.number + 1, since: Instant::now() };
        });
        tracing::info!("redis is there");
        metrics::gauge!("redis_up").set(1.0);
    }

    /// Connects, or looks whether the connection is still good. Why there is none, where there is none.
    async fn look_after(&self) -> Option<Away> {
        let began = Instant::now();
        if self.state.borrow().connection.is_some() {
            // A server that stands still is asked until it counts as away, without waiting for somebody to need it.
            while let Err(Away::Late) = self.ping().await {}
        } else {
            match self.place.connect(self.options.connect_timeout).await {
                Ok((connection, run)) => self.take_up(connection, run),
                Err(error) => return Some(error),
            }
        }
        let micros = began.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
        self.latency_micros.store(micros, Relaxed);
        None
    }
}

/// Keeps the connection for as long as somebody has a handle.
async fn keep(link: Weak<Link>, look: Arc<Notify>) {
    let mut said = None;
    loop {
        let began = Instant::now();
        let Some(link) = link.upgrade() else { return };
        // Why it cannot be reached is said once, not once a second.
        let why = link.look_after().await.map(|error| error.source().map_or_else(|| error.to_string(), ToString::to_string));
        if let Some(why) = why.as_ref().filter(|_| why != said) {
            tracing::warn!(why, "redis cannot be reached");
        }
        said = why;
        let probe = link.options.probe;
        drop(link);
        tokio::select! {
            () = sleep(probe) => {}
            // However often it breaks, it is not made more than once in that time.
            () = look.notified() => sleep_until(began + probe).await,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.look.notify_one();
    }
}
