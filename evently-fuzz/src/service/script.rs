//! Several requests as one text.
//!
//! Steps are parted by lines of `%%`. A step is `WAIT` and seconds, `DELIVER` (whatever the gateway has to say by now), or a request: a line
//! with method, path and who asks, lines of headers, an empty line, the body. In all of it `$NAME` stands for something that an earlier answer
//! had, so that a request can be about what came of another one.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::Value;

use super::House;
use crate::{as_text, signed};

pub enum Step<'a> {
    Wait(u64),
    Deliver,
    Ask(&'a [u8]),
}

pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

pub fn steps(bytes: &[u8]) -> impl Iterator<Item = Step<'_>> {
    parted(bytes, b"\n%%\n").into_iter().map(|step| {
        let word = as_text(step).map(str::trim);
        match word {
            Some("DELIVER") => Step::Deliver,
            Some(word) => word
                .strip_prefix("WAIT ")
                .and_then(|seconds| seconds.parse::<u32>().ok())
                .map_or(Step::Ask(step), |seconds| Step::Wait(seconds.into())),
            None => Step::Ask(step),
        }
    })
}

fn parted<'a>(mut bytes: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = bytes.windows(by.len()).position(|part| part == by) {
        parts.push(&bytes[..at]);
        bytes = &bytes[at + by.len()..];
    }
    parts.push(bytes);
    parts
}

/// Reads a request; `None` where no client could send it.
pub fn request(text: &[u8], house: &House) -> Option<Request> {
    let (head, body) = match text.windows(2).position(|part| part == b"\n\n") {
        Some(at) => (&text[..at], &text[at + 2..]),
        None => (text, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut first = lines.next()?.split(|byte| *byte == b' ');
    let method = Method::from_bytes(first.next()?).ok()?;
    let uri = Uri::try_from(first.next()?).ok().filter(|uri| uri.path().starts_with('/'))?;
    let mut headers = HeaderMap::new();
    if let Some(token) = first.next().and_then(as_text).and_then(|name| house.token(name)) {
        headers.insert("authorization", HeaderValue::try_from(format!("Bearer {token}")).ok()?);
    }
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?;
        headers.append(HeaderName::from_bytes(&line[..at]).ok()?, value);
    }
    if headers.get("evently-signature").is_some_and(|signature| signature == "right") {
        headers.insert("evently-signature", HeaderValue::try_from(signed::webhook_signature(body, house.now())).ok()?);
    }
    Some(Request { method, uri, headers, body: body.to_vec() })
}

/// What can be spoken of.
#[derive(Default)]
pub struct Words(BTreeMap<&'static str, String>);

/// The members of answers that later requests can name.
const LEARNED: [(&str, &str); 7] = [
    ("$ID", "id"),
    ("$CURSOR", "next_cursor"),
    ("$REFRESH", "refresh_token"),
    ("$ACCESS", "access_token"),
    ("$PAYMENT", "payment_id"),
    ("$TICKET", "code"),
    ("$BOOKING", "booking_id"),
];

impl Words {
    pub fn set(&mut self, name: &'static str, value: &impl ToString) {
        self.0.insert(name, value.to_string());
    }

    /// Takes over what an answer says, at its top or in the first item of a list.
    pub fn learn(&mut self, answer: &Value) {
        for value in [answer, &answer["items"][0], &answer["payment"], &answer["tickets"][0]] {
            for (name, member) in LEARNED {
                if let Some(text) = value[member].as_str() {
                    self.set(name, &text);
                }
            }
        }
    }

    pub fn put_into(&self, text: &[u8]) -> Vec<u8> {
        let mut written = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
            written.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            // The longest name first, so that $SEAT1 does not hide $SEAT10.
            let (taken, put) = self
                .0
                .iter()
                .rev()
                .find(|(name, _)| rest.starts_with(name.as_bytes()))
                .map_or((1, "$"), |(name, value)| (name.len(), value.as_str()));
            written.extend_from_slice(put.as_bytes());
            rest = &rest[taken..];
        }
        written.extend_from_slice(rest);
        written
    }
}
