//! Everything that stands: whether it can be; and whether everything has come to its end.

use std::collections::BTreeSet;

use evently_core::{
    audit,
    domain::{BookingStatus, Fact, GatewayReport, Payment, RefundState, Stage},
    ports::{Audit, EventRecords, Outbox},
    services::Relay,
};

use super::{Breach, Seen};
use crate::simulation::{
    executor::{at_once, lock},
    world::World,
};

impl Seen {
    /// Checks everything that stands.
    pub(super) fn look_through(&mut self, world: &World) -> EventRecords {
        let records = at_once(world.store.event_records(world.fixture.id())).expect("nothing in memory fails");
        let records = records.expect("the event is there");
        let layout = &world.fixture.layout;
        // By the clock that is furthest ahead.
        let now = world.now() + world.plan.skew;
        let mut found = audit::check(&records, Some(layout), now);
        found.extend(audit::check_terms(&records, &world.plan.terms));
        self.breaches.extend(found.into_iter().map(Breach::from));
        records
    }

    pub(super) fn came_to_its_end(&mut self, world: &World, records: &EventRecords) {
        let called_off = records.event.stage == Stage::Cancelled;
        for booking in &records.bookings {
            let left = match booking.status() {
                BookingStatus::Pending => true,
                BookingStatus::Confirmed => called_off,
                _ => false,
            };
            if left {
                self.find("I12", format!("booking {} is {} for ever", booking.id, booking.status().name()));
            }
        }
        // One that was given up is still asked about; whether the gateway has captured it is looked at below.
        for payment in records.payments.iter().filter(|payment| payment.is_open()) {
            self.find("I12", format!("payment {} is undecided for ever", payment.id));
        }
        for refund in records.refunds.iter().filter(|refund| refund.state == RefundState::Pending) {
            self.find("I12", format!("refund {} is owed for ever", refund.id));
        }
        if !world.broker.is_empty() {
            self.find("I12", "messages wait for ever");
        }
        let figures =
            at_once(audit::audit_figures(&*world.store, &*world.store, &*world.store)).expect("nothing in memory fails");
        self.breaches.extend(figures.into_iter().map(Breach::from));
    }

    /// What came in and went out at the gateway is what is written down.
    pub(super) fn agrees_with_the_gateway(&mut self, world: &World, records: &EventRecords) {
        let charges = lock(&world.gateway.charges).clone();
        for (id, charge) in &charges {
            let captured = if charge.state == GatewayReport::Succeeded { charge.amount.amount } else { 0 };
            let ours = records.payments.iter().find(|payment| payment.id == *id).map_or(0, Payment::captured);
            if captured != ours {
                self.find("I3", format!("the gateway has captured {captured} for payment {id}, and {ours} is written down"));
            }
        }
        for payment in records.payments.iter().filter(|payment| payment.captured() > 0 && !charges.contains_key(&payment.id)) {
            self.find("I3", format!("payment {} was never charged", payment.id));
        }
        let sent = lock(&world.gateway.refunds).clone();
        for (id, (payment, amount)) in &sent {
            let ours = records.refunds.iter().find(|refund| refund.id == *id);
            if ours.is_none_or(|refund| refund.payment_id != *payment || refund.amount.amount != *amount) {
                self.find("I3", format!("the gateway has sent {amount} of payment {payment} back, which nobody owes"));
            }
        }
        for refund in records.refunds.iter().filter(|refund| !sent.contains_key(&refund.id)) {
            self.find("I3", format!("refund {} was never sent", refund.id));
        }
    }

    /// Each reason for a mail has led to one mail, and nothing else has.
    pub(super) fn all_were_told(&mut self, world: &World) {
        let entries = at_once(world.store.after(0, u32::MAX)).expect("nothing in memory fails");
        let expected = entries.iter().filter_map(|entry| {
            let booking = match entry.transition.fact {
                Fact::Booking { id, from: Some(from), to, .. } if from != to => {
                    [from, to].contains(&BookingStatus::Confirmed).then_some(id)
                }
                Fact::RefundDue { booking_id, .. } => {
                    let told = ["paid_too_late", "paid_after_cancelling", "already_paid"];
                    entry.transition.reason.as_deref().is_some_and(|reason| told.contains(&reason)).then_some(booking_id)
                }
                _ => None,
            };
            booking.map(|booking| format!("{:012}-{booking}", entry.position))
        });
        let expected = expected.collect::<BTreeSet<_>>();
        let sent = lock(&world.mailer.sent).keys().cloned().collect::<BTreeSet<_>>();
        for mail in expected.difference(&sent) {
            self.find("I4", format!("mail {mail} was never sent"));
        }
        for mail in sent.difference(&expected) {
            self.find("I4", format!("mail {mail} was sent without a reason"));
        }
        let handed_on = at_once(Outbox::position(&*world.store, Relay::CONSUMER)).expect("nothing in memory fails");
        if handed_on != self.journal {
            self.find("I12", format!("{handed_on} of {} entries were handed on", self.journal));
        }
    }
}
