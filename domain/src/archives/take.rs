//! Reading one file of an archive as far as it may go.

use std::io::{self, Read};

use bytes::Bytes;

use super::{ArchiveLimits, Broken, is_of_source, packed_too_well, unpacks_to_too_much};
use crate::Problem;

/// Smaller ones may be as dense as they like: a few lines that repeat are.
pub(super) const RATIO_FROM: u64 = 1 << 20;
const CHUNK: usize = 64 << 10;

pub(super) enum Taken {
    Whole(Bytes),
    Refused(Problem),
    /// It cannot be read on.
    Failed(io::Error),
}

/// Adds what was read to `unpacked`, which is of the whole archive. `packed` is what the file takes in the archive.
pub(super) fn take(
    reader: &mut impl Read,
    packed: Option<u64>,
    unpacked: &mut u64,
    limits: &ArchiveLimits,
) -> Result<Taken, Broken> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match reader.read(&mut chunk) {
            Ok(0) => return Ok(Taken::Whole(bytes.into())),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if is_of_source(&error) => return Err(Broken::Source(error)),
            Err(error) => return Ok(Taken::Failed(error)),
        };
        bytes.extend_from_slice(&chunk[..read]);
        *unpacked += read as u64;
        let length = bytes.len() as u64;
        if packed.is_some_and(|packed| is_too_dense(length, packed, limits)) {
            return Ok(Taken::Refused(packed_too_well(limits.max_ratio)));
        }
        if length > limits.max_entry_bytes {
            return Ok(Taken::Refused(too_large(limits.max_entry_bytes)));
        }
        if *unpacked > limits.max_unpacked_bytes {
            return Err(unpacks_to_too_much(limits.max_unpacked_bytes).into());
        }
    }
}

pub(super) fn is_too_dense(unpacked: u64, packed: u64, limits: &ArchiveLimits) -> bool {
    unpacked > RATIO_FROM && unpacked > packed.max(1).saturating_mul(limits.max_ratio)
}

fn too_large(limit: u64) -> Problem {
    let message =
        format!("it has more than {limit} bytes, which is the limit of a transcript (`import.max_bytes`)");
    Problem::new("TOO_LARGE", message)
}
