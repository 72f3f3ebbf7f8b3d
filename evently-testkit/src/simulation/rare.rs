//! What seldom happens and has to be seen happening, or the rest proves little.

use std::sync::Mutex;

use super::{executor::lock, faults::named};

named! {
    /// Something that seldom happens.
    pub enum Rare {
        CommittedInDoubt = "a commit is in doubt, and was made",
        BrokenInDoubt = "a commit is in doubt, and was not made",
        HoldFoundAgain = "the answer to a hold is lost, and asked for again with its key",
        AnsweredElsewhere = "another instance gives the answer that one gave before",
        SameKeyAtOnce = "one key is at two instances at once",
        KeyReused = "one key is used for two requests",
        HoldTakenOver = "a hold that has run out is taken over before anybody has ended it",
        ExpiredTwice = "two instances end one hold",
        ExpiredAtOnce = "a hold is ended in the very moment in which it runs out",
        LateMoneyRevives = "money comes too late, and its seats are still there",
        LateMoneyOtherSeats = "money comes too late, and buys other seats",
        LateMoneyGoesBack = "money comes too late, and goes back",
        PaidTwice = "two payments for one booking are captured",
        PaidAfterCancelling = "a booking is paid for that was given up",
        GivenUpPaymentCaptured = "a payment is captured that was given up for another",
        PaymentRefused = "a payment is refused, and the hold goes on",
        PaidForNothing = "a seat that costs nothing is paid for",
        ReconciledCapture = "a capture is found out by asking the gateway",
        ReconciledGivenUp = "a capture is found out of a payment that was given up",
        ReconciledNothing = "a charge that never arrived is given up",
        WebhookBeforeAnswer = "a webhook comes before the answer to the charge",
        WebhookRepeated = "a webhook that is known comes again",
        RefundAskedTwice = "a refund is asked for twice, and made once",
        CancelWhilePaying = "a booking is given up while its payment is under way",
        CancelTooLate = "a booking is given up whose hold has run out",
        CancelMistaken = "a booking is to be given up that is something else by then",
        EventCancelledWhilePaying = "an event is cancelled while somebody pays",
        EventCancelledWithSold = "an event is cancelled after seats were sold",
        HoldAtCancelledEvent = "a hold comes for an event that has been cancelled",
        HouseMeetsHold = "the house wants seats that somebody has",
        LimitReached = "a customer has as many seats on hold as may be",
        LimitRefuses = "a customer wants more seats on hold than may be",
        ExtendedToCap = "a hold cannot be made longer",
        ExtendedTooLate = "a hold is to be made longer that has run out",
        PaidTooLateToBegin = "a payment is to begin after the hold",
        SoldOut = "all seats are sold",
        BackOnSale = "a seat comes back after all were sold",
        TicketShownTwice = "a ticket is shown at two doors",
        DeadTicketShown = "a ticket of a booking that has ended is shown",
        CancelledAfterAdmission = "a booking is to be given up after one of its tickets was used",
        CrashWithRequests = "an instance crashes with requests in it",
        CrashWhileCharging = "an instance crashes while the gateway is asked",
        CrashOfRelay = "an instance crashes while it hands on the journal",
        AllInstancesDown = "all instances are down",
        PausedBeyondHold = "an instance stands still for longer than a hold lasts",
        PausedRelayTakenOver = "the journal is handed on by somebody else while its owner stands still",
        LockRefuses = "a seat lock turns somebody away",
        LockLostStoreRefuses = "a seat lock was lost, and the store refuses",
        LocksAwayStoreDecides = "the seat locks are away, and the store decides",
        Overloaded = "the queue is full",
        BatchSplit = "a batch that fails is taken apart",
        MessageAgain = "a message comes again after it was acted on",
        MessageOvertaken = "a message is overtaken by a later one",
        MailElsewhere = "a mail is being written elsewhere",
        MailAgain = "a mail is handed over again",
        PriceChangedUnderHold = "a price changes while seats are on hold",
        GivenUpOnKeptTerms = "a booking is given up for more than its event gives by then",
        GivenUpOnBetterTerms = "a booking is given up for more than its event gave when it was bought",
        StaleView = "an instance shows an event as it no longer is",
        StaleSeats = "an instance shows a seat as it no longer is",
        ClockBeyondHold = "a clock is set that is off by more than a hold lasts",
        StrangerTurnedAway = "a stranger asks for somebody else's booking",
    }
}

/// How often each has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met(Vec<u64>);

impl Default for Met {
    fn default() -> Self {
        Self(vec![0; Rare::ALL.len()])
    }
}

impl Met {
    /// How often it has.
    pub fn times(&self, rare: Rare) -> u64 {
        self.0[rare as usize]
    }

    /// Those of another run as well.
    pub fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            *ours += theirs;
        }
    }
}

/// Counts while a run goes on.
#[derive(Default)]
pub(super) struct Counting(Mutex<Met>);

impl Counting {
    pub fn met(&self, rare: Rare) {
        lock(&self.0).0[rare as usize] += 1;
    }

    pub fn so_far(&self) -> Met {
        lock(&self.0).clone()
    }
}
