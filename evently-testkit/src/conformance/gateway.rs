//! Payment gateways.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{
        BookingId, Currency, EventId, GatewayReport, Money, Payment, PaymentId, PaymentState, Refund, RefundId, RefundState,
        Timestamp,
    },
    memory::{ManualClock, SeededIds},
    ports::{Charge, Clock, Ids, PaymentGateway, WebhookError},
};
use uuid::Uuid;

/// A gateway in a state where nothing real is charged.
pub struct GatewayUnderTest {
    /// The gateway.
    pub gateway: Arc<dyn PaymentGateway>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// What stands for a card that pays at once.
    pub good: &'static str,
    /// What stands for a card that is refused.
    pub declined: &'static str,
}

impl GatewayUnderTest {
    fn charge(&self, token: &str) -> Charge {
        let now = self.clock.now();
        Charge {
            payment_id: PaymentId::from_uuid(SeededIds::new(7).uuid(now)),
            amount: Money { amount: 4500, currency: Currency::EUR },
            token: token.to_owned(),
            hold_expires_at: now + Duration::from_mins(30),
        }
    }
}

/// The payment that a charge is for.
fn payment(charge: &Charge, state: PaymentState, reference: Option<String>, provider: &str) -> Payment {
    Payment {
        id: charge.payment_id,
        booking_id: BookingId::from_uuid(Uuid::nil()),
        event_id: EventId::from_uuid(Uuid::nil()),
        amount: charge.amount,
        state,
        provider: provider.to_owned(),
        reference,
        refunded: 0,
        created_at: Timestamp::default(),
    }
}

pub async fn a_good_card_pays(test: GatewayUnderTest) {
    let charge = test.charge(test.good);
    let charged = test.gateway.charge(&charge).await.unwrap();
    assert_eq!(charged.report, GatewayReport::Succeeded);
    assert!(!charged.reference.is_empty() && !test.gateway.name().is_empty());
}

pub async fn a_refused_card_says_why_in_a_stable_word(test: GatewayUnderTest) {
    let charged = test.gateway.charge(&test.charge(test.declined)).await.unwrap();
    let GatewayReport::Failed { reason } = charged.report else { panic!("{charged:?}") };
    assert!(!reason.is_empty() && reason.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{reason:?}");
}

pub async fn a_charge_that_is_asked_for_again_is_the_same_charge(test: GatewayUnderTest) {
    for token in [test.good, test.declined] {
        let charge = test.charge(token);
        let first = test.gateway.charge(&charge).await.unwrap();
        test.clock.advance(Duration::from_mins(1));
        assert_eq!(test.gateway.charge(&charge).await.unwrap(), first, "{token}");
    }
}

pub async fn one_card_can_pay_for_two(test: GatewayUnderTest) {
    let first = test.gateway.charge(&test.charge(test.good)).await.unwrap();
    test.clock.advance(Duration::from_mins(1));
    let second = test.gateway.charge(&test.charge(test.good)).await.unwrap();
    assert_eq!((first.report, second.report), (GatewayReport::Succeeded, GatewayReport::Succeeded));
    assert_ne!(first.reference, second.reference, "each is a charge of its own");
}

pub async fn what_has_become_of_a_charge_can_be_asked(test: GatewayUnderTest) {
    let charge = test.charge(test.good);
    let unknown = payment(&charge, PaymentState::Processing, None, test.gateway.name());
    assert_eq!(test.gateway.look_up(&unknown).await.unwrap(), None);
    for (token, report) in [(test.good, GatewayReport::Succeeded), (test.declined, declined())] {
        // Another payment: of this one it would be the same charge.
        test.clock.advance(Duration::from_mins(1));
        let charge = test.charge(token);
        let charged = test.gateway.charge(&charge).await.unwrap();
        let known = payment(&charge, PaymentState::Processing, Some(charged.reference), test.gateway.name());
        let said = test.gateway.look_up(&known).await.unwrap();
        assert_eq!(said.map(|said| std::mem::discriminant(&said)), Some(std::mem::discriminant(&report)), "{token}");
    }
}

fn declined() -> GatewayReport {
    GatewayReport::Failed { reason: "card_declined".to_owned() }
}

pub async fn a_refund_may_be_asked_for_again(test: GatewayUnderTest) {
    let charge = test.charge(test.good);
    let charged = test.gateway.charge(&charge).await.unwrap();
    let state = PaymentState::Succeeded { at: test.clock.now() };
    let payment = payment(&charge, state, Some(charged.reference), test.gateway.name());
    let refund = Refund {
        id: RefundId::from_uuid(Uuid::from_u128(3)),
        payment_id: payment.id,
        booking_id: payment.booking_id,
        event_id: payment.event_id,
        amount: payment.amount,
        reason: "booking_cancelled".to_owned(),
        state: RefundState::Pending,
        created_at: test.clock.now(),
    };
    for _ in 0..2 {
        test.gateway.refund(&refund, &payment).await.unwrap();
    }
}

pub async fn a_token_that_is_no_card_is_refused_with_what_would_be_right(test: GatewayUnderTest) {
    assert_eq!(test.gateway.check_token(test.good), Ok(()));
    for token in ["", "no card at all", "tok_\u{0}"] {
        let says = test.gateway.check_token(token).expect_err("it is no card");
        assert!(!says.is_empty());
    }
}

pub async fn a_message_that_nobody_signed_is_not_taken(test: GatewayUnderTest) {
    let now = test.clock.now();
    for signature in [None, Some(""), Some("t=1,v1=00"), Some("nonsense")] {
        let read = test.gateway.read_webhook(b"{}", signature, now);
        assert_eq!(read, Err(WebhookError::Signature), "{signature:?}");
    }
}
