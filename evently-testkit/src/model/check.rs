//! Compares all that the store holds with the model, after each step.

use std::{collections::BTreeMap, fmt::Debug};

use evently_core::{
    audit,
    domain::{Booking, Fact, RefundState},
};

use super::{driver::Driver, view::without_code};

impl Driver {
    pub(super) async fn compare(&mut self) -> Result<(), String> {
        let records = self.world.records(&self.event).await;
        let mut found = audit::check(&records, Some(&self.event.layout), self.world.now());
        found.extend(audit::check_terms(&records, &self.world.terms));
        if !found.is_empty() {
            return Err(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        }
        let model = &self.model;
        same("the event", &records.event, &model.event)?;
        same("the seats", &records.seats, &model.seats)?;
        let bookings = records.bookings.iter().cloned().map(|booking| (booking.id, without_code(booking))).collect();
        same_rows("the bookings", &bookings, &model.bookings)?;
        same_rows("the payments", &records.payments.iter().map(|row| (row.id, row.clone())).collect(), &model.payments)?;
        let refunds = records
            .refunds
            .iter()
            .map(|row| (row.payment_id, (row.amount.amount, matches!(row.state, RefundState::Succeeded { .. }))));
        same_rows("the refunds", &refunds.collect(), &model.refunds)?;
        let tickets = records.tickets.iter().map(|row| ((row.booking_id, row.seat), row.state)).collect();
        same_rows("the tickets", &tickets, &model.tickets)?;
        self.refunds = records.refunds.iter().map(|row| (row.payment_id, row.id)).collect();
        self.tickets = records.tickets.iter().map(|row| ((row.booking_id, row.seat), row.code)).collect();
        self.reads(&records.bookings).await
    }

    /// What is read in other ways is the same.
    async fn reads(&self, bookings: &[Booking]) -> Result<(), String> {
        let store = &self.world.store;
        let map = store.catalog.seat_map(self.event.id()).await.expect("the store is at hand").expect("the event is there");
        same("the seat map, followed by its changes", &self.map.statuses(), &map.statuses())?;
        same("its versions", &self.map.versions(), &map.versions())?;
        if let Some(booking) = bookings.last() {
            same("a booking", &store.bookings.booking(booking.id).await.expect("the store is at hand").as_ref(), &Some(booking))?;
        }
        let mut due = store.chores.due_holds(self.world.now(), u32::MAX).await.expect("the store is at hand");
        let overdue = |booking: &&Booking| booking.hold().is_some_and(|hold| hold.expires_at() <= self.world.now());
        let mut expected = bookings.iter().filter(overdue).map(|booking| booking.id).collect::<Vec<_>>();
        due.sort_unstable();
        expected.sort_unstable();
        same("the holds that are due", &due, &expected)
    }

    /// Counts what has happened.
    pub(super) async fn look_back(&mut self) {
        for entry in self.world.records(&self.event).await.journal {
            let reason = entry.transition.reason.map_or(String::new(), |reason| format!(" ({reason})"));
            let what = match entry.transition.fact {
                Fact::Event { .. } => continue,
                Fact::House { to } => format!("seats {}", to.name()),
                Fact::Booking { from, to, .. } => {
                    format!("booking {} to {}", from.map_or("nothing", |from| from.name()), to.name())
                }
                Fact::Captured { .. } => "captured".to_owned(),
                Fact::RefundDue { .. } => "refund due".to_owned(),
                Fact::RefundSent { .. } => "refund sent".to_owned(),
                Fact::CheckedIn { .. } => "checked in".to_owned(),
            };
            *self.seen.entry(format!("{what}{reason}")).or_default() += 1;
        }
    }
}

fn same<T: PartialEq + Debug>(what: &str, stored: &T, modelled: &T) -> Result<(), String> {
    if stored == modelled { Ok(()) } else { Err(format!("{what} stored: {stored:#?}\nand in the model: {modelled:#?}")) }
}

/// Names the rows that differ, and not the others.
fn same_rows<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    stored: &BTreeMap<K, V>,
    modelled: &BTreeMap<K, V>,
) -> Result<(), String> {
    let keys = stored.keys().chain(modelled.keys()).collect::<std::collections::BTreeSet<_>>();
    match keys.into_iter().find(|key| stored.get(key) != modelled.get(key)) {
        Some(key) => same(&format!("{what}: {key:?}"), &stored.get(key), &modelled.get(key)),
        None => Ok(()),
    }
}
