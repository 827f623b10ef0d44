//! Any bytes, read as what their content tells.

#![no_main]

#[path = "../../domain/tests/transcripts/invariants.rs"]
mod invariants;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| invariants::check_bytes(bytes, None));
