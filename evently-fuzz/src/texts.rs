//! Ids, codes, money, times and whatever else people and machines write as one text.

use std::{
    cmp::Ordering,
    fmt::{Debug, Display},
    str::FromStr,
    time::Duration,
};

use evently_cli::{http1, price};
use evently_core::{
    domain::{
        BookingCode, BookingId, Currency, Email, EventId, LayoutId, Money, Role, SeatId, TicketCode, Timestamp, natural_order,
    },
    import::Format,
    ports::CacheKey,
};
use evently_http::context::TraceId;

use crate::as_text;

/// Every text by itself.
pub fn words(bytes: &[u8]) {
    let Some(text) = as_text(bytes) else { return };
    ids(text);
    same::<Currency>(text);
    same::<Role>(text);
    same::<Format>(text);
    same::<http1::Target>(text);
    time(text);
    codes(text);
    if let Ok(named) = text.parse::<price::NamedPrice>() {
        assert!(!named.name.is_empty() && !named.price.is_empty());
    }
    if let Some(key) = CacheKey::parse(text) {
        assert_eq!(key.as_str(), text);
        assert_eq!(CacheKey::new(key.cache(), key.id()), key);
    }
    if let Some(trace) = TraceId::from_traceparent(text) {
        assert_ne!(trace.to_string(), "0".repeat(32));
        assert!(text.contains(&trace.to_string()));
    }
}

/// What is read is written so that it is read as the same; what is not is refused in words.
fn same<T: FromStr<Err: Display> + Display>(text: &str) {
    match text.parse::<T>() {
        Ok(read) => {
            let written = read.to_string();
            let again = written.parse::<T>().unwrap_or_else(|error| panic!("{written:?}, which was {text:?}: {error}"));
            assert_eq!(again.to_string(), written);
        }
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
}

fn ids(text: &str) {
    same::<EventId>(text);
    same::<BookingId>(text);
    let Ok(seat) = text.parse::<SeatId>() else { return };
    let layout = seat.layout();
    assert_eq!(LayoutId::new(*layout.as_uuid()), layout);
    if let Some(number) = seat.number() {
        assert_eq!(layout.seat(number), seat);
    }
    let json = serde_json::to_string(&seat).expect("an id is a text");
    assert_eq!(serde_json::from_str::<SeatId>(&json).ok(), Some(seat));
}

fn time(text: &str) {
    same::<Timestamp>(text);
    let Ok(time) = text.parse::<Timestamp>() else { return };
    assert_eq!(time.to_string().parse(), Ok(time));
    assert!(time.hour() <= time && time.since(time.hour()) < Duration::from_hours(1));
    for other in [Timestamp::default(), time + Duration::MAX, time - Duration::MAX] {
        assert!(time.since(other).is_zero() || other.since(time).is_zero());
    }
}

fn codes(text: &str) {
    if let Ok(email) = Email::parse(text) {
        assert_eq!(Email::parse(email.as_str()), Ok(email));
    }
    if let Some(code) = BookingCode::parse(text) {
        assert_eq!(BookingCode::parse(code.as_str()), Some(code));
    }
    if let Some(code) = TicketCode::parse(text) {
        assert_eq!(TicketCode::parse(&code.to_string()), Some(code));
    }
}

/// A currency, and a price in it.
pub fn prices(bytes: &[u8]) {
    let Some((currency, text)) = as_text(bytes).and_then(|text| text.split_at_checked(3)) else { return };
    let Ok(currency) = currency.parse::<Currency>() else { return };
    match price::minor_units(text, currency) {
        Ok(amount) => {
            assert!(amount >= 0);
            let shown = Money { amount, currency }.to_string();
            let shown = shown.strip_suffix(currency.code()).expect("the currency stands behind");
            assert_eq!(price::minor_units(shown.trim_end(), currency), Ok(amount), "shown as {shown}");
        }
        Err(refused) => assert!(refused.contains(text)),
    }
    if let Ok(amount) = text.parse() {
        let money = Money { amount, currency };
        assert!(money.to_string().ends_with(currency.code()));
        same_json(&money);
    }
}

fn same_json<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug>(what: &T) {
    let json = serde_json::to_vec(what).expect("it can be written");
    assert_eq!(serde_json::from_slice::<T>(&json).ok().as_ref(), Some(what));
}

/// Labels, a line each, in the order in which people count.
pub fn labels(bytes: &[u8]) {
    let Some(text) = as_text(bytes) else { return };
    let labels = text.lines().take(40).collect::<Vec<_>>();
    for &[a, b, c] in labels.as_chunks::<3>().0 {
        assert_eq!(natural_order(a, b), natural_order(b, a).reverse(), "{a:?} {b:?}");
        assert_eq!(natural_order(a, b) == Ordering::Equal, a == b);
        let mut three = [a, b, c];
        three.sort_by(|a, b| natural_order(a, b));
        assert!(natural_order(three[0], three[2]).is_le(), "{three:?} go around in a circle");
    }
    // The sorting of the standard library panics where it finds that there is no order.
    let mut sorted = labels;
    sorted.sort_by(|a, b| natural_order(a, b));
}
