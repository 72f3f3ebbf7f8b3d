//! What happens in a history.

use evently_core::domain::BookingStatus;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// How many seats the event of a history has.
pub(super) const SEATS: u8 = 8;

/// Requests that go to the store in one call, and the time until the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The requests, in order.
    pub asks: Vec<Keyed>,
    /// In seconds.
    pub wait: u32,
}

/// A request, perhaps with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// What is asked.
    pub ask: Ask,
    /// The key's number, and the number of the content that is claimed for it.
    pub key: Option<(u8, u8)>,
}

/// What is asked. Where something is made `again`, it gets the id of what is there. Bookings and payments are named by the order in which they came into being, counted round and round; where there is
/// none yet, nothing is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the commands of the domain are")]
pub enum Ask {
    Hold {
        who: u8,
        seats: Vec<u8>,
        again: Option<u8>,
    },
    Extend {
        booking: u8,
        by: By,
    },
    StartPayment {
        booking: u8,
        by: By,
        again: Option<u8>,
    },
    Report {
        payment: u8,
        says: Says,
        reference: bool,
        message: Option<u8>,
        instead: Instead,
        answers: Option<(u8, u8)>,
    },
    Confirm {
        booking: u8,
        again: Option<u8>,
    },
    Cancel {
        booking: u8,
        by: By,
        expected: Option<BookingStatus>,
    },
    Expire {
        booking: u8,
    },
    SettleRefund {
        payment: u8,
    },
    Block {
        seats: Vec<u8>,
    },
    Unblock {
        seats: Vec<u8>,
    },
    CheckIn {
        booking: u8,
        seat: u8,
        elsewhere: bool,
    },
    /// The terms of refunds end so many minutes after the sale began, and so does the event with its sale.
    Edit {
        front: i64,
        percent: u8,
        minutes: Option<u8>,
        ends: Option<u8>,
    },
    Publish,
    CallOff,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The customer whose booking it is.
    Owner,
    /// Another customer.
    Stranger,
    /// The organizer.
    House,
}

/// Which seats late money may take if its own are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// Free ones that cost the same, where there are any.
    Fitting,
    /// These, whatever they are.
    Seats(Vec<u8>),
}

/// What a gateway says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as gateways' reports are")]
pub enum Says {
    Processing,
    RequiresAction,
    Succeeded,
    Failed,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![
        12 => 0_u32..2,
        8 => 2_u32..60,
        6 => 60_u32..400,
        3 => 400_u32..4_000,
        // As long as a payment keeps its hold, and a little more.
        3 => 1_800_u32..1_900,
        1 => 80_000_u32..90_000,
    ];
    let ask = (ask(), proptest::option::weighted(0.15, (0_u8..3, 0_u8..2))).prop_map(|(ask, key)| Keyed { ask, key });
    (proptest::collection::vec(ask, 1..6), wait).prop_map(|(asks, wait)| Step { asks, wait })
}

fn ask() -> impl Strategy<Value = Ask> {
    // One more than there are: a seat that the event does not have.
    let seats = |max| proptest::collection::vec(0..SEATS + 1, 0..max);
    let held = proptest::collection::vec(0..SEATS, 1..4);
    // Often soon, while something is on hold; and often nothing comes back.
    let ends = proptest::option::weighted(0.6, prop_oneof![2 => 1_u8..20, 1 => 20_u8..90]);
    let percent = prop_oneof![1 => Just(0_u8), 2 => 1_u8..=100];
    prop_oneof![
        6 => (0_u8..3, held, again(0.05)).prop_map(|(who, seats, again)| Ask::Hold { who, seats, again }),
        1 => (0_u8..3, seats(5)).prop_map(|(who, seats)| Ask::Hold { who, seats, again: None }),
        2 => (any::<u8>(), by()).prop_map(|(booking, by)| Ask::Extend { booking, by }),
        5 => (any::<u8>(), by(), again(0.1)).prop_map(|(booking, by, again)| Ask::StartPayment { booking, by, again }),
        7 => report(),
        1 => (any::<u8>(), again(0.5)).prop_map(|(booking, again)| Ask::Confirm { booking, again }),
        3 => (any::<u8>(), by(), expected()).prop_map(|(booking, by, expected)| Ask::Cancel { booking, by, expected }),
        2 => any::<u8>().prop_map(|booking| Ask::Expire { booking }),
        1 => any::<u8>().prop_map(|payment| Ask::SettleRefund { payment }),
        1 => seats(4).prop_map(|seats| Ask::Block { seats }),
        2 => seats(2).prop_map(|seats| Ask::Unblock { seats }),
        1 => (any::<u8>(), any::<u8>(), proptest::bool::weighted(0.2))
            .prop_map(|(booking, seat, elsewhere)| Ask::CheckIn { booking, seat, elsewhere }),
        1 => (prop_oneof![2 => Just(0_i64), 3 => 1_i64..5_000], percent, proptest::option::of(0_u8..120), ends)
            .prop_map(|(front, percent, minutes, ends)| Ask::Edit { front, percent, minutes, ends }),
        1 => prop_oneof![3 => Just(Ask::Publish), 1 => Just(Ask::CallOff)],
    ]
}

/// The number of something whose id is used again.
fn again(often: f64) -> impl Strategy<Value = Option<u8>> {
    proptest::option::weighted(often, any::<u8>())
}

/// What somebody who gives a booking up takes it for.
fn expected() -> impl Strategy<Value = Option<BookingStatus>> {
    proptest::option::weighted(0.3, proptest::sample::select(BookingStatus::NAMES.map(|(_, status)| status).to_vec()))
}

fn report() -> impl Strategy<Value = Ask> {
    let says = prop_oneof![
        1 => Just(Says::Processing),
        1 => Just(Says::RequiresAction),
        4 => Just(Says::Succeeded),
        2 => Just(Says::Failed),
    ];
    let message = proptest::option::weighted(0.25, 0_u8..6);
    let seats = proptest::collection::vec(0..SEATS + 1, 0..4).prop_map(Instead::Seats);
    let instead = prop_oneof![2 => Just(Instead::Fitting), 1 => seats];
    let answers = proptest::option::weighted(0.1, (0_u8..3, 0_u8..2));
    (any::<u8>(), says, any::<bool>(), message, instead, answers).prop_map(
        |(payment, says, reference, message, instead, answers)| Ask::Report {
            payment,
            says,
            reference,
            message,
            instead,
            answers,
        },
    )
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![
        6 => Just(By::Owner),
        1 => Just(By::Stranger),
        2 => Just(By::House),
    ]
}
