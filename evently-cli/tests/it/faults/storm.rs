//! Several things break at once: which, how, when and for how long is drawn.

use std::{ops::RangeInclusive, time::Duration};

use evently_testservers::{Postgres, Proxy, RabbitMq, Redis};
use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::{
    fleet::{Fleet, INSTANCES, Urls},
    sale::{Sale, Servers},
    soon::until,
};
use crate::knobs::{knob, rounds, seed};

/// How often everything is whole again before the house has to come to rest, unless `EVENTLY_FAULTS_STORMS` says otherwise.
const STORMS: usize = 2;
/// How many parts of a house break in a storm.
const BROKEN: RangeInclusive<usize> = 2..=4;
/// How long a storm lasts at most, once everything has broken. Longer than a statement may take, and than a customer waits.
const LASTS_MS: u64 = 5_000;

/// What can break.
struct House {
    servers: Servers,
    to_postgres: Proxy,
    to_redis: Proxy,
    to_rabbitmq: Proxy,
}

impl House {
    fn build() -> Self {
        let servers = Servers::start();
        let [to_postgres, to_redis, to_rabbitmq] =
            [servers.postgres.url(), servers.redis.url(), servers.rabbitmq.url()].map(|url| Proxy::before(&url).unwrap());
        Self { servers, to_postgres, to_redis, to_rabbitmq }
    }

    fn urls(&self) -> Urls {
        Urls { store: self.to_postgres.url(), redis: self.to_redis.url(), rabbitmq: self.to_rabbitmq.url() }
    }
}

type Act = Box<dyn Fn(&House, &mut Fleet)>;

/// One way in which a part breaks, and what makes it whole again.
struct Harm {
    what: String,
    begin: Act,
    mend: Act,
}

impl Harm {
    fn new(what: String, begin: impl Fn(&House, &mut Fleet) + 'static, mend: impl Fn(&House, &mut Fleet) + 'static) -> Self {
        Self { what, begin: Box::new(begin), mend: Box::new(mend) }
    }
}

/// All parts of a house with their harms. They are mended in this order: a process that starts needs its servers.
fn parts() -> Vec<Vec<Harm>> {
    let mut redis = server("Redis", |house| &house.servers.redis, [Redis::kill, Redis::pause, Redis::resume], Redis::restart);
    redis.push(Harm::new("Redis was emptied".to_owned(), |house, _| house.servers.redis.flush().unwrap(), |_, _| {}));
    let mut to_postgres = way("PostgreSQL", |house| &house.to_postgres);
    to_postgres.push(Harm::new(
        "the answer to a commit was lost".to_owned(),
        |house, _| house.to_postgres.lose_answer_to_commit(),
        |_, _| {},
    ));
    let mut parts = vec![
        server(
            "PostgreSQL",
            |house| &house.servers.postgres,
            [Postgres::kill, Postgres::pause, Postgres::resume],
            Postgres::restart,
        ),
        redis,
        server(
            "RabbitMQ",
            |house| &house.servers.rabbitmq,
            [RabbitMq::kill, RabbitMq::pause, RabbitMq::resume],
            RabbitMq::restart,
        ),
        to_postgres,
        way("Redis", |house| &house.to_redis),
        way("RabbitMQ", |house| &house.to_rabbitmq),
    ];
    parts.extend((0..INSTANCES).map(instance));
    parts.push(vec![
        Harm::new("the worker was killed".to_owned(), |_, fleet| fleet.kill_worker(), |_, fleet| fleet.start_worker_again()),
        Harm::new("the worker stood still".to_owned(), |_, fleet| fleet.worker().pause(), |_, fleet| fleet.worker().resume()),
    ]);
    parts
}

fn server<S: 'static>(
    name: &str,
    server: fn(&House) -> &S,
    [kill, pause, resume]: [fn(&S); 3],
    restart: fn(&S) -> Result<(), String>,
) -> Vec<Harm> {
    vec![
        Harm::new(
            format!("{name} was killed"),
            move |house, _| kill(server(house)),
            move |house, _| restart(server(house)).unwrap(),
        ),
        Harm::new(format!("{name} stood still"), move |house, _| pause(server(house)), move |house, _| resume(server(house))),
    ]
}

fn way(name: &str, way: fn(&House) -> &Proxy) -> Vec<Harm> {
    let harm = |what: &str, begin: fn(&Proxy), mend: fn(&Proxy)| {
        Harm::new(what.replace("{}", name), move |house, _| begin(way(house)), move |house, _| mend(way(house)))
    };
    vec![
        harm("all were cut off {}", Proxy::cut, Proxy::cut),
        harm("{} was half closed", Proxy::half_close, |_| {}),
        harm("{} answered 1 s late", |way| way.delay(Duration::from_secs(1)), Proxy::open),
        harm("nothing got to {}", Proxy::hold, Proxy::open),
        harm("nothing came from {}", Proxy::swallow_answers, |way| {
            way.cut();
            way.open();
        }),
        harm("connections to {} were forgotten", Proxy::strand, |_| {}),
        harm("nobody got through to {}", Proxy::close, Proxy::open),
    ]
}

fn instance(number: usize) -> Vec<Harm> {
    vec![
        Harm::new(
            format!("instance {number} was killed"),
            move |_, fleet| fleet.kill(number),
            move |_, fleet| fleet.start_again(number),
        ),
        Harm::new(
            format!("instance {number} stood still"),
            move |_, fleet| fleet.pause(number),
            move |_, fleet| fleet.resume(number),
        ),
    ]
}

/// What breaks in one storm, in the order in which it is mended.
fn draw(random: &mut Rng) -> Vec<Harm> {
    let mut parts = parts();
    for _ in random.usize(BROKEN)..parts.len() {
        parts.remove(random.usize(..parts.len()));
    }
    parts.into_iter().map(|mut harms| harms.swap_remove(random.usize(..harms.len()))).collect()
}

/// One thing breaks after the other, in any order, and after a while they are mended.
async fn rage(harms: &[Harm], house: &House, fleet: &mut Fleet, random: &mut Rng) {
    let mut order = harms.iter().collect::<Vec<_>>();
    random.shuffle(&mut order);
    for harm in order {
        (harm.begin)(house, fleet);
        sleep(Duration::from_millis(random.u64(..500))).await;
    }
    sleep(Duration::from_millis(random.u64(..LASTS_MS))).await;
    for harm in harms {
        (harm.mend)(house, fleet);
        sleep(Duration::from_millis(random.u64(..200))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_at_once_nothing_is_lost_or_doubled() {
    let house = House::build();
    let mut random = Rng::with_seed(seed());
    let mut sale = Sale::open(&house.urls()).await;
    let front = sale.front.clone();
    for _ in 0..rounds() {
        let storms = (0..knob("EVENTLY_FAULTS_STORMS", STORMS)).map(|_| draw(&mut random)).collect::<Vec<_>>();
        let told = |harms: &Vec<Harm>| harms.iter().map(|harm| harm.what.as_str()).collect::<Vec<_>>().join(", ");
        let what = storms.iter().map(told).collect::<Vec<_>>().join("; ");
        let faults = storms.iter().map(Vec::len).sum();
        sale.through_all(&house.servers.postgres, &what, faults, async |fleet| {
            for harms in &storms {
                front.is_busy(harms.len()).await;
                rage(harms, &house, fleet, &mut random).await;
                let whole = Instant::now();
                until(&format!("all serve after this: {}", told(harms)), whole, async || front.all_serve(whole)).await;
            }
        })
        .await;
    }
    sale.ends_well(&house.servers.postgres).await;
}
