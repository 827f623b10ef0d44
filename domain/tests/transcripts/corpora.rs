//! What fuzzing begins with and what it has found stays read: each file of the corpora, as the format of its folder.

use std::{fs, path::Path};

use colloquy_domain::transcripts::{formats, report::Format};

use crate::{data, invariants::check_bytes};

#[test]
fn every_input_that_fuzzing_knows_is_read_or_refused() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut formats: Vec<_> = formats::all().map(|format| format.as_str().to_lowercase()).collect();
    for folder in fs::read_dir(&corpora).expect("the corpora").map(|entry| entry.expect("an entry").path()) {
        let target = folder.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        formats.retain(|format| *format != target);
        let format = match target.as_str() {
            "any" => None,
            // The reader of archives has tests of its own.
            "archive" => continue,
            name => {
                Some(Format::from_name(&name.to_uppercase()).unwrap_or_else(|| panic!("no format is {name}")))
            }
        };
        for file in data::files_of(&folder) {
            check_bytes(&fs::read(&file).expect("a file"), format);
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
