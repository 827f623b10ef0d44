//! What holds of every archive, whatever bytes it is: it is walked within its bounds, and alike each time. Fuzzing asks
//! the same.

use std::io::Cursor;

use colloquy_domain::archives::{ArchiveKind, ArchiveLimits, Content, Start, count, detect, walk};

/// Bounds that are reached by inputs of some kilobytes.
const LIMITS: ArchiveLimits =
    ArchiveLimits { max_entries: 100, max_entry_bytes: 1 << 16, max_unpacked_bytes: 1 << 18, max_ratio: 100 };

/// Walks `bytes` as each kind of archive that they may be.
pub(crate) fn check_archive(bytes: &[u8]) {
    let _kind = detect(&mut Cursor::new(bytes), LIMITS.max_entries);
    for kind in [ArchiveKind::Zip, ArchiveKind::Tar, ArchiveKind::TarGz] {
        let _count = count(Cursor::new(bytes), kind, &LIMITS);
        assert_eq!(entries(bytes, kind), entries(bytes, kind));
    }
}

fn entries(bytes: &[u8], kind: ArchiveKind) -> Vec<String> {
    let mut found = Vec::new();
    let (mut from, mut unpacked) = (0, 0);
    let _broken = walk(Cursor::new(bytes), kind, &LIMITS, Start::default(), &mut |entry| {
        // Folders have places of their own.
        assert!(entry.place >= from, "{} comes before {from}", entry.place);
        from = entry.place + 1;
        assert!(entry.name.len() <= 1_024 && !entry.name.contains('\0'), "{:?}", entry.name);
        unpacked += entry.unpacked;
        if let Content::File(content) = &entry.content {
            assert!(content.len() as u64 <= LIMITS.max_entry_bytes);
            assert!(!entry.name.split('/').any(|part| part == ".."), "{:?}", entry.name);
        }
        found.push(format!("{entry:?}"));
        true
    });
    assert!(found.len() <= LIMITS.max_entries);
    assert!(unpacked <= LIMITS.max_unpacked_bytes + LIMITS.max_entry_bytes + (1 << 20), "{unpacked}");
    found
}
