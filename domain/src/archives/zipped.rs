//! Zip. The directory at its end is read entry by entry, so that neither a number in a header nor a name that comes twice
//! decides what is there.

use std::io::{Read, Seek};

use zip::{
    CompressionMethod, ZipReadOptions,
    read::{Config, ZipFileEntry},
    result::ZipError,
    unstable::read::ZipIterable,
};

use super::{
    ArchiveLimits, Broken, Content, Entry, Start, by_content, by_name, damaged, is_of_source, names,
    passed_over,
    take::{Taken, take},
    too_many,
};
use crate::Problem;

/// What documents of offices hold, and archives of transcripts do not.
const OF_DOCUMENTS: [&str; 2] = ["[Content_Types].xml", "word/document.xml"];

pub(super) fn is_document<S: Read + Seek>(source: S, max_entries: usize) -> bool {
    let Ok(mut archive) = ZipIterable::try_new(source, Config::default()) else { return false };
    let Ok(files) = archive.files() else { return false };
    let mut names = files.take(max_entries).map_while(Result::ok);
    names.any(|entry| entry.name().is_ok_and(|name| OF_DOCUMENTS.contains(&name.as_ref())))
}

pub(super) fn count<S: Read + Seek>(source: S, limits: &ArchiveLimits) -> Result<u32, Broken> {
    let archive = open(source, limits)?;
    Ok(u32::try_from(archive.len()).unwrap_or(u32::MAX))
}

fn open<S: Read + Seek>(source: S, limits: &ArchiveLimits) -> Result<ZipIterable<S>, Broken> {
    let archive = ZipIterable::try_new(source, Config::default()).map_err(broken)?;
    match archive.len() > limits.max_entries {
        true => Err(too_many(limits.max_entries).into()),
        false => Ok(archive),
    }
}

pub(super) fn walk<S: Read + Seek>(
    source: S,
    limits: &ArchiveLimits,
    start: Start,
    each: &mut dyn FnMut(Entry) -> bool,
) -> Result<(), Broken> {
    let mut archive = open(source, limits)?;
    let files = archive.files().map_err(broken)?;
    let mut unpacked = start.unpacked;
    let mut place = 0;
    while let Some(found) = files.next() {
        let file = found.map_err(broken)?;
        let here = place;
        place += 1;
        if here < start.place || is_folder(&file) {
            continue;
        }
        let (before, name) = (unpacked, name_of(&file));
        let cleaned = names::clean(&name);
        let content = match by_header(&file).or_else(|| by_name(&name, cleaned.as_deref())) {
            Some(content) => content,
            None => read(file, files.reader_mut(), &mut unpacked, limits)?,
        };
        let name = names::shown(cleaned.as_deref().unwrap_or(&name));
        if !each(Entry { place: here, name, unpacked: unpacked - before, content }) {
            return Ok(());
        }
    }
    Ok(())
}

fn is_folder(file: &ZipFileEntry<'_>) -> bool {
    file.is_dir() || file.name_raw().ends_with(b"/") || file.name_raw().ends_with(b"\\")
}

fn name_of(file: &ZipFileEntry<'_>) -> String {
    match file.name() {
        Ok(name) => name.into_owned(),
        Err(_) => String::from_utf8_lossy(file.name_raw()).into_owned(),
    }
}

/// Where the name is safe, too, it is passed over or refused for what its header says.
fn by_header(file: &ZipFileEntry<'_>) -> Option<Content> {
    names::clean(&name_of(file))?;
    if file.is_symlink() {
        return Some(passed_over("LINK", "links are passed over"));
    }
    let asks_for_password = file.encrypted() && names::is_transcript(&name_of(file));
    asks_for_password.then(|| {
        let message = "it is encrypted, and archives with a password are not read; pack it without one";
        Content::Refused(Problem::new("ENCRYPTED", message))
    })
}

fn read<S: Read + Seek>(
    file: ZipFileEntry<'_>,
    source: &mut S,
    unpacked: &mut u64,
    limits: &ArchiveLimits,
) -> Result<Content, Broken> {
    let (packed, method) = (file.compressed_size(), file.compression());
    // Windows packs large folders by Deflate64.
    let is_read = matches!(
        method,
        CompressionMethod::Stored | CompressionMethod::Deflated | CompressionMethod::Deflate64
    );
    if !is_read {
        let message = format!(
            "it is compressed by {method}, and only stored and deflated files are read; pack it again as an ordinary zip"
        );
        return Ok(Content::Refused(Problem::new("UNSUPPORTED_COMPRESSION", message)));
    }
    let mut file = match file.with_reader(source, ZipReadOptions::new()) {
        Ok(file) => file,
        Err(ZipError::Io(error)) if is_of_source(&error) => return Err(Broken::Source(error)),
        Err(error) => return Ok(unreadable(&error)),
    };
    Ok(match take(&mut file, Some(packed), unpacked, limits)? {
        Taken::Whole(bytes) => by_content(bytes, limits.max_entries),
        Taken::Refused(problem) => Content::Refused(problem),
        Taken::Failed(error) => unreadable(&error),
    })
}

fn unreadable(error: &dyn std::fmt::Display) -> Content {
    let message = format!("it is damaged within the archive: {error}; pack it again");
    Content::Refused(Problem::new("DAMAGED_ENTRY", message))
}

fn broken(error: ZipError) -> Broken {
    match error {
        ZipError::Io(error) if is_of_source(&error) => Broken::Source(error),
        error => {
            damaged(format_args!("its directory, which stands at the end, cannot be read ({error})")).into()
        }
    }
}
