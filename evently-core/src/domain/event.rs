//! Events: one dated occurrence at a venue, with prices and an on-sale of its own.

use serde::{Deserialize, Serialize};

use super::{
    id::{EventId, LayoutId, PriceCategoryId, UserId, VenueId},
    invalid::Invalid,
    money::{Currency, Money},
    time::Timestamp,
};

/// The most seats that an event may allow in one booking.
pub const MAX_SEATS_LIMIT: u32 = 100;

/// The highest price of a seat, in minor units. A booking's total stays far from the end of the integers.
pub const MAX_PRICE: i64 = 100_000_000_000;

/// An event. Its seats are the layout's, each with a state of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The event's id.
    pub id: EventId,
    /// Where it takes place.
    pub venue_id: VenueId,
    /// The layout its seats were made from; it stays, whatever becomes of the venue's plan.
    pub layout_id: LayoutId,
    /// The account that may change it.
    pub organizer_id: UserId,
    /// How far its making has come.
    pub stage: Stage,
    /// What people read.
    pub details: EventDetails,
    /// What its bookings are paid in.
    pub currency: Currency,
    /// Prices, in the order of the layout's categories.
    pub categories: Vec<PriceCategory>,
    /// How many seats there are.
    pub seats_total: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts its changes, from 1.
    pub version: u32,
    /// It was called off while it was a draft: none but those who manage it have ever seen it, and none but they do now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

/// What of an event its organizer may edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDetails {
    /// What it is called.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// When it begins.
    pub start_time: Timestamp,
    /// When it is over.
    pub end_time: Timestamp,
    /// When it can be booked.
    pub on_sale: OnSale,
    /// How many seats one booking may have.
    pub max_seats_per_booking: u32,
    /// How many seats of the event one customer may have on hold at a time.
    pub max_seats_held: u32,
    /// What comes back when a buyer cancels a confirmed booking. Each booking keeps it as it was when it was held.
    pub refunds: RefundPolicy,
}

/// What is to be changed of an event; nothing stays as it is. Where the start is changed, the end of the sale and of refunds goes with it if
/// it is the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is named for what it is of EventDetails")]
pub struct EventChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    pub opens_at: Option<Timestamp>,
    pub closes_at: Option<Timestamp>,
    pub max_seats_per_booking: Option<u32>,
    pub max_seats_held: Option<u32>,
    pub refunds_until: Option<Timestamp>,
    pub refund_percent: Option<u8>,
    /// New prices, of those categories that get one.
    pub prices: Vec<PriceDraft>,
}

/// A category of the venue's layout and what its seats cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceDraft {
    /// The category's name.
    pub name: String,
    /// In minor units.
    pub price: i64,
}

/// The window in which an event can be booked: from `opens_at`, up to but not including `closes_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnSale {
    /// The first instant of the on-sale.
    pub opens_at: Timestamp,
    /// The first instant after it.
    pub closes_at: Timestamp,
}

/// What comes back when a buyer cancels a confirmed booking. When an event is cancelled everything does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundPolicy {
    /// From here on a buyer can no longer cancel.
    pub until: Timestamp,
    /// How much of the price comes back, 0 to 100.
    pub percent: u8,
}

impl RefundPolicy {
    /// How much of the price comes back at `now`; nothing at all once a buyer can no longer cancel.
    pub fn percent_at(&self, now: Timestamp) -> Option<u8> {
        (now < self.until).then_some(self.percent)
    }
}

/// What the seats of one category of the layout cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceCategory {
    /// The price category's id.
    pub id: PriceCategoryId,
    /// The name of the layout's category.
    pub name: String,
    /// In minor units of the event's currency.
    pub price: i64,
}

/// How far the making of an event has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Seen by its organizer alone.
    Draft,
    /// Seen by everybody; booked while it is on sale.
    Published,
    /// It will not take place; for good. Seen by everybody if it was published before.
    Cancelled,
}

impl Stage {
    /// The stage's name in the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What an event looks like from outside at some instant. Never stored: it follows from the stage and the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// Not published yet.
    Draft,
    /// Published, and yet to begin.
    Upcoming,
    /// Between its beginning and its end.
    Ongoing,
    /// Over.
    Completed,
    /// Called off.
    Cancelled,
}

impl EventStatus {
    /// All statuses with their names.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("draft", Self::Draft),
        ("upcoming", Self::Upcoming),
        ("ongoing", Self::Ongoing),
        ("completed", Self::Completed),
        ("cancelled", Self::Cancelled),
    ];

    /// The status's name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, status)| *status == self).map(|(name, _)| *name).expect("every status is listed")
    }
}

/// Why an event cannot be booked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum NotOnSale {
    /// Its organizer has not published it.
    #[error("the event is not published")]
    Draft,
    /// It has been called off.
    #[error("the event has been cancelled")]
    Cancelled,
    /// Its on-sale is still to come.
    #[error("the on-sale opens at {0}")]
    NotYet(Timestamp),
    /// Its on-sale is over.
    #[error("the on-sale closed at {0}")]
    Over(Timestamp),
}

impl Event {
    /// What the event looks like at `now`.
    pub fn status(&self, now: Timestamp) -> EventStatus {
        match self.stage {
            Stage::Draft => EventStatus::Draft,
            Stage::Cancelled => EventStatus::Cancelled,
            Stage::Published if now < self.details.start_time => EventStatus::Upcoming,
            Stage::Published if now < self.details.end_time => EventStatus::Ongoing,
            Stage::Published => EventStatus::Completed,
        }
    }

    /// Whether everybody may see the event.
    pub fn is_public(&self) -> bool {
        match self.stage {
            Stage::Draft => false,
            Stage::Published => true,
            Stage::Cancelled => !self.withdrawn,
        }
    }

    /// Whether the event can be booked at `now`.
    pub fn bookable(&self, now: Timestamp) -> Result<(), NotOnSale> {
        let OnSale { opens_at, closes_at } = self.details.on_sale;
        match self.stage {
            Stage::Draft => Err(NotOnSale::Draft),
            Stage::Cancelled => Err(NotOnSale::Cancelled),
            Stage::Published if now < opens_at => Err(NotOnSale::NotYet(opens_at)),
            Stage::Published if now >= closes_at => Err(NotOnSale::Over(closes_at)),
            Stage::Published => Ok(()),
        }
    }

    /// Why no hold of it goes on at `now`, and none is paid for: it has been called off, or is over.
    pub(super) fn ended(&self, now: Timestamp) -> Option<NotOnSale> {
        let EventDetails { end_time, on_sale, .. } = &self.details;
        match self.stage {
            Stage::Cancelled => Some(NotOnSale::Cancelled),
            Stage::Draft | Stage::Published => (now >= *end_time).then_some(NotOnSale::Over(on_sale.closes_at)),
        }
    }

    /// Whether money buys seats of it at `now` that comes when their hold has run out. Whoever has no ticket when it has begun, and is no
    /// longer sold, has gone home.
    pub(super) fn takes_late_money(&self, now: Timestamp) -> bool {
        let EventDetails { start_time, end_time, on_sale, .. } = &self.details;
        self.stage == Stage::Published && now < (*end_time).min((*start_time).max(on_sale.closes_at))
    }

    /// The event with what is to be changed.
    pub(super) fn changed(&self, change: &EventChange) -> Result<Self, Invalid> {
        let (old, mut categories) = (&self.details, self.categories.clone());
        let mut invalid = Invalid::default();
        for (i, PriceDraft { name, price }) in change.prices.iter().enumerate() {
            let field = format!("price_categories[{i}].name");
            match categories.iter_mut().find(|category| category.name == *name) {
                None => invalid.add(field, "unknown_category", "the event has no such price category"),
                Some(_) if change.prices[..i].iter().any(|other| other.name == *name) => {
                    invalid.add(field, "duplicate_category", "name each category once");
                }
                Some(category) => category.price = *price,
            }
        }
        invalid.into_result()?;
        let start_time = change.start_time.unwrap_or(old.start_time);
        // What lasts until the event begins does so after it was moved as well.
        let moved = |until| if until == old.start_time { start_time } else { until };
        let max_seats_per_booking = change.max_seats_per_booking.unwrap_or(old.max_seats_per_booking);
        let details = EventDetails {
            name: change.name.as_ref().unwrap_or(&old.name).clone(),
            description: change.description.as_ref().unwrap_or(&old.description).clone(),
            start_time,
            end_time: change.end_time.unwrap_or(old.end_time),
            on_sale: OnSale {
                opens_at: change.opens_at.unwrap_or(old.on_sale.opens_at),
                closes_at: change.closes_at.unwrap_or_else(|| moved(old.on_sale.closes_at)),
            },
            max_seats_per_booking,
            // A booking that is allowed can be held, unless somebody wants it otherwise.
            max_seats_held: change.max_seats_held.unwrap_or_else(|| {
                let raised = max_seats_per_booking > old.max_seats_per_booking;
                if raised { old.max_seats_held.max(max_seats_per_booking) } else { old.max_seats_held }
            }),
            refunds: RefundPolicy {
                until: change.refunds_until.unwrap_or_else(|| moved(old.refunds.until)),
                percent: change.refund_percent.unwrap_or(old.refunds.percent),
            },
        };
        Ok(Self { details, categories, ..self.clone() })
    }

    /// Whether the event makes sense.
    pub fn check(&self) -> Result<(), Invalid> {
        let EventDetails { name, description, start_time, end_time, on_sale, refunds, .. } = &self.details;
        let mut invalid = Invalid::default();
        let named = (1..=200).contains(&name.chars().count()) && name.trim() == name && !name.contains(char::is_control);
        invalid.require(named, "name", "invalid_name", "1 to 200 characters without line breaks or outer spaces");
        let short = description.len() <= 20_000;
        invalid.require(short, "description", "too_long", "at most 20000 bytes");
        invalid.require(start_time < end_time, "end_time", "not_after_start", "must be after start_time");
        let in_order = on_sale.opens_at < on_sale.closes_at;
        invalid.require(in_order, "sales.closes_at", "not_after_opening", "must be after sales.opens_at");
        let before_end = on_sale.closes_at <= *end_time;
        invalid.require(before_end, "sales.closes_at", "after_end", "must not be after end_time");
        let seats = 1..=MAX_SEATS_LIMIT;
        let message = format!("1 to {MAX_SEATS_LIMIT}");
        let per_booking = self.details.max_seats_per_booking;
        invalid.require(seats.contains(&per_booking), "max_seats_per_booking", "out_of_range", &*message);
        invalid.require(self.details.max_seats_held >= 1, "max_seats_held", "out_of_range", "at least 1");
        invalid.require(refunds.percent <= 100, "refunds.percent", "out_of_range", "0 to 100");
        for (i, PriceCategory { price, .. }) in self.categories.iter().enumerate() {
            let field = format!("price_categories[{i}].price");
            invalid.require((0..=MAX_PRICE).contains(price), &field, "out_of_range", format!("0 to {MAX_PRICE} minor units"));
        }
        invalid.into_result()
    }

    /// An amount in the event's currency.
    pub fn money(&self, amount: i64) -> Money {
        Money { amount, currency: self.currency }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{EventId, LayoutId, UserId, VenueId};

    const AT: fn(i64) -> Timestamp = Timestamp::from_secs;

    fn event() -> Event {
        let id = Uuid::nil();
        Event {
            id: EventId::from_uuid(id),
            venue_id: VenueId::from_uuid(id),
            layout_id: LayoutId::from_uuid(id),
            organizer_id: UserId::from_uuid(id),
            stage: Stage::Published,
            details: EventDetails {
                name: "Hamlet".to_owned(),
                description: String::new(),
                start_time: AT(1_000),
                end_time: AT(2_000),
                on_sale: OnSale { opens_at: AT(100), closes_at: AT(900) },
                max_seats_per_booking: 4,
                max_seats_held: 10,
                refunds: RefundPolicy { until: AT(800), percent: 50 },
            },
            currency: "EUR".parse().unwrap(),
            categories: Vec::new(),
            seats_total: 10,
            created_at: AT(0),
            version: 1,
            withdrawn: false,
        }
    }

    /// What is wrong with an event that has been changed in this way, field by field.
    fn wrong(change: impl FnOnce(&mut Event)) -> Vec<String> {
        let mut event = event();
        change(&mut event);
        let fields = event.check().err().map(|invalid| invalid.fields).unwrap_or_default();
        fields.into_iter().map(|wrong| format!("{} {}", wrong.field, wrong.code)).collect()
    }

    fn priced(price: i64) -> impl FnOnce(&mut Event) {
        let id = PriceCategoryId::from_uuid(Uuid::nil());
        move |event| event.categories = vec![PriceCategory { id, name: "Stalls".to_owned(), price }]
    }

    #[test]
    fn what_makes_sense_ends_exactly_there() {
        let fine = Vec::<String>::new();
        assert_eq!(event().check(), Ok(()));
        for name in ["é".repeat(200), "x".to_owned()] {
            assert_eq!(wrong(|event| event.details.name = name), fine);
        }
        for name in ["x".repeat(201), String::new(), " x".to_owned(), "x\ny".to_owned()] {
            assert_eq!(wrong(|event| event.details.name = name), ["name invalid_name"]);
        }
        assert_eq!(wrong(|event| event.details.description = "x".repeat(20_000)), fine);
        assert_eq!(wrong(|event| event.details.description = "x".repeat(20_001)), ["description too_long"]);
        assert_eq!(wrong(|event| event.details.end_time = AT(1_001)), fine);
        assert_eq!(wrong(|event| event.details.end_time = AT(1_000)), ["end_time not_after_start"]);
        assert_eq!(wrong(|event| event.details.on_sale.closes_at = AT(101)), fine);
        assert_eq!(wrong(|event| event.details.on_sale.closes_at = AT(100)), ["sales.closes_at not_after_opening"]);
        assert_eq!(wrong(|event| event.details.on_sale.closes_at = AT(2_000)), fine);
        assert_eq!(wrong(|event| event.details.on_sale.closes_at = AT(2_001)), ["sales.closes_at after_end"]);
        for (seats, said) in [(0, 1), (1, 0), (MAX_SEATS_LIMIT, 0), (MAX_SEATS_LIMIT + 1, 1)] {
            assert_eq!(wrong(|event| event.details.max_seats_per_booking = seats).len(), said, "{seats}");
        }
        assert_eq!(wrong(|event| event.details.max_seats_held = 1), fine);
        assert_eq!(wrong(|event| event.details.max_seats_held = 0), ["max_seats_held out_of_range"]);
        assert_eq!(wrong(|event| event.details.refunds.percent = 100), fine);
        assert_eq!(wrong(|event| event.details.refunds.percent = 101), ["refunds.percent out_of_range"]);
        for price in [0, 100_000_000_000] {
            assert_eq!(wrong(priced(price)), fine);
        }
        for price in [-1, 100_000_000_001] {
            assert_eq!(wrong(priced(price)), ["price_categories[0].price out_of_range"]);
        }
    }

    #[test]
    fn an_event_looks_and_is_sold_as_the_time_says() {
        use EventStatus::{Completed, Ongoing, Upcoming};
        let event = event();
        for (at, status) in [(0, Upcoming), (999, Upcoming), (1_000, Ongoing), (1_999, Ongoing), (2_000, Completed)] {
            assert_eq!(event.status(AT(at)), status, "{at}");
        }
        for (at, bookable) in
            [(99, Err(NotOnSale::NotYet(AT(100)))), (100, Ok(())), (899, Ok(())), (900, Err(NotOnSale::Over(AT(900))))]
        {
            assert_eq!(event.bookable(AT(at)), bookable, "{at}");
        }
        for (stage, status, refused) in [
            (Stage::Draft, EventStatus::Draft, NotOnSale::Draft),
            (Stage::Cancelled, EventStatus::Cancelled, NotOnSale::Cancelled),
        ] {
            let event = Event { stage, ..event.clone() };
            assert_eq!((event.status(AT(500)), event.bookable(AT(500))), (status, Err(refused)));
        }
    }

    #[test]
    fn everybody_sees_what_was_published_whatever_became_of_it() {
        let is_public = |stage, withdrawn| Event { stage, withdrawn, ..event() }.is_public();
        assert_eq!([Stage::Draft, Stage::Published, Stage::Cancelled].map(|stage| is_public(stage, false)), [false, true, true]);
        assert!(!is_public(Stage::Cancelled, true));
    }

    #[test]
    fn stages_and_statuses_are_called_what_they_are() {
        assert_eq!([Stage::Draft, Stage::Published, Stage::Cancelled].map(Stage::name), ["draft", "published", "cancelled"]);
        assert_eq!(EventStatus::NAMES.map(|(_, status)| status.name()), EventStatus::NAMES.map(|(name, _)| name));
    }

    #[test]
    fn what_lasts_until_the_start_moves_with_it() {
        let mut event = event();
        (event.details.on_sale.closes_at, event.details.refunds.until) = (AT(1_000), AT(1_000));
        let moved = |change: EventChange| {
            let EventDetails { on_sale, refunds, .. } = event.changed(&change).unwrap().details;
            (on_sale.closes_at, refunds.until)
        };
        let later = EventChange { start_time: Some(AT(1_500)), ..EventChange::default() };
        assert_eq!(moved(later.clone()), (AT(1_500), AT(1_500)));
        let stays = Some(AT(1_000));
        assert_eq!(
            moved(EventChange { closes_at: stays, refunds_until: stays, ..later.clone() }),
            (AT(1_000), AT(1_000)),
            "as it says"
        );
        let (event, mut other) = (super::tests::event(), later);
        other.start_time = Some(AT(1_600));
        let EventDetails { on_sale, refunds, .. } = event.changed(&other).unwrap().details;
        assert_eq!((on_sale.closes_at, refunds.until), (AT(900), AT(800)), "what ends at a time of its own stays");
    }

    #[test]
    fn fewer_seats_on_hold_than_a_booking_may_have_stay_so_until_a_booking_may_have_more() {
        let mut event = event();
        (event.details.max_seats_per_booking, event.details.max_seats_held) = (4, 2);
        let held = |change: EventChange| event.changed(&change).unwrap().details.max_seats_held;
        assert_eq!(held(EventChange { name: Some("Macbeth".to_owned()), ..EventChange::default() }), 2);
        for (max_seats_per_booking, expected) in [(3, 2), (4, 2), (5, 5)] {
            let change = EventChange { max_seats_per_booking: Some(max_seats_per_booking), ..EventChange::default() };
            assert_eq!(held(change), expected, "{max_seats_per_booking}");
        }
    }
}
