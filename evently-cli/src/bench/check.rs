//! Whether the service agrees with what the buyers saw.

use std::{collections::HashMap, rc::Rc};

use serde::Deserialize;

use super::{
    OnSale,
    buyer::Rush,
    hall::Hall,
    record::Record,
    stage::{self, SeatState, Seats},
};
use crate::{failure::Failure, http1::Request, progress};

/// What the service says at the end, and in what it contradicts the buyers.
#[derive(Debug, Default)]
pub struct Findings {
    /// How many seats there are of each status, as the service counts them.
    pub availability: Counts,
    /// Contradictions.
    pub contradictions: Vec<String>,
}

/// How many seats there are of each status.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Counts {
    pub total: u64,
    pub available: u64,
    pub reserved: u64,
    pub booked: u64,
    pub blocked: u64,
}

#[derive(Debug, Deserialize)]
struct Booking {
    status: String,
    seats: Vec<BookedSeat>,
}

#[derive(Debug, Deserialize)]
struct BookedSeat {
    id: String,
}

pub async fn check(options: &OnSale, rush: &Rc<Rush>) -> Result<Findings, Failure> {
    let event = rush.event_id();
    let mut connection = options.connection();
    let path = format!("/api/v1/events/{event}/availability");
    let answer = stage::patiently(&mut connection, &options.url, &Request::get(&path)).await?;
    let availability = stage::wanted(&answer, &path)?;
    let path = format!("/api/v1/events/{event}/seats");
    let answer = stage::patiently(&mut connection, &options.url, &Request::get(&path)).await?;
    let seats = stage::wanted::<Seats>(&answer, &path)?.seats;
    let mut contradictions = of_seats(&rush.hall.borrow(), &rush.record.borrow(), seats, availability);
    let confirmed = rush.record.borrow().confirmed.clone();
    let bar = progress::bar("bookings", confirmed.len() as u64);
    for sale in &confirmed {
        let path = format!("/api/v1/bookings/{}", sale.booking);
        let token = rush.accounts[sale.account].token(&mut connection).await;
        let request = Request::get(&path).by(&token);
        let answer = stage::patiently(&mut connection, &options.url, &request).await?;
        let booking: Booking = stage::wanted(&answer, &path)?;
        let hall = rush.hall.borrow();
        let ours = sale.seats.iter().map(|&seat| hall.id(seat)).collect();
        contradictions.extend(changed(&sale.booking, &booking, ours));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Findings { availability, contradictions })
}

/// What has become of a booking that was confirmed with these seats, if it is not that any more.
fn changed(id: &str, booking: &Booking, mut ours: Vec<&str>) -> Option<String> {
    let mut theirs = booking.seats.iter().map(|seat| seat.id.as_str()).collect::<Vec<_>>();
    theirs.sort_unstable();
    ours.sort_unstable();
    let changed = booking.status != "confirmed" || theirs != ours;
    changed.then(|| format!("booking {id} was confirmed, and is {} with {} seats", booking.status, theirs.len()))
}

/// What must never happen and the buyers have seen; every seat that was sold is booked, and no other; the counts are those of the seats.
fn of_seats(hall: &Hall, record: &Record, seats: Vec<SeatState>, availability: Counts) -> Vec<String> {
    let mut found = record.violations.clone();
    let statuses = seats.into_iter().map(|seat| (seat.id, seat.status)).collect::<HashMap<_, _>>();
    for (seat, booking) in record.sold_seats() {
        let status = statuses.get(hall.id(seat)).map_or("missing", String::as_str);
        if status != "booked" {
            found.push(format!("seat {} was sold to {booking}, and is {status}", hall.id(seat)));
        }
    }
    let count = |status: &str| statuses.values().filter(|found| *found == status).count() as u64;
    let counted = Counts {
        total: statuses.len() as u64,
        available: count("available"),
        reserved: count("reserved"),
        booked: count("booked"),
        blocked: count("blocked"),
    };
    let sold = record.sold_seats().count() as u64;
    // A payment without any answer may have been made all the same.
    let unknown = record.errors.contains_key("no_answer");
    if counted.booked != sold && !(unknown && counted.booked > sold) {
        found.push(format!("{sold} seats were sold, and {} are booked", counted.booked));
    }
    if counted != availability {
        found.push(format!("the seats count {counted:?}, and availability says {availability:?}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{super::record::Confirmed, *};

    #[test]
    fn what_the_seats_are_has_to_be_what_the_buyers_saw() {
        let told = |sold: &[usize], statuses: [&str; 3], shown: Counts, error: &str| {
            let hall = Hall::new(["a", "b", "c"].map(str::to_owned).into());
            let mut record = Record::default();
            record.error(error);
            for &seat in sold {
                record.sold(Confirmed { booking: "7".to_owned(), seats: vec![seat], account: 0 });
            }
            let seats = ["a", "b", "c"].into_iter().zip(statuses);
            let seats = seats.map(|(id, status)| SeatState { id: id.to_owned(), status: status.to_owned() }).collect();
            of_seats(&hall, &record, seats, shown)
        };
        let shown = Counts { total: 3, available: 1, reserved: 1, booked: 1, blocked: 0 };
        let as_sold = ["booked", "reserved", "available"];
        assert_eq!(told(&[0], as_sold, shown, "rate_limited"), [""; 0]);
        assert_eq!(told(&[2], ["booked", "reserved", "available"], shown, ""), ["seat c was sold to 7, and is available"]);
        let more = |error| told(&[], as_sold, shown, error);
        assert_eq!(more("rate_limited"), ["0 seats were sold, and 1 are booked"]);
        assert_eq!(more("no_answer"), [""; 0], "who had no answer may have bought");
        let fewer = told(&[0, 1], as_sold, shown, "no_answer");
        assert_eq!(fewer, ["seat b was sold to 7, and is reserved", "2 seats were sold, and 1 are booked"]);
        let other = told(&[0], as_sold, Counts { blocked: 1, ..shown }, "");
        assert!(other.len() == 1 && other[0].contains("blocked: 1"), "{other:?}");
    }

    #[test]
    fn what_the_buyers_saw_that_must_not_be_is_told() {
        let mut record = Record::default();
        record.sold(Confirmed { booking: "7".to_owned(), seats: vec![0], account: 0 });
        record.sold(Confirmed { booking: "8".to_owned(), seats: vec![0], account: 0 });
        let seats = vec![SeatState { id: "a".to_owned(), status: "booked".to_owned() }];
        let shown = Counts { total: 1, booked: 1, ..Counts::default() };
        let found = of_seats(&Hall::new(vec!["a".to_owned()]), &record, seats, shown);
        assert_eq!(found, ["seat 0 was sold to 7 and to 8"]);
    }

    #[test]
    fn a_confirmed_booking_has_to_stay_confirmed_with_its_seats() {
        for (status, theirs, is_changed) in [
            ("confirmed", &["a", "b"][..], false),
            ("confirmed", &["b", "a"], false),
            ("cancelled", &["a", "b"], true),
            ("confirmed", &["a", "c"], true),
            ("confirmed", &["a"], true),
            ("expired", &[], true),
        ] {
            let seats = theirs.iter().map(|id| BookedSeat { id: (*id).to_owned() }).collect();
            let booking = Booking { status: status.to_owned(), seats };
            assert_eq!(changed("7", &booking, vec!["b", "a"]).is_some(), is_changed, "{booking:?}");
        }
    }
}
