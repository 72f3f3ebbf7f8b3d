//! The judge of histories: it accepts what one seat can have been through, and finds what it cannot.

use evently_core::{domain::BookingId, memory::SeededIds, ports::Ids};
use evently_testkit::history::{Call, Did, Disorder, Judgement, Lapse, Sight, Transaction, judge, one_order};
use proptest::prelude::*;
use uuid::Uuid;

const TTL: u64 = 100;

#[test]
fn what_was_not_decided_is_not_sound() {
    assert!(Judgement::default().is_sound());
    assert!(!Judgement { undecided: vec![7], ..Judgement::default() }.is_sound());
}

fn booking(number: u64) -> BookingId {
    BookingId::from_uuid(Uuid::from_u128(number.into()))
}

fn call(sent: u64, answered: u64, did: Did) -> Call {
    Call { sent, answered: Some(answered), seats: vec![0], did }
}

fn hold(sent: u64, answered: u64, number: u64) -> Call {
    let lapse = Lapse { from: sent + TTL, by: answered + TTL };
    call(sent, answered, Did::Hold { booking: booking(number), lapse })
}

fn extend(sent: u64, answered: u64, number: u64) -> Call {
    let lapse = Lapse { from: sent + TTL, by: answered + TTL };
    call(sent, answered, Did::Extend { booking: booking(number), lapse })
}

fn confirm(sent: u64, answered: u64, number: u64) -> Call {
    call(sent, answered, Did::Confirm { booking: booking(number) })
}

fn release(sent: u64, answered: u64, number: u64) -> Call {
    call(sent, answered, Did::Release { booking: booking(number) })
}

fn see(sent: u64, answered: u64, sight: Sight) -> Call {
    call(sent, answered, Did::See(sight))
}

fn lost(call: Call) -> Call {
    Call { answered: None, ..call }
}

fn sound(calls: &[Call]) {
    let judgement = judge(calls);
    assert!(judgement.is_sound(), "{judgement:?}");
}

/// There is no order, and these calls are where it ends.
fn unsound(calls: &[Call], stuck: &[usize]) {
    let judgement = judge(calls);
    let found = judgement.violations.iter().map(|violation| violation.stuck.as_slice()).collect::<Vec<_>>();
    assert_eq!((found, judgement.undecided.as_slice()), (vec![stuck], &[][..]), "{judgement:?}");
}

#[test]
fn a_seat_goes_from_hand_to_hand() {
    sound(&[]);
    sound(&[hold(0, 1, 1), confirm(2, 3, 1), release(4, 5, 1), hold(6, 7, 2), extend(90, 91, 2), see(150, 151, Sight::Held)]);
    sound(&[hold(0, 1, 1), hold(101, 102, 2)]);
    sound(&[call(0, 1, Did::Block), see(2, 3, Sight::Blocked), call(4, 5, Did::Unblock), see(6, 7, Sight::Free)]);
    sound(&[hold(0, 1, 1), see(2, 3, Sight::Taken), confirm(4, 5, 1), see(6, 7, Sight::Taken), see(8, 9, Sight::Booked)]);
}

#[test]
fn of_calls_that_overlap_either_may_have_been_first() {
    sound(&[hold(0, 10, 1), see(5, 6, Sight::Free), see(5, 6, Sight::Held)]);
    sound(&[release(3, 10, 1), hold(0, 1, 1), hold(2, 11, 2)]);
    unsound(&[hold(0, 4, 1), see(5, 6, Sight::Free)], &[1]);
}

#[test]
fn two_cannot_have_it_at_once() {
    unsound(&[hold(0, 10, 1), hold(5, 20, 2)], &[1]);
    unsound(&[hold(0, 1, 1), confirm(2, 3, 1), hold(4, 5, 2)], &[2]);
    unsound(&[hold(0, 1, 1), confirm(2, 9, 2)], &[1]);
    unsound(&[hold(0, 1, 1), call(2, 3, Did::Block)], &[1]);
}

#[test]
fn a_hold_ends_neither_early_nor_late() {
    unsound(&[hold(0, 1, 1), hold(90, 99, 2)], &[1]);
    sound(&[hold(0, 1, 1), hold(90, 100, 2)]);
    unsound(&[hold(0, 1, 1), extend(50, 51, 1), hold(101, 149, 2)], &[2]);
    sound(&[hold(0, 1, 1), extend(50, 51, 1), hold(101, 150, 2)]);
    sound(&[hold(0, 1, 1), confirm(101, 200, 1)]);
    unsound(&[hold(0, 1, 1), confirm(102, 200, 1)], &[1]);
    unsound(&[hold(0, 1, 1), see(102, 200, Sight::Held)], &[1]);
    unsound(&[hold(0, 1, 1), hold(150, 151, 2), confirm(152, 153, 1)], &[2]);
}

#[test]
fn what_was_acknowledged_is_not_lost() {
    unsound(&[hold(0, 1, 1), confirm(2, 3, 1), see(500, 501, Sight::Free)], &[2]);
    unsound(&[hold(0, 1, 1), release(2, 3, 1), see(4, 5, Sight::Held)], &[2]);
    unsound(&[hold(0, 1, 1), confirm(2, 3, 1), release(4, 5, 1), see(6, 7, Sight::Booked)], &[3]);
}

#[test]
fn nobody_is_refused_for_nothing() {
    unsound(&[see(0, 1, Sight::Taken), hold(2, 3, 1)], &[0]);
    unsound(&[hold(0, 1, 1), release(2, 3, 1), see(4, 5, Sight::Taken)], &[2]);
}

#[test]
fn what_got_no_answer_was_done_once_or_never() {
    sound(&[lost(hold(0, 1, 1)), hold(2, 3, 2)]);
    sound(&[lost(hold(0, 1, 1)), see(2, 3, Sight::Held), see(102, 103, Sight::Free)]);
    sound(&[hold(0, 1, 1), lost(confirm(2, 3, 1)), see(50, 51, Sight::Held), see(500, 501, Sight::Booked)]);
    unsound(&[lost(hold(5, 6, 1)), see(2, 3, Sight::Held)], &[1]);
    unsound(&[lost(hold(0, 1, 1)), see(2, 3, Sight::Held), release(4, 5, 1), see(6, 7, Sight::Held)], &[3]);
}

#[test]
fn each_seat_is_judged_for_itself() {
    let both = |call: Call| Call { seats: vec![0, 1], ..call };
    let other = |call: Call| Call { seats: vec![1], ..call };
    let judgement = judge(&[both(hold(0, 1, 1)), other(hold(2, 3, 2))]);
    assert_eq!((judgement.operations, judgement.violations.len()), (3, 1));
    assert_eq!(judgement.violations[0].to_string().split(" was ").next(), Some("seat 1"));
}

/// What goes wrong once, in an otherwise good service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    DoubleHold,
    LostHold,
    LostConfirm,
    LostRelease,
    EarlyEnd,
    LateConfirm,
    StaleSight,
    RefusedForNothing,
}

const BUGS: [Bug; 8] = [
    Bug::DoubleHold,
    Bug::LostHold,
    Bug::LostConfirm,
    Bug::LostRelease,
    Bug::EarlyEnd,
    Bug::LateConfirm,
    Bug::StaleSight,
    Bug::RefusedForNothing,
];

/// One seat of a service, and who has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seat {
    Free,
    Held(u64, u64),
    Booked(u64),
}

impl Seat {
    const fn sight(self) -> Sight {
        match self {
            Self::Free => Sight::Free,
            Self::Held(..) => Sight::Held,
            Self::Booked(_) => Sight::Booked,
        }
    }
}

/// A service in which each call takes effect at one moment between its beginning and its end, and whose clients write down what they see.
struct Sale {
    ids: SeededIds,
    now: u64,
    seats: [Seat; 3],
    /// How they stood before they were changed last, and when that was.
    before: [(Seat, u64); 3],
    /// The bookings that clients hold, with their seats.
    open: Vec<(u64, usize)>,
    calls: Vec<Call>,
    bug: Option<Bug>,
}

impl Sale {
    fn below(&self, end: u64) -> u64 {
        u64::try_from(self.ids.secret() % u128::from(end)).unwrap()
    }

    /// Whether it goes wrong here, which it does once.
    fn goes_wrong(&mut self, bug: Bug) -> bool {
        let wrong = self.bug == Some(bug) && self.calls.len() > 50;
        if wrong {
            self.bug = None;
        }
        wrong
    }

    fn put(&mut self, seat: usize, after: Seat) {
        self.before[seat] = (self.seats[seat], self.now);
        self.seats[seat] = after;
    }

    fn step(&mut self, number: u64) {
        self.now += self.below(8);
        let (now, seat) = (self.now, usize::try_from(self.below(3)).unwrap());
        for seat in 0..3 {
            if let Seat::Held(_, until) = self.seats[seat]
                && (now >= until || now + 30 < until && self.goes_wrong(Bug::EarlyEnd))
            {
                self.put(seat, Seat::Free);
            }
        }
        let (sent, answered) = (now - self.below(12).min(now), now + self.below(12));
        let lapse = Lapse { from: sent + TTL, by: answered + TTL };
        let (seat, did) = match self.below(10) {
            0..=3 => (seat, self.hold(seat, number, lapse)),
            4..=6 if !self.open.is_empty() => {
                let (whose, seat) = self.open.swap_remove(usize::try_from(self.below(self.open.len() as u64)).unwrap());
                (seat, self.go_on(whose, seat, lapse))
            }
            _ => (seat, Did::See(self.look(seat))),
        };
        let seats = vec![u32::try_from(seat).unwrap()];
        self.calls.push(Call { sent, answered: Some(answered), seats, did });
    }

    fn look(&mut self, seat: usize) -> Sight {
        let (sight, before) = (self.seats[seat].sight(), self.before[seat].0.sight());
        let stale = before != sight && self.is_known(seat) && self.goes_wrong(Bug::StaleSight);
        if stale { before } else { sight }
    }

    /// Whether all that overlapped the last change of the seat is over.
    fn is_known(&self, seat: usize) -> bool {
        self.now > self.before[seat].1 + 24
    }

    fn hold(&mut self, seat: usize, number: u64, lapse: Lapse) -> Did {
        let free = self.seats[seat] == Seat::Free;
        if free && self.is_known(seat) && self.goes_wrong(Bug::RefusedForNothing) || !free && !self.goes_wrong(Bug::DoubleHold) {
            return Did::See(Sight::Taken);
        }
        if !self.goes_wrong(Bug::LostHold) {
            self.put(seat, Seat::Held(number, self.now + TTL));
        }
        self.open.push((number, seat));
        Did::Hold { booking: booking(number), lapse }
    }

    /// Somebody pays for what they have on hold, extends it, or gives it up.
    fn go_on(&mut self, whose: u64, seat: usize, lapse: Lapse) -> Did {
        let booking = booking(whose);
        let held = matches!(self.seats[seat], Seat::Held(other, _) if other == whose);
        match self.below(4) {
            _ if !held && self.seats[seat] != Seat::Booked(whose) => {
                if !self.goes_wrong(Bug::LateConfirm) {
                    return Did::See(self.seats[seat].sight());
                }
                self.put(seat, Seat::Booked(whose));
                Did::Confirm { booking }
            }
            0 | 1 if held => {
                if !self.goes_wrong(Bug::LostConfirm) {
                    self.put(seat, Seat::Booked(whose));
                }
                self.open.push((whose, seat));
                Did::Confirm { booking }
            }
            2 if held => {
                self.put(seat, Seat::Held(whose, self.now + TTL));
                self.open.push((whose, seat));
                Did::Extend { booking, lapse }
            }
            _ => {
                if !self.goes_wrong(Bug::LostRelease) {
                    self.put(seat, Seat::Free);
                }
                Did::Release { booking }
            }
        }
    }
}

/// What clients saw of a sale, and whether something went wrong in it.
fn sale(seed: u64, bug: Option<Bug>, steps: u64) -> (Vec<Call>, bool) {
    let seats = [Seat::Free; 3];
    let ids = SeededIds::new(seed);
    let mut sale = Sale { ids, now: 20, seats, before: [(Seat::Free, 0); 3], open: Vec::new(), calls: Vec::new(), bug };
    for number in 1..=steps {
        sale.step(number);
    }
    (sale.calls, bug.is_some() && sale.bug.is_none())
}

#[test]
fn a_service_that_does_right_is_never_accused() {
    for seed in 0..200 {
        let (calls, _) = sale(seed, None, 2_000);
        let judgement = judge(&calls);
        assert!(judgement.is_sound(), "seed {seed}: {judgement:?}");
        assert_eq!(judgement.operations, 2_000);
    }
}

#[test]
fn one_fault_in_a_sale_is_found() {
    for bug in BUGS {
        let (mut happened, mut found) = (0, 0);
        for seed in 0..100 {
            let (calls, wrong) = sale(seed, Some(bug), 1_000);
            happened += u32::from(wrong);
            found += u32::from(wrong && !judge(&calls).is_sound());
        }
        eprintln!("{bug:?}: {found} of {happened}");
        assert!(happened > 90, "{bug:?} happened {happened} times");
        // Some faults are hidden by what overlaps them, or are looked at by nobody.
        assert!(found * 2 > happened, "{bug:?}: {found} of {happened}");
    }
}

/// The same question answered by trying every order, without skipping any.
fn has_an_order(calls: &[Call]) -> bool {
    fn go_on(left: &[&Call], state: Tried) -> bool {
        if left.iter().all(|call| call.answered.is_none()) {
            return true;
        }
        // Nothing that is left was answered before the next one was sent.
        let first_answer = left.iter().filter_map(|call| call.answered).min().unwrap_or(u64::MAX);
        let lapses = matches!(state, Tried::Held(_, lapse) if lapse.from <= first_answer);
        if lapses && go_on(left, Tried::Free) {
            return true;
        }
        (0..left.len()).any(|at| {
            let rest = [&left[..at], &left[at + 1..]].concat();
            let in_time = left[at].sent <= first_answer;
            in_time && try_one(left[at], state).is_some_and(|after| go_on(&rest, after))
        })
    }
    go_on(&calls.iter().collect::<Vec<_>>(), Tried::Free)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tried {
    Free,
    Held(BookingId, Lapse),
    Booked(BookingId),
    Blocked,
}

fn try_one(call: &Call, state: Tried) -> Option<Tried> {
    let held_by = |whose: BookingId| matches!(state, Tried::Held(other, lapse) if other == whose && call.sent <= lapse.by);
    let held = matches!(state, Tried::Held(_, lapse) if call.sent <= lapse.by);
    let booked = matches!(state, Tried::Booked(_));
    let (may, after) = match call.did {
        Did::Hold { booking, lapse } => (state == Tried::Free, Tried::Held(booking, lapse)),
        Did::Extend { booking, lapse } => (held_by(booking), Tried::Held(booking, lapse)),
        Did::Confirm { booking } => (held_by(booking), Tried::Booked(booking)),
        Did::Pay { booking } => {
            let may = state == Tried::Free || matches!(state, Tried::Held(other, _) if other == booking);
            (may, Tried::Booked(booking))
        }
        Did::Release { booking } => {
            let theirs = matches!(state, Tried::Held(other, _) | Tried::Booked(other) if other == booking);
            (theirs, Tried::Free)
        }
        Did::Block => (state == Tried::Free, Tried::Blocked),
        Did::Unblock => (state == Tried::Blocked, Tried::Free),
        Did::See(Sight::Free) => (state == Tried::Free, state),
        Did::See(Sight::Held) => (held, state),
        Did::See(Sight::Booked) => (booked, state),
        Did::See(Sight::Blocked) => (state == Tried::Blocked, state),
        Did::See(Sight::Taken) => (held || booked || state == Tried::Blocked, state),
    };
    may.then_some(after)
}

fn any_call() -> impl Strategy<Value = Call> {
    (0..60_u64, 1..40_u64, 0..2_u64, 0..12, prop::bool::weighted(0.15)).prop_map(|(sent, took, number, what, is_lost)| {
        let (answered, booking) = (sent + took, booking(number));
        let lapse = Lapse { from: sent + 20, by: answered + 20 };
        let did = match what {
            0 | 1 => Did::Hold { booking, lapse },
            2 => Did::Extend { booking, lapse },
            3 => Did::Confirm { booking },
            4 => Did::Release { booking },
            5 => Did::Block,
            6 => Did::Unblock,
            7 => Did::See(Sight::Free),
            8 => Did::See(Sight::Held),
            9 => Did::See(Sight::Booked),
            10 => Did::Pay { booking },
            _ => Did::See(Sight::Taken),
        };
        Call { sent, answered: (!is_lost).then_some(answered), seats: vec![0], did }
    })
}

#[test]
fn it_says_what_trying_every_order_says() {
    let (sound, unsound) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let config = ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let same = runner.run(&prop::collection::vec(any_call(), 1..7), |calls| {
        let judged = judge(&calls).is_sound();
        let count = if judged { &sound } else { &unsound };
        count.set(count.get() + 1);
        prop_assert_eq!(judged, has_an_order(&calls));
        Ok(())
    });
    same.unwrap_or_else(|error| panic!("{error}"));
    assert!(sound.get() > 1_000 && unsound.get() > 1_000, "{} sound, {} not", sound.get(), unsound.get());
}

/// Numbers of seats and versions.
type Versions = &'static [(u32, u64)];

fn transaction(times: (u64, u64), saw: Versions, wrote: Versions) -> Transaction {
    Transaction { sent: times.0, answered: Some(times.1), wrote: wrote.to_vec(), saw: saw.to_vec() }
}

#[test]
fn transactions_come_in_the_order_of_their_versions() {
    let later = transaction((0, 10), &[(1, 1), (2, 1)], &[(1, 2)]);
    let first = transaction((0, 10), &[(1, 0), (2, 0)], &[(1, 1), (2, 1)]);
    let look = transaction((11, 12), &[(1, 2), (2, 1)], &[]);
    assert_eq!(one_order(&[later.clone(), look.clone(), first.clone()]), Ok(vec![2, 0, 1]));
    assert_eq!(one_order(&[]), Ok(vec![]));
    let lost = Transaction { answered: None, ..first };
    assert_eq!(one_order(&[later, look, lost]), Ok(vec![2, 0, 1]));
}

#[test]
fn two_cannot_make_the_same_version() {
    let one = transaction((0, 10), &[], &[(1, 1)]);
    let found = one_order(&[one.clone(), transaction((0, 10), &[], &[(2, 1)]), one]);
    assert_eq!(found, Err(Disorder::SameVersion { seat: 1, version: 1, transactions: [0, 2] }));
}

/// Those of the circle, smallest first.
fn circle(transactions: &[Transaction]) -> Vec<usize> {
    match one_order(transactions) {
        Err(Disorder::Circle(mut circle)) => {
            circle.sort_unstable();
            circle
        }
        other => panic!("there should be a circle: {other:?}"),
    }
}

#[test]
fn half_a_booking_is_not_seen() {
    let booked = transaction((0, 10), &[], &[(1, 1), (2, 1)]);
    let look = transaction((5, 6), &[(1, 1), (2, 0)], &[]);
    assert_eq!(circle(&[booked.clone(), look]), [0, 1]);
    // Half of one, and half of what came after it: by somebody who is not known.
    let look = transaction((5, 6), &[(1, 0), (2, 2)], &[]);
    assert_eq!(circle(&[booked, look]), [0, 1]);
}

#[test]
fn who_has_seen_the_same_cannot_each_change_half_of_it() {
    let one = transaction((0, 10), &[(1, 0), (2, 0)], &[(1, 1)]);
    let other = transaction((0, 10), &[(1, 0), (2, 0)], &[(2, 1)]);
    assert_eq!(circle(&[one, other]), [0, 1]);
}

#[test]
fn what_was_answered_is_seen_by_who_asks_then() {
    let booked = transaction((0, 10), &[], &[(1, 1)]);
    let look = |sent| transaction((sent, 20), &[(1, 0)], &[]);
    assert_eq!(one_order(&[booked.clone(), look(10)]), Ok(vec![1, 0]));
    assert_eq!(circle(&[booked.clone(), look(11)]), [0, 1]);
    // However many were answered in between.
    let others = transaction((0, 12), &[], &[(2, 1)]);
    assert_eq!(circle(&[booked, look(13), others]), [0, 1]);
}

/// Transactions over two of four seats, each at one moment of its own; `torn` is one that sees a seat as it was a while ago.
fn transactions(seed: u64, torn: Option<usize>) -> Vec<Transaction> {
    let ids = SeededIds::new(seed);
    let below = |end: u64| u64::try_from(ids.secret() % u128::from(end)).unwrap();
    let (mut now, mut versions, mut before) = (20, [0; 4], [0; 4]);
    let step = |number| {
        now += below(6);
        let first = usize::try_from(below(4)).unwrap();
        let both = [first, (first + 1) % 4];
        let mut saw = both.map(|seat| (u32::try_from(seat).unwrap(), versions[seat])).to_vec();
        if torn == Some(number) {
            saw[0].1 = before[first];
        }
        if number % 50 == 0 {
            before = versions;
        }
        let changes = below(2) == 0;
        let wrote = if changes { saw.iter().map(|(seat, version)| (*seat, version + 1)).collect() } else { Vec::new() };
        for (seat, version) in both.iter().zip(&wrote) {
            versions[*seat] = versions[*seat].max(version.1);
        }
        let (sent, answered) = (now - below(20).min(now), now + below(20));
        Transaction { sent, answered: Some(answered), wrote, saw }
    };
    (0..2_000).map(step).collect()
}

#[test]
fn transactions_at_one_moment_each_have_an_order_and_one_that_is_torn_has_none() {
    for seed in 0..100 {
        let order = one_order(&transactions(seed, None)).unwrap();
        assert_eq!(order.len(), 2_000);
        assert!(one_order(&transactions(seed, Some(1_049))).is_err(), "seed {seed}");
    }
}

/// Money that comes when the hold has ended buys what is still there, and nothing that somebody else has.
#[test]
fn late_money_buys_what_nobody_has() {
    let lapse = |from, by| Lapse { from, by };
    let call = |times: (u64, u64), did| Call { sent: times.0, answered: Some(times.1), seats: vec![0], did };
    let held = call((0, 10), Did::Hold { booking: booking(1), lapse: lapse(100, 110) });
    let late = call((200, 210), Did::Pay { booking: booking(1) });
    assert!(judge(&[held.clone(), late.clone()]).is_sound());
    let confirmed = call((200, 210), Did::Confirm { booking: booking(1) });
    assert!(!judge(&[held.clone(), confirmed]).is_sound(), "not as if the hold had lasted");
    let others = call((120, 130), Did::Hold { booking: booking(2), lapse: lapse(300, 310) });
    assert!(!judge(&[held, others, late]).is_sound());
}
