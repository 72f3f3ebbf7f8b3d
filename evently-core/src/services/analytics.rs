//! Sales as the journal tells them.

use std::{
    collections::{BTreeMap, hash_map::Entry::Vacant},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use rustc_hash::FxHashMap;

use super::{Error, EventService, EventView};
use crate::{
    cache::{Caches, Far, Near},
    domain::{Entry, EventId, Principal, Role, Sales, SalesKey, SalesRow, SeatCounts, Timestamp},
    ports::{Figures, Handler, OtherError, Outbox, SalesFilter, StoreErrorKind},
};

/// How many entries are taken in at a time.
const AT_ONCE: u32 = 1000;

/// For how long figures are kept that all instances share.
const KEPT: Duration = Duration::from_mins(1);

/// Takes in what happened, and reports it.
pub struct AnalyticsService {
    outbox: Arc<dyn Outbox>,
    figures: Arc<dyn Figures>,
    events: Arc<EventService>,
    /// A position that the figures have reached, so that they are not asked for each entry. Whoever sets them back takes in by itself
    /// what was in them.
    taken_in: AtomicU64,
    /// Where figures are shared that somebody has just asked for; none where they are read anew each time.
    kept: Option<Kept>,
}

/// Figures of an event, which several may ask for at once.
struct Kept {
    near: Near<SalesFilter, Arc<Rows>, Error>,
    far: Far<Arc<Rows>>,
}

type Rows = Vec<(SalesKey, SalesRow)>;

/// What an event has sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventReport {
    /// The event.
    pub event_id: EventId,
    /// All hours together.
    pub total: SalesRow,
    /// By section, in the order of the layout; with how many seats it has.
    pub by_section: Vec<SectionSales>,
    /// By hour, the hours in which something happened.
    pub by_hour: Vec<(Timestamp, SalesRow)>,
    /// The event's seats now.
    pub seats: SeatCounts,
}

/// What a section has sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionSales {
    /// The section's name.
    pub section: String,
    /// How many seats it has.
    pub seats_total: u32,
    /// What it has sold.
    pub sales: SalesRow,
}

/// What a step has taken in.
struct TakenIn {
    /// Whether some may be left of what there was.
    more: bool,
    /// The figures go up to here, at least.
    up_to: u64,
}

#[async_trait]
impl Handler for AnalyticsService {
    /// Takes in the journal up to this entry, in order, whatever the order in which entries are handed in. The position of the figures
    /// changes with them, so each entry counts once. Those after it are taken in with it where they are there, so that of a thousand
    /// entries in a row the store is asked for the first alone.
    async fn handle(&self, entry: &Entry) -> Result<(), OtherError> {
        while self.taken_in.load(Ordering::Relaxed) < entry.position {
            let taken_in = self.take_in_next().await?;
            self.taken_in.fetch_max(taken_in.up_to, Ordering::Relaxed);
            if !taken_in.more {
                break;
            }
        }
        Ok(())
    }
}

impl AnalyticsService {
    /// The name under which the queue of figures is known.
    pub const CONSUMER: &str = "analytics";

    /// The service over these ports.
    pub const fn new(outbox: Arc<dyn Outbox>, figures: Arc<dyn Figures>, events: Arc<EventService>) -> Self {
        Self { outbox, figures, events, taken_in: AtomicU64::new(0), kept: None }
    }

    /// The same with its figures, up to a minute old, where all instances find them. Those of a process alone are always the latest.
    #[must_use]
    pub fn with_caches(self, caches: &Caches) -> Self {
        let kept = Kept { near: caches.near("sales", Duration::ZERO, 0), far: caches.far("sales", KEPT) };
        Self { kept: caches.is_shared().then_some(kept), ..self }
    }

    /// Takes in the part of the journal that is next. Whether some may be left of what there was; during a sale a little always comes
    /// meanwhile.
    pub async fn take_in(&self) -> Result<bool, Error> {
        Ok(self.take_in_next().await?.more)
    }

    async fn take_in_next(&self) -> Result<TakenIn, Error> {
        let from = self.figures.position().await?;
        let entries = self.outbox.after(from, AT_ONCE).await?;
        let Some(last) = entries.last() else { return Ok(TakenIn { more: false, up_to: from }) };
        let sales = self.fold(&entries).await?;
        // False means that another instance was faster, with as many or fewer; the entries count once all the same.
        let ours = self.figures.add(from, last.position, &sales).await?;
        let more = !ours || entries.len() >= AT_ONCE as usize;
        Ok(TakenIn { more, up_to: if ours { last.position } else { from } })
    }

    async fn fold(&self, entries: &[Entry]) -> Result<Sales, Error> {
        let mut views = FxHashMap::<EventId, Option<Arc<EventView>>>::default();
        for entry in entries {
            let id = entry.transition.event_id;
            if let Vacant(vacant) = views.entry(id) {
                vacant.insert(self.readable(id).await?);
            }
        }
        let section_of = |event: EventId, seat: u32| {
            let seat = views.get(&event).and_then(Option::as_ref).and_then(|view| view.layout.seat(seat));
            seat.map_or_else(String::new, |(section, ..)| section.name.clone())
        };
        let mut sales = Sales::default();
        for entry in entries {
            sales.fold(&entry.transition, &section_of);
        }
        Ok(sales)
    }

    /// The event, unless somebody has to look at it. It does not hold up the figures of all others.
    async fn readable(&self, id: EventId) -> Result<Option<Arc<EventView>>, Error> {
        match self.events.view(id).await {
            Err(Error::Store(error)) if error.kind() == StoreErrorKind::Corrupt => {
                tracing::error!(event_id = %id, %error, "somebody has to look at this event; what it sells counts for no section");
                Ok(None)
            }
            view => view.map(Some),
        }
    }

    /// Builds all figures again from the start of the journal.
    pub async fn rebuild(&self) -> Result<(), Error> {
        self.figures.reset().await?;
        while self.take_in().await? {}
        Ok(())
    }

    /// What one event has sold; for whoever manages it.
    pub async fn event(
        &self,
        by: &Principal,
        id: EventId,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<EventReport, Error> {
        let view = self.events.managed(by, id).await?;
        self.report(&view, from, to).await
    }

    /// What all events have sold that `by` manages.
    pub async fn overview(
        &self,
        by: &Principal,
        views: &[Arc<EventView>],
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Vec<EventReport>, Error> {
        let mut reports = Vec::with_capacity(views.len());
        for view in views {
            if by.role == Role::Admin || view.event.organizer_id == by.user_id {
                reports.push(self.report(view, from, to).await?);
            }
        }
        Ok(reports)
    }

    async fn report(&self, view: &EventView, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<EventReport, Error> {
        let event_id = view.event.id;
        let rows = self.rows(SalesFilter { event_id: Some(event_id), from, to }).await?;
        let mut total = SalesRow::default();
        let mut sections = FxHashMap::<&str, SalesRow>::default();
        let mut by_hour = BTreeMap::<Timestamp, SalesRow>::new();
        for (key, row) in &*rows {
            total.add(row);
            sections.entry(&key.section).or_default().add(row);
            by_hour.entry(key.hour).or_default().add(row);
        }
        let by_section = view.layout.layout.sections.iter().map(|section| SectionSales {
            section: section.name.clone(),
            seats_total: u32::try_from(section.rows.iter().map(|row| row.seats.len()).sum::<usize>()).unwrap_or(u32::MAX),
            sales: sections.get(&*section.name).copied().unwrap_or_default(),
        });
        let by_section = by_section.collect();
        let seats = self.events.seat_map(event_id).await?.counts();
        Ok(EventReport { event_id, total, by_section, by_hour: by_hour.into_iter().collect(), seats })
    }

    /// The figures that the filter asks for.
    async fn rows(&self, filter: SalesFilter) -> Result<Arc<Rows>, Error> {
        let Some(Kept { near, far }) = &self.kept else { return self.stored(&filter).await };
        let SalesFilter { event_id, from, to } = filter;
        let id = [event_id.map(|id| id.to_string()), from.map(|from| from.to_string()), to.map(|to| to.to_string())];
        let id = id.map(Option::unwrap_or_default).join("/");
        near.get(&filter, || far.get(id, || self.stored(&filter))).await
    }

    async fn stored(&self, filter: &SalesFilter) -> Result<Arc<Rows>, Error> {
        while self.take_in().await? {}
        Ok(Arc::new(self.figures.sales(filter).await?.rows.into_iter().collect()))
    }
}
