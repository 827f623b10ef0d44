//! Any bytes, read as the format that the target is named after.

#![no_main]

#[path = "../../domain/tests/transcripts/invariants.rs"]
mod invariants;

use colloquy_domain::transcripts::report::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let name = env!("CARGO_BIN_NAME").to_uppercase();
    let format: Format = serde_json::from_value(name.into()).expect("a format's name");
    invariants::check_bytes(bytes, Some(format));
});
