//! A payment gateway that moves no money, for trying things out: what a card does follows from its token.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{
    domain::{GatewayReport, Money, Payment, PaymentId, Refund, Timestamp},
    ports::{Charge, Charged, Clock, GatewayUnavailable, PaymentGateway, Webhook, WebhookError},
    sync::{Mutex, lock},
};

/// How far a webhook's signature may lie from now.
const TOLERANCE: Duration = Duration::from_mins(5);

/// When the sandbox does what it does later.
#[derive(Debug, Clone, Copy)]
pub struct SandboxTimes {
    /// How long the buyer's bank takes to approve.
    pub action: Duration,
    /// How long a slow card takes.
    pub slow: Duration,
    /// How long after the end of the hold a late card pays.
    pub late: Duration,
}

impl Default for SandboxTimes {
    fn default() -> Self {
        Self { action: Duration::from_secs(3), slow: Duration::from_secs(2), late: Duration::from_secs(1) }
    }
}

/// What the sandbox's cards do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Card {
    Visa,
    Declined,
    ThreeDs,
    Slow,
    Timeout,
    DuplicateWebhook,
    OutOfOrder,
    Late,
}

const CARDS: [(&str, Card); 8] = [
    ("tok_visa", Card::Visa),
    ("tok_declined", Card::Declined),
    ("tok_3ds", Card::ThreeDs),
    ("tok_slow", Card::Slow),
    ("tok_timeout", Card::Timeout),
    ("tok_duplicate_webhook", Card::DuplicateWebhook),
    ("tok_out_of_order", Card::OutOfOrder),
    ("tok_late", Card::Late),
];

/// The built-in gateway. What it knows of a payment is in the reference it gives out, so that it still knows it after a restart; only
/// webhooks that were not delivered by then are lost, as they may be with any gateway.
pub struct SandboxGateway {
    secret: Vec<u8>,
    /// What was signed with one of these is taken as well.
    other_secrets: Vec<Vec<u8>>,
    times: SandboxTimes,
    clock: std::sync::Arc<dyn Clock>,
    outgoing: Mutex<Outgoing>,
}

#[derive(Default)]
struct Outgoing {
    /// What is yet to be delivered, by when and in which order.
    messages: BTreeMap<(Timestamp, u64), Message>,
    /// How many there have been.
    planned: u64,
}

/// A webhook to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The body, as it was signed.
    pub body: Vec<u8>,
    /// The value of the `Evently-Signature` header.
    pub signature: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Message {
    id: String,
    payment_id: PaymentId,
    reference: String,
    amount: Money,
    status: Status,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Processing,
    Succeeded,
    Failed,
}

impl SandboxGateway {
    /// A sandbox that signs with `secret`.
    pub fn new(secret: impl Into<Vec<u8>>, times: SandboxTimes, clock: std::sync::Arc<dyn Clock>) -> Self {
        Self { secret: secret.into(), other_secrets: Vec::new(), times, clock, outgoing: Mutex::new(Outgoing::default()) }
    }

    /// The same, which also takes what was signed with one of these: the two sides change a secret one after the other.
    #[must_use]
    pub fn also_taking(self, secrets: impl IntoIterator<Item: Into<Vec<u8>>>) -> Self {
        Self { other_secrets: secrets.into_iter().map(Into::into).collect(), ..self }
    }

    /// The webhooks that are to be posted by `now`. Each is handed out once.
    pub fn deliveries(&self, now: Timestamp) -> Vec<Delivery> {
        let mut outgoing = lock(&self.outgoing);
        let later = outgoing.messages.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut outgoing.messages, later);
        due.into_values().map(|message| self.sign(&message, now)).collect()
    }

    fn sign(&self, message: &Message, now: Timestamp) -> Delivery {
        let body = serde_json::to_vec(message).expect("a message is plain data");
        let time = now.as_secs();
        let mac = mac(&self.secret, time, &body).finalize().into_bytes();
        let signature = mac.iter().fold(format!("t={time},v1="), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes everything");
            text
        });
        Delivery { body, signature }
    }

    /// Whether it was signed with any of the secrets.
    fn is_signed(&self, time: i64, body: &[u8], signature: &[u8]) -> bool {
        let mut secrets = std::iter::once(&self.secret).chain(&self.other_secrets);
        secrets.any(|secret| mac(secret, time, body).verify_slice(signature).is_ok())
    }

    /// Plans webhooks about a charge: each with its number, its time, and what it says.
    fn plan(&self, charge: &Charge, reference: &str, webhooks: &[(u64, Timestamp, Status)]) {
        let mut outgoing = lock(&self.outgoing);
        for &(number, at, status) in webhooks {
            let message = Message {
                id: format!("evt_{}_{number}", charge.payment_id),
                payment_id: charge.payment_id,
                reference: reference.to_owned(),
                amount: charge.amount,
                status,
            };
            let order = outgoing.planned;
            outgoing.messages.insert((at, order), message);
            outgoing.planned += 1;
        }
    }
}

fn mac(secret: &[u8], time: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key may have any length");
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    mac
}

fn card(token: &str) -> Option<Card> {
    CARDS.iter().find(|(name, _)| *name == token).map(|(_, card)| *card)
}

/// When the payment began. All that a card does later counts from then, so that a charge that is asked for again is the same.
fn began(payment: PaymentId) -> Option<Timestamp> {
    let (secs, nanos) = payment.as_uuid().get_timestamp()?.to_unix();
    Some(Timestamp::from_secs(secs.try_into().ok()?) + Duration::from_nanos(nanos.into()))
}

/// The reference says which card it was and when its money comes.
fn reference(token: &str, paid_at: Timestamp) -> String {
    format!("sandbox:{token}:{}", paid_at.as_micros())
}

#[async_trait]
impl PaymentGateway for SandboxGateway {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn check_token(&self, token: &str) -> Result<(), String> {
        let names = || CARDS.map(|(name, _)| name).join(", ");
        card(token).map(drop).ok_or_else(|| format!("the sandbox's cards are {}", names()))
    }

    async fn charge(&self, charge: &Charge) -> Result<Charged, GatewayUnavailable> {
        let now = began(charge.payment_id).unwrap_or_else(|| self.clock.now());
        let Some(card) = card(&charge.token) else {
            let report = GatewayReport::Failed { reason: "unknown_card".into() };
            return Ok(Charged { reference: reference(&charge.token, now), report });
        };
        let (paid_at, report) = match card {
            Card::Visa => (now, GatewayReport::Succeeded),
            Card::Declined => (now, GatewayReport::Failed { reason: "card_declined".into() }),
            Card::ThreeDs => {
                let client_secret = format!("sandbox_secret_{}", charge.payment_id);
                (now + self.times.action, GatewayReport::RequiresAction { client_secret })
            }
            Card::Slow | Card::DuplicateWebhook | Card::OutOfOrder => (now + self.times.slow, GatewayReport::Processing),
            Card::Late => (charge.hold_expires_at + self.times.late, GatewayReport::Processing),
            Card::Timeout => return std::future::pending().await,
        };
        let reference = reference(&charge.token, paid_at);
        let webhooks = match card {
            Card::Visa | Card::Declined | Card::Timeout => &[][..],
            Card::ThreeDs | Card::Slow | Card::Late => &[(1, paid_at, Status::Succeeded)],
            Card::DuplicateWebhook => &[(1, paid_at, Status::Succeeded); 3],
            Card::OutOfOrder => &[(2, paid_at, Status::Succeeded), (1, paid_at + self.times.slow, Status::Processing)],
        };
        self.plan(charge, &reference, webhooks);
        Ok(Charged { reference, report })
    }

    async fn look_up(&self, payment: &Payment) -> Result<Option<GatewayReport>, GatewayUnavailable> {
        let Some(reference) = &payment.reference else { return Ok(None) };
        let mut parts = reference.split(':').skip(1);
        let card = parts.next().and_then(card);
        let paid_at = parts.next().and_then(|micros| micros.parse().ok()).map(Timestamp::from_micros);
        Ok(match (card, paid_at) {
            (None | Some(Card::Declined), _) => Some(GatewayReport::Failed { reason: "card_declined".into() }),
            (Some(_), Some(at)) if at <= self.clock.now() => Some(GatewayReport::Succeeded),
            _ => Some(GatewayReport::Processing),
        })
    }

    async fn refund(&self, _refund: &Refund, _payment: &Payment) -> Result<(), GatewayUnavailable> {
        Ok(())
    }

    fn read_webhook(&self, body: &[u8], signature: Option<&str>, now: Timestamp) -> Result<Webhook, WebhookError> {
        let (time, signature) = signature.and_then(read_signature).ok_or(WebhookError::Signature)?;
        if !self.is_signed(time, body, &signature) {
            return Err(WebhookError::Signature);
        }
        let signed = Timestamp::from_secs(time);
        if signed.since(now).max(now.since(signed)) > TOLERANCE {
            return Err(WebhookError::Stale);
        }
        let message = serde_json::from_slice::<Message>(body).map_err(|error| WebhookError::Unreadable(error.to_string()))?;
        let report = match message.status {
            Status::Processing => GatewayReport::Processing,
            Status::Succeeded => GatewayReport::Succeeded,
            Status::Failed => GatewayReport::Failed { reason: "card_declined".into() },
        };
        let Message { id, payment_id, reference, amount, .. } = message;
        Ok(Webhook { message: id, payment_id, reference, report, amount })
    }
}

/// Reads `t=<seconds>,v1=<hex>`.
fn read_signature(text: &str) -> Option<(i64, Vec<u8>)> {
    let (time, mac) = text.split_once(',')?;
    let time = time.strip_prefix("t=")?.parse::<i64>().ok().filter(|time| (0..=253_402_300_799).contains(time))?;
    let hex = mac.strip_prefix("v1=").filter(|hex| hex.len() == 64 && hex.is_ascii())?;
    let bytes = (0..64).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok());
    Some((time, bytes.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::ManualClock;

    fn sandbox() -> (SandboxGateway, std::sync::Arc<ManualClock>) {
        let clock = std::sync::Arc::new(ManualClock::new(Timestamp::from_secs(1_000_000)));
        (SandboxGateway::new("a secret", SandboxTimes::default(), clock.clone()), clock)
    }

    fn delivery() -> (SandboxGateway, Delivery, Timestamp) {
        let (sandbox, clock) = sandbox();
        let message = Message {
            id: "evt_1".into(),
            payment_id: PaymentId::from_uuid(uuid::Uuid::nil()),
            reference: reference("tok_slow", clock.now()),
            amount: Money { amount: 1, currency: crate::domain::Currency::EUR },
            status: Status::Succeeded,
        };
        let delivery = sandbox.sign(&message, clock.now());
        (sandbox, delivery, clock.now())
    }

    #[test]
    fn a_webhook_is_taken_only_as_it_was_signed() {
        let (sandbox, Delivery { body, signature }, now) = delivery();
        assert!(sandbox.read_webhook(&body, Some(&signature), now).is_ok());
        assert_eq!(sandbox.read_webhook(&body, None, now), Err(WebhookError::Signature));
        for bit in 0..body.len() * 8 {
            let mut changed = body.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(sandbox.read_webhook(&changed, Some(&signature), now), Err(WebhookError::Signature));
        }
    }

    #[test]
    fn a_webhook_that_was_signed_with_another_secret_is_taken_while_that_is() {
        let (_, Delivery { body, signature }, now) = delivery();
        let taken = |others: &[&str]| {
            let sandbox =
                SandboxGateway::new("a new secret", SandboxTimes::default(), std::sync::Arc::new(ManualClock::new(now)));
            sandbox.also_taking(others.iter().copied()).read_webhook(&body, Some(&signature), now).map(drop)
        };
        assert_eq!(taken(&["a secret"]), Ok(()));
        assert_eq!(taken(&["an older one", "a secret"]), Ok(()));
        assert_eq!(taken(&["an older one"]), Err(WebhookError::Signature));
        assert_eq!(taken(&[]), Err(WebhookError::Signature));
    }

    /// What a card does counts from when its payment began, as its id says, whenever it is asked.
    #[test]
    fn each_card_pays_when_it_is_to() {
        let (sandbox, _) = sandbox();
        let began = Timestamp::from_micros(1_700_000_000_250_000);
        let times = SandboxTimes::default();
        let hold_expires_at = began + Duration::from_mins(10);
        for (number, (token, paid_at)) in (0..).zip([
            ("tok_visa", began),
            ("tok_3ds", began + times.action),
            ("tok_slow", began + times.slow),
            ("tok_late", hold_expires_at + times.late),
            ("tok_out_of_order", began + times.slow),
        ]) {
            let millis = began.as_micros().unsigned_abs() / 1_000;
            let payment_id = uuid::Builder::from_unix_timestamp_millis(millis, &[number; 10]).into_uuid();
            let amount = Money { amount: 1, currency: crate::domain::Currency::EUR };
            let payment_id = PaymentId::from_uuid(payment_id);
            let charge = Charge { payment_id, amount, token: token.to_owned(), hold_expires_at };
            let charged = crate::sync::ready(sandbox.charge(&charge)).unwrap();
            assert_eq!(charged.reference, reference(token, paid_at), "{token}");

            let payment = Payment {
                id: payment_id,
                booking_id: crate::domain::BookingId::from_uuid(uuid::Uuid::nil()),
                event_id: crate::domain::EventId::from_uuid(uuid::Uuid::nil()),
                amount,
                state: crate::domain::PaymentState::Processing,
                provider: sandbox.name().to_owned(),
                reference: Some(charged.reference),
                refunded: 0,
                created_at: began,
            };
            let at = |now| {
                let sandbox = SandboxGateway::new("a secret", times, std::sync::Arc::new(ManualClock::new(now)));
                crate::sync::ready(sandbox.look_up(&payment)).unwrap()
            };
            assert_eq!(at(paid_at - Duration::from_micros(1)), Some(GatewayReport::Processing), "{token}");
            assert_eq!(at(paid_at), Some(GatewayReport::Succeeded), "{token}");
        }
        assert_eq!(sandbox.name(), "sandbox");
        let last = began + times.slow + times.slow;
        let early = sandbox.deliveries(last - Duration::from_micros(1)).len();
        assert_eq!((early, sandbox.deliveries(last).len()), (3, 1), "late by as much again, behind its own success");
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_either_way() {
        let (sandbox, Delivery { body, signature }, now) = delivery();
        for (seconds, fresh) in [(300, true), (301, false)] {
            let apart = Duration::from_secs(seconds);
            for then in [now + apart, now - apart] {
                assert_eq!(sandbox.read_webhook(&body, Some(&signature), then).is_ok(), fresh, "{seconds} s");
            }
        }
    }

    #[test]
    fn strange_signatures_are_refused() {
        let (sandbox, Delivery { body, signature }, now) = delivery();
        let hex = &signature[signature.len() - 64..];
        for text in ["", "t=,v1=", "v1=00,t=1", "t=99999999999999999999,v1=00", "t=1,v1=ééééééééééééééééééééééééééééééée", hex]
        {
            assert_eq!(sandbox.read_webhook(&body, Some(text), now), Err(WebhookError::Signature), "{text:?}");
        }
    }

    /// Numbers given out anew would let one message take another's place.
    #[test]
    fn no_webhook_takes_the_place_of_another() {
        let (sandbox, clock) = sandbox();
        let (now, second) = (clock.now(), Duration::from_secs(1));
        let charge = |number| Charge {
            payment_id: PaymentId::from_uuid(uuid::Uuid::from_u128(number)),
            amount: Money { amount: 1, currency: crate::domain::Currency::EUR },
            token: "tok_late".into(),
            hold_expires_at: now,
        };
        let plan = |number, at| {
            let charge = charge(number);
            sandbox.plan(&charge, "sandbox:tok_late:0", &[(1, at, Status::Succeeded)]);
        };
        plan(1, now);
        plan(2, now + second);
        assert_eq!(sandbox.deliveries(now).len(), 1);
        plan(3, now + second);
        assert_eq!(sandbox.deliveries(now + second).len(), 2);
    }
}
