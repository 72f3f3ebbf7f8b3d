//! The figures of sales are what the journal says.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{Invariant, Violation};
use crate::{
    domain::{EventId, Sales, SalesKey, SalesRow},
    ports::{Catalog, Figures, Outbox, StoreError, StoreErrorKind},
};

/// How many entries of the journal are read at a time.
const ENTRIES: u32 = 1_000;

/// Folds the journal again, up to where the figures go, and names each figure that differs.
pub async fn audit_figures(
    figures: &dyn Figures,
    outbox: &dyn Outbox,
    catalog: &dyn Catalog,
) -> Result<Vec<Violation>, StoreError> {
    let (position, kept) = figures.all().await?;
    let folded = fold(position, outbox, catalog).await?;
    let (kept, folded) = (without_zeros(kept), without_zeros(folded));
    let keys = kept.keys().chain(folded.keys()).collect::<std::collections::BTreeSet<_>>();
    let differing = keys.into_iter().filter(|key| kept.get(key) != folded.get(key));
    Ok(differing
        .map(|key| Violation {
            invariant: Invariant::Figures,
            subject: format!("section {:?} of event {} at {}", key.section, key.event_id, key.hour),
            what: format!(
                "the figures say {:?} and the journal says {:?}",
                kept.get(key).copied().unwrap_or_default(),
                folded.get(key).copied().unwrap_or_default(),
            ),
        })
        .collect())
}

async fn fold(to: u64, outbox: &dyn Outbox, catalog: &dyn Catalog) -> Result<Sales, StoreError> {
    let mut sales = Sales::default();
    let mut sections = FxHashMap::<EventId, Vec<String>>::default();
    let mut position = 0;
    while position < to {
        let entries = outbox.after(position, ENTRIES).await?;
        let Some(last) = entries.last() else { break };
        position = last.position;
        for entry in entries.iter().filter(|entry| entry.position <= to) {
            let event = entry.transition.event_id;
            if let std::collections::hash_map::Entry::Vacant(vacant) = sections.entry(event) {
                vacant.insert(section_names(event, catalog).await?);
            }
            let section_of = |event, seat: u32| sections[&event].get(seat as usize).cloned().unwrap_or_default();
            sales.fold(&entry.transition, &section_of);
        }
    }
    Ok(sales)
}

/// The section of each seat, by the seat's number. There are none of an event that cannot be read, which counts for none.
async fn section_names(event: EventId, catalog: &dyn Catalog) -> Result<Vec<String>, StoreError> {
    let layout = async {
        let Some(event) = catalog.event(event).await? else { return Ok(None) };
        catalog.layout(event.layout_id).await
    };
    match layout.await {
        Ok(Some(layout)) => Ok(layout.places().map(|place| place.section.name.clone()).collect()),
        Ok(None) => Ok(Vec::new()),
        Err(error) if error.kind() == StoreErrorKind::Corrupt => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn without_zeros(mut sales: Sales) -> BTreeMap<SalesKey, SalesRow> {
    sales.rows.retain(|_, row| *row != SalesRow::default());
    sales.rows
}
