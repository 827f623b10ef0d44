//! Tokens: signed access tokens that live for minutes, random refresh tokens and API keys that are kept as
//! hashes only, and invitation tokens that are derived from the invitation's id, so that none is stored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{
    Error, Result,
    ids::{InvitationId, SessionId, UserId},
    ports::store::accounts::TokenHash,
    time::Timestamp,
};

/// Bytes that a signing key has at least.
pub const MIN_KEY_BYTES: usize = 32;
const API_KEY_PREFIX: &str = "cq_";
const ISSUER: &str = "colloquy";

/// Signs and checks. Every process of an installation needs the same key.
pub struct TokenSigner {
    encoding: EncodingKey,
    decoding: DecodingKey,
    invitation_key: [u8; 32],
}

/// What an access token says. Whether the session still stands is asked of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessClaims {
    pub user_id: UserId,
    pub session_id: SessionId,
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    iss: String,
    sub: UserId,
    sid: SessionId,
    exp: i64,
}

impl TokenSigner {
    /// `key` is a secret of at least [`MIN_KEY_BYTES`] random bytes.
    pub fn new(key: &[u8]) -> Result<Self> {
        if key.len() < MIN_KEY_BYTES {
            let message =
                format!("the signing key has {} bytes, it needs at least {MIN_KEY_BYTES}", key.len());
            return Err(Error::invalid("signingKey", "WEAK_SIGNING_KEY", message));
        }
        let access_key = blake3::derive_key("colloquy access tokens v1", key);
        Ok(Self {
            encoding: EncodingKey::from_secret(&access_key),
            decoding: DecodingKey::from_secret(&access_key),
            invitation_key: blake3::derive_key("colloquy invitation tokens v1", key),
        })
    }

    pub fn sign_access(&self, claims: AccessClaims) -> Result<String> {
        let wire = Wire {
            iss: ISSUER.to_owned(),
            sub: claims.user_id,
            sid: claims.session_id,
            exp: claims.expires_at.timestamp(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &wire, &self.encoding)
            .map_err(|error| Error::internal("sign an access token", error))
    }

    /// `None` for anything but a token of ours that has not expired.
    pub fn check_access(&self, token: &str, now: Timestamp) -> Option<AccessClaims> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        // Our own clock decides below.
        validation.validate_exp = false;
        let wire = jsonwebtoken::decode::<Wire>(token, &self.decoding, &validation).ok()?.claims;
        let expires_at = Timestamp::from_timestamp(wire.exp, 0)?;
        (now < expires_at).then_some(AccessClaims { user_id: wire.sub, session_id: wire.sid, expires_at })
    }

    pub fn invitation_token(&self, id: InvitationId) -> String {
        let mac = blake3::keyed_hash(&self.invitation_key, id.0.as_bytes());
        let mut bytes = id.0.as_bytes().to_vec();
        bytes.extend_from_slice(&mac.as_bytes()[..24]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The invitation that a token of ours names.
    pub fn check_invitation(&self, token: &str) -> Option<InvitationId> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let id = InvitationId(uuid::Uuid::from_slice(bytes.get(..16)?).ok()?);
        let ours = self.invitation_token(id);
        bool::from(ours.as_bytes().ct_eq(token.as_bytes())).then_some(id)
    }
}

/// A refresh token from 32 random bytes.
pub fn refresh_token(secret: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(secret)
}

/// An API key from 32 random bytes, recognisable by its prefix.
pub fn api_key(secret: [u8; 32]) -> String {
    format!("{API_KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret))
}

pub fn is_api_key(credential: &str) -> bool {
    credential.starts_with(API_KEY_PREFIX)
}

/// How tokens are looked up: they are random, so a fast hash does.
pub fn token_hash(token: &str) -> TokenHash {
    *blake3::hash(token.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use uuid::Uuid;

    fn signer(byte: u8) -> TokenSigner {
        TokenSigner::new(&[byte; 32]).unwrap()
    }

    #[test]
    fn an_access_token_is_good_until_it_expires_and_only_under_its_key() {
        let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        let claims = AccessClaims {
            user_id: UserId(Uuid::from_u128(1)),
            session_id: SessionId(Uuid::from_u128(2)),
            expires_at: now + TimeDelta::minutes(15),
        };
        let token = signer(1).sign_access(claims).unwrap();
        assert_eq!(signer(1).check_access(&token, now), Some(claims));
        assert_eq!(signer(1).check_access(&token, now + TimeDelta::minutes(15)), None);
        assert_eq!(signer(2).check_access(&token, now), None);
        assert_eq!(signer(1).check_access(&format!("{token}x"), now), None);
        assert_eq!(signer(1).check_access("", now), None);
    }

    #[test]
    fn an_unsigned_token_is_not_taken() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let id = Uuid::from_u128(1);
        let body = format!(r#"{{"iss":"colloquy","sub":"{id}","sid":"{id}","exp":4000000000}}"#);
        let token = format!("{header}.{}.", URL_SAFE_NO_PAD.encode(body));
        let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        assert_eq!(signer(1).check_access(&token, now), None);
    }

    #[test]
    fn an_invitation_token_cannot_be_made_without_the_key() {
        let id = InvitationId(Uuid::from_u128(5));
        let token = signer(1).invitation_token(id);
        assert_eq!(signer(1).check_invitation(&token), Some(id));
        assert_eq!(signer(2).check_invitation(&token), None);
        assert_eq!(signer(1).check_invitation(&token[1..]), None);
        assert_eq!(signer(1).check_invitation(""), None);
    }

    #[test]
    fn a_short_signing_key_is_refused() {
        assert_eq!(TokenSigner::new(&[1; 31]).err().unwrap().code(), "WEAK_SIGNING_KEY");
    }
}
