//! Documents that clients send once and then name by their SHA-256, as Apollo's clients do it (automatic persisted
//! queries). Each process remembers those that it saw last; one that it does not know is asked for again. Whoever
//! knows a hash knew the document, so they are shared by all callers, and every limit holds at each use.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_graphql::{ErrorExtensionValues, ServerError};
use lru::LruCache;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::fault::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Hash([u8; 32]);

/// `extensions.persistedQuery` of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PersistedQuery {
    version: u32,
    sha256_hash: String,
}

impl PersistedQuery {
    pub(crate) fn hash(&self) -> Result<Hash, Fault> {
        if self.version != 1 {
            return Err(Fault::bad_request("extensions.persistedQuery.version must be 1"));
        }
        let mut hash = [0; 32];
        hex::decode_to_slice(&self.sha256_hash, &mut hash).map_err(|_no_hash| {
            Fault::bad_request("extensions.persistedQuery.sha256Hash must be 64 hexadecimal digits")
        })?;
        Ok(Hash(hash))
    }
}

impl Hash {
    pub(crate) fn is_of(self, document: &str) -> bool {
        self.0 == *Sha256::digest(document.as_bytes())
    }
}

/// What a request says of its document.
#[derive(Debug)]
pub(crate) enum Document {
    Whole(String),
    /// To be remembered: the hash is the text's.
    Registered(String, Hash),
    Known(Hash),
}

impl Default for Document {
    fn default() -> Self {
        Self::Whole(String::new())
    }
}

/// The documents that this process remembers, at most so many.
pub(crate) struct Documents(Option<Mutex<LruCache<Hash, Arc<str>>>>);

impl Documents {
    /// None at all where `most` is 0.
    pub(crate) fn new(most: usize) -> Self {
        Self(NonZeroUsize::new(most).map(|most| Mutex::new(LruCache::new(most))))
    }

    pub(crate) fn text(&self, document: &Document) -> Result<String, ServerError> {
        let hash = match document {
            Document::Whole(text) | Document::Registered(text, _) => return Ok(text.clone()),
            Document::Known(hash) => hash,
        };
        // Clients look for these very words.
        let Some(mut known) = self.lock() else {
            return Err(refusal("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED"));
        };
        let found = known.get(hash).map(|text| text.as_ref().to_owned());
        found.ok_or_else(|| refusal("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND"))
    }

    /// For a document that has passed the limits.
    pub(crate) fn remember(&self, document: &Document) {
        if let (Document::Registered(text, hash), Some(mut known)) = (document, self.lock())
            && known.get(hash).is_none()
        {
            known.put(*hash, text.as_str().into());
        }
    }

    fn lock(&self) -> Option<MutexGuard<'_, LruCache<Hash, Arc<str>>>> {
        self.0.as_ref().map(|known| known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn refusal(message: &str, code: &str) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", code);
    error
}
