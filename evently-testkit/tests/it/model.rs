//! The store in memory and the model agree.

use evently_testkit::{
    MemoryPlace,
    model::{self, Ask, By, Instead, Keyed, Says, Step},
};

#[test]
fn random_histories_are_as_the_model_says() {
    let seen = model::run(|| MemoryPlace, 4_000);
    // The rare was not missed: each of these is somewhere in so many histories, or the generator has become worse.
    for what in [
        "booking confirmed to refunded",
        "booking confirmed to cancelled",
        "booking expired to confirmed (paid_late)",
        "booking expired to confirmed (paid_late_other_seats)",
        "booking pending to cancelled (event_over)",
        "booking pending to expired (taken_over)",
        "booking pending to pending (extended)",
        "booking pending to pending (payment_failed)",
        "checked in",
        "refund due (already_paid)",
        "refund due (booking_cancelled)",
        "refund due (event_cancelled)",
        "refund due (paid_after_cancelling)",
        "refund due (paid_too_late)",
        "refund sent",
        "refused: CancellationClosed",
        "refused: EventCancelled",
        "refused: ExtensionLimit",
        "refused: HoldExpired",
        "refused: Invalid",
        "refused: KeyReused",
        "refused: NotFound",
        "refused: NotOnSale",
        "refused: NotPending",
        "refused: PaymentInProgress",
        "refused: SeatsUnavailable",
        "refused: StatusChanged",
        "refused: TicketUsed",
        "refused: TooManySeats",
        "replayed",
        "seats available",
        "seats blocked",
    ] {
        assert!(seen.get(what).is_some_and(|count| *count >= 5), "{what:?} was not seen five times: {seen:#?}");
    }
}

/// Whoever looks later must not hold the event to have gone on at a time at which it was over.
#[tokio::test]
async fn a_booking_that_was_given_up_when_its_event_was_over_stays_right_when_the_event_is_moved_again() {
    let edit = |ends| Ask::Edit { front: 0, percent: 0, minutes: None, ends: Some(ends) };
    let succeeded = Ask::Report {
        payment: 0,
        says: Says::Succeeded,
        reference: true,
        message: None,
        instead: Instead::Fitting,
        answers: None,
    };
    let steps = [
        (Ask::Hold { who: 0, seats: vec![0], again: None }, 0),
        (Ask::StartPayment { booking: 0, by: By::Owner, again: None }, 0),
        (succeeded, 90),
        (edit(1), 0),
        (Ask::Cancel { booking: 0, by: By::Owner, expected: None }, 0),
        (edit(28), 0),
    ];
    let steps = steps.map(|(ask, wait)| Step { asks: vec![Keyed { ask, key: None }], wait });
    let seen = model::play(MemoryPlace, &steps).await;
    assert_eq!(seen.get("booking confirmed to cancelled"), Some(&1), "nothing goes back of it: {seen:#?}");
}
