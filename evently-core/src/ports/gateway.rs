use async_trait::async_trait;

use crate::domain::{GatewayReport, Money, Payment, PaymentId, Refund, Timestamp};

/// Moves money.
///
/// # Contract
/// - **Charged once.** The payment's id is the idempotency key: a charge that is asked for again is the same charge.
/// - **Refunded once.** Likewise by the refund's id.
/// - **Anything may be said twice, late, out of order, or never.** What is said of a payment is only ever a [`GatewayReport`].
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// The name under which payments, webhooks and configuration know it.
    fn name(&self) -> &str;

    /// Whether `token` can stand for a card at all; the error says what would be right.
    fn check_token(&self, token: &str) -> Result<(), String>;

    /// Asks for the money.
    async fn charge(&self, charge: &Charge) -> Result<Charged, GatewayUnavailable>;

    /// Asks what has become of a payment; `None` where the gateway does not know it.
    async fn look_up(&self, payment: &Payment) -> Result<Option<GatewayReport>, GatewayUnavailable>;

    /// Sends money back; `Ok` means that it is done.
    async fn refund(&self, refund: &Refund, payment: &Payment) -> Result<(), GatewayUnavailable>;

    /// Reads a message that the gateway has sent, and makes sure that it did.
    fn read_webhook(&self, body: &[u8], signature: Option<&str>, now: Timestamp) -> Result<Webhook, WebhookError>;
}

/// What a gateway is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The payment.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
    /// What stands for the buyer's card.
    pub token: String,
    /// When the hold ends that the money is for.
    pub hold_expires_at: Timestamp,
}

/// What a gateway answers to a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charged {
    /// What it calls the payment.
    pub reference: String,
    /// What it says of it so far.
    pub report: GatewayReport,
}

/// A message from a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The gateway's id for the message; the same message has the same id.
    pub message: String,
    /// The payment it is about.
    pub payment_id: PaymentId,
    /// What the gateway calls the payment.
    pub reference: String,
    /// What it says of it.
    pub report: GatewayReport,
    /// What it says the payment is of.
    pub amount: Money,
}

/// The gateway did not answer. It may or may not have done what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payment gateway did not answer: {0}")]
pub struct GatewayUnavailable(pub String);

/// Why a message is not taken from a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// There is no signature, or not ours.
    #[error("the signature does not match the body")]
    Signature,
    /// It was signed too long ago, or in the future.
    #[error("the signature's time is more than five minutes from now")]
    Stale,
    /// It was signed by the gateway, and yet cannot be read.
    #[error("the message cannot be read: {0}")]
    Unreadable(String),
}
