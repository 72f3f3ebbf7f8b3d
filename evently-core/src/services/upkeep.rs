//! What has to be done because time has passed.

use std::{sync::Arc, time::Duration};

use super::{BoxOffice, Error};
use crate::{
    domain::{ANSWERS_KEPT, Actor, BookingId, Command, Outcome, Request},
    ports::{Chores, Clock},
};

/// How many chores are taken on at a time.
const BATCH: u32 = 500;

/// How long is remembered that a message was acted on. A copy of it is not under way for longer.
const MESSAGES_KEPT: Duration = Duration::from_hours(30 * 24);

/// Ends what is over. Any number of these may run at once: the rules decide, and each thing is done once.
pub struct Upkeep {
    office: BoxOffice,
    chores: Arc<dyn Chores>,
    clock: Arc<dyn Clock>,
}

impl Upkeep {
    /// The upkeep of a store.
    pub const fn new(office: BoxOffice, chores: Arc<dyn Chores>, clock: Arc<dyn Clock>) -> Self {
        Self { office, chores, clock }
    }

    /// Ends the holds that have run out. How many there were.
    pub async fn expire_holds(&self) -> Result<usize, Error> {
        if planted!(NeverExpires) {
            return Ok(0);
        }
        let due = self.chores.due_holds(self.clock.now(), BATCH).await?;
        self.submit_all(&due, |booking_id| Command::Expire { booking_id }).await
    }

    /// Cancels the bookings of events that have been called off. How many there were.
    pub async fn cancel_called_off(&self) -> Result<usize, Error> {
        if planted!(NeverCallsOff) {
            return Ok(0);
        }
        let called_off = self.chores.called_off(BATCH).await?;
        let reason = Some("event_cancelled".to_owned());
        self.submit_all(&called_off, |booking_id| Command::Cancel { booking_id, expected: None, reason: reason.clone() }).await
    }

    /// Makes ready what the store needs for the time ahead. How much there was to do.
    pub async fn make_room(&self) -> Result<usize, Error> {
        Ok(self.chores.make_room(self.clock.now()).await?)
    }

    /// Forgets answers that nobody may ask for any more. How many there were.
    pub async fn forget_answers(&self) -> Result<u64, Error> {
        Ok(self.chores.forget_answers(self.clock.now() - ANSWERS_KEPT, BATCH).await?)
    }

    /// Forgets logins that have ended, and their refresh tokens. How many of both there were.
    pub async fn forget_sessions(&self) -> Result<u64, Error> {
        Ok(self.chores.forget_sessions(self.clock.now(), BATCH).await?)
    }

    /// Forgets messages that nobody sends again. How many there were.
    pub async fn forget_messages(&self) -> Result<u64, Error> {
        Ok(self.chores.forget_messages(self.clock.now() - MESSAGES_KEPT, BATCH).await?)
    }

    /// Submits a command for each booking, all at once, so that they share transactions. How many are not pending any more: one that the
    /// store takes for live still, because its clock is behind ours, is left for another time.
    async fn submit_all(&self, bookings: &[BookingId], command: impl Fn(BookingId) -> Command) -> Result<usize, Error> {
        let mut submitted = Vec::with_capacity(bookings.len());
        for &booking in bookings {
            submitted.push(self.office.hand_in(Request::new(Actor::System, command(booking)))?);
        }
        let mut ended = 0;
        for answer in submitted {
            let outcome = answer.wait().await?.result?;
            ended += usize::from(!matches!(outcome, Outcome::Booking(booking) if booking.hold().is_some()));
        }
        Ok(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{RequestKey, SessionId, Timestamp, UserId},
        memory::{ManualClock, MemorySeatFeed, MemoryStore, SeededIds},
        ports::{Bookings, CLAIM_LASTS, Claim, Ids, Inbox, Rotation, Session, Sessions, Taken},
        services::OfficeSize,
        sync::ready,
    };

    const INSTANT: Duration = Duration::from_micros(1);

    struct House {
        ids: Arc<SeededIds>,
        store: Arc<MemoryStore>,
        clock: Arc<ManualClock>,
        upkeep: Upkeep,
    }

    impl House {
        fn new() -> Self {
            let ids = Arc::new(SeededIds::new(1));
            let store = Arc::new(MemoryStore::new(ids.clone()));
            let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
            let feed = Arc::new(MemorySeatFeed::new(store.clone()));
            let (office, _work) = BoxOffice::open(store.clone(), feed, clock.clone(), OfficeSize::default());
            let upkeep = Upkeep::new(office, store.clone(), clock.clone());
            Self { ids, store, clock, upkeep }
        }
    }

    #[test]
    fn an_answer_is_kept_for_as_long_as_it_may_be_asked_for() {
        let House { ids, store, clock, upkeep } = House::new();
        let expire = Command::Expire { booking_id: BookingId::from_uuid(ids.uuid(clock.now())) };
        let request = Request::new(Actor::System, expire).with_key(Some(RequestKey::new(&["tests"], "1", b"")));
        let replayed = || ready(store.apply(clock.now(), std::slice::from_ref(&request))).unwrap().answers[0].replayed;
        assert!(!replayed());
        clock.advance(ANSWERS_KEPT.saturating_sub(INSTANT));
        assert_eq!((ready(upkeep.forget_answers()).unwrap(), replayed()), (0, true));
        clock.advance(INSTANT);
        assert_eq!(ready(upkeep.forget_answers()).unwrap(), 0, "nobody gets it any more, and it may be forgotten from now on");
        clock.advance(INSTANT);
        assert_eq!((ready(upkeep.forget_answers()).unwrap(), replayed()), (1, false));
    }

    #[test]
    fn that_a_message_was_acted_on_is_known_for_as_long_as_a_copy_may_be_under_way() {
        let House { ids, store, clock, upkeep } = House::new();
        let take = || {
            let claim = Claim::new(&*ids, &*clock);
            (claim, ready(store.take("tests", 1, &claim)).unwrap())
        };
        let (claim, taken) = take();
        assert_eq!(taken, Taken::Ours);
        assert!(ready(store.done("tests", 1, claim.owner)).unwrap());
        clock.advance(CLAIM_LASTS + Duration::from_hours(30 * 24));
        assert_eq!((ready(upkeep.forget_messages()).unwrap(), take().1), (0, Taken::Done));
        clock.advance(INSTANT);
        assert_eq!((ready(upkeep.forget_messages()).unwrap(), take().1), (1, Taken::Ours));
    }

    #[test]
    fn a_store_in_memory_needs_no_room_made() {
        assert_eq!(ready(House::new().upkeep.make_room()).unwrap(), 0);
    }

    #[test]
    fn logins_are_forgotten_when_they_have_ended_and_not_before() {
        let House { ids, store, clock, upkeep } = House::new();

        let (now, life) = (clock.now(), Duration::from_hours(1));
        let id = || ids.uuid(now);
        let session = Session { id: SessionId::from_uuid(id()), user_id: UserId::from_uuid(id()), expires_at: now + life };
        ready(store.open(&session, &[1; 32])).unwrap();
        assert_eq!(ready(store.rotate(&[1; 32], &[2; 32], now)).unwrap(), Rotation::Rotated(session));
        clock.advance(life);
        assert_eq!(ready(upkeep.forget_sessions()).unwrap(), 0);
        clock.advance(INSTANT);
        assert_eq!(ready(upkeep.forget_sessions()).unwrap(), 3, "a login and its two tokens");
        assert_eq!(ready(upkeep.forget_sessions()).unwrap(), 0);
    }
}
