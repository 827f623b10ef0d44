//! What names say of files: which of a folder's or an archive's are taken for transcripts, and which names are refused.
//! An archive's names are never used as paths; they are told to people, and give titles.

/// Endings of transcripts within folders and archives.
pub const ENDINGS: [&str; 9] = ["vtt", "srt", "txt", "md", "json", "docx", "csv", "tsv", "textgrid"];
/// Endings of archives within folders.
pub const ARCHIVE_ENDINGS: [&str; 4] = ["zip", "tar", "tgz", "tar.gz"];

const MAX_SHOWN_BYTES: usize = 1_024;

/// By its name: what a folder says of itself is no transcript.
pub fn is_transcript(path: &str) -> bool {
    let Some((stem, ending)) = last(path).rsplit_once('.') else { return false };
    ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)) && !stem.eq_ignore_ascii_case("readme")
}

pub fn is_archive(path: &str) -> bool {
    let name = last(path).to_ascii_lowercase();
    ARCHIVE_ENDINGS.iter().any(|ending| {
        let stem = name.strip_suffix(ending).and_then(|name| name.strip_suffix('.'));
        stem.is_some_and(|stem| !stem.is_empty())
    })
}

/// It, or a folder that it stands in, is hidden, or is what macOS adds to archives.
pub fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.') || part == "__MACOSX")
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A name as it stands in an archive, with slashes and without `.` and empty parts; `None` for one that would lead out
/// of the folder that it was unpacked into.
pub(super) fn clean(name: &str) -> Option<String> {
    let name = name.replace('\\', "/");
    let is_drive = name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && name.as_bytes().get(1).is_some_and(|byte| *byte == b':');
    if name.starts_with('/') || is_drive || name.contains('\0') {
        return None;
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    (!parts.is_empty() && !parts.contains(&"..")).then(|| parts.join("/"))
}

/// As a row and a terminal can hold it.
pub(super) fn shown(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let mut end = name.len().min(MAX_SHOWN_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_out_of_its_folder_is_refused() {
        for bad in [
            "../a.vtt",
            "a/../../b.vtt",
            "/etc/passwd",
            "\\\\server\\a",
            "C:\\a.vtt",
            "c:a",
            "a\0.vtt",
            "",
            "./",
            "..",
        ] {
            assert_eq!(clean(bad), None, "{bad:?}");
        }
        for (name, cleaned) in
            [("./talks//a.vtt", "talks/a.vtt"), ("talks\\a..b.vtt", "talks/a..b.vtt"), ("…/ä.vtt", "…/ä.vtt")]
        {
            assert_eq!(clean(name).as_deref(), Some(cleaned));
        }
    }

    #[test]
    fn names_tell_transcripts_from_the_rest() {
        for good in ["a.vtt", "talks/B.SRT", "a/read me.md", "x.y.txt"] {
            assert!(is_transcript(good) && !is_hidden(good), "{good}");
        }
        for bad in ["a", "README.md", "talks/readme.TXT", "a.pdf", "vtt", "a.vtt/b"] {
            assert!(!is_transcript(bad), "{bad}");
        }
        for hidden in [".a.vtt", ".git/a.vtt", "a/.b/c.vtt", "__MACOSX/a.vtt", ".DS_Store"] {
            assert!(is_hidden(hidden), "{hidden}");
        }
        for archive in ["a.zip", "b/A.TAR.GZ", "a.tgz", "a.tar"] {
            assert!(is_archive(archive), "{archive}");
        }
        for none in ["zip", ".zip", "a.gz", "a.zip.txt", "azip"] {
            assert!(!is_archive(none), "{none}");
        }
    }

    #[test]
    fn what_is_shown_is_bounded_and_moves_no_cursor() {
        assert_eq!(shown("a\u{1b}[31m\0b"), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(shown(&"ä".repeat(2_000)).len(), MAX_SHOWN_BYTES);
    }
}
