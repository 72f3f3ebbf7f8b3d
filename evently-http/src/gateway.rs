//! A payment gateway that answers in time, or is taken not to have answered.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use evently_core::{
    domain::{GatewayReport, Payment, Refund, Timestamp},
    ports::{Charge, Charged, GatewayUnavailable, PaymentGateway, Webhook, WebhookError},
};

/// Waits for a gateway no longer than a given time.
pub struct InTime<G> {
    gateway: Arc<G>,
    limit: Duration,
}

impl<G: PaymentGateway> InTime<G> {
    /// The gateway, given `limit` for each of its answers.
    pub const fn new(gateway: Arc<G>, limit: Duration) -> Self {
        Self { gateway, limit }
    }

    async fn wait<T>(&self, answer: impl Future<Output = Result<T, GatewayUnavailable>>) -> Result<T, GatewayUnavailable> {
        let late = || GatewayUnavailable(format!("no answer within {} ms", self.limit.as_millis()));
        tokio::time::timeout(self.limit, answer).await.unwrap_or_else(|_| Err(late()))
    }
}

#[async_trait]
impl<G: PaymentGateway> PaymentGateway for InTime<G> {
    fn name(&self) -> &str {
        self.gateway.name()
    }

    fn check_token(&self, token: &str) -> Result<(), String> {
        self.gateway.check_token(token)
    }

    async fn charge(&self, charge: &Charge) -> Result<Charged, GatewayUnavailable> {
        self.wait(self.gateway.charge(charge)).await
    }

    async fn look_up(&self, payment: &Payment) -> Result<Option<GatewayReport>, GatewayUnavailable> {
        self.wait(self.gateway.look_up(payment)).await
    }

    async fn refund(&self, refund: &Refund, payment: &Payment) -> Result<(), GatewayUnavailable> {
        self.wait(self.gateway.refund(refund, payment)).await
    }

    fn read_webhook(&self, body: &[u8], signature: Option<&str>, now: Timestamp) -> Result<Webhook, WebhookError> {
        self.gateway.read_webhook(body, signature, now)
    }
}
