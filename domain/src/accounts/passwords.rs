//! Passwords: argon2id with OWASP's parameters (19 MiB, two passes, one lane), off the async threads and no
//! more at once than there is memory for.

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::SaltString,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{Error, Problem, Result};

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const AT_ONCE: usize = 4;

pub const MIN_CHARS: usize = 10;
pub const MAX_BYTES: usize = 256;

pub struct Passwords {
    argon: Argon2<'static>,
    gate: Semaphore,
    /// What an unknown user's password is checked against, so that the answer takes as long.
    decoy: String,
}

impl Passwords {
    pub fn new() -> Result<Self> {
        let params = Params::new(MEMORY_KIB, PASSES, 1, None)
            .map_err(|error| Error::internal("set up password hashing", error.to_string()))?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash_with(&argon, "no password", &[7; 16])?;
        Ok(Self { argon, gate: Semaphore::new(AT_ONCE), decoy })
    }

    /// A PHC string with its own salt.
    pub async fn hash(&self, password: SecretString, salt: [u8; 16]) -> Result<String> {
        let argon = self.argon.clone();
        self.off_thread(move || hash_with(&argon, password.expose_secret(), &salt)).await?
    }

    /// `stored` is `None` for a user who does not exist: that takes as long and is `false`.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<bool> {
        let argon = self.argon.clone();
        let known = stored.is_some();
        let phc = stored.unwrap_or_else(|| self.decoy.clone());
        let matches = self
            .off_thread(move || {
                let hash = PasswordHash::new(&phc)
                    .map_err(|error| Error::internal("read a password hash", error.to_string()))?;
                Ok(argon.verify_password(password.expose_secret().as_bytes(), &hash).is_ok())
            })
            .await?;
        matches.map(|matches: bool| matches && known)
    }

    async fn off_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = self.gate.acquire().await;
        let _permit = permit.map_err(|error| Error::internal("wait to hash a password", error))?;
        spawn_blocking(work).await.map_err(|error| Error::internal("hash a password", error))
    }
}

fn hash_with(argon: &Argon2<'_>, password: &str, salt: &[u8; 16]) -> Result<String> {
    let failed = |error: argon2::password_hash::Error| Error::internal("hash a password", error.to_string());
    let salt = SaltString::encode_b64(salt).map_err(failed)?;
    Ok(argon.hash_password(password.as_bytes(), &salt).map_err(failed)?.to_string())
}

/// Whether a new password may be used.
pub fn check_strength(password: &SecretString) -> Result<(), Problem> {
    let text = password.expose_secret();
    let problem = |message: String| Problem::new("WEAK_PASSWORD", message).at("password");
    if text.chars().count() < MIN_CHARS {
        return Err(problem(format!("the password needs at least {MIN_CHARS} characters")));
    }
    if text.len() > MAX_BYTES {
        return Err(problem(format!("the password may have at most {MAX_BYTES} bytes")));
    }
    let first = text.chars().next();
    if text.chars().all(|c| Some(c) == first) {
        return Err(problem("the password repeats one character; choose another".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_nothing_else_is() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("correct horse battery".into(), [1; 16]).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse battery".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct horse batterz".into(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("no password".into(), None).await.unwrap());
    }

    #[test]
    fn weak_passwords_are_refused_with_the_rule_they_break() {
        for weak in ["short", "aaaaaaaaaaaaaa", &"x".repeat(257)] {
            assert_eq!(check_strength(&weak.into()).unwrap_err().code, "WEAK_PASSWORD");
        }
        check_strength(&"a fine long one".into()).unwrap();
    }
}
