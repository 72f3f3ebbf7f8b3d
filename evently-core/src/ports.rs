//! What the services need from the world, in their own words. The guarantees are written on each trait, and
//! `evently-testkit` has a test for each clause.

mod accounts;
mod audit;
mod bookings;
mod cache;
mod carrier;
mod catalog;
mod chores;
mod claim;
mod clock;
mod error;
mod feed;
mod figures;
mod gateway;
mod handler;
mod ids;
mod inbox;
mod mailer;
mod outbox;
mod passwords;
mod rates;
mod seat_locks;
mod sessions;
mod store;
mod tokens;

pub use accounts::{Accounts, Credentials};
pub use audit::{Audit, EventRecords};
pub use bookings::{Applied, BookingFilter, BookingRecords, Bookings, Page};
pub use cache::{Cache, CacheKey, Forgotten, LEASE_LASTS, Lease, Look};
pub use carrier::{Carrier, NotCarried};
pub use catalog::{Catalog, Elsewhere, EventFilter};
pub use chores::{Chores, Due};
pub use claim::{CLAIM_LASTS, Claim};
pub use clock::Clock;
pub use error::{StoreError, StoreErrorKind};
pub use feed::{Delta, SeatFeed, Subscription};
pub use figures::{Figures, SalesFilter};
pub use gateway::{Charge, Charged, GatewayUnavailable, PaymentGateway, Webhook, WebhookError};
pub use handler::Handler;
pub use ids::Ids;
pub use inbox::{Begun, BegunElsewhere, Inbox, Taken};
pub use mailer::{Attachment, Mail, MailFailed, Mailer};
pub use outbox::Outbox;
pub use passwords::{PasswordHash, PasswordHasher, PasswordsBusy};
pub use rates::{RateLimit, RateLimits};
pub use seat_locks::{DECIDING, LockRequest, LocksAway, SeatLocks, Settled};
pub use sessions::{Rotation, Session, Sessions, TOLD_FOR, TakenBack, TokenDigest};
pub use store::Store;
pub use tokens::{AccessTokens, Claims, TokenError};

/// What an adapter says of a failure that only people can make something of.
pub type OtherError = Box<dyn std::error::Error + Send + Sync>;
