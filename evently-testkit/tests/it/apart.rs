//! The suites have teeth, where a store is wrong in another way than in what it sells: ports that break their contract are found out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};

use async_trait::async_trait;
use evently_core::{
    domain::{Entry, GatewayReport, Payment, Refund, SessionId, Timestamp, User, UserId},
    memory::{ManualClock, MemoryStore, SandboxGateway, SandboxTimes},
    ports::{
        Begun, Charge, Charged, Claim, GatewayUnavailable, Ids, Inbox, Outbox, PaymentGateway, Rotation, Session, Sessions,
        Store, StoreError, Taken, TakenBack, TokenDigest, Webhook, WebhookError,
    },
};
use evently_testkit::{
    MemoryPlace, StorePlace, World,
    conformance::{gateway, gateway::GatewayUnderTest, inbox, outbox, sessions, shared},
};
use uuid::Uuid;

/// Whether the clause fails on what it is tried on.
fn fails(clause: impl Future<Output = ()> + Send + 'static) -> bool {
    evently_testkit::run(async move { tokio::spawn(clause).await.is_err() })
}

/// The store in memory with some of its ports in the place of others.
struct With(fn(Store) -> Store);

#[async_trait]
impl StorePlace for With {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        self.0(MemoryPlace.open(ids).await)
    }
}

/// A store for several processes, each of which keeps in its own memory who is at work and who is logged in.
#[derive(Default)]
struct Apart(OnceLock<Arc<MemoryStore>>);

#[async_trait]
impl StorePlace for Apart {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        let common = self.0.get_or_init(|| Arc::new(MemoryStore::new(ids.clone())));
        let own = Arc::new(MemoryStore::new(ids));
        Store { outbox: own.clone(), inbox: own.clone(), sessions: own, ..Store::new(common.clone()) }
    }
}

/// The same as it should be.
#[derive(Default)]
struct Together(OnceLock<Arc<MemoryStore>>);

#[async_trait]
impl StorePlace for Together {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        Store::new(self.0.get_or_init(|| Arc::new(MemoryStore::new(ids))).clone())
    }
}

#[test]
fn what_each_process_keeps_to_itself_is_found_out() {
    assert!(fails(async {
        shared::of_those_who_work_for_several_stores_one_has_the_consumer(world(Apart::default()).await).await;
    }));
    assert!(fails(async {
        shared::of_those_who_work_for_several_stores_one_has_the_message(world(Apart::default()).await).await;
    }));
    assert!(fails(async { shared::a_login_that_one_has_ended_is_over_at_the_other(world(Apart::default()).await).await }));
    assert!(!fails(async {
        shared::of_those_who_work_for_several_stores_one_has_the_consumer(world(Together::default()).await).await;
        shared::of_those_who_work_for_several_stores_one_has_the_message(world(Together::default()).await).await;
        shared::a_login_that_one_has_ended_is_over_at_the_other(world(Together::default()).await).await;
    }));
}

async fn world(place: impl StorePlace + 'static) -> World {
    World::new(place).await
}

/// Whoever has one consumer has all of them.
struct OneClaim(Arc<dyn Outbox>);

#[async_trait]
impl Outbox for OneClaim {
    async fn after(&self, position: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.0.after(position, limit).await
    }

    async fn position(&self, consumer: &str) -> Result<u64, StoreError> {
        self.0.position(consumer).await
    }

    async fn claim(&self, consumer: &str, claim: &Claim) -> Result<Option<u64>, StoreError> {
        if self.0.claim("", claim).await?.is_none() {
            return Ok(None);
        }
        self.0.claim(consumer, claim).await
    }

    async fn advance(&self, consumer: &str, position: u64, claim: &Claim) -> Result<bool, StoreError> {
        self.0.advance(consumer, position, claim).await
    }
}

#[test]
fn consumers_that_stand_in_each_others_way_are_found_out() {
    let place = With(|store| Store { outbox: Arc::new(OneClaim(store.outbox.clone())), ..store });
    assert!(fails(async move { outbox::each_consumer_has_a_place_of_its_own(world(place).await).await }));
}

/// What is done to one message of a consumer is done to all of them: it is taken over, or let go.
#[derive(Default)]
struct Sweeping(Mutex<BTreeMap<(String, u64), Begun>>);

#[async_trait]
impl Inbox for Sweeping {
    async fn take(&self, consumer: &str, message: u64, claim: &Claim) -> Result<Taken, StoreError> {
        let mut begun = self.0.lock().unwrap();
        let taken = Taken::by(claim, begun.get(&(consumer.to_owned(), message)));
        let ours = Begun { owner: claim.owner, until: claim.until, done: false };
        match taken {
            Taken::Ours => drop(begun.insert((consumer.to_owned(), message), ours)),
            Taken::TakenOver => {
                for row in begun.iter_mut().filter(|((of, _), _)| of == consumer).map(|(_, row)| row) {
                    *row = Begun { done: row.done, ..ours };
                }
            }
            Taken::Others | Taken::Done => {}
        }
        Ok(taken)
    }

    async fn done(&self, consumer: &str, message: u64, owner: Uuid) -> Result<bool, StoreError> {
        let mut begun = self.0.lock().unwrap();
        let row = begun.get_mut(&(consumer.to_owned(), message)).filter(|row| row.owner == owner);
        Ok(row.map(|row| row.done = true).is_some())
    }

    async fn let_go(&self, consumer: &str, _: u64, owner: Uuid) -> Result<(), StoreError> {
        self.0.lock().unwrap().retain(|(of, _), row| of != consumer || row.owner != owner || row.done);
        Ok(())
    }
}

#[test]
fn messages_that_go_with_others_are_found_out() {
    let sweeping = || With(|store| Store { inbox: Arc::new(Sweeping::default()), ..store });
    assert!(fails(async move { inbox::who_takes_a_message_over_takes_no_other(world(sweeping()).await).await }));
    assert!(fails(async move { inbox::who_lets_a_message_go_keeps_the_others(world(sweeping()).await).await }));
    assert!(!fails(async move { inbox::who_crashed_with_a_message_is_taken_over_and_has_no_say(world(sweeping()).await).await }));
}

/// Whoever logs out somewhere is logged out everywhere.
struct Everywhere {
    sessions: Arc<dyn Sessions>,
    tokens: Mutex<BTreeMap<TokenDigest, UserId>>,
}

#[async_trait]
impl Sessions for Everywhere {
    async fn open(&self, session: &Session, token: &TokenDigest) -> Result<(), StoreError> {
        self.tokens.lock().unwrap().insert(*token, session.user_id);
        self.sessions.open(session, token).await
    }

    async fn rotate(&self, token: &TokenDigest, next: &TokenDigest, now: Timestamp) -> Result<Rotation, StoreError> {
        self.sessions.rotate(token, next, now).await
    }

    async fn revoke(&self, token: &TokenDigest) -> Result<(), StoreError> {
        let known = self.tokens.lock().unwrap().clone();
        for (theirs, _) in known.iter().filter(|(_, user)| known.get(token) == Some(user)) {
            self.sessions.revoke(theirs).await?;
        }
        Ok(())
    }

    async fn holder(&self, id: SessionId) -> Result<Option<User>, StoreError> {
        self.sessions.holder(id).await
    }

    async fn taken_back(&self, since: u64) -> Result<TakenBack, StoreError> {
        self.sessions.taken_back(since).await
    }
}

#[test]
fn a_logout_that_ends_other_logins_is_found_out() {
    let place = With(|store| {
        let sessions = Everywhere { sessions: store.sessions.clone(), tokens: Mutex::default() };
        Store { sessions: Arc::new(sessions), ..store }
    });
    assert!(fails(async move { sessions::other_logins_of_the_account_go_on(world(place).await).await }));
}

/// A gateway that knows a charge by something, and gives the first answer to what it knows.
struct Knowing {
    by: fn(&Charge) -> String,
    known: Mutex<BTreeMap<String, Charged>>,
    gateway: SandboxGateway,
}

#[async_trait]
impl PaymentGateway for Knowing {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn check_token(&self, token: &str) -> Result<(), String> {
        self.gateway.check_token(token)
    }

    async fn charge(&self, charge: &Charge) -> Result<Charged, GatewayUnavailable> {
        let charged = self.gateway.charge(charge).await?;
        Ok(self.known.lock().unwrap().entry((self.by)(charge)).or_insert(charged).clone())
    }

    async fn look_up(&self, payment: &Payment) -> Result<Option<GatewayReport>, GatewayUnavailable> {
        self.gateway.look_up(payment).await
    }

    async fn refund(&self, refund: &Refund, payment: &Payment) -> Result<(), GatewayUnavailable> {
        self.gateway.refund(refund, payment).await
    }

    fn read_webhook(&self, body: &[u8], signature: Option<&str>, now: Timestamp) -> Result<Webhook, WebhookError> {
        self.gateway.read_webhook(body, signature, now)
    }
}

fn knowing(by: fn(&Charge) -> String) -> GatewayUnderTest {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    let gateway = SandboxGateway::new("a secret", SandboxTimes::default(), clock.clone());
    let gateway = Arc::new(Knowing { by, known: Mutex::default(), gateway });
    GatewayUnderTest { gateway, clock, good: "tok_visa", declined: "tok_declined" }
}

#[test]
fn a_gateway_that_charges_a_card_once_for_two_is_found_out() {
    assert!(fails(gateway::one_card_can_pay_for_two(knowing(|charge| charge.token.clone()))));
}

/// As the contract has it, and most gateways.
#[test]
fn a_gateway_that_knows_each_charge_by_its_payment_is_right() {
    let by_payment = || knowing(|charge| charge.payment_id.to_string());
    assert!(!fails(async move {
        gateway::a_charge_that_is_asked_for_again_is_the_same_charge(by_payment()).await;
        gateway::one_card_can_pay_for_two(by_payment()).await;
        gateway::what_has_become_of_a_charge_can_be_asked(by_payment()).await;
    }));
}
