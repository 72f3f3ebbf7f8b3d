//! The demo data, which are made once.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use async_trait::async_trait;
use evently_core::{
    domain::{Email, Role, Stage, User, UserId},
    ports::{Accounts, BookingFilter, CLAIM_LASTS, Claim, Credentials, EventFilter, Page, PasswordHash, StoreError, Taken},
    services::Relay,
};
use evently_http::demo;

use crate::app::TestApp;

/// What comes of the work, unless it waits more often than that: then it is dropped where it is, as by a process that is killed.
pub async fn within<T>(waits: usize, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut waited) = (pin!(work), 0);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if waited == waits => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

/// Whether it was made.
pub async fn seed(app: &TestApp) -> bool {
    demo::seed(&app.app, &*app.app.passwords).await.unwrap()
}

/// What there is to look at, a line for each thing.
pub async fn to_be_seen(app: &TestApp) -> Vec<String> {
    const fn all<K>() -> Page<K> {
        Page { after: None, limit: 10_000 }
    }
    let store = &app.app.store;
    let mut seen = vec![format!("{} mails are owed", app.app.relay.waiting().await.unwrap())];
    seen.extend(store.accounts.users(all()).await.unwrap().iter().map(|user| user.email.to_string()));
    seen.extend(store.catalog.venues(all()).await.unwrap().into_iter().map(|venue| venue.name));
    let filter = EventFilter { drafts: true, now: app.now(), ..EventFilter::default() };
    for event in store.catalog.events(&filter, all()).await.unwrap() {
        let bookings = BookingFilter { event_id: Some(event.id), ..BookingFilter::default() };
        let bookings = store.bookings.bookings(&bookings, all()).await.unwrap().len();
        let seats = store.catalog.seat_map(event.id).await.unwrap().unwrap().counts();
        assert_eq!((event.stage, seats.reserved), (Stage::Published, 0), "{event:?}");
        seen.push(format!("{} at {}: {bookings} bookings, {} seats", event.details.name, event.details.start_time, seats.booked));
    }
    seen.sort();
    seen
}

/// Whether there is all that is made before mails are passed over.
async fn is_last_event_there(app: &TestApp) -> bool {
    let filter = EventFilter { now: app.now(), ..EventFilter::default() };
    let events = app.app.store.catalog.events(&filter, Page { after: None, limit: 100 }).await.unwrap();
    events.iter().any(|event| event.details.name == "The Big Show")
}

/// Whoever passes over mails claims them, and may be killed at that.
#[tokio::test]
async fn a_start_waits_until_what_the_one_before_has_claimed_is_free() {
    let app = TestApp::new().await;
    let claim = Claim::new(&*app.app.ids, &*app.clock);
    assert!(app.app.store.outbox.claim(Relay::CONSUMER, &claim).await.unwrap().is_some());
    let mut seeding = pin!(seed(&app));
    while !is_last_event_there(&app).await {
        assert!(within(20, seeding.as_mut()).await.is_none(), "it waits");
    }
    // Far more than what is left to do takes.
    assert!(within(60, seeding.as_mut()).await.is_none(), "it waits");
    app.advance(CLAIM_LASTS.as_secs() + 1);
    assert!(seeding.await);
    assert_eq!(app.app.relay.waiting().await.unwrap(), 0);
}

/// As instances may be, before one empty store.
#[tokio::test]
async fn of_two_that_start_at_the_same_moment_one_makes_the_demo_data() {
    let whole = TestApp::new().await;
    assert!(seed(&whole).await);
    let one = TestApp::new().await;
    let other = one.beside(&[]).await;
    let (by_one, by_other) = tokio::join!(seed(&one), seed(&other));
    assert_eq!(to_be_seen(&one).await, to_be_seen(&whole).await);
    assert_ne!(by_one, by_other);
}

/// The accounts of a store in which another process begins with the demo data just when the first question is answered.
struct BegunMeanwhile {
    accounts: Arc<dyn Accounts>,
    first: Mutex<Option<User>>,
}

impl BegunMeanwhile {
    async fn answered<T>(&self, answer: T) -> T {
        let first = self.first.lock().unwrap().take();
        if let Some(first) = first {
            assert!(self.accounts.add(&first, &PasswordHash("x".to_owned())).await.unwrap());
        }
        answer
    }
}

#[async_trait]
impl Accounts for BegunMeanwhile {
    async fn add(&self, user: &User, password: &PasswordHash) -> Result<bool, StoreError> {
        self.accounts.add(user, password).await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.accounts.user(id).await
    }

    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError> {
        self.answered(self.accounts.credentials(email).await).await
    }

    async fn users(&self, page: Page<UserId>) -> Result<Vec<User>, StoreError> {
        self.answered(self.accounts.users(page).await).await
    }

    async fn set_role(&self, id: UserId, role: Role) -> Result<Option<User>, StoreError> {
        self.accounts.set_role(id, role).await
    }
}

/// It is not somebody else's, and the rest is on its way.
#[tokio::test]
async fn whoever_sees_the_first_account_of_the_demo_data_waits_for_the_rest() {
    let app = TestApp::new().await.altered(|app| {
        let email = Email::parse("admin@demo.evently").unwrap();
        let id = UserId::from_uuid(app.ids.uuid(app.clock.now()));
        let first = User { id, email, name: "Demo Admin".to_owned(), role: Role::Admin, created_at: app.clock.now() };
        let accounts = Arc::clone(&app.store.accounts);
        app.store.accounts = Arc::new(BegunMeanwhile { accounts, first: Mutex::new(Some(first)) });
    });
    let other = Claim::new(&*app.app.ids, &*app.clock);
    assert_eq!(app.app.store.inbox.take("demo", 0, &other).await.unwrap(), Taken::Ours);
    // Far more than a few questions take.
    assert!(within(60, seed(&app)).await.is_none(), "it waits");
}

#[tokio::test]
async fn where_somebody_is_there_is_no_demo_data_made() {
    let app = TestApp::new().await;
    app.customer("ada").await;
    let before = to_be_seen(&app).await;
    assert!(!seed(&app).await);
    assert_eq!(to_be_seen(&app).await, before);
}
