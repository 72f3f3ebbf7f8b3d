//! The use cases, over the ports. A method is one use case: check, decide, call ports, return.

mod analytics;
mod auth;
mod booking;
mod box_office;
mod calendar;
mod error;
mod event;
mod forgetting;
mod jobs;
mod logins;
mod notification;
mod payment;
mod relay;
mod trouble;
mod upkeep;
mod view;

pub use analytics::{AnalyticsService, EventReport, SectionSales};
pub use auth::{AuthError, AuthParts, AuthService, AuthTerms, TokenPair};
pub use booking::BookingService;
pub use box_office::{BoxOffice, HandedIn, OfficeSize};
pub use calendar::calendar;
pub use error::{Answered, Error};
pub use event::{Availability, EventDraft, EventService, VenueDraft};
pub use forgetting::Forgetting;
pub use jobs::Jobs;
pub use notification::{NotificationParts, NotificationService};
pub use payment::{PaymentParts, PaymentService};
pub use relay::{InProcess, Relay, RelayParts};
pub use trouble::Trouble;
pub use upkeep::Upkeep;
pub use view::{EventView, LayoutView};
