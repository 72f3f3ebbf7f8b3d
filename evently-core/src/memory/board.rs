//! The state of an event's seats at hand, the deltas that led to it, and who follows them.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::broadcast;

use crate::{
    domain::{SeatChange, SeatMap},
    ports::{Delta, Subscription},
};

/// How many deltas of an event are kept for those who come back.
const KEPT: usize = 1024;
/// How many deltas a subscriber may fall behind.
const LAG: usize = 256;

/// What a feed knows of one event. It does no more than a [`SeatMap`], for many who look.
pub struct SeatBoard {
    map: Arc<SeatMap>,
    kept: VecDeque<Arc<Delta>>,
    deltas: broadcast::Sender<Arc<Delta>>,
    /// Since that was asked last.
    was_looked_at: bool,
}

impl SeatBoard {
    /// How many deltas are kept for those who come back.
    pub const KEPT: usize = KEPT;

    /// A board that begins with this state.
    pub fn new(map: SeatMap) -> Self {
        Self { map: Arc::new(map), kept: VecDeque::new(), deltas: broadcast::Sender::new(LAG), was_looked_at: true }
    }

    /// The board for somebody who looks at it.
    pub const fn look(&mut self) -> &Self {
        self.was_looked_at = true;
        self
    }

    /// Whether nobody follows it, and nobody has looked at it since this was asked last.
    pub fn is_idle(&mut self) -> bool {
        let was_looked_at = std::mem::replace(&mut self.was_looked_at, false);
        !was_looked_at && self.deltas.receiver_count() == 0
    }

    /// The state.
    pub const fn map(&self) -> &Arc<SeatMap> {
        &self.map
    }

    /// Takes changes into the state that the board begins with. Nobody is told.
    pub(super) fn take_in(&mut self, changes: impl IntoIterator<Item = SeatChange>) {
        Arc::make_mut(&mut self.map).take_in(changes);
    }

    /// Publishes those changes that are news, as one delta.
    pub fn publish(&mut self, changes: impl IntoIterator<Item = SeatChange>) {
        let news = Arc::make_mut(&mut self.map).take_in(changes);
        if news.is_empty() {
            return;
        }
        let delta = Arc::new(Delta::new(self.map.seq(), news));
        self.keep(Arc::clone(&delta));
        // Nobody may be listening.
        let _ = self.deltas.send(delta);
    }

    /// Keeps a delta that led to the state, for those who come back. They are to be kept in their order.
    pub fn keep(&mut self, delta: Arc<Delta>) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(delta);
    }

    /// A place in the deltas, from the state numbered `since` where what followed it is kept.
    pub fn subscribe(&self, since: Option<u64>) -> Subscription {
        let now = self.map.seq();
        let oldest = now - self.kept.len() as u64;
        let known = since.filter(|since| (oldest..=now).contains(since));
        let missed = known.map_or_else(Vec::new, |since| self.kept.iter().filter(|delta| delta.seq > since).cloned().collect());
        let snapshot = known.is_none().then(|| Arc::clone(&self.map));
        Subscription { snapshot, missed, deltas: self.deltas.subscribe() }
    }
}
