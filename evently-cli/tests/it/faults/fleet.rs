//! Three instances of the service and a worker, all on the same servers.

use std::{ops::RangeInclusive, thread, time::Duration};

use evently_cli::http1::{Connection, Request, Target};
use evently_testservers::Port;
use serde_json::Value;

use super::shop::SHOWN_LATE;
use crate::{
    evently::{Evently, Process, Service, body_of},
    recorder,
};

/// How many instances there are.
pub const INSTANCES: usize = 3;

/// The servers, as the service is told of them.
#[derive(Debug, Clone)]
pub struct Urls {
    pub store: String,
    pub redis: String,
    pub rabbitmq: String,
}

/// The processes of the service.
pub struct Fleet {
    instances: Vec<Instance>,
    worker_place: Evently,
    worker: Option<Process>,
    /// Which instance stood still since when, and until when if it goes on again; in microseconds as customers measure them.
    still: Vec<(usize, u64, Option<u64>)>,
}

/// One of them, which keeps its folder and its address for good.
struct Instance {
    place: Evently,
    port: Port,
    service: Option<Service>,
}

impl Instance {
    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number)
    }

    fn start(&mut self) {
        self.service = Some(self.place.serve_at(&self.address()));
    }
}

impl Fleet {
    /// Starts all of them. A mail and a secret that only one process has are in its folder.
    pub fn start(urls: &Urls) -> Self {
        let instance = || Instance { place: place(urls), port: Port::claim().unwrap(), service: None };
        let instances = (0..INSTANCES).map(|_| instance()).collect();
        let mut fleet = Self { instances, worker_place: place(urls), worker: None, still: Vec::new() };
        fleet.start_all();
        fleet
    }

    /// The first one alone at first, because it may have to make the schema.
    fn start_all(&mut self) {
        self.instances[0].start();
        thread::scope(|scope| {
            for instance in &mut self.instances[1..] {
                scope.spawn(|| instance.start());
            }
            self.worker = Some(self.worker_place.work());
        });
    }

    /// Where the instances are, running or not.
    pub fn targets(&self) -> Vec<Target> {
        let targets = self.instances.iter().map(|instance| Target::parse(&format!("http://{}", instance.address())).unwrap());
        targets.collect()
    }

    /// A connection to an instance that runs.
    pub fn connection(&self, instance: usize) -> Connection {
        self.service(instance).connection()
    }

    pub fn service(&self, instance: usize) -> &Service {
        self.instances[instance].service.as_ref().expect("it runs")
    }

    pub fn kill(&mut self, instance: usize) {
        self.instances[instance].service.take().expect("it runs").kill();
    }

    /// Makes an instance stand still, until [`resume`](Self::resume).
    pub fn pause(&mut self, instance: usize) {
        self.still.push((instance, recorder::now(), None));
        self.service(instance).process.pause();
    }

    pub fn resume(&mut self, instance: usize) {
        self.service(instance).process.resume();
        let last = self.still.iter_mut().rfind(|(other, ..)| *other == instance).expect("it stands still");
        last.2 = Some(recorder::now());
    }

    /// How old what an instance shows may be where it was asked and has answered between these times. Where it has just gone on after
    /// it stood still, it shows what it knew before that until it has heard the news.
    pub fn shown_late(&self, instance: usize, asked: RangeInclusive<u64>) -> Duration {
        let late = u64::try_from(SHOWN_LATE.as_micros()).unwrap();
        let (sent, answered) = (*asked.start(), *asked.end());
        let knew_nothing = self.still.iter().filter(|(other, from, until)| {
            *other == instance && *from <= answered && until.is_none_or(|until| sent < until + late)
        });
        let since = knew_nothing.map(|(_, from, _)| *from).chain([sent]).min().unwrap();
        SHOWN_LATE + Duration::from_micros(sent - since)
    }

    pub fn start_again(&mut self, instance: usize) {
        self.instances[instance].start();
    }

    /// The same on a machine where something else is set, for good.
    pub fn start_again_with(&mut self, instance: usize, settings: &[(&'static str, &str)]) {
        for (key, value) in settings {
            self.instances[instance].place.set(key, value);
        }
        self.start_again(instance);
    }

    /// The same of the worker.
    pub fn start_worker_again_with(&mut self, settings: &[(&'static str, &str)]) {
        for (key, value) in settings {
            self.worker_place.set(key, value);
        }
        self.start_worker_again();
    }

    pub fn worker(&self) -> &Process {
        self.worker.as_ref().expect("it runs")
    }

    pub fn kill_worker(&mut self) {
        self.worker.take().expect("it runs").kill();
    }

    pub fn start_worker_again(&mut self) {
        self.worker = Some(self.worker_place.work());
    }

    /// Ends all of them.
    pub fn stop(&mut self) {
        (0..INSTANCES).for_each(|instance| self.kill(instance));
        self.kill_worker();
    }

    /// Starts them anew, on another store.
    pub fn start_on(&mut self, store: &str) {
        for instance in &mut self.instances {
            instance.place.set(STORE, store);
        }
        self.worker_place.set(STORE, store);
        self.start_all();
    }

    /// The command line, with the configuration of the service.
    pub fn command_line(&self) -> &Evently {
        &self.instances[0].place
    }

    /// The folders of all processes.
    pub fn folders(&self) -> impl Iterator<Item = &std::path::Path> {
        self.instances.iter().map(|instance| &instance.place).chain([&self.worker_place]).map(|place| place.data.path())
    }

    /// Whether an instance says of itself that it can do its work, with all that it needs.
    pub async fn is_well(&self, instance: usize) -> bool {
        let answer = self.connection(instance).send(&Request::get("/health/ready")).await;
        answer.is_ok_and(|answer| answer.status == 200 && body_of(&answer)["status"] == "ok")
    }

    /// What the store holds is possible; how much of everything that is.
    pub fn verified(&self) -> Value {
        let said = self.command_line().run(&["verify", "--json"]);
        assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
        said.json()["checked"].clone()
    }
}

const STORE: &str = "EVENTLY__STORE__URL";

/// Holds run out while something is broken, too.
fn place(urls: &Urls) -> Evently {
    let settings = [
        (STORE, urls.store.as_str()),
        ("EVENTLY__STORE__CONNECTIONS", "8"),
        ("EVENTLY__REDIS__URL", &urls.redis),
        ("EVENTLY__RABBITMQ__URL", &urls.rabbitmq),
        ("EVENTLY__AUTH__SECRET", "a secret that all instances have in common"),
        ("EVENTLY__AUTH__ACCESS_TTL", "1d"),
        ("EVENTLY__PAYMENT__WEBHOOK_SECRET", "another secret that all of them have"),
        ("EVENTLY__BOOKING__HOLD_TTL", "1s"),
        ("EVENTLY__BOOKING__PAYMENT_WINDOW", "5s"),
    ];
    settings.into_iter().fold(Evently::new(), |place, (key, value)| place.with(key, value))
}
