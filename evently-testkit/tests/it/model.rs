//! The store in memory and the model agree.

use evently_testkit::{MemoryPlace, model};

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
