//! Identifiers: one type each, so that a seat is never taken for a booking.
//!
//! All are UUIDs of version 7. Most are made by the [`Ids`](crate::ports::Ids) port. Those of a layout (its seats, rows,
//! sections and areas) are derived from the layout's own id and a number, which makes a seat's place in its layout
//! readable from the id alone and 20,000 of them compress to almost nothing.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id; an id is a UUID such as 0192f0c1-7d3e-7a10-8c55-5f1e6f0a0001")]
pub struct InvalidId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes over an id that was made elsewhere.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The id as a plain UUID.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// The sixteen bytes of the id, in the order of its text.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }
    )*};
}

ids! {
    /// A venue: the place itself.
    VenueId
    /// One immutable version of a venue's layout.
    LayoutId
    /// A part of a layout: a section, a row or an area.
    PlaceId
    /// An event: one dated occurrence with its own seats.
    EventId
    /// A price category of an event.
    PriceCategoryId
    /// A seat of a layout. The same seat has the same id at every event of the venue.
    SeatId
    /// An account.
    UserId
    /// A family of refresh tokens: one login on one device.
    SessionId
    /// One customer's claim on seats.
    BookingId
    /// An attempt to pay for a booking.
    PaymentId
    /// Money on its way back.
    RefundId
    /// What admits one person.
    TicketId
}

/// The kinds of things a layout numbers; each has its own range in the last four bytes of the id.
#[derive(Clone, Copy)]
pub(crate) enum PlaceKind {
    Section = 1,
    Row = 2,
    Area = 3,
}

const NUMBER_BITS: u32 = 28;

impl LayoutId {
    /// Makes a layout id of any version 7 UUID by clearing the four bytes that number the layout's parts.
    pub fn new(uuid: Uuid) -> Self {
        Self(with_tail(uuid, 0))
    }

    /// The id of seat `number`, counted from 0 in layout order.
    pub fn seat(self, number: u32) -> SeatId {
        debug_assert!(number < 1 << NUMBER_BITS, "a layout is limited to far fewer seats");
        SeatId(with_tail(self.0, number + 1))
    }

    pub(crate) fn place(self, kind: PlaceKind, number: u32) -> PlaceId {
        PlaceId(with_tail(self.0, (kind as u32) << NUMBER_BITS | number))
    }
}

impl SeatId {
    /// The layout that the seat belongs to.
    pub fn layout(self) -> LayoutId {
        LayoutId::new(self.0)
    }

    /// The seat's number in its layout, from 0; `None` for an id that no layout has made.
    pub fn number(self) -> Option<u32> {
        let tail = tail(self.0);
        (tail >> NUMBER_BITS == 0).then(|| tail.checked_sub(1)).flatten()
    }
}

fn tail(uuid: Uuid) -> u32 {
    let bytes = uuid.as_bytes();
    u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])
}

fn with_tail(uuid: Uuid, tail: u32) -> Uuid {
    let mut bytes = uuid.into_bytes();
    bytes[12..].copy_from_slice(&tail.to_be_bytes());
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_names_its_layout_and_its_number() {
        let layout = LayoutId::new(Uuid::from_u128(0x0192_f0c1_7d3e_7a10_8c55_5f1e_6f0a_1234));
        let seat = layout.seat(19_999);
        assert_eq!(seat.layout(), layout);
        assert_eq!(seat.number(), Some(19_999));
        assert_eq!(seat.as_uuid().get_version_num(), 7);
    }

    #[test]
    fn the_id_of_a_row_or_a_layout_is_no_seat() {
        let layout = LayoutId::new(Uuid::from_u128(0x0192_f0c1_7d3e_7a10_8c55_5f1e_6f0a_1234));
        assert_eq!(SeatId::from_uuid(*layout.as_uuid()).number(), None);
        let row = layout.place(PlaceKind::Row, 3);
        assert_eq!(SeatId::from_uuid(*row.as_uuid()).number(), None);
    }

    #[test]
    fn no_two_parts_of_a_layout_have_one_id() {
        let layout = LayoutId::new(Uuid::from_u128(7 << 76));
        let rows = [1, 2].map(|number| layout.place(PlaceKind::Row, number));
        let others = [PlaceKind::Section, PlaceKind::Area].map(|kind| layout.place(kind, 1));
        let ids = rows.into_iter().chain(others).collect::<std::collections::HashSet<_>>();
        assert_eq!(ids.len(), 4);
    }
}
