//! A payment gateway that keeps books of its own, and is slow, deaf and mute; and its webhooks, which get lost, repeat and overtake.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    domain::{GatewayReport, Money, Payment, PaymentId, Refund, RefundId, Timestamp},
    ports::{Charge, Charged, GatewayUnavailable, PaymentGateway, Webhook, WebhookError},
};
use tokio::sync::oneshot;

use super::{executor::lock, faults::Fault, rare::Rare, world::World};

/// How long anybody waits for the gateway.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the cards do.
pub(super) const CARDS: [&str; 6] = ["good", "refused", "slow", "late", "asks", "asks-in-vain"];

/// What begins with this stands for a card.
pub(super) const TOKEN: &str = "tok_";
/// By this the buyer's browser goes on with a payment.
pub(super) const SECRET: &str = "secret";

/// What stands for a card.
pub(super) fn token(card: &str) -> String {
    format!("{TOKEN}{card}")
}

/// Which card it stands for.
fn card(token: &str) -> Option<&str> {
    token.strip_prefix(TOKEN).filter(|card| CARDS.contains(card))
}

/// The books of the gateway. Ours must agree with them.
#[derive(Default)]
pub(super) struct Gateway {
    pub charges: Mutex<BTreeMap<PaymentId, BookedCharge>>,
    pub refunds: Mutex<BTreeMap<RefundId, (PaymentId, i64)>>,
    /// What webhooks say, by their bodies.
    messages: Mutex<Vec<Webhook>>,
}

/// A charge in the gateway's books.
#[derive(Debug, Clone)]
pub(super) struct BookedCharge {
    pub amount: Money,
    pub state: GatewayReport,
    /// Whether whoever asked for it has been answered.
    answered: bool,
}

/// The gateway as an instance reaches it.
pub(super) struct ReachedGateway(pub Arc<World>);

impl ReachedGateway {
    /// Has the gateway do something. Once it is on its way it is done whatever becomes of whoever asked, sooner or later; unless it gets
    /// lost. Nobody waits for the answer for long, and it may get lost as well.
    async fn ask<T: Send + 'static>(&self, act: impl FnOnce(&Arc<World>) -> T + Send + 'static) -> Result<T, GatewayUnavailable> {
        let (world, (answer, answered)) = (Arc::clone(&self.0), oneshot::channel());
        self.0.spawn(async move {
            world.takes(Fault::GatewaySlow, Duration::from_millis(300), Duration::from_secs(40)).await;
            if world.strikes(Fault::GatewayDeaf) {
                return;
            }
            let done = act(&world);
            if !world.strikes(Fault::GatewayMute) {
                world.takes(Fault::NetworkSlow, Duration::from_millis(100), Duration::from_secs(3)).await;
                // Whoever asked may have gone.
                let _ = answer.send(done);
            }
        });
        let answered = self.0.tasks.within(PATIENCE, answered).await;
        answered.and_then(Result::ok).ok_or_else(|| GatewayUnavailable("the simulation says so".to_owned()))
    }
}

impl Gateway {
    /// Takes a charge on, once, and says what it says of it.
    fn charge(world: &Arc<World>, charge: &Charge) -> Charged {
        let Charge { payment_id: id, amount, token, hold_expires_at } = charge.clone();
        let known = lock(&world.gateway.charges).get(&id).map(|charge| charge.state.clone());
        let report = known.unwrap_or_else(|| {
            let card = card(&token).expect("it was looked at before");
            let (report, later) = decided(card, hold_expires_at, world);
            world.say("gateway", || format!("payment {id} of {amount} with a card that is {card}: {report:?}"));
            lock(&world.gateway.charges).insert(id, BookedCharge { amount, state: report.clone(), answered: false });
            match later {
                Some((at, later)) => decide_later(world, id, amount, at, later),
                // Some gateways tell twice.
                None if world.faults.draw(Fault::WebhookTwice, 4) == 0 => post(world, id, amount, report.clone()),
                None => {}
            }
            report
        });
        Charged { reference: reference(id), report }
    }
}

/// What a card does at once, and what later.
fn decided(card: &str, hold_ends: Timestamp, world: &World) -> (GatewayReport, Option<(Timestamp, GatewayReport)>) {
    let now = world.now();
    let after = |seconds| now + Duration::from_secs(seconds);
    let failed = |reason: &str| GatewayReport::Failed { reason: reason.to_owned() };
    let asks = GatewayReport::RequiresAction { client_secret: SECRET.to_owned() };
    match card {
        "good" => (GatewayReport::Succeeded, None),
        "refused" => (failed("card_declined"), None),
        "slow" => (GatewayReport::Processing, Some((after(1), GatewayReport::Succeeded))),
        "late" => {
            let late = Duration::from_micros(world.faults.draw(Fault::GatewaySlow, 4_000_000));
            (GatewayReport::Processing, Some((hold_ends.max(now) + late, GatewayReport::Succeeded)))
        }
        "asks" => (asks, Some((after(3), GatewayReport::Succeeded))),
        _ => (asks, Some((after(9), failed("not_authenticated")))),
    }
}

fn reference(id: PaymentId) -> String {
    format!("simulated:{id}")
}

/// Decides a charge later, and sends a webhook.
fn decide_later(world: &Arc<World>, id: PaymentId, amount: Money, at: Timestamp, report: GatewayReport) {
    let world = Arc::clone(world);
    world.clone().spawn(async move {
        world.tasks.sleep_until(at).await;
        if let Some(charge) = lock(&world.gateway.charges).get_mut(&id) {
            charge.state = report.clone();
        }
        post(&world, id, amount, report);
    });
}

/// Posts a webhook: until somebody has taken it, and sometimes never, twice, or late.
fn post(world: &Arc<World>, id: PaymentId, amount: Money, report: GatewayReport) {
    let number = {
        let mut messages = lock(&world.gateway.messages);
        let message = format!("message {}", messages.len());
        messages.push(Webhook { message, payment_id: id, reference: reference(id), report, amount });
        messages.len() - 1
    };
    if world.strikes(Fault::WebhookLost) {
        return;
    }
    let times = if world.strikes(Fault::WebhookTwice) { 2 } else { 1 };
    for time in 0..times {
        world.spawn(deliver(Arc::clone(world), number, time));
    }
}

async fn deliver(world: Arc<World>, number: usize, time: usize) {
    world.takes(Fault::WebhookLate, Duration::from_millis(500), Duration::from_secs(20)).await;
    let body = number.to_le_bytes();
    // However often it is not taken while things go wrong.
    let (mut attempt, mut left) = (0, 30);
    while left > 0 {
        let webhook = lock(&world.gateway.messages)[number].clone();
        let answered = lock(&world.gateway.charges).get(&webhook.payment_id).is_some_and(|charge| charge.answered);
        if let Some(instance) = world.any_up(number + time + attempt) {
            world.say("gateway", || format!("tells {} of payment {}: {:?}", instance.name, webhook.payment_id, webhook.report));
            if !answered {
                world.met(Rare::WebhookBeforeAnswer);
            }
            if time + attempt > 0 {
                world.met(Rare::WebhookRepeated);
            }
            let taken = instance.serve(move |instance| async move { instance.payments.webhook(&body, Some("signed")).await });
            match world.tasks.within(Duration::from_secs(10), taken).await.flatten() {
                Some(Ok(())) => return,
                Some(Err(error)) => world.must_be_for_now(&error),
                None => {}
            }
        }
        world.tasks.sleep(Duration::from_secs(2)).await;
        attempt += 1;
        left -= u32::from(world.faults.are_healed());
    }
    world.oracle.breach(&world, "I12", || "a webhook is taken by nobody, however often it comes".to_owned());
}

#[async_trait]
impl PaymentGateway for ReachedGateway {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn check_token(&self, token: &str) -> Result<(), String> {
        if card(token).is_some() { Ok(()) } else { Err(format!("the cards are {}", CARDS.join(", "))) }
    }

    async fn charge(&self, charge: &Charge) -> Result<Charged, GatewayUnavailable> {
        let (charge, charging) = (charge.clone(), self.0.unless_done(Rare::CrashWhileCharging));
        let id = charge.payment_id;
        let charged = self.ask(move |world| Gateway::charge(world, &charge)).await;
        charging.done();
        if let Some(charge) = lock(&self.0.gateway.charges).get_mut(&id) {
            charge.answered = charged.is_ok();
        }
        charged
    }

    async fn look_up(&self, payment: &Payment) -> Result<Option<GatewayReport>, GatewayUnavailable> {
        let id = payment.id;
        let known = self.ask(move |world| lock(&world.gateway.charges).get(&id).map(|charge| charge.state.clone())).await?;
        match (&known, payment.is_open()) {
            (Some(GatewayReport::Succeeded), true) => self.0.met(Rare::ReconciledCapture),
            (Some(GatewayReport::Succeeded), false) => self.0.met(Rare::ReconciledGivenUp),
            (None, true) => self.0.met(Rare::ReconciledNothing),
            _ => {}
        }
        Ok(known)
    }

    async fn refund(&self, refund: &Refund, payment: &Payment) -> Result<(), GatewayUnavailable> {
        let (id, payment, amount) = (refund.id, payment.id, refund.amount);
        self.ask(move |world| {
            // What was sent first is what was sent, whatever is asked for later.
            match lock(&world.gateway.refunds).entry(id) {
                Entry::Occupied(_) => world.met(Rare::RefundAskedTwice),
                Entry::Vacant(vacant) => drop(vacant.insert((payment, amount.amount))),
            }
            world.say("gateway", || format!("sends {amount} of payment {payment} back"));
        })
        .await
    }

    fn read_webhook(&self, body: &[u8], _: Option<&str>, _: Timestamp) -> Result<Webhook, WebhookError> {
        let number = <[u8; 8]>::try_from(body).map(usize::from_le_bytes).map_err(|_| WebhookError::Signature)?;
        lock(&self.0.gateway.messages).get(number).cloned().ok_or(WebhookError::Signature)
    }
}

#[cfg(test)]
mod tests {
    use evently_core::domain::Currency;
    use uuid::Uuid;

    use super::*;
    use crate::simulation::{Plan, build, executor::Executor, faults::Rates};

    #[test]
    fn a_webhook_that_nobody_takes_is_found_once_nothing_goes_wrong() {
        let (begin, rates) = (Timestamp::from_secs(1_800_000_000), Rates::none());
        let mut executor = Executor::new(begin, 1);
        let world = Arc::new(build(&Plan { rates, ..Plan::of(1) }, begin, &executor, false));
        let amount = Money { amount: 4500, currency: Currency::EUR };
        post(&world, PaymentId::from_uuid(Uuid::nil()), amount, GatewayReport::Succeeded);
        let mut minutes = |minutes| {
            while executor.step(begin + Duration::from_mins(minutes)).is_some() {}
            world.oracle.breaches()
        };
        assert_eq!(minutes(10), []);
        world.faults.heal();
        assert!(matches!(&minutes(20)[..], [breach] if breach.invariant == "I12"));
    }
}
