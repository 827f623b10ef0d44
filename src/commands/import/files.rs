//! What to import: files as they were named, and of folders those that look like transcripts.

use std::{
    collections::HashSet,
    fs,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use colloquy_domain::archives::names::{ARCHIVE_ENDINGS, ENDINGS, is_archive, is_transcript};

/// More than any server takes; beyond it, reading would only fill the memory.
const MAX_BYTES: u64 = 512 << 20;
/// Deeper than people sort their files, and an end where folders are mounted in circles.
const MAX_DEPTH: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    File(PathBuf),
    Stdin,
}

#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of the paths given, within a folder by name.
    pub(super) places: Vec<Place>,
    pub(super) passed_over: Vec<PathBuf>,
    /// What was given or met and cannot be imported, and why.
    pub(super) problems: Vec<(PathBuf, String)>,
}

/// What is taken of a folder; named files are always tried.
pub(super) fn endings() -> String {
    let known = ENDINGS.iter().chain(&ARCHIVE_ENDINGS);
    known.map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(", ")
}

pub(super) fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in paths {
        if path == Path::new("-") {
            found.places.push(Place::Stdin);
            continue;
        }
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => found.add_named_folder(path),
            Ok(_) => found.places.push(Place::File(path.clone())),
            Err(error) => found.problems.push((path.clone(), reason(&error))),
        }
    }
    let mut seen = HashSet::new();
    found.places.retain(|place| match place {
        Place::File(path) => seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())),
        Place::Stdin => seen.insert(PathBuf::from("-")),
    });
    found
}

impl Found {
    fn add_named_folder(&mut self, folder: &Path) {
        let (places, problems) = (self.places.len(), self.problems.len());
        self.add_folder(folder, 0);
        if (self.places.len(), self.problems.len()) == (places, problems) {
            self.problems.push((folder.to_owned(), format!("holds no transcripts ({})", endings())));
        }
    }

    /// Hidden files are left alone, and links to folders are not followed, for they may lead in a circle.
    fn add_folder(&mut self, folder: &Path, depth: usize) {
        if depth > MAX_DEPTH {
            self.problems.push((folder.to_owned(), format!("lies more than {MAX_DEPTH} folders deep")));
            return;
        }
        let entries: io::Result<Vec<_>> = fs::read_dir(folder).and_then(Iterator::collect);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.problems.push((folder.to_owned(), reason(&error))),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.add_folder(&path, depth + 1),
                Ok(_) if !path.is_file() || !is_wanted(&path) => self.passed_over.push(path),
                Ok(_) => self.places.push(Place::File(path)),
                Err(error) => self.problems.push((path, reason(&error))),
            }
        }
    }
}

/// By its name.
fn is_wanted(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    is_transcript(&name) || is_archive(&name)
}

impl Place {
    pub(super) fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    /// What the server is told that the file is called.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::File(path) => Some(path.file_name()?.to_string_lossy().into_owned()),
            Self::Stdin => None,
        }
    }

    /// Blocks.
    pub(super) fn read(&self) -> Result<Bytes, String> {
        let bytes = match self {
            Self::File(path) => fs::File::open(path).and_then(take),
            Self::Stdin => take(io::stdin().lock()),
        };
        bytes.map(Bytes::from).map_err(|error| reason(&error))
    }
}

fn take(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(io::Error::new(ErrorKind::FileTooLarge, "too large")),
        false => Ok(bytes),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        ErrorKind::PermissionDenied => "you may not read it".to_owned(),
        ErrorKind::FileTooLarge => format!("it has more than {} MiB", MAX_BYTES >> 20),
        _ => format!("it cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(found: &Found, root: &Path) -> Vec<String> {
        let name = |place: &Place| match place {
            Place::File(path) => path.strip_prefix(root).unwrap_or(path).display().to_string(),
            Place::Stdin => "-".to_owned(),
        };
        found.places.iter().map(name).collect()
    }

    #[test]
    fn a_folder_gives_its_transcripts_by_name_and_says_what_it_passes_over() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for file in
            ["b.VTT", "a/z.srt", "a/.hidden.txt", ".git/x.md", "notes.pdf", "README.md", "c.md", "e.tar.gz"]
        {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        symlink(root, root.join("a/circle")).unwrap();
        symlink(root.join("c.md"), root.join("d.md")).unwrap();
        symlink(root.join("nowhere"), root.join("gone.md")).unwrap();

        let found = find(&[root.to_owned()]);
        // d.md is c.md once more.
        assert_eq!(names(&found, root), ["a/z.srt", "b.VTT", "c.md", "e.tar.gz"]);
        let passed: Vec<_> =
            found.passed_over.iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(passed, ["README.md", "circle", "gone.md", "notes.pdf"]);
        assert!(found.problems.is_empty());
    }

    #[test]
    fn what_is_named_is_tried_whatever_it_is_called_and_once() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("talk");
        fs::write(&file, "Ann: hello").unwrap();
        let found = find(&[file.clone(), PathBuf::from("-"), root.path().join("./talk"), PathBuf::from("-")]);
        assert_eq!(names(&found, root.path()), ["talk", "-"]);
        assert_eq!(found.places[0].read().unwrap(), "Ann: hello");
        assert_eq!(found.places[0].name().as_deref(), Some("talk"));
    }

    #[test]
    fn what_cannot_be_imported_is_told() {
        let root = tempfile::tempdir().unwrap();
        let found = find(&[root.path().to_owned(), root.path().join("missing.vtt")]);
        assert!(found.places.is_empty());
        let reasons: Vec<_> = found.problems.iter().map(|(_, reason)| reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "holds no transcripts (.vtt, .srt, .txt, .md, .json, .docx, .csv, .tsv, .textgrid, .zip, .tar, .tgz, .tar.gz)",
                "there is no such file or folder"
            ]
        );
        assert!(Place::File(root.path().to_owned()).read().unwrap_err().starts_with("it cannot be read"));
    }
}
