//! Faults that can be put into the rules and services, one at a time, to see that they are found. Only a build with `--cfg evently_planted`
//! has them, which nothing but their test asks for.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static PLANTED: AtomicU32 = AtomicU32::new(0);

/// Puts the fault in, and takes the one before it out.
pub fn plant(bug: Option<Bug>) {
    PLANTED.store(bug.map_or(0, |bug| bug as u32 + 1), Relaxed);
}

/// Whether the fault is in.
pub(crate) fn is_planted(bug: Bug) -> bool {
    PLANTED.load(Relaxed) == bug as u32 + 1
}

macro_rules! bugs {
    ($($variant:ident = $text:literal,)*) => {
        /// A fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug { $(#[doc = $text] $variant,)* }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// What is wrong.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

bugs! {
    LocksAlone = "who has the seat lock gets the seat, whatever the store says of it",
    TakesBookedSeats = "a late payment takes its seats back from whoever has booked them",
    TakesOverLiveHolds = "a hold is taken over before it has run out",
    NeverTakesOver = "a seat whose hold has run out stays refused until a worker has ended the hold",
    TakesOverWithoutEnding = "the seats of a hold that has run out are sold, and the hold goes on",
    ExpiresEarly = "a worker ends holds before they have run out",
    ExtendsTooLate = "a hold that has run out can be made longer",
    ExtendsForEver = "a hold can be made longer without end",
    PaysTooLate = "a payment may begin for a hold that has run out",
    KeepsSeatsOfExpired = "a hold that ends keeps its seats",
    HoldsSomeSeats = "a hold that cannot have all its seats takes the others",
    IgnoresBookingLimit = "a booking may have more seats than the event allows",
    IgnoresHeldLimit = "a customer may have any number of seats on hold",
    SellsCancelledEvents = "an event that was called off is sold on",
    BlocksHeldSeats = "the house takes seats away that are on hold",
    AnybodyMayAct = "whoever knows the id of a booking may act on it",
    AnybodyMayRead = "whoever knows the id of a booking may read it",
    ForgetsKeys = "the answer to a key is not kept",
    AcceptsReusedKeys = "a key that was used for one request answers another",
    CapturesTwice = "a capture that is reported twice counts twice",
    CapturesOnlyOpen = "a capture is not believed after a failure",
    KeepsLateMoney = "money that comes too late is kept",
    KeepsSecondPayment = "a second payment for a booking is kept",
    KeepsMoneyOfCancelled = "money for a booking that was given up is kept",
    SellsCalledOff = "money buys the seats of a hold although the event was called off",
    ConfirmsUnpaid = "a payment that is still being decided confirms its booking",
    RefundsTwice = "a refund that the gateway confirms twice is written down twice",
    RefundsEverything = "whoever gives a booking up gets everything back, whatever the policy says",
    ForgetsTerms = "whoever gives a booking up gets what the event says by then, and not what it said when they bought",
    SettlesRefundsUnsent = "a refund is written down as sent before the gateway has sent it",
    NeverRefunds = "refunds are not sent",
    NeverReconciles = "nobody asks the gateway about payments of which it has said nothing",
    ForgetsSuperseded = "nobody asks about a payment that was given up for another",
    ForgetsUnanswered = "nobody asks about a charge that the gateway had not heard of in time",
    AdmitsTwice = "a ticket opens the door twice",
    KeepsTicketsOfCancelled = "the tickets of a booking that was given up stay good",
    ConfirmsWithoutTickets = "a booking is confirmed without tickets",
    GivesUpUsedTickets = "a booking can be given up after one of its tickets was used",
    ChangesCodes = "a booking that is given up gets another code",
    GivesUpWhatChanged = "a booking is given up although it is something else by then than its customer took it for",
    WritesNoJournal = "a hold that is made longer leaves no entry in the journal",
    TimeGoesBack = "a decision is made as of an earlier time than the one before it",
    LosesAnswered = "a booking that somebody was told of is lost",
    RelayMovesOnFirst = "the relay moves on before its entries were taken",
    MailIsDoneFirst = "a mail is written down as sent before it was",
    MailsUnasked = "a mail is sent where a hold has run out, which nobody is told of",
    MailsOnlyOnce = "a mail that could not be sent is not tried again",
    FiguresCountTwice = "figures that are handed in twice count twice",
    NeverExpires = "no worker ends holds that have run out",
    NeverCallsOff = "bookings of an event that was called off stay",
    NeverRefreshes = "an instance shows what others have changed as it was",
    PublishesNothing = "an instance shows what it has sold itself only when it looks for what others have done",
    TakesOlderSeats = "an older state of a seat takes the place of a newer one",
    NeedsLocks = "while the seat locks are away nobody gets a seat",
    KeepsLocks = "whoever is refused by the store keeps the seat locks",
    LocksOutliveHolds = "a seat lock lasts longer than the hold that it is for",
    QueuesForEver = "the queue takes on whatever comes",
    RefusesTheLast = "whoever takes the last place in the queue is told that it is full, and is decided on all the same",
    RefusesLate = "whoever the seat locks have let through is turned away where the store has much to do",
    LogsAddresses = "the log has the address to which a mail is sent",
    LogsCards = "the log has what stands for the card of a charge that is in doubt",
    LogsSecrets = "the log has what the gateway answers, and with it the secret of the payment",
    LogsTickets = "the log has the codes that are shown at the door",
}
