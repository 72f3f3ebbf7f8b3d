//! Access tokens: JWTs, signed with HMAC-SHA-256 and taken back only from ourselves.
//!
//! The library reads and checks the token's form, issuer and audience; time is judged here, by the clock of the service and
//! without leeway. The one algorithm is our own provider, so that no other one is even in the program.

use std::sync::Once;

use evently_core::{
    domain::{SessionId, Timestamp, UserId},
    ports::{AccessTokens, Claims, TokenError},
};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::ErrorKind,
    signature::{self, Signer, Verifier},
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

const ISSUER: &str = "evently";
const AUDIENCE: &str = "evently-api";

/// The type of access tokens (RFC 9068). Whatever else is signed with the same key is no access token.
const TYPE: &str = "at+jwt";

/// Ours have about 400 characters.
const LENGTH_MAX: usize = 1024;

/// Signs and reads access tokens.
pub struct JwtAccessTokens {
    /// At least one; the first one signs.
    keys: Vec<Key>,
    validation: Validation,
}

struct Key {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Key {
    fn new(secret: &[u8]) -> Self {
        let digest = Hmac::<Sha256>::new_from_slice(secret).expect("any length will do").chain_update("key id").finalize();
        let digest: [u8; 32] = digest.into_bytes().into();
        let id = format!("{:016x}", u64::from_be_bytes(*digest.first_chunk().expect("it has 32 bytes")));
        Self { id, encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret) }
    }
}

/// What stands in the token.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl JwtAccessTokens {
    /// Signs with the first secret and takes what any of them has signed, so that keys can be changed while tokens live.
    ///
    /// # Panics
    /// Where there is no secret.
    pub fn new<S: AsRef<[u8]>>(secrets: &[S]) -> Self {
        assert!(!secrets.is_empty(), "tokens are signed with a secret");
        install_provider();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // The library would ask the wall clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.leeway = 0;
        Self { keys: secrets.iter().map(|secret| Key::new(secret.as_ref())).collect(), validation }
    }

    /// What the token says, if one of our keys has signed it: the one that it names.
    fn payload(&self, token: &str) -> Option<Payload> {
        let keys = if token.len() <= LENGTH_MAX { &self.keys[..] } else { &[] };
        let signed_by = |key: &Key| jsonwebtoken::decode::<Payload>(token, &key.decoding, &self.validation).ok();
        let (key, token) = keys.iter().find_map(|key| Some((key, signed_by(key)?)))?;
        let is_ours = token.header.typ.as_deref() == Some(TYPE) && token.header.kid.as_ref() == Some(&key.id);
        is_ours.then_some(token.claims)
    }
}

impl AccessTokens for JwtAccessTokens {
    fn issue(&self, claims: &Claims) -> String {
        let key = &self.keys[0];
        let payload = Payload {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: claims.user_id,
            sid: claims.session_id,
            iat: claims.issued_at.as_secs(),
            nbf: claims.issued_at.as_secs(),
            exp: claims.expires_at.as_secs(),
        };
        let header = Header { typ: Some(TYPE.to_owned()), kid: Some(key.id.clone()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &payload, &key.encoding).expect("text and numbers can be written and signed")
    }

    fn read(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let payload = self.payload(token).ok_or(TokenError::Invalid)?;
        let Payload { sub, sid, iat, nbf, exp, .. } = payload;
        if now.as_secs() < nbf {
            return Err(TokenError::Invalid);
        }
        if now.as_secs() >= exp {
            return Err(TokenError::Expired);
        }
        let (issued_at, expires_at) = (time(iat)?, time(exp)?);
        Ok(Claims { user_id: sub, session_id: sid, issued_at, expires_at })
    }
}

/// An instant, which has microseconds and so is not as far away as seconds can be.
fn time(secs: i64) -> Result<Timestamp, TokenError> {
    secs.checked_mul(1_000_000).map(Timestamp::from_micros).ok_or(TokenError::Invalid)
}

fn install_provider() {
    static ONCE: Once = Once::new();
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(Hs256::try_new(*algorithm, key.as_bytes())?)),
        verifier_factory: |algorithm, key| Ok(Box::new(Hs256::try_new(*algorithm, key.try_get_as_bytes()?)?)),
        key_utils: KeyUtils::new_unimplemented(),
    };
    ONCE.call_once(|| {
        // Whoever embeds this may have installed one that can do more.
        let _ = PROVIDER.install_default();
    });
}

/// HMAC-SHA-256 with one key.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn try_new(algorithm: Algorithm, key: &[u8]) -> jsonwebtoken::errors::Result<Self> {
        match algorithm {
            Algorithm::HS256 => Hmac::new_from_slice(key).map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into()),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        }
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        // Takes as long for any wrong signature.
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn claims() -> Claims {
        Claims {
            user_id: UserId::from_uuid(Uuid::from_u128(1)),
            session_id: SessionId::from_uuid(Uuid::from_u128(2)),
            issued_at: NOW,
            expires_at: Timestamp::from_secs(NOW.as_secs() + 1800),
        }
    }

    fn tokens() -> JwtAccessTokens {
        JwtAccessTokens::new(&[SECRET])
    }

    fn part(token: &str, part: usize) -> Value {
        let part = token.split('.').nth(part).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    /// A token with these contents, rightly signed.
    fn signed(header: &Value, payload: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload));
        let signature = Hs256::try_new(Algorithm::HS256, SECRET.as_bytes()).unwrap().sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn changed(which: usize, field: &str, value: Value) -> String {
        let token = tokens().issue(&claims());
        let mut parts = [part(&token, 0), part(&token, 1)];
        parts[which][field] = value;
        signed(&parts[0], &parts[1].to_string())
    }

    #[test]
    fn what_was_issued_is_read_until_it_expires() {
        let token = tokens().issue(&claims());
        assert_eq!(tokens().read(&token, NOW), Ok(claims()));
        let end = claims().expires_at;
        assert_eq!(tokens().read(&token, Timestamp::from_micros(end.as_micros() - 1)), Ok(claims()));
        assert_eq!(tokens().read(&token, end), Err(TokenError::Expired), "without leeway");
        assert_eq!(tokens().read(&token, Timestamp::from_secs(NOW.as_secs() - 1)), Err(TokenError::Invalid), "not yet good");
    }

    #[test]
    fn every_change_of_one_bit_is_noticed() {
        let token = tokens().issue(&claims());
        for at in 0..token.len() * 8 {
            let mut bytes = token.clone().into_bytes();
            bytes[at / 8] ^= 1 << (at % 8);
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert_eq!(tokens().read(&changed, NOW), Err(TokenError::Invalid), "bit {at}");
        }
    }

    #[test]
    fn other_algorithms_types_and_keys_are_refused() {
        assert_eq!(tokens().read(&changed(0, "cty", json!("x")), NOW), Ok(claims()), "these tests sign rightly");
        for alg in ["none", "None", "nOnE", "HS384", "HS512", "RS256", "ES256", "EdDSA", ""] {
            assert_eq!(tokens().read(&changed(0, "alg", json!(alg)), NOW), Err(TokenError::Invalid), "{alg}");
        }
        for typ in [json!("JWT"), json!("rt+jwt"), json!(null), json!(7)] {
            assert_eq!(tokens().read(&changed(0, "typ", typ.clone()), NOW), Err(TokenError::Invalid), "{typ}");
        }
        for kid in [json!("../../dev/null"), json!("' or 1=1"), json!(null), json!("http://evil.example/key")] {
            assert_eq!(tokens().read(&changed(0, "kid", kid.clone()), NOW), Err(TokenError::Invalid), "{kid}");
        }
        let unsigned = tokens().issue(&claims()).rsplit_once('.').unwrap().0.to_owned() + ".";
        assert_eq!(tokens().read(&unsigned, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn wrong_claims_are_refused_however_well_they_are_signed() {
        let exp = NOW.as_secs() + 1800;
        for (field, value) in [
            ("iss", json!("others")),
            ("iss", json!(["evently", "others"])),
            ("aud", json!("others")),
            ("aud", json!(null)),
            ("sub", json!("7")),
            ("exp", json!(null)),
            ("exp", json!(exp.to_string())),
            ("exp", json!(1.5e9)),
            ("exp", json!(u64::MAX)),
            ("nbf", json!(NOW.as_secs() + 10)),
            ("role", json!("admin")),
        ] {
            assert_eq!(tokens().read(&changed(1, field, value.clone()), NOW), Err(TokenError::Invalid), "{field}: {value}");
        }
        let token = tokens().issue(&claims());
        let twice = part(&token, 1).to_string().replace('}', &format!(",\"exp\":{}}}", exp + 1));
        assert_eq!(tokens().read(&signed(&part(&token, 0), &twice), NOW), Err(TokenError::Invalid), "a claim given twice");
    }

    #[test]
    fn times_that_no_clock_shows_are_refused() {
        for (field, time) in [("iat", i64::MAX), ("iat", i64::MIN), ("exp", i64::MAX)] {
            assert_eq!(tokens().read(&changed(1, field, json!(time)), NOW), Err(TokenError::Invalid), "{field}: {time}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_at_once() {
        for text in ["", ".", "..", "...", "a.b.c", "Bearer x", "é.é.é", &"a".repeat(1 << 20)] {
            assert_eq!(tokens().read(text, NOW), Err(TokenError::Invalid));
        }
    }

    #[test]
    fn keys_can_be_changed_while_tokens_live() {
        let (old, new) = (SECRET, "fedcba9876543210fedcba9876543210");
        let token = JwtAccessTokens::new(&[old]).issue(&claims());
        assert_eq!(JwtAccessTokens::new(&[new, old]).read(&token, NOW), Ok(claims()));
        assert_eq!(JwtAccessTokens::new(&[new]).read(&token, NOW), Err(TokenError::Invalid), "the old one is retired");
        let newer = JwtAccessTokens::new(&[new, old]).issue(&claims());
        assert_eq!(JwtAccessTokens::new(&[old]).read(&newer, NOW), Err(TokenError::Invalid), "the first one signs");
    }
}
