//! Tells whether others have written: all rows of the journal, less those that this handle has committed.
//!
//! A row counts as ours a moment after everybody can see it, so the two numbers go together only while no commit of ours is under
//! way. Where no such moment is met, the answer is that others may have written.

use std::{
    sync::atomic::{AtomicI64, Ordering::SeqCst},
    time::Duration,
};

use crate::{
    error::Fault,
    rows::get,
    store::{PgStore, values},
};

/// All that has been committed, as of one moment: with positions and without.
const WRITTEN: &str = "select h.position + (select count(*) from journal where position is null) from journal_head h";

/// How often a moment without a commit of ours is looked for.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(2);

/// What a handle has written itself.
#[derive(Default)]
pub(crate) struct OwnWrites {
    /// Commits that have been sent, and have neither failed nor been noted.
    under_way: AtomicI64,
    /// Rows of the journal that have been committed and noted.
    ours: AtomicI64,
    /// Rows of others, when it was asked last.
    theirs: AtomicI64,
}

impl OwnWrites {
    /// A commit is about to be sent.
    pub(crate) fn sending(&self) -> Sending<'_> {
        self.under_way.fetch_add(1, SeqCst);
        Sending(self)
    }

    /// Our rows, if no commit is under way.
    fn settled(&self) -> Option<i64> {
        (self.under_way.load(SeqCst) == 0).then(|| self.ours.load(SeqCst))
    }
}

/// A commit under way. Dropped, it has failed: should it have gone through all the same, its rows count as others', which
/// makes somebody look once too often.
pub(crate) struct Sending<'a>(&'a OwnWrites);

impl Sending<'_> {
    /// It went through, and is under way until it has been noted.
    pub(crate) fn arrived(self) {
        std::mem::forget(self);
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, SeqCst);
    }
}

impl PgStore {
    /// Notes how many rows a commit has added to the journal. Whoever has committed a transaction of [`PgStore::begin`] has to, once,
    /// and also if there were none.
    pub(crate) fn note_own_writes(&self, rows: usize) {
        self.own.ours.fetch_add(i64::try_from(rows).unwrap_or(i64::MAX), SeqCst);
        self.own.under_way.fetch_sub(1, SeqCst);
    }

    /// What is there now is old news.
    pub(crate) async fn overlook_what_is_written(&self) -> Result<(), Fault> {
        self.own.theirs.store(written(self).await?, SeqCst);
        Ok(())
    }

    /// Whether others have committed since this was asked last, or may have.
    pub(crate) async fn written_elsewhere(&self) -> Result<bool, Fault> {
        for _ in 0..TRIES {
            if let Some(ours) = self.own.settled() {
                let all = written(self).await?;
                if self.own.settled() == Some(ours) {
                    let theirs = all - ours;
                    return Ok(self.own.theirs.swap(theirs, SeqCst) != theirs);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(true)
    }
}

async fn written(store: &PgStore) -> Result<i64, Fault> {
    let row = store.row(WRITTEN, values![]).await?;
    get(&row.ok_or_else(|| Fault::row("journal_head", "it is gone"))?, 0)
}
