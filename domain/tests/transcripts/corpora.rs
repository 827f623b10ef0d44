//! What fuzzing begins with and what it has found stays read: each file of the corpora, as the format of its folder or
//! as an archive.

use std::{fs, path::Path};

use colloquy_domain::transcripts::{formats, report::Format};

use crate::{archive_invariants::check_archive, data, invariants};

#[test]
fn every_input_that_fuzzing_knows_is_read_or_refused() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut formats: Vec<_> = formats::all().map(|format| format.as_str().to_lowercase()).collect();
    for folder in fs::read_dir(&corpora).expect("the corpora").map(|entry| entry.expect("an entry").path()) {
        let target = folder.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        formats.retain(|format| *format != target);
        let check: &dyn Fn(&[u8]) = match target.as_str() {
            "any" => &|bytes| invariants::check_bytes(bytes, None),
            "archive" => &check_archive,
            name => {
                let format =
                    Format::from_name(&name.to_uppercase()).unwrap_or_else(|| panic!("no format is {name}"));
                &move |bytes| invariants::check_bytes(bytes, Some(format))
            }
        };
        let files = data::files_of(&folder);
        assert!(!files.is_empty(), "{target} has no inputs");
        for file in files {
            check(&fs::read(&file).expect("a file"));
        }
    }
    assert!(formats.is_empty(), "without a corpus: {formats:?}");
}

#[test]
fn every_format_has_a_fuzz_target() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/Cargo.toml"))
        .expect("a manifest");
    for format in formats::all() {
        let name = format!("name = \"{}\"", format.as_str().to_lowercase());
        assert!(manifest.contains(&name), "{name}");
    }
}
