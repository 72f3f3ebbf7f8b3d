//! Payments and refunds: money moving, each its own small machine.

use serde::{Deserialize, Serialize};

use super::{
    id::{BookingId, EventId, PaymentId, RefundId},
    money::Money,
    time::Timestamp,
};

/// An attempt to pay for a booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The payment's id; the gateway knows it as the idempotency key of the charge.
    pub id: PaymentId,
    /// What it pays for.
    pub booking_id: BookingId,
    /// The event of that booking.
    pub event_id: EventId,
    /// What is asked for.
    pub amount: Money,
    /// Where it stands.
    pub state: PaymentState,
    /// The name of the gateway that was asked.
    pub provider: String,
    /// What the gateway calls it, once it has answered.
    pub reference: Option<String>,
    /// The sum of the refunds that have been asked for, in minor units; never more than was captured.
    pub refunded: i64,
    /// When the attempt began.
    pub created_at: Timestamp,
}

/// Where a payment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// The gateway has been asked, and has not decided.
    Processing,
    /// The buyer must do something, 3-D Secure for instance.
    RequiresAction {
        /// What the buyer's browser shows to the gateway.
        client_secret: String,
    },
    /// The money is ours.
    Succeeded {
        /// When the gateway captured it.
        at: Timestamp,
    },
    /// The gateway refused, or the attempt was given up for another.
    Failed {
        /// The gateway's reason, a stable word such as `card_declined`.
        reason: String,
    },
}

/// The reason of a payment that was given up for another.
pub(super) const SUPERSEDED: &str = "superseded";
/// The reason of a payment of which the gateway knew nothing when the time for it was over. It may hear of it later still: whoever was to
/// tell it may have stood still.
pub(crate) const NO_ANSWER: &str = "no_answer";

/// Whether a payment was given up by us, and its gateway was not asked.
fn is_given_up(reason: &str) -> bool {
    let superseded = reason == SUPERSEDED && !planted!(ForgetsSuperseded);
    let unanswered = reason == NO_ANSWER && !planted!(ForgetsUnanswered);
    superseded || unanswered
}

/// What a gateway says of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayReport {
    /// It will decide later.
    Processing,
    /// It waits for the buyer.
    RequiresAction {
        /// What the buyer's browser shows to the gateway.
        client_secret: String,
    },
    /// It has captured the money.
    Succeeded,
    /// It has refused.
    Failed {
        /// A stable word such as `card_declined`.
        reason: String,
    },
}

impl GatewayReport {
    /// What a gateway says, in words that are not ours: a refusal for a reason by which we give up would be taken for no answer, and asked
    /// for again.
    pub(crate) fn of_a_gateway(self) -> Self {
        match self {
            Self::Failed { reason } if is_given_up(&reason) => Self::Failed { reason: "refused".to_owned() },
            report => report,
        }
    }
}

impl Payment {
    /// Takes in what the gateway says at `now`; `None` if that is no news.
    ///
    /// Gateways repeat themselves and do not keep to the order of things, so the machine only ever moves forward. A capture is
    /// believed even after a failure: what has been captured must be written down before it is judged.
    #[cfg_attr(not(evently_planted), expect(clippy::match_same_arms, reason = "faults are planted in arms of their own"))]
    pub fn report(&self, report: &GatewayReport, now: Timestamp) -> Option<PaymentState> {
        use PaymentState::{Failed, Processing, RequiresAction, Succeeded};
        match (&self.state, report) {
            (Failed { .. }, GatewayReport::Succeeded) if planted!(CapturesOnlyOpen) => None,
            (Processing | RequiresAction { .. } | Failed { .. }, GatewayReport::Succeeded) => Some(Succeeded { at: now }),
            (Succeeded { .. }, GatewayReport::Succeeded) if planted!(CapturesTwice) => Some(Succeeded { at: now }),
            (Processing, GatewayReport::Processing) if planted!(ConfirmsUnpaid) => Some(Succeeded { at: now }),
            (Processing | RequiresAction { .. }, GatewayReport::Failed { reason }) => Some(Failed { reason: reason.clone() }),
            (Failed { reason: ours }, GatewayReport::Failed { reason })
                if is_given_up(ours) && reason != ours && reason != SUPERSEDED =>
            {
                Some(Failed { reason: reason.clone() })
            }
            (Processing, GatewayReport::RequiresAction { client_secret }) => {
                Some(RequiresAction { client_secret: client_secret.clone() })
            }
            _ => None,
        }
    }

    /// Whether it was given up by us, so that its money may come all the same.
    pub fn is_given_up(&self) -> bool {
        matches!(&self.state, PaymentState::Failed { reason } if is_given_up(reason))
    }

    /// Whether we wait for the gateway.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, PaymentState::Processing | PaymentState::RequiresAction { .. })
    }

    /// Whether the gateway may still decide. It may of a payment that we have given up: nobody has told it.
    pub fn is_undecided(&self) -> bool {
        self.is_open() || matches!(&self.state, PaymentState::Failed { reason } if is_given_up(reason))
    }

    /// What the gateway has captured, in minor units.
    pub const fn captured(&self) -> i64 {
        if matches!(self.state, PaymentState::Succeeded { .. }) { self.amount.amount } else { 0 }
    }

    /// The payment as everybody names it.
    pub const fn status(&self) -> &'static str {
        match &self.state {
            PaymentState::Processing => "processing",
            PaymentState::RequiresAction { .. } => "requires_action",
            PaymentState::Succeeded { .. } if self.refunded == 0 => "succeeded",
            PaymentState::Succeeded { .. } if self.refunded < self.amount.amount => "partially_refunded",
            PaymentState::Succeeded { .. } => "refunded",
            PaymentState::Failed { .. } => "failed",
        }
    }
}

/// Money on its way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The refund's id; the gateway knows it as the idempotency key of the refund.
    pub id: RefundId,
    /// The payment it comes from.
    pub payment_id: PaymentId,
    /// The booking that payment was for.
    pub booking_id: BookingId,
    /// The event of that booking.
    pub event_id: EventId,
    /// How much.
    pub amount: Money,
    /// Why, a stable word such as `event_cancelled`.
    pub reason: String,
    /// Where it stands.
    pub state: RefundState,
    /// When it was decided.
    pub created_at: Timestamp,
}

impl Refund {
    /// Why money goes back of a booking that was given up.
    pub(super) const BOOKING_CANCELLED: &str = "booking_cancelled";
    /// Why it does where the event was called off.
    pub(super) const EVENT_CANCELLED: &str = "event_cancelled";

    /// Whether it is of a paid booking that was given up; otherwise its payment has bought nothing.
    pub fn is_of_given_up(&self) -> bool {
        [Self::BOOKING_CANCELLED, Self::EVENT_CANCELLED].contains(&&*self.reason)
    }
}

/// Where a refund stands. It is decided in the transaction that makes it due and asked of the gateway until it succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// The gateway has yet to say that it is done.
    Pending,
    /// The gateway has sent the money back.
    Succeeded {
        /// When it said so.
        at: Timestamp,
    },
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn payment(state: PaymentState) -> Payment {
        Payment {
            id: PaymentId::from_uuid(Uuid::nil()),
            booking_id: BookingId::from_uuid(Uuid::nil()),
            event_id: EventId::from_uuid(Uuid::nil()),
            amount: Money { amount: 100, currency: super::super::Currency::EUR },
            state,
            provider: "sandbox".into(),
            reference: None,
            refunded: 0,
            created_at: Timestamp::default(),
        }
    }

    fn failed() -> PaymentState {
        PaymentState::Failed { reason: "card_declined".into() }
    }

    #[test]
    fn a_capture_is_believed_once_and_never_taken_back() {
        let at = Timestamp::from_secs(9);
        let captured = PaymentState::Succeeded { at };
        assert_eq!(payment(failed()).report(&GatewayReport::Succeeded, at), Some(captured.clone()));
        assert_eq!(payment(captured.clone()).report(&GatewayReport::Succeeded, at), None);
        let refused = GatewayReport::Failed { reason: "late".into() };
        assert_eq!(payment(captured.clone()).report(&refused, at), None);
        assert_eq!(payment(captured).report(&GatewayReport::Processing, at), None);
    }

    #[test]
    fn a_payment_that_was_given_up_takes_the_gateways_word_for_why() {
        let at = Timestamp::from_secs(9);
        let told = |ours: &str, theirs: &str| {
            let (ours, reason) = (PaymentState::Failed { reason: ours.into() }, theirs.to_owned());
            payment(ours).report(&GatewayReport::Failed { reason }, at)
        };
        for ours in [SUPERSEDED, "no_answer"] {
            assert_eq!(told(ours, "card_declined"), Some(failed()), "{ours}");
            assert_eq!(told(ours, ours), None, "no news");
        }
        assert_eq!(told("no_answer", SUPERSEDED), None, "a gateway knows nothing of that");
        assert_eq!(told("card_declined", "late"), None, "it has decided already");
    }

    #[test]
    fn a_payment_is_given_up_by_us_or_refused_by_its_gateway() {
        let is_given_up = |reason: &str| payment(PaymentState::Failed { reason: reason.to_owned() }).is_given_up();
        assert!(is_given_up(SUPERSEDED) && is_given_up(NO_ANSWER));
        assert!(!is_given_up("card_declined") && !payment(PaymentState::Processing).is_given_up());
    }

    #[test]
    fn a_gateway_may_wait_for_the_buyer_first() {
        let at = Timestamp::from_secs(9);
        let (theirs, ours) = ("secret".to_owned(), PaymentState::RequiresAction { client_secret: "secret".into() });
        let waits = GatewayReport::RequiresAction { client_secret: theirs };
        assert_eq!(payment(PaymentState::Processing).report(&waits, at), Some(ours.clone()));
        assert_eq!(payment(ours.clone()).report(&waits, at), None);
        assert_eq!(payment(failed()).report(&waits, at), None);
        let refused = GatewayReport::Failed { reason: "card_declined".to_owned() };
        assert_eq!(payment(ours.clone()).report(&refused, at), Some(failed()), "the buyer has not acted, or their bank said no");
        assert_eq!(payment(ours).report(&GatewayReport::Succeeded, at), Some(PaymentState::Succeeded { at }));
    }

    #[test]
    fn status_follows_what_has_gone_back() {
        let mut payment = payment(PaymentState::Succeeded { at: Timestamp::default() });
        assert_eq!(payment.status(), "succeeded");
        payment.refunded = 40;
        assert_eq!(payment.status(), "partially_refunded");
        payment.refunded = 100;
        assert_eq!(payment.status(), "refunded");
    }
}
