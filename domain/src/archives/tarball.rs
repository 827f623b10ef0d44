//! Tar, as it is or compressed by gzip. It has no directory: what stands before an entry is read each time.

use std::{
    cell::{Cell, RefCell},
    io::{self, BufReader, Read},
    rc::Rc,
};

use flate2::read::MultiGzDecoder;

use super::{
    ArchiveLimits, Broken, Content, Entry, Start, by_content, by_name, damaged, is_of_source, names,
    packed_too_well, passed_over,
    take::{Taken, is_too_dense, take},
    too_many, unpacks_to_too_much,
};
use crate::Problem;

pub(super) const BLOCK: usize = 512;
/// Long names and other extensions before an entry.
const MAX_HEADERS: u64 = 1 << 20;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// A header names the sum of its own bytes, taken as if that were blank.
pub(super) fn is_header(block: &[u8]) -> bool {
    if block.len() < BLOCK {
        return false;
    }
    let digits: String = block[CHECKSUM].iter().map(|byte| char::from(*byte)).collect();
    let told = u32::from_str_radix(digits.trim_matches([' ', '\0']), 8);
    let sum = (0..).zip(block).map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte });
    told == Ok(sum.map(u32::from).sum())
}

pub(super) fn walk<R: Read>(
    source: R,
    limits: &ArchiveLimits,
    start: Start,
    each: &mut dyn FnMut(Entry) -> bool,
) -> Result<(), Broken> {
    let gauge = Rc::new(Gauge::default());
    let meter = Meter { inner: BufReader::new(source), packed: None, limits: *limits, gauge: gauge.clone() };
    Walk { limits, start, each, gauge }.run(meter)
}

pub(super) fn walk_gz<R: Read>(
    source: R,
    limits: &ArchiveLimits,
    start: Start,
    each: &mut dyn FnMut(Entry) -> bool,
) -> Result<(), Broken> {
    let (gauge, packed) = (Rc::new(Gauge::default()), Rc::new(Cell::new(0)));
    let source = BufReader::new(Counted { inner: source, read: packed.clone() });
    // Decoded bytes are taken in small pieces by the reader of tars.
    let inner = BufReader::new(MultiGzDecoder::new(source));
    let meter = Meter { inner, packed: Some(packed), limits: *limits, gauge: gauge.clone() };
    Walk { limits, start, each, gauge }.run(meter)
}

struct Walk<'a> {
    limits: &'a ArchiveLimits,
    start: Start,
    each: &'a mut dyn FnMut(Entry) -> bool,
    gauge: Rc<Gauge>,
}

impl Walk<'_> {
    fn run<R: Read>(self, meter: Meter<R>) -> Result<(), Broken> {
        let Self { limits, start, each, gauge } = self;
        let mut archive = tar::Archive::new(meter);
        let entries = archive.entries().map_err(|error| gauge.broken(error))?;
        let mut place = 0;
        for found in entries {
            let mut file = found.map_err(|error| gauge.broken(error))?;
            let here = place;
            place += 1;
            if place as usize > limits.max_entries {
                return Err(too_many(limits.max_entries).into());
            }
            // A sparse file is longer than what stands here of it.
            let is_sparse = file.header().entry_type().is_gnu_sparse();
            let here_of_it = if is_sparse { file.header().entry_size().unwrap_or(0) } else { file.size() };
            let end = file.raw_file_position().saturating_add(here_of_it);
            gauge.fence.set(end.saturating_add(MAX_HEADERS));
            let raw = String::from_utf8_lossy(&file.path_bytes()).into_owned();
            let kind = file.header().entry_type();
            if here < start.place || kind.is_dir() || kind.is_pax_global_extensions() || raw.ends_with('/') {
                continue;
            }
            let cleaned = names::clean(&raw);
            let mut unpacked = 0;
            let content = match by_name(&raw, cleaned.as_deref()).or_else(|| by_kind(&mut file, kind)) {
                Some(content) => content,
                None => read(&mut file, &mut unpacked, limits, &gauge)?,
            };
            let name = names::shown(cleaned.as_deref().unwrap_or(&raw));
            if !each(Entry { place: here, name, unpacked, content }) {
                return Ok(());
            }
        }
        match gauge.ended.get() {
            // A tar ends by a block of zeros.
            true => Err(damaged("its end mark is missing, and whatever should stand before that").into()),
            false => Ok(()),
        }
    }
}

fn by_kind<R: Read>(file: &mut tar::Entry<'_, R>, kind: tar::EntryType) -> Option<Content> {
    if kind.is_symlink() || kind.is_hard_link() {
        return Some(passed_over("LINK", "links are passed over"));
    }
    let is_sparse = kind.is_gnu_sparse() || has_sparse_keys(file);
    if is_sparse {
        let message = "it is a sparse file, which is not read; pack it again without `--sparse`";
        return Some(Content::Refused(Problem::new("SPARSE", message)));
    }
    (!kind.is_file() && !kind.is_contiguous())
        .then(|| passed_over("SPECIAL_FILE", "devices, pipes and the like are passed over"))
}

fn has_sparse_keys<R: Read>(file: &mut tar::Entry<'_, R>) -> bool {
    let Ok(Some(extensions)) = file.pax_extensions() else { return false };
    extensions.flatten().any(|extension| extension.key_bytes().starts_with(b"GNU.sparse."))
}

fn read<R: Read>(
    file: &mut tar::Entry<'_, R>,
    unpacked: &mut u64,
    limits: &ArchiveLimits,
    gauge: &Gauge,
) -> Result<Content, Broken> {
    let size = file.size();
    Ok(match take(file, None, unpacked, limits)? {
        Taken::Whole(bytes) if (bytes.len() as u64) < size => {
            let message = "the archive is cut off within it; pack it again";
            Content::Refused(Problem::new("DAMAGED_ENTRY", message))
        }
        Taken::Whole(bytes) => by_content(bytes, limits.max_entries),
        Taken::Refused(problem) => Content::Refused(problem),
        Taken::Failed(error) => return Err(gauge.broken(error)),
    })
}

/// What is known of the stream while others read it.
#[derive(Default)]
struct Gauge {
    position: Cell<u64>,
    /// Nothing is read beyond, so that no header is longer than it may be.
    fence: Cell<u64>,
    ended: Cell<bool>,
    stopped: RefCell<Option<Problem>>,
}

impl Gauge {
    fn broken(&self, error: io::Error) -> Broken {
        match self.stopped.take() {
            Some(problem) => problem.into(),
            None if is_of_source(&error) => Broken::Source(error),
            None => damaged(error).into(),
        }
    }
}

/// Counts what is unpacked, and stops where it is too much.
struct Meter<R> {
    inner: R,
    packed: Option<Rc<Cell<u64>>>,
    limits: ArchiveLimits,
    gauge: Rc<Gauge>,
}

impl<R: Read> Read for Meter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            self.gauge.ended.set(true);
        }
        let position = self.gauge.position.get() + read as u64;
        self.gauge.position.set(position);
        let limits = &self.limits;
        let stop = if position > limits.max_unpacked_bytes {
            unpacks_to_too_much(limits.max_unpacked_bytes)
        } else if self.packed.as_ref().is_some_and(|packed| is_too_dense(position, packed.get(), limits)) {
            packed_too_well(limits.max_ratio)
        } else if position > self.gauge.fence.get().max(MAX_HEADERS) {
            damaged("a header in it is longer than 1 MiB")
        } else {
            return Ok(read);
        };
        self.gauge.stopped.replace(Some(stop));
        Err(io::Error::other("stopped"))
    }
}

/// Counts what is read of the file itself.
struct Counted<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}
