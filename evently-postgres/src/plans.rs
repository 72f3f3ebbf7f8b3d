//! How the server goes about the questions that are asked most. They are planned as they run: prepared, for values not yet known.

use evently_core::ports::StoreError;

use crate::{
    apply, bookings, catalog, chores, elsewhere,
    error::Fault,
    outbox,
    rows::get,
    sessions,
    store::{During, PgStore, Reading},
};

/// How the server goes about one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What the question is for.
    pub what: &'static str,
    /// The statement.
    pub statement: String,
    /// The plan, in the server's words.
    pub plan: String,
}

/// What is asked beside the sales, most asked first, and all else that has an index of its own.
const OTHERS: &[(&str, &str)] = &[
    ("events on sale", catalog::EVENTS_PUBLISHED),
    ("a customer's bookings", bookings::BOOKINGS_OF_USER),
    ("seats that can be had, cheapest first", catalog::AVAILABLE),
    ("whether others have written", elsewhere::SINCE),
    ("what is handed on next", outbox::ROWS),
    ("whether there is something to hand on", outbox::SOME_UNNUMBERED),
    ("what gets its position next", outbox::UNNUMBERED),
    ("events by their start", catalog::EVENTS),
    ("payments by their ids", apply::PAYMENTS),
    ("refunds by their ids", apply::REFUNDS),
    ("tickets by their codes", apply::TICKETS),
    ("a booking's payments", bookings::PAYMENTS_OF_BOOKING),
    ("a booking's refunds", bookings::REFUNDS_OF_BOOKING),
    ("a booking's tickets", bookings::TICKETS_OF_BOOKING),
    ("a ticket", bookings::TICKET_BY_ID),
    ("what was taken back from somebody", sessions::TAKEN_BACK),
    ("holds that are over", chores::DUE_HOLDS),
    ("bookings of events that were called off", chores::CALLED_OFF),
    ("payments that a gateway is asked about", chores::UNDECIDED_PAYMENTS),
    ("refunds that are owed", chores::OWED_REFUNDS),
    ("answers that are forgotten", chores::FORGET_ANSWERS),
    ("tokens that are forgotten", chores::FORGET_TOKENS),
    ("logins that are forgotten", chores::FORGET_SESSIONS),
    ("what was taken back long ago", chores::FORGET_TAKEN_BACK),
    ("messages that are forgotten", chores::FORGET_MESSAGES),
];

impl PgStore {
    /// How the server goes about the questions that are asked most.
    pub async fn plans(&self) -> Result<Vec<Plan>, StoreError> {
        let of_a_batch = [("what a batch reads", apply::SALE.to_owned(), true), ("what a batch writes", apply::whole(), true)];
        let others = OTHERS.iter().map(|&(what, statement)| (what, statement.to_owned(), false));
        let mut plans = Vec::new();
        for (what, statement, of_a_batch) in of_a_batch.into_iter().chain(others) {
            let plan = plan(self, &statement, of_a_batch).await.during("plans")?;
            plans.push(Plan { what, statement, plan });
        }
        Ok(plans)
    }
}

/// How many values a statement has.
pub(crate) fn placeholders(statement: &str) -> usize {
    (1..=99).take_while(|number| statement.contains(&format!("${number}"))).count()
}

async fn plan(store: &PgStore, statement: &str, of_a_batch: bool) -> Result<String, Fault> {
    let mut tx = if of_a_batch { Reading(store.batch(0).await?) } else { store.read().await? };
    let count = placeholders(statement);
    let nothing = if count == 0 { String::new() } else { format!("({})", vec!["null"; count].join(", ")) };
    tx.define(format!("set local plan_cache_mode = force_generic_plan; prepare explained as {statement}")).await?;
    let explained = tx.ask(format!("explain (costs off) execute explained{nothing}")).await;
    // It belongs to the connection, not to the transaction.
    tx.define("deallocate explained".to_owned()).await?;
    let lines = explained?.iter().map(|row| get::<String>(row, 0)).collect::<Result<Vec<_>, Fault>>()?;
    tx.end().await;
    Ok(lines.join("\n"))
}
