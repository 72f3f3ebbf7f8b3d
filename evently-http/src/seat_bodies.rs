//! The state of an event's seats as it is sent: worked out once for each state, whoever asks.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use evently_core::{
    domain::{EventId, SeatId, SeatMap, SeatStatus},
    services::EventView,
};
use flate2::{Compression, write::GzEncoder};
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::wire::Amount;

/// The bodies at hand, one set for each event.
#[derive(Default)]
pub struct SeatBodies(Mutex<FxHashMap<EventId, Kept>>);

struct Kept {
    bodies: Arc<Bodies>,
    /// Since it was looked for those that nobody asks for.
    asked_for: bool,
}

/// One state of an event's seats in every form in which it is asked for. Each is made when it first is.
pub struct Bodies {
    view: Arc<EventView>,
    map: Arc<SeatMap>,
    compact: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
    gzip: OnceLock<Bytes>,
    snapshot: OnceLock<Bytes>,
    listed: OnceLock<Arc<Listed>>,
}

/// What of the JSON stays the same while seats change: for each seat, in the order of the list, what stands before its status.
struct Listed {
    seats: Vec<(u32, String)>,
}

/// A seat in the list, as far as it does not change.
#[derive(Serialize)]
struct ListedSeat<'a> {
    id: SeatId,
    section: &'a str,
    row: &'a str,
    label: &'a str,
    price: Amount,
}

impl SeatBodies {
    /// The bodies of this state.
    pub fn of(&self, view: &Arc<EventView>, map: Arc<SeatMap>) -> Arc<Bodies> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.get_mut(&view.event.id).map(|kept| {
            kept.asked_for = true;
            Arc::clone(&kept.bodies)
        });
        let same_event = known.filter(|known| known.view.event.version == view.event.version);
        // Where a feed has begun to number anew, nobody can say which is the later one, and what was shown before may have been lost.
        let current = |known: &&Arc<Bodies>| known.map.is_numbered_like(map.seq()) && known.map.seq() >= map.seq();
        if let Some(known) = same_event.as_ref().filter(current) {
            return Arc::clone(known);
        }
        // What does not change with the seats is carried over.
        let listed = same_event.map_or_else(OnceLock::new, |known| known.listed.clone());
        let new = Arc::new(Bodies::new(view, map, listed));
        kept.insert(view.event.id, Kept { bodies: Arc::clone(&new), asked_for: true });
        new
    }

    /// Lets go of those that nobody has asked for since this was called last.
    pub fn let_go(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, kept| std::mem::take(&mut kept.asked_for));
    }
}

impl Bodies {
    fn new(view: &Arc<EventView>, map: Arc<SeatMap>, listed: OnceLock<Arc<Listed>>) -> Self {
        Self {
            view: Arc::clone(view),
            map,
            compact: OnceLock::new(),
            json: OnceLock::new(),
            gzip: OnceLock::new(),
            snapshot: OnceLock::new(),
            listed,
        }
    }

    /// The bodies of a state that is not the latest.
    pub fn alone(view: &Arc<EventView>, map: Arc<SeatMap>) -> Self {
        Self::new(view, map, OnceLock::new())
    }

    /// Numbers the state.
    pub fn seq(&self) -> u64 {
        self.map.seq()
    }

    /// The compact form.
    pub fn compact(&self) -> Bytes {
        self.compact.get_or_init(|| self.map.to_compact().into()).clone()
    }

    /// All seats in JSON.
    pub fn json(&self) -> Bytes {
        self.json.get_or_init(|| self.render(|_, _| true).into()).clone()
    }

    /// All seats in JSON, compressed.
    pub fn gzip(&self) -> Bytes {
        self.gzip
            .get_or_init(|| {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(5));
                std::io::Write::write_all(&mut encoder, &self.json()).expect("a vector takes everything");
                encoder.finish().expect("a vector takes everything").into()
            })
            .clone()
    }

    /// Those seats that `keep` says, in JSON.
    pub fn render(&self, keep: impl Fn(u32, SeatStatus) -> bool) -> String {
        let listed = self.listed.get_or_init(|| Arc::new(Listed::new(&self.view)));
        let mut json = format!(r#"{{"event_id":"{}","seq":{},"seats":["#, self.view.event.id, self.map.seq());
        json.reserve(listed.seats.len() * 240);
        let mut first = true;
        for (number, before) in &listed.seats {
            let at = *number as usize;
            let status = self.map.statuses()[at];
            if !keep(*number, status) {
                continue;
            }
            if !std::mem::take(&mut first) {
                json.push(',');
            }
            json.push_str(before);
            write!(json, r#","status":"{}","version":{}}}"#, status.name(), self.map.versions()[at])
                .expect("a string takes everything");
        }
        json.push_str("]}");
        json
    }

    /// The first frame of the live feed: the seats that have ever changed. All others are available, of version 0.
    pub fn snapshot(&self) -> Bytes {
        let encode = || {
            let seats = self.map.statuses().iter().zip(self.map.versions());
            let changed = (0..).zip(seats).filter(|(_, (_, version))| **version > 0);
            let layout = self.view.event.layout_id;
            let seats = changed.map(|(number, (status, version))| seat_json(layout.seat(number), *status, *version));
            let seats = seats.collect::<Vec<_>>().join(",");
            format!(r#"{{"type":"snapshot","seq":{},"event_id":"{}","seats":[{seats}]}}"#, self.map.seq(), self.view.event.id)
        };
        self.snapshot.get_or_init(|| encode().into()).clone()
    }
}

/// A seat in a frame of the live feed.
pub fn seat_json(id: SeatId, status: SeatStatus, version: u32) -> String {
    format!(r#"{{"id":"{id}","status":"{}","version":{version}}}"#, status.name())
}

impl Listed {
    fn new(view: &EventView) -> Self {
        let seats = view.listing().iter().filter_map(|&number| {
            let (section, row, seat) = view.layout.seat(number)?;
            let price = view.event.money(view.price(seat)).into();
            let seat = ListedSeat { id: seat.id, section: &section.name, row: &row.label, label: &seat.label, price };
            let mut json = serde_json::to_string(&seat).expect("text and numbers can be written");
            json.pop(); // the brace that the status goes before
            Some((number, json))
        });
        Self { seats: seats.collect() }
    }
}
