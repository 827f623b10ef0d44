//! Archives: of a zip, a tar or a tar.gz the files that may be transcripts, one after another, in memory that does not
//! grow with the archive. Nothing is written anywhere and no name is used as a path. Sizes are counted while unpacking,
//! whatever headers say. It blocks: not for async threads.

pub mod names;
mod take;
mod tarball;
#[cfg(test)]
mod tests;
mod zipped;

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use crate::Problem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    Zip,
    Tar,
    /// A tar, compressed by gzip.
    TarGz,
}

/// What is more than this is refused with an error that says so.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    pub max_entries: usize,
    /// Bytes of one file, unpacked.
    pub max_entry_bytes: u64,
    /// Bytes of all that was unpacked.
    pub max_unpacked_bytes: u64,
    /// Bytes unpacked for one that is packed; looked at from the first MiB on.
    pub max_ratio: u64,
}

/// From where on: an archive is walked in the same order each time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Start {
    pub place: u32,
    /// Bytes that were unpacked for what stands before.
    pub unpacked: u64,
}

/// One of the archive's files. Folders are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the archive, from 0.
    pub place: u32,
    /// With its folders; without control characters, and cut to 1,024 bytes.
    pub name: String,
    /// That were unpacked for it.
    pub unpacked: u64,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It may be a transcript.
    File(Bytes),
    /// It is none and was not meant to be one.
    PassedOver(Problem),
    /// It cannot be had.
    Refused(Problem),
}

/// Why the rest of an archive is not read.
#[derive(Debug)]
pub enum Broken {
    /// The archive is to blame.
    Archive(Problem),
    /// Where it is read from is.
    Source(io::Error),
}

impl From<Problem> for Broken {
    fn from(problem: Problem) -> Self {
        Self::Archive(problem)
    }
}

/// By content; `None` for what is no archive. A document that is a zip inside is none.
pub fn detect<S: Read + Seek>(source: &mut S, max_entries: usize) -> io::Result<Option<ArchiveKind>> {
    source.seek(SeekFrom::Start(0))?;
    let mut head = [0; tarball::BLOCK];
    let read = fill(source, &mut head)?;
    let head = &head[..read];
    let kind = if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        (!zipped::is_document(&mut *source, max_entries)).then_some(ArchiveKind::Zip)
    } else if tarball::is_header(head) {
        Some(ArchiveKind::Tar)
    } else if head.starts_with(GZIP) {
        source.seek(SeekFrom::Start(0))?;
        let mut first = [0; tarball::BLOCK];
        let read = fill(&mut MultiGzDecoder::new(&mut *source), &mut first).unwrap_or(0);
        tarball::is_header(&first[..read]).then_some(ArchiveKind::TarGz)
    } else {
        None
    };
    source.seek(SeekFrom::Start(0))?;
    Ok(kind)
}

/// How many entries it says that it holds, where that is told without reading it all. A zip with too many, or without a
/// directory that can be read, is refused here.
pub fn count<S: Read + Seek>(
    source: S,
    kind: ArchiveKind,
    limits: &ArchiveLimits,
) -> Result<Option<u32>, Broken> {
    match kind {
        ArchiveKind::Zip => zipped::count(source, limits).map(Some),
        ArchiveKind::Tar | ArchiveKind::TarGz => Ok(None),
    }
}

/// Hands over each entry from `start` on, until `each` says `false`.
pub fn walk<S: Read + Seek>(
    source: S,
    kind: ArchiveKind,
    limits: &ArchiveLimits,
    start: Start,
    each: &mut dyn FnMut(Entry) -> bool,
) -> Result<(), Broken> {
    match kind {
        ArchiveKind::Zip => zipped::walk(source, limits, start, each),
        ArchiveKind::Tar => tarball::walk(source, limits, start, each),
        ArchiveKind::TarGz => tarball::walk_gz(source, limits, start, each),
    }
}

const GZIP: &[u8] = b"\x1f\x8b\x08";
/// First bytes of what holds files or compressed bytes; a tar is told by its header, and a zip by its directory.
const PACKED: [&[u8]; 7] =
    [GZIP, b"PK\x05\x06", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\xfd7zXZ\0", b"BZh", b"\x28\xb5\x2f\xfd"];

/// What its name says of an entry that is a file, before a byte of it is read; `None` where it may be a transcript.
fn by_name(raw: &str, cleaned: Option<&str>) -> Option<Content> {
    let Some(name) = cleaned else {
        let message = format!(
            "the name {:?} is absolute or leads out of the archive's folder; rename the file and pack it again",
            names::shown(raw)
        );
        return Some(Content::Refused(Problem::new("UNSAFE_NAME", message)));
    };
    if names::is_hidden(name) {
        return Some(passed_over("HIDDEN", "hidden files are passed over"));
    }
    if names::is_archive(name) {
        return Some(Content::Refused(nested()));
    }
    let message =
        format!("its name ends in none of .{}, or says that it is a README", names::ENDINGS.join(", ."));
    (!names::is_transcript(name)).then(|| passed_over("NO_TRANSCRIPT_BY_NAME", message))
}

/// A file that was read: what is an archive itself is not unpacked.
fn by_content(bytes: Bytes, max_entries: usize) -> Content {
    let is_packed = PACKED.iter().any(|magic| bytes.starts_with(magic))
        || tarball::is_header(&bytes[..bytes.len().min(tarball::BLOCK)])
        || bytes.starts_with(b"PK\x03\x04") && !zipped::is_document(io::Cursor::new(&bytes), max_entries);
    match is_packed {
        true => Content::Refused(nested()),
        false => Content::File(bytes),
    }
}

fn nested() -> Problem {
    let message = "it is an archive or a compressed file within the archive, and only one level is unpacked; import it by itself";
    Problem::new("NESTED_ARCHIVE", message)
}

fn passed_over(code: &'static str, message: impl Into<String>) -> Content {
    Content::PassedOver(Problem::new(code, message))
}

fn too_many(limit: usize) -> Problem {
    let message = format!(
        "the archive has more than {limit} entries, which is the limit (`import.max_archive_entries`); import it in parts"
    );
    Problem::new("TOO_MANY_ENTRIES", message)
}

fn unpacks_to_too_much(limit: u64) -> Problem {
    let message = format!(
        "the archive unpacks to more than {limit} bytes, which is the limit (`import.max_unpacked_bytes`); import it in parts"
    );
    Problem::new("UNPACKED_TOO_LARGE", message)
}

fn packed_too_well(limit: u64) -> Problem {
    let message = format!(
        "it unpacks to more than {limit} times its size, which no transcript does (`import.max_compression_ratio`)"
    );
    Problem::new("COMPRESSED_TOO_MUCH", message)
}

fn damaged(what: impl std::fmt::Display) -> Problem {
    Problem::new("DAMAGED_ARCHIVE", format!("the archive is damaged or cut off: {what}; pack it again"))
}

fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match source.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// An error of the file that the archive stands in, and none of what is in it.
fn is_of_source(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
}
