//! Tells whether others have written. Each row of the journal says which handle wrote it, and none gets a position below one that has
//! been looked at.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};

use uuid::Uuid;

use crate::{
    error::Fault,
    outbox::{head_is_gone, number},
    rows::get,
    store::{PgStore, values},
};

const BEGIN: &str = "select position, gen_random_uuid() from journal_head";
const OTHERS_UNNUMBERED: &str = "select 1 from journal where position is null and writer is distinct from $1 limit 1";
/// In order, and so by the index: where many have written the server expects to meet another at once, and would read all of the journal
/// when there is none.
pub(crate) const SINCE: &str = "select h.position, exists ( \
        select 1 from (select writer from journal j where j.position > $1 order by j.position) j where j.writer is distinct from $2) \
    from journal_head h";

/// Who a handle is, and how far it has looked.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) id: Uuid,
    /// In the journal.
    position: AtomicI64,
    /// It wrote something without having been told, and so told nobody itself.
    untold: AtomicBool,
}

impl Writer {
    /// A new one, for whom all that is there is old news.
    pub(crate) async fn new(store: &PgStore) -> Result<Self, Fault> {
        number(store).await?;
        let row = store.row(BEGIN, values![]).await?.ok_or_else(head_is_gone)?;
        Ok(Self { position: AtomicI64::new(get(&row, 0)?), id: get(&row, 1)?, untold: AtomicBool::new(false) })
    }

    /// A commit of its own may have gone through without an answer. What it changed counts as others' work.
    pub(crate) fn disown(&self) {
        self.untold.store(true, SeqCst);
    }
}

impl PgStore {
    /// Whether others have committed since this was asked last, or we have without knowing.
    pub(crate) async fn written_elsewhere(&self) -> Result<bool, Fault> {
        // Whoever sells alone has others give positions; what others have written must have one to be told once.
        if self.row(OTHERS_UNNUMBERED, values![self.writer.id]).await?.is_some() {
            number(self).await?;
        }
        let looked = self.writer.position.load(SeqCst);
        let row = self.row(SINCE, values![looked, self.writer.id]).await?.ok_or_else(head_is_gone)?;
        self.writer.position.fetch_max(get(&row, 0)?, SeqCst);
        let changed = self.writer.untold.swap(false, SeqCst) | get::<bool>(&row, 1)?;
        if changed {
            // Who lets go of what is out of date must not get the same again.
            self.fence();
        }
        Ok(changed)
    }
}
