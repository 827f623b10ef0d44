//! Archives made by hand: those that people bring, and those that somebody made to do harm.

use std::io::{Cursor, Write};

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;

const LIMITS: ArchiveLimits = ArchiveLimits {
    max_entries: 1_000,
    max_entry_bytes: 4 << 20,
    max_unpacked_bytes: 16 << 20,
    max_ratio: 200,
};
const TALK: &[u8] = b"Ann: Did the numbers come?\nBen: They did, on Friday.\n";

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn header(kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header
}

/// Names as they are given, which the crate's own builder would not take.
fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        let mut header = header(tar::EntryType::Regular, content.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(tarball::BLOCK), 0);
    }
    bytes.resize(bytes.len() + 2 * tarball::BLOCK, 0);
    bytes
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn walk_all(bytes: &[u8], limits: &ArchiveLimits) -> (Vec<Entry>, Result<(), String>) {
    let mut entries = Vec::new();
    let Some(kind) = detect(&mut Cursor::new(bytes), limits.max_entries).unwrap() else {
        return (entries, Err("NOT_AN_ARCHIVE".to_owned()));
    };
    let walked = walk(Cursor::new(bytes), kind, limits, Start::default(), &mut |entry| {
        entries.push(entry);
        true
    });
    let told = walked.map_err(|broken| match broken {
        Broken::Archive(problem) => problem.code.to_owned(),
        Broken::Source(error) => panic!("{error}"),
    });
    (entries, told)
}

/// What became of each entry: `FILE`, or a code.
fn told(bytes: &[u8]) -> Vec<(String, String)> {
    let (entries, ended) = walk_all(bytes, &LIMITS);
    let entries = entries.into_iter().map(|entry| (entry.name, code(&entry.content).to_owned()));
    entries.chain(ended.err().map(|code| ("(the archive)".to_owned(), code))).collect()
}

fn code(content: &Content) -> &'static str {
    match content {
        Content::File(_) => "FILE",
        Content::PassedOver(problem) | Content::Refused(problem) => problem.code,
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, code)| ((*name).to_owned(), (*code).to_owned())).collect()
}

#[test]
fn what_people_bring_is_told_apart_and_read_in_order() {
    let files: &[(&str, &[u8])] = &[
        ("talks/a.vtt", TALK),
        (".DS_Store", b"x"),
        ("__MACOSX/talks/._a.vtt", b"x"),
        ("talks/README.md", b"# Talks"),
        ("talks/slides.pdf", b"%PDF"),
        ("b.TXT", TALK),
    ];
    let expected = pairs(&[
        ("talks/a.vtt", "FILE"),
        (".DS_Store", "HIDDEN"),
        ("__MACOSX/talks/._a.vtt", "HIDDEN"),
        ("talks/README.md", "NO_TRANSCRIPT_BY_NAME"),
        ("talks/slides.pdf", "NO_TRANSCRIPT_BY_NAME"),
        ("b.TXT", "FILE"),
    ]);
    for archive in [zip(files), tar_of(files), gz(&tar_of(files))] {
        assert_eq!(told(&archive), expected);
        let (entries, _) = walk_all(&archive, &LIMITS);
        assert_eq!(entries[0].content, Content::File(Bytes::from_static(TALK)));
        assert_eq!(entries.iter().map(|entry| entry.place).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    }
}

#[test]
fn an_archive_is_known_by_its_content_and_a_document_is_none() {
    let kind = |bytes: &[u8]| detect(&mut Cursor::new(bytes), 100).unwrap();
    let files: &[(&str, &[u8])] = &[("a.vtt", TALK)];
    assert_eq!(kind(&zip(files)), Some(ArchiveKind::Zip));
    assert_eq!(kind(&zip(&[])), Some(ArchiveKind::Zip));
    assert_eq!(kind(&tar_of(files)), Some(ArchiveKind::Tar));
    assert_eq!(kind(&gz(&tar_of(files))), Some(ArchiveKind::TarGz));
    assert_eq!(kind(&zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w/>")])), None);
    for none in [TALK, b"", b"PK", &gz(TALK), &[0; 2_048]] {
        assert_eq!(kind(none), None);
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused_and_the_rest_goes_on() {
    let files: &[(&str, &[u8])] = &[
        ("../a.vtt", TALK),
        ("/etc/b.vtt", TALK),
        ("C:\\c.vtt", TALK),
        ("d/../../d.vtt", TALK),
        ("./e.vtt", TALK),
    ];
    let expected = pairs(&[
        ("../a.vtt", "UNSAFE_NAME"),
        ("/etc/b.vtt", "UNSAFE_NAME"),
        ("C:\\c.vtt", "UNSAFE_NAME"),
        ("d/../../d.vtt", "UNSAFE_NAME"),
        ("e.vtt", "FILE"),
    ]);
    assert_eq!(told(&tar_of(files)), expected);
    assert_eq!(told(&gz(&tar_of(files))), expected);
    assert_eq!(told(&zip(files)), expected);
    let (entries, _) = walk_all(&zip(files), &LIMITS);
    let Content::Refused(problem) = &entries[0].content else { panic!() };
    assert!(problem.message.contains("\"../a.vtt\""), "{}", problem.message);
}

#[test]
fn a_bomb_goes_off_nowhere() {
    let zeros = vec![b'a'; 3 << 20];
    let bomb = zip(&[("bomb.txt", &zeros), ("a.vtt", TALK)]);
    assert!(zeros.len() / bomb.len() > 500);
    assert_eq!(told(&bomb), pairs(&[("bomb.txt", "COMPRESSED_TOO_MUCH"), ("a.vtt", "FILE")]));
    // A stream can only be left.
    let bomb = gz(&tar_of(&[("a.vtt", TALK), ("bomb.txt", &zeros), ("b.vtt", TALK)]));
    assert_eq!(told(&bomb), pairs(&[("a.vtt", "FILE"), ("(the archive)", "COMPRESSED_TOO_MUCH")]));
    // One in what is passed over, too.
    let bomb = gz(&tar_of(&[("bomb.pdf", &zeros), ("b.vtt", TALK)]));
    assert_eq!(
        told(&bomb),
        pairs(&[("bomb.pdf", "NO_TRANSCRIPT_BY_NAME"), ("(the archive)", "COMPRESSED_TOO_MUCH")])
    );
}

#[test]
fn a_file_that_is_too_long_is_refused_by_itself_and_all_of_them_together() {
    let noise: Vec<u8> = (0..5_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let files: &[(&str, &[u8])] = &[("long.txt", &noise), ("a.vtt", TALK)];
    for archive in [zip(files), tar_of(files), gz(&tar_of(files))] {
        assert_eq!(told(&archive), pairs(&[("long.txt", "TOO_LARGE"), ("a.vtt", "FILE")]));
    }
    let files: &[(&str, &[u8])] = &[("a.txt", &noise[..3 << 20]), ("b.txt", &noise[..3 << 20])];
    let limits = ArchiveLimits { max_unpacked_bytes: 5 << 20, ..LIMITS };
    for archive in [zip(files), tar_of(files), gz(&tar_of(files))] {
        let (entries, ended) = walk_all(&archive, &limits);
        assert_eq!((entries.len(), ended), (1, Err("UNPACKED_TOO_LARGE".to_owned())));
    }
    // What was unpacked before the walk was taken up again counts.
    let start = Start { place: 1, unpacked: 3 << 20 };
    let archive = zip(files);
    let walked = walk(Cursor::new(&archive), ArchiveKind::Zip, &limits, start, &mut |_| true);
    assert!(matches!(walked, Err(Broken::Archive(problem)) if problem.code == "UNPACKED_TOO_LARGE"));
}

#[test]
fn an_archive_within_an_archive_is_not_unpacked_and_a_document_is_a_file() {
    let inner = zip(&[("a.vtt", TALK)]);
    let (inner_tar, packed) = (tar_of(&[("a.vtt", TALK)]), gz(TALK));
    let document = zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w/>")]);
    let files: &[(&str, &[u8])] = &[
        ("inner.zip", b"anything"),
        ("inner.txt", &inner),
        ("tar.txt", &inner_tar),
        ("packed.vtt", &packed),
        ("document.txt", &document),
    ];
    let expected = pairs(&[
        ("inner.zip", "NESTED_ARCHIVE"),
        ("inner.txt", "NESTED_ARCHIVE"),
        ("tar.txt", "NESTED_ARCHIVE"),
        ("packed.vtt", "NESTED_ARCHIVE"),
        ("document.txt", "FILE"),
    ]);
    assert_eq!(told(&zip(files)), expected);
    assert_eq!(told(&gz(&tar_of(files))), expected);
}

#[test]
fn more_entries_than_there_may_be_are_refused() {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for number in 0..100_000 {
        archive.start_file(format!("{number}.vtt"), stored).unwrap();
    }
    let archive = archive.finish().unwrap().into_inner();
    assert_eq!(told(&archive), pairs(&[("(the archive)", "TOO_MANY_ENTRIES")]));
    let counted =
        count(Cursor::new(&archive), ArchiveKind::Zip, &ArchiveLimits { max_entries: 100_000, ..LIMITS });
    assert_eq!(counted.unwrap(), Some(100_000));
    let names: Vec<String> = (0..1_001).map(|number| format!("{number}.vtt")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    let (entries, ended) = walk_all(&tar_of(&files), &LIMITS);
    assert_eq!((entries.len(), ended), (1_000, Err("TOO_MANY_ENTRIES".to_owned())));
}

/// Where a header of the directory of a zip begins.
fn directory(bytes: &[u8]) -> usize {
    bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap()
}

#[test]
fn a_header_that_lies_about_a_size_changes_nothing() {
    let long = vec![b'x'; 500_000];
    for told_size in [0_u32, 10, u32::MAX - 1] {
        let mut archive = zip(&[("a.txt", &long)]);
        let at = directory(&archive);
        archive[at + 24..at + 28].copy_from_slice(&told_size.to_le_bytes());
        archive[22..26].copy_from_slice(&told_size.to_le_bytes());
        let (entries, ended) = walk_all(&archive, &ArchiveLimits { max_entry_bytes: 400_000, ..LIMITS });
        let refused = ["TOO_LARGE", "DAMAGED_ENTRY"].contains(&code(&entries[0].content));
        assert!(refused && ended.is_ok(), "{told_size}: {entries:?}");
        assert!(entries[0].unpacked <= 400_000 + (64 << 10), "{}", entries[0].unpacked);
    }
    // A sum that is wrong.
    let mut archive = zip(&[("a.txt", TALK), ("b.txt", TALK)]);
    let at = directory(&archive);
    archive[at + 16] ^= 1;
    assert_eq!(told(&archive), pairs(&[("a.txt", "DAMAGED_ENTRY"), ("b.txt", "FILE")]));
}

#[test]
fn what_asks_for_a_password_or_another_method_says_so() {
    let mut archive = zip(&[("a.txt", TALK), ("b.txt", TALK)]);
    let at = directory(&archive);
    archive[at + 8] |= 1;
    archive[6] |= 1;
    assert_eq!(told(&archive), pairs(&[("a.txt", "ENCRYPTED"), ("b.txt", "FILE")]));
    let mut archive = zip(&[("a.txt", TALK), ("b.txt", TALK)]);
    archive[at + 10] = 12;
    archive[8] = 12;
    assert_eq!(told(&archive), pairs(&[("a.txt", "UNSUPPORTED_COMPRESSION"), ("b.txt", "FILE")]));
}

/// `Ann: ` and 997 more of its blank, as Deflate64 alone packs it: one copy is longer than Deflate knows any.
fn packed_by_deflate64() -> Vec<u8> {
    let (mut bytes, mut at) = (Vec::new(), 0);
    let mut put = |bits: u32, count: u32, backwards: bool| {
        for bit in 0..count {
            let bit = if backwards { count - 1 - bit } else { bit };
            if at % 8 == 0 {
                bytes.push(0_u8);
            }
            *bytes.last_mut().unwrap() |= ((bits >> bit & 1) as u8) << (at % 8);
            at += 1;
        }
    };
    // The last block, of fixed codes.
    put(0b011, 3, false);
    for byte in b"Ann: " {
        put(0x30 + u32::from(*byte), 8, true);
    }
    // Code 285 has sixteen more bits, and counts from three.
    put(0b1100_0101, 8, true);
    put(997 - 3, 16, false);
    put(0, 5, true);
    put(0, 7, true);
    bytes
}

#[test]
fn what_windows_packs_by_deflate64_is_read() {
    let (plain, packed) = (format!("Ann: {}", " ".repeat(997)), packed_by_deflate64());
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    archive.start_file("a.txt", stored).unwrap();
    archive.write_all(&packed).unwrap();
    let mut archive = archive.finish().unwrap().into_inner();
    let mut crc = flate2::Crc::new();
    crc.update(plain.as_bytes());
    // Method, sum and length, in the header of the file and in that of the directory.
    for (method, sum, length) in [(8, 14, 22), (10, 16, 24)].map(|(method, sum, length)| {
        let header = if method == 8 { 0 } else { directory(&archive) };
        (header + method, header + sum, header + length)
    }) {
        archive[method] = 9;
        archive[sum..sum + 4].copy_from_slice(&crc.sum().to_le_bytes());
        archive[length..length + 4].copy_from_slice(&(plain.len() as u32).to_le_bytes());
    }
    let (entries, ended) = walk_all(&archive, &LIMITS);
    assert_eq!((entries[0].content.clone(), ended), (Content::File(plain.into()), Ok(())));
    // What ends the block is no loss.
    for cut in 0..packed.len() - 1 {
        let mut damaged = archive.clone();
        damaged[35 + cut] ^= 0xff;
        assert_ne!(
            walk_all(&damaged, &LIMITS).0.first().map(|entry| code(&entry.content)),
            Some("FILE"),
            "{cut}"
        );
    }
}

#[test]
fn names_that_come_twice_in_a_zip_are_two_files() {
    let mut archive = zip(&[("a.txt", TALK), ("b.txt", b"Cleo: Once more.\n")]);
    while let Some(at) = archive.windows(5).position(|five| five == b"b.txt") {
        archive[at] = b'a';
    }
    assert_eq!(told(&archive), pairs(&[("a.txt", "FILE"), ("a.txt", "FILE")]));
}

#[test]
fn a_tar_has_links_holes_and_long_names() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut append = |kind, name: &str, content: &[u8]| {
        let mut header = header(kind, content.len() as u64);
        if kind == tar::EntryType::Link || kind == tar::EntryType::Symlink {
            header.set_link_name("a.vtt").unwrap();
        }
        builder.append_data(&mut header, name, content).unwrap();
    };
    let long = format!("{}/{}.vtt", "folder/".repeat(30), "n".repeat(120));
    append(tar::EntryType::Directory, "talks/", b"");
    append(tar::EntryType::Regular, "talks/a.vtt", TALK);
    append(tar::EntryType::Link, "hard.vtt", b"");
    append(tar::EntryType::Symlink, "soft.vtt", b"");
    append(tar::EntryType::Fifo, "pipe.vtt", b"");
    append(tar::EntryType::Regular, &long, TALK);
    let pax = [("path", "pax/ünï.vtt".as_bytes())];
    builder.append_pax_extensions(pax).unwrap();
    builder.append_data(&mut header(tar::EntryType::Regular, TALK.len() as u64), "x", TALK).unwrap();
    builder.append_pax_extensions([("GNU.sparse.major", &b"1"[..])]).unwrap();
    builder.append_data(&mut header(tar::EntryType::Regular, TALK.len() as u64), "holes.vtt", TALK).unwrap();
    let mut sparse = header(tar::EntryType::GNUSparse, 512);
    {
        let gnu = sparse.as_gnu_mut().unwrap();
        gnu.name[..10].copy_from_slice(b"sparse.vtt");
        gnu.sparse[0].offset.copy_from_slice(b"00001000000\0");
        gnu.sparse[0].numbytes.copy_from_slice(b"00000001000\0");
        gnu.realsize.copy_from_slice(b"00001001000\0");
    }
    sparse.set_cksum();
    builder.append(&sparse, &[b'x'; 512][..]).unwrap();
    builder.append_data(&mut header(tar::EntryType::Regular, TALK.len() as u64), "last.vtt", TALK).unwrap();
    let archive = builder.into_inner().unwrap();
    let long = names::clean(&long).unwrap();
    let expected = pairs(&[
        ("talks/a.vtt", "FILE"),
        ("hard.vtt", "LINK"),
        ("soft.vtt", "LINK"),
        ("pipe.vtt", "SPECIAL_FILE"),
        (&long, "FILE"),
        ("pax/ünï.vtt", "FILE"),
        ("holes.vtt", "SPARSE"),
        ("sparse.vtt", "SPARSE"),
        ("last.vtt", "FILE"),
    ]);
    assert_eq!(told(&archive), expected);
    let mut with_junk = gz(&archive);
    with_junk.extend_from_slice(b"and some junk behind it");
    assert_eq!(told(&with_junk), expected);
}

#[test]
fn a_name_without_end_is_no_way_to_take_memory() {
    let mut bytes = Vec::new();
    let mut long = header(tar::EntryType::GNULongName, 8 << 20);
    long.as_old_mut().name[..13].copy_from_slice(b"././@LongLink");
    long.set_cksum();
    bytes.extend_from_slice(long.as_bytes());
    bytes.resize(bytes.len() + (8 << 20), b'n');
    bytes.extend_from_slice(&tar_of(&[("a.vtt", TALK)]));
    assert_eq!(told(&bytes), pairs(&[("(the archive)", "DAMAGED_ARCHIVE")]));
}

#[test]
fn an_archive_that_is_cut_off_anywhere_says_so_and_keeps_what_is_whole() {
    let noise: Vec<u8> = (0..3_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let files: &[(&str, &[u8])] = &[("a.vtt", TALK), ("b.txt", &noise), ("c.vtt", TALK)];
    for archive in [zip(files), tar_of(files), gz(&tar_of(files))] {
        let (whole, ended) = walk_all(&archive, &LIMITS);
        assert_eq!((whole.len(), ended), (3, Ok(())));
        for end in (0..archive.len()).step_by(10) {
            let (found, ended) = walk_all(&archive[..end], &LIMITS);
            let good = found.iter().filter(|entry| code(&entry.content) == "FILE");
            assert!(good.clone().all(|entry| whole.contains(entry)), "cut at {end}");
            // Of a tar's two blocks of zeros one is enough, and what follows the last file is nobody's loss.
            assert!(ended.is_err() || good.count() == 3, "cut at {end}");
        }
    }
}

#[test]
fn a_walk_is_taken_up_where_it_was_left() {
    let files: &[(&str, &[u8])] = &[("a.vtt", TALK), ("b.pdf", b"x"), ("c.vtt", b"Cleo: Hi.\nDan: Hi.\n")];
    for archive in [zip(files), tar_of(files), gz(&tar_of(files))] {
        let kind = detect(&mut Cursor::new(&archive), 10).unwrap().unwrap();
        let (whole, _) = walk_all(&archive, &LIMITS);
        let mut first = Vec::new();
        walk(Cursor::new(&archive), kind, &LIMITS, Start::default(), &mut |entry| {
            first.push(entry);
            false
        })
        .unwrap();
        assert_eq!(first, whole[..1]);
        let mut rest = Vec::new();
        walk(Cursor::new(&archive), kind, &LIMITS, Start { place: 1, unpacked: 53 }, &mut |entry| {
            rest.push(entry);
            true
        })
        .unwrap();
        assert_eq!(rest, whole[1..]);
    }
}

proptest! {
    #[test]
    fn every_file_comes_out_as_it_went_in(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2_000), 0..8)) {
        let names: Vec<String> = (0..contents.len()).map(|number| format!("talks/{number}.txt")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().zip(&contents).map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        for archive in [zip(&files), tar_of(&files), gz(&tar_of(&files))] {
            let (entries, _) = walk_all(&archive, &LIMITS);
            let is_tar_without_files = contents.is_empty();
            prop_assert!(is_tar_without_files || entries.len() == contents.len());
            for (entry, bytes) in entries.iter().zip(&contents) {
                let same = entry.content == Content::File(Bytes::copy_from_slice(bytes));
                prop_assert!(same || code(&entry.content) == "NESTED_ARCHIVE");
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_fall_over(
        which in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let files: &[(&str, &[u8])] = &[("a.vtt", TALK), ("b.txt", &[b'x'; 700]), ("c/d.vtt", TALK)];
        let mut archive = match which {
            0 => zip(files),
            1 => tar_of(files),
            _ => gz(&tar_of(files)),
        };
        for (at, byte) in changes {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        archive.truncate(cut.index(archive.len() * 3).max(1));
        let (entries, _) = walk_all(&archive, &LIMITS);
        prop_assert!(entries.len() <= LIMITS.max_entries);
        prop_assert!(entries.iter().all(|entry| entry.name.len() <= 1_024));
    }
}
