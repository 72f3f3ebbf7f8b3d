//! Tells whether others have written. Each row of the journal says which handle wrote it, and none gets a position below one that has
//! been looked at.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst},
};

use evently_core::{domain::EventId, ports::Elsewhere};
use uuid::Uuid;

use crate::{
    error::Fault,
    outbox::{head_is_gone, number},
    rows::get,
    store::{PgStore, values},
};

/// A server that was started later, or elsewhere, has another one.
macro_rules! server_run {
    () => {
        "(extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint"
    };
}

pub(crate) use server_run;

/// How many entries are looked through for who has written them.
macro_rules! much {
    () => {
        100_000
    };
}

const BEGIN: &str = concat!("select position, gen_random_uuid(), ", server_run!(), " from journal_head");
const OTHERS_UNNUMBERED: &str = "select 1 from journal where position is null and writer is distinct from $1 limit 1";
/// In order, and so by the index: where many have written the server expects to meet another at once, and would read all of the journal
/// when there is none.
pub(crate) const SINCE: &str = concat!(
    "select h.position, array( \
        select distinct event_id from ( \
            select event_id, writer from journal j where j.position > $1 order by j.position limit ",
    much!(),
    ") j \
        where j.writer is distinct from $2), ",
    server_run!(),
    " from journal_head h"
);
/// Who a handle is, and how far it has looked.
#[derive(Default)]
pub(crate) struct Writer {
    /// Made up, and so are those that follow it nobody else's.
    first_id: Uuid,
    /// How many ids it has given up.
    disowned: AtomicU64,
    /// In the journal.
    position: AtomicI64,
    /// Of the server that it has looked at.
    run: AtomicI64,
    /// Of the server that has said what was taken back.
    pub(crate) run_of_marks: AtomicI64,
    /// It wrote something without having been told, and so told nobody itself.
    untold: AtomicBool,
}

impl Writer {
    /// A new one, for whom all that is there is old news.
    pub(crate) async fn new(store: &PgStore) -> Result<Self, Fault> {
        number(store).await?;
        let row = store.row(BEGIN, values![]).await?.ok_or_else(head_is_gone)?;
        let (position, run) = (AtomicI64::new(get(&row, 0)?), get(&row, 2)?);
        let (run, run_of_marks) = (AtomicI64::new(run), AtomicI64::new(run));
        Ok(Self { first_id: get(&row, 1)?, position, run, run_of_marks, ..Self::default() })
    }

    /// The run of the server that it has looked at.
    pub(crate) fn run(&self) -> u64 {
        self.run.load(SeqCst).cast_unsigned()
    }

    /// Under which id it writes.
    pub(crate) fn id(&self) -> Uuid {
        Uuid::from_u128(self.first_id.as_u128().wrapping_add(self.disowned.load(SeqCst).into()))
    }

    /// A commit of its own may have gone through without an answer, or may do so yet: one that waits for a replica can be seen only when that
    /// is there again. What it changed counts as others' work, whenever it is seen.
    pub(crate) fn disown(&self) {
        self.disowned.fetch_add(1, SeqCst);
        // It may have been looked at already, as its own.
        self.untold.store(true, SeqCst);
    }
}

impl PgStore {
    /// What others have committed since this was asked last, or we have without knowing.
    pub(crate) async fn written_elsewhere(&self) -> Result<Elsewhere, Fault> {
        // Whoever sells alone has others give positions; what others have written must have one to be told once.
        if self.row(OTHERS_UNNUMBERED, values![self.writer.id()]).await?.is_some() {
            number(self).await?;
        }
        let writer = &self.writer;
        let looked = writer.position.load(SeqCst);
        let row = self.row(SINCE, values![looked, writer.id()]).await?.ok_or_else(head_is_gone)?;
        let (position, run) = (get(&row, 0)?, get(&row, 2)?);
        let events = get::<Vec<Uuid>>(&row, 1)?.into_iter().map(EventId::from_uuid).collect::<BTreeSet<_>>();
        let elsewhere = if writer.run.swap(run, SeqCst) == run {
            writer.position.fetch_max(position, SeqCst);
            let untold = writer.untold.swap(false, SeqCst);
            match events {
                _ if untold || position - looked > much!() => Elsewhere::Anything,
                events if events.is_empty() => Elsewhere::Unchanged,
                events => Elsewhere::Events(events),
            }
        } else {
            // It may have gone back.
            writer.position.store(position, SeqCst);
            Elsewhere::AnotherRun
        };
        if elsewhere != Elsewhere::Unchanged {
            // Who lets go of what is out of date must not get the same again.
            self.fence();
        }
        Ok(elsewhere)
    }
}
