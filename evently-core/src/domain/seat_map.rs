//! The state of all seats of an event, as everybody may see it.

use serde::Serialize;

use super::{id::EventId, seat::SeatStatus};

/// A committed change of one seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatChange {
    /// The event.
    pub event_id: EventId,
    /// The seat's number.
    pub number: u32,
    /// What it is now.
    pub status: SeatStatus,
    /// The seat's version.
    pub version: u32,
}

/// The state of all seats of an event at one moment.
///
/// Its `seq` never means two different states. A map that is read from a store starts at the sum of its seats' versions, which is at least
/// what any earlier numbering of the same seats has reached, so that it never goes back either; unless it is
/// [numbered apart](Self::numbered_apart), which is for one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatMap {
    seq: u64,
    statuses: Vec<SeatStatus>,
    versions: Vec<u32>,
    counts: SeatCounts,
}

/// How many seats there are of each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SeatCounts {
    /// All of them.
    pub total: u32,
    /// Those that can be booked.
    pub available: u32,
    /// Those on hold.
    pub reserved: u32,
    /// Those that are sold.
    pub booked: u32,
    /// Those not on sale.
    pub blocked: u32,
}

impl SeatCounts {
    /// Counts one more seat.
    pub fn add(&mut self, status: SeatStatus) {
        self.total += 1;
        *self.of(status) += 1;
    }

    fn of(&mut self, status: SeatStatus) -> &mut u32 {
        match status {
            SeatStatus::Available => &mut self.available,
            SeatStatus::Reserved => &mut self.reserved,
            SeatStatus::Booked => &mut self.booked,
            SeatStatus::Blocked => &mut self.blocked,
        }
    }
}

/// How many bits of a number count the steps of one numbering; those above tell numberings apart.
const STEPS: u32 = 20;

/// What the compact form starts with.
const MAGIC: [u8; 4] = *b"EVSM";
const FORMAT: u8 = 1;
const BITS_PER_SEAT: u8 = 2;
const HEADER: usize = 20;

impl SeatMap {
    /// The map of seats in the order of their numbers.
    pub fn new(seats: impl IntoIterator<Item = (SeatStatus, u32)>) -> Self {
        let (statuses, versions): (Vec<_>, Vec<_>) = seats.into_iter().unzip();
        let mut counts = SeatCounts::default();
        for status in &statuses {
            counts.add(*status);
        }
        Self { seq: versions.iter().copied().map(u64::from).sum(), statuses, versions, counts }
    }

    /// The same state with another number, for a feed that numbers by itself.
    #[must_use]
    pub fn numbered(self, seq: u64) -> Self {
        Self { seq, ..self }
    }

    /// The same state with a number that nobody else gives, but for a chance of one in two thousand million: a numbering begins anew with it. It is
    /// still exact as a double: those have 53 bits.
    #[must_use]
    pub fn numbered_apart(self, random: u64) -> Self {
        self.numbered(1 << 52 | (random >> 33) << STEPS)
    }

    /// Whether a state with this number is one of the same numbering, so that the higher number is the later state. After a million steps it
    /// takes one for another.
    pub const fn is_numbered_like(&self, seq: u64) -> bool {
        self.seq >> STEPS == seq >> STEPS
    }

    /// Numbers the states of the map.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Statuses in the order of the seats' numbers.
    pub fn statuses(&self) -> &[SeatStatus] {
        &self.statuses
    }

    /// Versions in the order of the seats' numbers.
    pub fn versions(&self) -> &[u32] {
        &self.versions
    }

    /// How many seats there are of each status.
    pub const fn counts(&self) -> SeatCounts {
        self.counts
    }

    /// Takes in committed changes of this event's seats, as one step of `seq`. Gives those that were news; where none was, the map
    /// stays as it is.
    pub fn take_in(&mut self, changes: impl IntoIterator<Item = SeatChange>) -> Vec<SeatChange> {
        let mut news = Vec::new();
        for change in changes {
            let at = change.number as usize;
            if at < self.statuses.len() && (self.versions[at] < change.version || planted!(TakesOlderSeats)) {
                *self.counts.of(self.statuses[at]) -= 1;
                *self.counts.of(change.status) += 1;
                self.statuses[at] = change.status;
                self.versions[at] = change.version;
                news.push(change);
            }
        }
        self.seq += u64::from(!news.is_empty());
        news
    }

    /// What would make this map equal to `later`, a fresher one of the same seats.
    pub fn changes_to(&self, event_id: EventId, later: &Self) -> Vec<SeatChange> {
        let seats = later.statuses.iter().zip(&later.versions).zip(&self.versions);
        (0..)
            .zip(seats)
            .filter(|(_, ((_, later), ours))| later > ours)
            .map(|(number, ((&status, &version), _))| SeatChange { event_id, number, status, version })
            .collect()
    }

    /// The compact form: a header of 20 bytes, then two bits for each seat.
    ///
    /// | bytes | content |
    /// |---|---|
    /// | 0 to 3 | `EVSM` |
    /// | 4 | 1, the version of the format |
    /// | 5 | 2, the bits of a seat |
    /// | 6, 7 | 0 |
    /// | 8 to 15 | `seq`, little endian |
    /// | 16 to 19 | the number of seats, little endian |
    /// | 20 … | seat *i* in layout order in bits 2·(*i* mod 4) and up of byte *i* div 4: 0 available, 1 reserved, 2 booked, 3 blocked |
    pub fn to_compact(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.statuses.len().div_ceil(4));
        bytes.extend(MAGIC);
        bytes.extend([FORMAT, BITS_PER_SEAT, 0, 0]);
        bytes.extend(self.seq.to_le_bytes());
        bytes.extend(self.counts.total.to_le_bytes());
        bytes.extend(
            self.statuses
                .chunks(4)
                .map(|four| four.iter().enumerate().fold(0, |byte, (i, status)| byte | (*status as u8) << (2 * i))),
        );
        bytes
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const EVENT: EventId = EventId::from_uuid(Uuid::nil());

    fn change(number: u32, status: SeatStatus, version: u32) -> SeatChange {
        SeatChange { event_id: EVENT, number, status, version }
    }

    #[test]
    fn old_news_changes_nothing() {
        let mut map = SeatMap::new([(SeatStatus::Available, 4), (SeatStatus::Booked, 2)]);
        assert_eq!(map.seq(), 6);
        assert_eq!(map.take_in([change(0, SeatStatus::Reserved, 4), change(1, SeatStatus::Available, 1)]), []);
        assert_eq!(map.seq(), 6);
        assert_eq!(map.take_in([change(0, SeatStatus::Reserved, 5)]).len(), 1);
        assert_eq!((map.seq(), map.counts().reserved, map.counts().available), (7, 1, 0));
    }

    #[test]
    fn a_fresh_map_is_never_numbered_below_an_older_one() {
        let mut map = SeatMap::new([(SeatStatus::Available, 0); 3]);
        map.take_in((0..3).map(|n| change(n, SeatStatus::Reserved, 1)));
        map.take_in([change(0, SeatStatus::Available, 2)]);
        let fresh = SeatMap::new(map.statuses().iter().copied().zip(map.versions().iter().copied()));
        assert!(fresh.seq() >= map.seq());
    }

    #[test]
    fn the_compact_form_is_as_documented() {
        let statuses = [SeatStatus::Blocked, SeatStatus::Available, SeatStatus::Booked, SeatStatus::Reserved, SeatStatus::Booked];
        let bytes = SeatMap::new(statuses.map(|status| (status, 1))).to_compact();
        assert_eq!(bytes[..8], *b"EVSM\x01\x02\0\0");
        assert_eq!(bytes[8..16], 5_u64.to_le_bytes());
        assert_eq!(bytes[16..20], 5_u32.to_le_bytes());
        assert_eq!(bytes[20..], [0b01_10_00_11, 0b10]);
    }

    #[test]
    fn the_difference_of_two_maps_makes_them_equal() {
        let mut old = SeatMap::new([(SeatStatus::Available, 0), (SeatStatus::Reserved, 1)]);
        let new = SeatMap::new([(SeatStatus::Available, 0), (SeatStatus::Booked, 2)]);
        let changes = old.changes_to(EVENT, &new);
        assert_eq!(changes, [change(1, SeatStatus::Booked, 2)]);
        old.take_in(changes);
        assert_eq!(old, new);
    }

    #[test]
    fn a_seat_that_there_is_not_is_no_news() {
        let mut map = SeatMap::new([(SeatStatus::Available, 0); 2]);
        assert_eq!(map.take_in([change(2, SeatStatus::Booked, 1)]), []);
    }

    #[test]
    fn a_feed_may_number_by_itself() {
        let map = SeatMap::new([(SeatStatus::Available, 4), (SeatStatus::Booked, 2)]).numbered(70);
        assert_eq!((map.seq(), map.to_compact()[8]), (70, 70));
        let apart = map.clone().numbered_apart(u64::MAX);
        assert!(apart.is_numbered_like(apart.seq() + 5) && !apart.is_numbered_like(map.seq()) && map.is_numbered_like(5));
    }

    #[test]
    fn numberings_apart_are_told_from_each_other_and_from_the_stores_and_are_exact_as_doubles() {
        let map = SeatMap::new([(SeatStatus::Available, 0)]);
        let apart = |random: u64| map.clone().numbered_apart(random << 33);
        assert_eq!(
            [0, 1, (1 << 31) - 1].map(|random| apart(random).seq()),
            [1 << 52, (1 << 52) + (1 << 20), (1 << 52) + (1 << 51) - (1 << 20)]
        );
        assert!(!apart(1).is_numbered_like(apart(2).seq()));
        assert_eq!(map.clone().numbered_apart(u64::MAX), apart(u64::MAX >> 33));
    }
}
