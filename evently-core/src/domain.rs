//! Values and rules. No `async` and no I/O; times and ids come in as arguments.

mod account;
mod booking;
mod command;
mod decide;
mod event;
mod id;
mod invalid;
mod journal;
mod layout;
mod ledger;
mod money;
mod natural;
mod nearby;
mod payment;
mod sales;
mod seat;
mod seat_map;
mod ticket;
mod time;

pub use account::{Email, InvalidEmail, InvalidRole, Principal, Role, User};
pub use booking::{BookedSeat, Booking, BookingCode, BookingState, BookingStatus, Hold, HoldTerms};
pub use command::{Answer, Command, Outcome, Rejection, Request, RequestKey, SeatLimit, Thing};
pub use decide::{ANSWERS_KEPT, CLOCKS_APART, GATEWAY_PATIENCE, decide, decided_as_of, is_far_ahead};
pub use event::{
    Event, EventChange, EventDetails, EventStatus, MAX_PRICE, MAX_SEATS_LIMIT, NotOnSale, OnSale, PriceCategory, PriceDraft,
    RefundPolicy, Stage,
};
pub(crate) use id::PlaceKind;
pub use id::{
    BookingId, EventId, InvalidId, LayoutId, PaymentId, PlaceId, PriceCategoryId, RefundId, SeatId, SessionId, TicketId, UserId,
    VenueId,
};
pub use invalid::{Invalid, InvalidField};
pub use journal::{Actor, ChainHash, Entry, Fact, SeatStep, Transition};
pub use layout::{Area, Attribute, Category, Layout, LayoutSeat, Row, SeatPlace, Section, Shape, Venue};
pub use ledger::Ledger;
pub use money::{Currency, InvalidCurrency, Money};
pub use natural::natural_order;
pub use nearby::nearest_block;
pub(crate) use payment::NO_ANSWER;
pub use payment::{GatewayReport, Payment, PaymentState, Refund, RefundState};
pub use sales::{Sales, SalesKey, SalesRow};
pub use seat::{Seat, SeatAction, SeatState, SeatStatus};
pub use seat_map::{SeatChange, SeatCounts, SeatMap};
pub use ticket::{Admission, Ticket, TicketCode, TicketState};
pub use time::{InvalidTimestamp, Timestamp};
