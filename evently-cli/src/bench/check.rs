//! Whether the service agrees with what the buyers saw.

use std::{collections::HashMap, rc::Rc};

use serde::Deserialize;

use super::{
    OnSale,
    buyer::Rush,
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
    let mut findings = Findings { contradictions: rush.record.borrow().violations.clone(), ..Findings::default() };
    let path = format!("/api/v1/events/{event}/availability");
    let answer = stage::patiently(&mut connection, &options.url, &Request::get(&path)).await?;
    findings.availability = stage::wanted(&answer, &path)?;
    let path = format!("/api/v1/events/{event}/seats");
    let answer = stage::patiently(&mut connection, &options.url, &Request::get(&path)).await?;
    seats(rush, stage::wanted::<Seats>(&answer, &path)?.seats, &mut findings);
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
        findings.contradictions.extend(changed(&sale.booking, &booking, ours));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(findings)
}

/// What has become of a booking that was confirmed with these seats, if it is not that any more.
fn changed(id: &str, booking: &Booking, mut ours: Vec<&str>) -> Option<String> {
    let mut theirs = booking.seats.iter().map(|seat| seat.id.as_str()).collect::<Vec<_>>();
    theirs.sort_unstable();
    ours.sort_unstable();
    let changed = booking.status != "confirmed" || theirs != ours;
    changed.then(|| format!("booking {id} was confirmed, and is {} with {} seats", booking.status, theirs.len()))
}

/// Every seat that was sold is booked, and no other; the counts are those of the seats.
fn seats(rush: &Rush, seats: Vec<SeatState>, findings: &mut Findings) {
    let hall = rush.hall.borrow();
    let record = rush.record.borrow();
    let statuses = seats.into_iter().map(|seat| (seat.id, seat.status)).collect::<HashMap<_, _>>();
    for (seat, booking) in record.sold_seats() {
        let status = statuses.get(hall.id(seat)).map_or("missing", String::as_str);
        if status != "booked" {
            findings.contradictions.push(format!("seat {} was sold to {booking}, and is {status}", hall.id(seat)));
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
        findings.contradictions.push(format!("{sold} seats were sold, and {} are booked", counted.booked));
    }
    if counted != findings.availability {
        findings.contradictions.push(format!("the seats count {counted:?}, and availability says {:?}", findings.availability));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
