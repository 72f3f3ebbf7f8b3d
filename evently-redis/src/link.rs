//! The connection, which is up or away.
//!
//! One task keeps it: it connects, looks every second whether the server still answers, and connects anew when it does not. Calls
//! only use what is there. A call that meets a broken connection, or the last of some calls that were not answered in time, takes the
//! connection away, and until the keeper has another one every call is told so at once. That is all there is of a circuit breaker.

use std::{
    error::Error as _,
    mem,
    sync::{
        Arc, LazyLock, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::{FromRedisValue, RedisError, Script, ScriptInvocation, cmd};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    connection::Connection,
    error::{Away, Verdict},
    keys,
    listener::Listener,
    options::{OpenError, Options},
    place::{Place, in_time},
    problem::Problem,
};

static CHECK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/check.lua")));

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
    /// What is in the way, where something is. Each is said once, not once a second.
    problem: Mutex<Option<Said>>,
    /// Why nobody can listen, where that is so.
    deaf: Mutex<Option<Said>>,
    /// Tells the keeper that there is something to do.
    look: Arc<Notify>,
}

/// What was said of a failure.
#[derive(Clone, PartialEq, Eq)]
struct Said {
    problem: Problem,
    why: String,
}

struct State {
    /// None while the server is away.
    connection: Option<Connection>,
    /// Names the time for which the server has been the master: in another one what it had may be lost.
    run: String,
    /// Counts connections, so that a call that fails late takes away no other than its own.
    number: u64,
    /// Whether it was looked for at all.
    known: bool,
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
    /// What is in its way, as far as it is known; none while it is there.
    pub problem: Option<Problem>,
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
        metrics::describe_counter!(
            "redis_connect_failures_total",
            "How often Redis could not be connected to, by what was in the way."
        );
        metrics::gauge!("redis_up").set(0.0);
        let state = State { connection: None, run: String::new(), number: 0, known: false, since: Instant::now() };
        let link = Arc::new(Link {
            place: Place::parse(&options.url)?,
            options: options.clone(),
            state: watch::Sender::new(state),
            failures: AtomicU32::new(0),
            latency_micros: AtomicU64::new(0),
            problem: Mutex::default(),
            deaf: Mutex::default(),
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

    /// Waits until the server was looked for once: it is up, or [`health`](Self::health) says what is in its way. Calls before that find
    /// none.
    pub async fn wait_until_known(&self) {
        // The sender is in the link, which this is a part of.
        let _ = self.link.state.subscribe().wait_for(|state| state.known).await;
    }

    /// How it is with the server.
    pub fn health(&self) -> Health {
        let state = self.link.state.borrow();
        let up = state.connection.is_some();
        let latency = up.then(|| Duration::from_micros(self.link.latency_micros.load(Relaxed)));
        let problem = self.link.problem.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|said| said.problem);
        Health { up, lasts: state.since.elapsed(), latency, problem: problem.filter(|_| !up) }
    }

    /// A key or channel of ours. What is in braces decides where in a cluster it would lie.
    pub(crate) fn key(&self, rest: impl std::fmt::Display) -> String {
        format!("{}:{rest}", self.link.options.namespace)
    }

    /// Since when the server that we are connected to has been the master, as a name.
    pub(crate) fn run(&self) -> Result<String, Away> {
        let state = self.link.state.borrow();
        if state.connection.is_some() { Ok(state.run.clone()) } else { Err(Away::Known) }
    }

    /// Whether a script may have keys of any kind.
    pub(crate) fn keeps_all_together(&self) -> bool {
        self.link.place.keeps_all_together()
    }

    /// How often a server is looked at.
    pub(crate) fn probe(&self) -> Duration {
        self.link.options.probe
    }

    /// A connection that listens to these channels.
    pub(crate) async fn listen(&self, channels: &str) -> Result<Listener, Away> {
        if !self.health().up {
            return Err(Away::Known);
        }
        let Options { connect_timeout, probe, timeout, .. } = self.link.options;
        let connection = async {
            let mut connection = self.link.place.listener(connect_timeout).await?;
            // Who may listen to a channel may not therefore listen to a pattern.
            if channels.ends_with('*') {
                in_time(connect_timeout, connection.psubscribe(channels)).await?;
            } else {
                in_time(connect_timeout, connection.subscribe(channels)).await?;
            }
            Ok(connection)
        };
        let connection = connection.await;
        self.link.say(&self.link.deaf, connection.as_ref().err(), "redis cannot be listened to");
        Ok(Listener::new(connection?, probe, probe + timeout))
    }

    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        operation: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Away> {
        self.call(operation, |mut connection| async move { script.invoke_async(&mut connection).await }).await
    }

    async fn call<T, F>(&self, operation: &'static str, ask: impl FnOnce(Connection) -> F) -> Result<T, Away>
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
    async fn ask<T, F>(&self, ask: impl FnOnce(Connection) -> F) -> Result<T, Away>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let (connection, number) = {
            let state = self.state.borrow();
            (state.connection.clone().ok_or(Away::Known)?, state.number)
        };
        let answer = in_time(self.options.timeout, ask(connection.clone())).await;
        match answer.as_ref().map_or_else(Away::verdict, |_| Verdict::Good) {
            Verdict::Good => self.failures.store(0, Relaxed),
            Verdict::Doubtful => {
                if self.failures.fetch_add(1, Relaxed) + 1 >= self.options.failures_max {
                    self.give_up(number);
                }
            }
            // Whoever may do all that is tried here would be let in again, and refused again, every second.
            Verdict::Refused => {
                if self.check(connection, self.options.timeout).await.is_err() {
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

    fn take_up(&self, connection: Connection, run: String) {
        self.failures.store(0, Relaxed);
        self.state.send_modify(|state| {
            let number = state.number + 1;
            *state = State { connection: Some(connection), run, number, known: true, since: Instant::now() };
        });
        tracing::info!("redis is there");
        metrics::gauge!("redis_up").set(1.0);
    }

    /// Connects, or looks whether the connection is still good.
    async fn look_after(&self) {
        let began = Instant::now();
        if self.state.borrow().connection.is_some() {
            // A server that stands still is asked until it counts as away, without waiting for somebody to need it.
            while let Err(Away::Late) = self.ping().await {}
            self.look_for_others().await;
        } else {
            let connected = self.connect().await;
            self.say(&self.problem, connected.as_ref().err(), "redis cannot be reached");
            let Ok((connection, run)) = connected else {
                self.state.send_if_modified(|state| !mem::replace(&mut state.known, true));
                return;
            };
            self.take_up(connection, run);
        }
        let micros = began.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
        self.latency_micros.store(micros, Relaxed);
    }

    /// A connection over which all that is needed can be done.
    async fn connect(&self) -> Result<(Connection, String), Away> {
        let patience = self.options.connect_timeout;
        let connection = self.place.connect(patience).await?;
        self.check(connection.clone(), patience).await?;
        // Only now: who has just written is a master, and no replica with the name of its own.
        let run = in_time(patience, self.place.run(connection.clone())).await?;
        Ok((connection, run))
    }

    /// Whether all that is needed can be done.
    async fn check(&self, mut connection: Connection, patience: Duration) -> Result<(), Away> {
        let mut check = CHECK.prepare_invoke();
        let key = format!("{}:{}", self.options.namespace, keys::CHECK);
        check.key(&key).arg(&key);
        in_time(patience, check.invoke_async(&mut connection)).await
    }

    /// Another master may have taken over, and given back, without a connection having broken: what this one had may be lost.
    async fn look_for_others(&self) {
        let (run, number) = {
            let state = self.state.borrow();
            (state.run.clone(), state.number)
        };
        loop {
            match self.ask(|connection| self.place.run(connection)).await {
                Ok(now) if now == run => return,
                Err(Away::Late) => {}
                Ok(_) => {
                    tracing::warn!("redis has begun another history, as a new master does");
                    return self.give_up(number);
                }
                Err(_) => return self.give_up(number),
            }
        }
    }

    /// Says what has gone wrong, unless that was said before.
    fn say(&self, before: &Mutex<Option<Said>>, away: Option<&Away>, what: &'static str) {
        let said = away.filter(|away| !matches!(away, Away::Known)).map(|away| {
            let problem = Problem::of(away, self.place.is_encrypted());
            metrics::counter!("redis_connect_failures_total", "problem" => problem.name()).increment(1);
            Said { problem, why: away.source().map_or_else(|| away.to_string(), ToString::to_string) }
        });
        let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Said { problem, why }) = said.as_ref().filter(|said| before.as_ref() != Some(*said)) {
            tracing::warn!(setting = "redis.url", problem = problem.name(), why, remedy = problem.remedy(), "{what}");
        }
        *before = said;
    }
}

/// Keeps the connection for as long as somebody has a handle.
async fn keep(link: Weak<Link>, look: Arc<Notify>) {
    loop {
        let began = Instant::now();
        let Some(link) = link.upgrade() else { return };
        link.look_after().await;
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

#[cfg(test)]
mod tests {
    use std::io;

    use evently_testservers::{fresh_namespace, shared_redis};
    use tokio::sync::oneshot;

    use super::*;

    /// Longer than anything here should take on a busy machine.
    const PATIENCE: Duration = Duration::from_mins(1);

    /// A user who may not do one of them would be found out when somebody needs it.
    #[test]
    fn whatever_a_script_does_is_tried_when_a_server_is_connected_to() {
        let check = include_str!("scripts/check.lua");
        for script in [
            include_str!("scripts/acquire.lua"),
            include_str!("scripts/settle.lua"),
            include_str!("scripts/take.lua"),
            include_str!("scripts/give_back.lua"),
            include_str!("scripts/cache_look.lua"),
            include_str!("scripts/cache_fill.lua"),
            include_str!("scripts/cache_forget.lua"),
            include_str!("scripts/feed_join.lua"),
            include_str!("scripts/feed_fill.lua"),
            include_str!("scripts/feed_publish.lua"),
        ] {
            let commands = ["call('", "read_all('"].iter().flat_map(|before| script.split(before).skip(1));
            let commands = commands.filter_map(|rest| rest.split('\'').next()).collect::<Vec<_>>();
            assert!(!commands.is_empty(), "{script}");
            for command in commands {
                assert!(check.contains(&format!("call('{command}'")), "{command}");
            }
        }
    }

    /// Or one hiccup would be many: what was asked before it fails by and by, and by then the server is there again.
    #[tokio::test]
    async fn a_call_that_fails_late_takes_away_no_connection_but_its_own() {
        let (namespace, probe) = (fresh_namespace(), Duration::from_millis(20));
        let options = Options { namespace, probe, timeout: PATIENCE, ..Options::new(shared_redis().unwrap()) };
        let redis = Redis::open(&options).unwrap();
        assert!(redis.wait_until_up(true, PATIENCE).await);
        let broken = || Err::<(), _>(RedisError::from(io::Error::from(io::ErrorKind::ConnectionReset)));
        let (held_up, goes_on) = oneshot::channel::<()>();
        let late = redis.call("test", |_| async move {
            let _ = goes_on.await;
            broken()
        });
        let meanwhile = async {
            assert!(redis.call("test", |_| async move { broken() }).await.is_err());
            assert!(!redis.health().up, "both had this connection");
            assert!(redis.wait_until_up(true, PATIENCE).await);
            drop(held_up);
        };
        let (failed, ()) = tokio::join!(biased; late, meanwhile);
        assert!(failed.is_err() && redis.health().up);
    }
}
