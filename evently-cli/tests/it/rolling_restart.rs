//! Three instances behind NGINX are stopped and started again, one after the other, while customers buy: nobody gets an error.
//!
//! `EVENTLY_ROLLING_ROUNDS` is how often each of them is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use evently_cli::http1::{Connection, Request, Target};
use evently_testservers::{Nginx, Port, Postgres, RabbitMq, Redis};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use crate::{
    behind_nginx::{
        production,
        tls::{Client, PATIENCE, Tunnel},
    },
    evently::{Evently, PASSWORD, Process, Service, body_of},
    load::{Customer, Hall},
    witness::{LOCKS_LAST, Scope, contradictions},
};

const CUSTOMERS: usize = 8;
const SEATS: u32 = 400;
const SEED: u64 = 20_261_126;
const LOGINS: usize = 2;
const FOLLOWERS: usize = 3;

/// An instance of the service, which keeps its folder and its address.
struct Instance {
    place: Evently,
    port: Port,
    service: Option<Service>,
}

impl Instance {
    fn start(&mut self) {
        self.service = Some(self.place.serve_at(&format!("127.0.0.1:{}", self.port.number)));
    }

    fn service(&self) -> &Service {
        self.service.as_ref().expect("it runs")
    }
}

/// What is in the guide, on one machine: servers, three instances, a worker, and NGINX before them.
struct Deployment {
    instances: Vec<Instance>,
    _worker: Process,
    nginx: Nginx,
    _servers: (Postgres, Redis, RabbitMq),
}

impl Deployment {
    fn start() -> Self {
        // The slowest starts while the others do.
        let rabbitmq = thread::spawn(RabbitMq::start);
        let (postgres, redis) = (Postgres::start().unwrap(), Redis::start().unwrap());
        let rabbitmq = rabbitmq.join().unwrap().unwrap();
        let place = || {
            production(Evently::new())
                .with("EVENTLY__STORE__URL", &postgres.url())
                .with("EVENTLY__REDIS__URL", &redis.url())
                .with("EVENTLY__RABBITMQ__URL", &rabbitmq.url())
                .with("EVENTLY__BOOKING__HOLD_TTL", "10s")
                // Longer than NGINX keeps a connection, and shorter than in production, so that the test does not take as long.
                .with("EVENTLY__HTTP__DRAIN", "3s")
        };
        let serving = || place().with("EVENTLY__WORKERS__ENABLED", "false");
        let instance = |_| Instance { place: serving(), port: Port::claim().unwrap(), service: None };
        let mut instances = (0..3).map(instance).collect::<Vec<_>>();
        // The first one makes the schema.
        instances.iter_mut().for_each(Instance::start);
        let worker = place().work();
        let ports = instances.iter().map(|instance| instance.port.number).collect::<Vec<_>>();
        let nginx = Nginx::before(ports.try_into().unwrap()).unwrap();
        Self { instances, _worker: worker, nginx, _servers: (postgres, redis, rabbitmq) }
    }

    /// Stops an instance and starts it again, and waits until it is ready.
    async fn restart(&mut self, number: usize) {
        let instance = &mut self.instances[number];
        let target = instance.service().target.clone();
        instance.service().process.ask_to_stop();
        // It says so while it still serves, for those who ask before they send somebody.
        let unready = async { while readiness(&target).await != Some(503) {} };
        timeout(PATIENCE, unready).await.expect("it says that it is about to stop");
        let service = instance.service.take().expect("it runs");
        spawn_blocking(|| service.process.ended()).await.unwrap();
        // As an operator has to: the next one is stopped when this one serves again.
        tokio::task::block_in_place(|| instance.start());
        let ready = async { while readiness(&target).await != Some(200) {} };
        timeout(PATIENCE, ready).await.expect("it is ready again");
    }
}

/// Asked on a connection of its own, as by a load balancer.
async fn readiness(target: &Target) -> Option<u16> {
    let mut connection = Connection::new(target.clone(), PATIENCE);
    connection.send(&Request::get("/health/ready")).await.ok().map(|answer| answer.status)
}

/// Buys until it is told to stop. Whatever is no good answer ends the test.
async fn buy(mut customer: Customer, mut connection: Connection, hall: Arc<Hall>, over: Arc<AtomicBool>) -> Customer {
    while !over.load(Ordering::Relaxed) {
        let asked = customer.wish(&hall);
        let Some(answer) = customer.send(&mut connection, &asked).await else { panic!("{asked:?} got no answer") };
        customer.learn(asked, &answer);
        let seats = connection.send(&Request::get(&format!("/api/v1/events/{}/seats", hall.event))).await;
        assert_eq!(seats.expect("an answer").status, 200);
    }
    customer
}

/// Stays logged in. The token is good once: had one request been sent twice, the login would be over.
async fn stay_logged_in(email: String, mut connection: Connection, over: Arc<AtomicBool>) -> usize {
    let log_in = json!({ "email": email, "password": PASSWORD }).to_string();
    let mut answer = connection.send(&Request::post("/auth/login", log_in.as_bytes())).await.expect("an answer");
    let mut refreshed = 0;
    while !over.load(Ordering::Relaxed) {
        let tokens = body_of(&answer);
        assert_eq!(answer.status, 200, "{tokens}");
        let refresh = json!({ "refresh_token": tokens["refresh_token"] }).to_string();
        answer = connection.send(&Request::post("/auth/refresh", refresh.as_bytes())).await.expect("an answer");
        refreshed += 1;
    }
    refreshed
}

/// What somebody has seen who follows the seats.
#[derive(Default)]
struct Followed {
    deltas: usize,
    /// How often the service has sent them away, to come back.
    farewells: usize,
}

/// Follows the seats from one instance to the next. Each state has to be the one after the last.
async fn follow(tunnel: Arc<Tunnel>, event: String, over: Arc<AtomicBool>) -> Followed {
    let mut followed = Followed::default();
    let mut seq = None;
    loop {
        let since = seq.map_or_else(String::new, |seq| format!("?since={seq}"));
        let url = format!("ws://{}/api/v1/events/{event}/live{since}", tunnel.address);
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("it is taken elsewhere at once");
        loop {
            match timeout(PATIENCE, socket.next()).await.expect("a ping at least").expect("a farewell first").unwrap() {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    let now = frame["seq"].as_u64();
                    match (frame["type"].as_str().unwrap(), seq) {
                        ("snapshot", None) => {}
                        ("delta", Some(before)) => {
                            assert_eq!(now, Some(before + 1), "{frame}");
                            followed.deltas += 1;
                        }
                        _ => panic!("after state {seq:?} came {frame}"),
                    }
                    seq = now;
                }
                Message::Close(farewell) => {
                    assert_eq!(farewell.expect("with a reason").code, CloseCode::Restart);
                    followed.farewells += 1;
                    break;
                }
                _ => {}
            }
            if over.load(Ordering::Relaxed) {
                return followed;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_that_all_instances_are_restarted() {
    let rounds = std::env::var("EVENTLY_ROLLING_ROUNDS").map_or(5, |rounds| rounds.parse::<usize>().unwrap());
    let mut house = tokio::task::block_in_place(Deployment::start);
    let event = house.instances[0].place.event(SEATS);
    let tunnel = Arc::new(Client::of(&house.nginx, 1).tunnel().await);
    let hall = Arc::new(Hall::of(event.clone(), tunnel.connection()).await);
    let over = Arc::new(AtomicBool::new(false));

    let (mut buyers, mut logins, mut followers) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    for number in 0..CUSTOMERS {
        let email = format!("customer{number}@example.org");
        house.instances[0].place.account(&email, "customer");
        let token = house.instances[0].service().log_in(&email).await;
        let customer = Customer::new(number, SEED, token);
        if number < LOGINS {
            logins.spawn(stay_logged_in(email, tunnel.connection(), Arc::clone(&over)));
        }
        buyers.spawn(buy(customer, tunnel.connection(), Arc::clone(&hall), Arc::clone(&over)));
    }
    for _ in 0..FOLLOWERS {
        followers.spawn(follow(Arc::clone(&tunnel), event.clone(), Arc::clone(&over)));
    }

    for _ in 0..rounds {
        for number in 0..house.instances.len() {
            house.restart(number).await;
            assert!(buyers.try_join_next().is_none() && logins.try_join_next().is_none(), "somebody has given up");
        }
    }
    over.store(true, Ordering::Relaxed);
    let mut customers = buyers.join_all().await;
    let refreshed = logins.join_all().await;
    let followed = timeout(PATIENCE, followers.join_all()).await.expect("pings come");

    let requests = house.nginx.requests().unwrap();
    let requests = requests.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();
    let failed = requests.iter().filter(|request| !matches!(request["status"].as_u64(), Some(101 | 200 | 201 | 409)));
    assert_eq!(failed.collect::<Vec<_>>(), Vec::<&Value>::new());
    let elsewhere = requests.iter().filter(|request| request["instance"].as_str().unwrap().contains(',')).count();

    let said = house.instances[0].place.run(&["verify", "--json"]);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    // Whoever was turned away by a seat lock was never decided about, and may be served if they ask again.
    for customer in &mut customers {
        customer.answered.retain(|(_, status, _)| *status != 409);
    }
    assert_eq!(contradictions(tunnel.connection(), &customers, Scope::Everything, LOCKS_LAST).await, Vec::<String>::new());

    let told = || customers.iter().flat_map(|customer| customer.bookings.values());
    let (paid, held) = (told().filter(|told| told.paid).count(), told().count());
    let (deltas, farewells) = followed.iter().fold((0, 0), |sum, one| (sum.0 + one.deltas, sum.1 + one.farewells));
    eprintln!(
        "{} restarts, {} requests, {elsewhere} of them were taken elsewhere; {held} holds, {paid} paid, {refreshed:?} logins refreshed; \
         {deltas} changes followed over {farewells} farewells",
        rounds * house.instances.len(),
        requests.len()
    );
    assert!(paid > 10 * rounds && refreshed.iter().all(|refreshed| *refreshed > rounds), "there was a load");
    assert!(deltas > 100 * rounds && farewells >= rounds, "there was something to follow");
}
