//! Any bytes, walked as each kind of archive that they may be.

#![no_main]

#[path = "../../domain/tests/transcripts/archive_invariants.rs"]
mod archive_invariants;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| archive_invariants::check_archive(bytes));
