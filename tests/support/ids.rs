//! The inside of opaque ids and cursors, which clients do not look at and attackers do.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

pub(crate) fn parts(opaque: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(opaque).expect("an opaque id or cursor")
}

pub(crate) fn forge(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
