//! What is kept as JSON, and what a broker brings.

use std::{fmt::Debug, time::Duration};

use evently_amqp::message;
use evently_core::domain::{
    Answer, Booking, Entry, Event, Layout, Payment, Refund, SalesRow, Seat, Ticket, Transition, User, Venue,
};
use lapin::BasicProperties;
use serde::{Serialize, de::DeserializeOwned};

use crate::as_text;

/// A kind, in one byte, and a record of it.
pub fn records(bytes: &[u8]) {
    let Some((kind, json)) = bytes.split_first() else { return };
    let read = match kind {
        b't' => same::<Transition>,
        b'e' => same::<Event>,
        b'b' => same::<Booking>,
        b'p' => same::<Payment>,
        b'r' => same::<Refund>,
        b'k' => same::<Ticket>,
        b'a' => same::<Answer>,
        b'l' => same::<Layout>,
        b's' => same::<Seat>,
        b'u' => same::<User>,
        b'v' => same::<Venue>,
        b'f' => same::<SalesRow>,
        _ => return,
    };
    read(json);
}

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(json: &[u8]) {
    match serde_json::from_slice::<T>(json) {
        Ok(read) => {
            let written = serde_json::to_vec(&read).expect("what was read can be written");
            let again = serde_json::from_slice::<T>(&written);
            assert_eq!(again.as_ref().ok(), Some(&read), "{}: {again:?}", String::from_utf8_lossy(&written));
        }
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
}

/// A message: a line with its content type, one with its id, and the body.
pub fn messages(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let (Some(kind), Some(id), Some(body)) = (parts.next(), parts.next(), parts.next()) else { return };
    let (Some(kind), Some(id)) = (short(kind), short(id)) else { return };
    let properties = BasicProperties::default().with_content_type(kind.into()).with_message_id(id.into());
    let opened = message::open(&properties, body);
    assert!(!opened.is_empty(), "a message that says nothing is a misfit");
    for part in &opened {
        match part {
            Ok(entry) => taken(&properties, body, entry),
            Err(misfit) => {
                assert!(!misfit.why.to_string().is_empty());
                // What is put aside is looked at again, and must not come apart further.
                assert_eq!(message::open(&misfit.properties, &misfit.body).len(), 1);
            }
        }
    }
    let entries = opened.iter().filter_map(|part| part.as_ref().ok()).collect::<Vec<_>>();
    if !entries.is_empty() {
        let mut run = Vec::new();
        for entry in &entries {
            message::add_line(&mut run, entry);
        }
        let again = message::open(&message::of_run(&entries), &run);
        assert!(again.iter().map(|entry| entry.as_ref().ok()).eq(entries.into_iter().map(Some)));
    }
}

fn taken(properties: &BasicProperties, body: &[u8], entry: &Entry) {
    assert!(entry.position > 0);
    let (alone, body) = message::alone(properties.clone(), body, entry);
    let failed = message::again_after(message::failed(alone.clone(), 3, "a reason"), Duration::from_secs(1));
    assert_eq!((message::attempts(&failed), message::reason(&failed).as_deref()), (3, Some("a reason")));
    for properties in [alone, message::fresh(failed)] {
        assert_eq!(message::decode(&properties, &body).ok().as_ref(), Some(entry));
    }
}

/// The texts that go with a message have at most 255 bytes.
fn short(bytes: &[u8]) -> Option<&str> {
    as_text(bytes).filter(|text| text.len() <= 255)
}
