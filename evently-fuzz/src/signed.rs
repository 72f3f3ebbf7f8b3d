//! What has to be signed: access tokens, and what a payment gateway tells us.

use std::{
    fmt::Write as _,
    sync::{Arc, LazyLock},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use evently_core::{
    domain::Timestamp,
    memory::{ManualClock, SandboxGateway, SandboxTimes},
    ports::{AccessTokens, PaymentGateway, WebhookError},
};
use evently_http::tokens::JwtAccessTokens;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{as_text, now};

const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

static TOKENS: LazyLock<JwtAccessTokens> = LazyLock::new(|| JwtAccessTokens::new(&[SECRET]));

/// `r` and a token as it came, or `s` and a header and a payload on two lines, which are signed rightly.
pub fn tokens(bytes: &[u8]) {
    let Some((kind, text)) = as_text(bytes).and_then(|text| text.split_at_checked(1)) else { return };
    let signed = match (kind, text.split_once('\n')) {
        ("r", _) => return forged(text),
        ("s", Some((header, payload))) => sign(header, payload),
        _ => return,
    };
    let Ok(claims) = TOKENS.read(&signed, now()) else { return };
    assert!(now() < claims.expires_at);
    // What we issue is good from then on, which somebody else who has the secret need not keep to.
    if claims.issued_at <= now() {
        assert_eq!(TOKENS.read(&TOKENS.issue(&claims), now()), Ok(claims));
    }
    // Whoever changes anything of it has not signed it.
    let (message, signature) = signed.rsplit_once('.').expect("a token has three parts");
    assert!(TOKENS.read(&format!("{message}A.{signature}"), now()).is_err());
    assert!(TOKENS.read(&format!("{message}."), now()).is_err());
}

/// Nobody knows the secret, so that only what we have issued ourselves is good.
fn forged(token: &str) {
    let Ok(claims) = TOKENS.read(token, now()) else { return };
    assert_eq!(TOKENS.issue(&claims), token);
}

fn sign(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = mac(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn mac(message: &[u8]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("a key may have any length");
    mac.chain_update(message).finalize().into_bytes().into()
}

/// The signature that a gateway sends with this body now.
pub fn webhook_signature(body: &[u8], now: Timestamp) -> String {
    let time = now.as_secs();
    let mac = mac(&[format!("{time}.").as_bytes(), body].concat());
    let mut signature = format!("t={time},v1=");
    for byte in mac {
        write!(signature, "{byte:02x}").expect("a string takes everything");
    }
    signature
}

/// The secret that gateways sign with.
pub fn webhook_secret() -> &'static str {
    as_text(SECRET).expect("it is a text")
}

/// A signature and a body; one without a signature is signed rightly.
pub fn webhooks(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (Some(Some(signature)), Some(body)) = (parts.next().map(as_text), parts.next()) else { return };
    let gateway = SandboxGateway::new(webhook_secret(), SandboxTimes::default(), Arc::new(ManualClock::new(now())));
    let right = webhook_signature(body, now());
    if !signature.is_empty() {
        let read = gateway.read_webhook(body, Some(signature), now());
        assert!(read.is_err() || signature.eq_ignore_ascii_case(&right), "forged: {signature}");
    }
    match gateway.read_webhook(body, Some(&right), now()) {
        Ok(webhook) => assert_eq!(gateway.read_webhook(body, Some(&right), now()), Ok(webhook)),
        Err(WebhookError::Unreadable(why)) => assert!(!why.is_empty()),
        Err(error) => panic!("rightly signed, and yet {error}"),
    }
    assert_eq!(gateway.read_webhook(body, None, now()), Err(WebhookError::Signature));
}
