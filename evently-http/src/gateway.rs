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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use evently_core::domain::{BookingId, Currency, EventId, Money, PaymentId, PaymentState, RefundId, RefundState};
    use uuid::Uuid;

    use super::*;

    /// A gateway that never says anything.
    struct Silent;

    #[async_trait]
    impl PaymentGateway for Silent {
        fn name(&self) -> &'static str {
            "silent"
        }

        fn check_token(&self, _: &str) -> Result<(), String> {
            Ok(())
        }

        async fn charge(&self, _: &Charge) -> Result<Charged, GatewayUnavailable> {
            pending().await
        }

        async fn look_up(&self, _: &Payment) -> Result<Option<GatewayReport>, GatewayUnavailable> {
            pending().await
        }

        async fn refund(&self, _: &Refund, _: &Payment) -> Result<(), GatewayUnavailable> {
            pending().await
        }

        fn read_webhook(&self, _: &[u8], _: Option<&str>, _: Timestamp) -> Result<Webhook, WebhookError> {
            unreachable!("nobody reads one here")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_says_nothing_is_taken_not_to_have_answered() {
        let gateway = InTime::new(Arc::new(Silent), Duration::from_secs(10));
        let (id, now) = (Uuid::from_u128(1), Timestamp::from_secs(1_800_000_000));
        let (payment_id, booking_id, event_id) = (PaymentId::from_uuid(id), BookingId::from_uuid(id), EventId::from_uuid(id));
        let amount = Money { amount: 4500, currency: Currency::EUR };
        let charge = Charge { payment_id, amount, token: "tok_visa".to_owned(), hold_expires_at: now };
        let payment = Payment {
            id: payment_id,
            booking_id,
            event_id,
            amount,
            state: PaymentState::Processing,
            provider: gateway.name().to_owned(),
            reference: None,
            refunded: 0,
            created_at: now,
        };
        let refund = Refund {
            id: RefundId::from_uuid(id),
            payment_id,
            booking_id,
            event_id,
            amount,
            reason: "cancelled".to_owned(),
            state: RefundState::Pending,
            created_at: now,
        };
        let all = async {
            let charged = gateway.charge(&charge).await.err();
            let looked_up = gateway.look_up(&payment).await.err();
            [charged, looked_up, gateway.refund(&refund, &payment).await.err()]
        };
        let answers = tokio::time::timeout(Duration::from_secs(31), all).await.expect("none is waited for longer");
        for answer in answers {
            assert_eq!(answer, Some(GatewayUnavailable("no answer within 10000 ms".to_owned())));
        }
    }
}
