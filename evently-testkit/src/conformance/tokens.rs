//! Access tokens.

use std::{sync::Arc, time::Duration};

use evently_core::{
    domain::{SessionId, Timestamp, UserId},
    ports::{AccessTokens, Claims, TokenError},
};
use uuid::Uuid;

fn claims() -> Claims {
    let issued_at = Timestamp::from_secs(1_800_000_000);
    Claims {
        user_id: UserId::from_uuid(Uuid::from_u128(0x0192_f0c1_7d3e_7a10_8c55_5f1e_6f0a_0001)),
        session_id: SessionId::from_uuid(Uuid::from_u128(0x0192_f0c1_7d3e_7a10_8c55_5f1e_6f0a_0002)),
        issued_at,
        expires_at: issued_at + Duration::from_mins(15),
    }
}

pub async fn a_token_says_what_was_put_in(tokens: Arc<dyn AccessTokens>) {
    let claims = claims();
    assert_eq!(tokens.read(&tokens.issue(&claims), claims.issued_at), Ok(claims));
}

pub async fn a_token_is_good_up_to_its_end(tokens: Arc<dyn AccessTokens>) {
    let claims = claims();
    let token = tokens.issue(&claims);
    assert_eq!(tokens.read(&token, claims.expires_at - Duration::from_micros(1)), Ok(claims));
    assert_eq!(tokens.read(&token, claims.expires_at), Err(TokenError::Expired));
}

pub async fn what_is_no_token_is_refused(tokens: Arc<dyn AccessTokens>) {
    let token = tokens.issue(&claims());
    for text in ["", " ", ".", "..", "a.b.c", &token[1..], &token[..token.len() - 1], &format!("{token}{token}")] {
        let read = tokens.read(text, claims().issued_at);
        assert!(read == Err(TokenError::Invalid) || read == Err(TokenError::Expired), "{text:?}: {read:?}");
    }
}

/// For tokens that are signed: no other text says the same, or anything.
pub async fn no_bit_of_a_token_can_be_changed(tokens: Arc<dyn AccessTokens>) {
    let claims = claims();
    let token = tokens.issue(&claims);
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).expect("it is still ASCII");
            assert_eq!(tokens.read(&changed, claims.issued_at), Err(TokenError::Invalid), "bit {bit} of character {at}");
        }
    }
}
