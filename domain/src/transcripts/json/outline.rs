//! Which keys a document has, by which its format is told: paths as `segments[].words[].word`, down to a few levels,
//! of lists the first few elements, and of documents one after another the first few. What is cut off is told by what
//! is there.

use std::collections::HashMap;

use super::{super::report::Confidence, Kind, scan};

#[derive(Debug, Default)]
pub(in crate::transcripts) struct Outline {
    /// What kinds of values each has.
    paths: HashMap<String, Vec<Kind>>,
    is_json: bool,
}

const MAX_LEVELS: usize = 8;
const MAX_ELEMENTS: usize = 3;
const MAX_KEYS: usize = 64;
const MAX_KEY_BYTES: usize = 40;
const MAX_PATHS: usize = 500;

impl Outline {
    pub(in crate::transcripts) fn of(text: &str) -> Self {
        let mut outline = Self::default();
        let mut at = 0;
        for _ in 0..MAX_ELEMENTS {
            at = scan::white(text.as_bytes(), at);
            if !matches!(text.as_bytes().get(at), Some(b'{' | b'[')) {
                break;
            }
            outline.is_json = true;
            let Some(end) = outline.walk(text, at, &mut String::new(), 0) else {
                break;
            };
            at = end;
        }
        outline
    }

    /// Whether there is something at `path`, be it null.
    pub(in crate::transcripts) fn has(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    /// Whether there is a value of this kind at `path`.
    pub(in crate::transcripts) fn is(&self, path: &str, kind: Kind) -> bool {
        self.paths.get(path).is_some_and(|kinds| kinds.contains(&kind))
    }

    /// Whether one of `keys` is below `path`.
    pub(in crate::transcripts) fn has_any(&self, path: &str, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.has(&format!("{path}{key}")))
    }

    /// Whether all of `keys` are below `path`.
    pub(in crate::transcripts) fn has_all(&self, path: &str, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.has(&format!("{path}{key}")))
    }

    /// The first of `cases` that holds, with its score and reason; `otherwise` where none does.
    pub(in crate::transcripts) fn judge(&self, cases: &[(bool, u8, &str)], otherwise: &str) -> Confidence {
        if !self.is_json {
            return Confidence::new(0, "it does not begin as JSON");
        }
        match cases.iter().find(|(holds, ..)| *holds) {
            Some((_, score, reason)) => Confidence::new(*score, *reason),
            None => Confidence::new(0, otherwise),
        }
    }

    /// The end of the value that begins at `at`; `None` where the document ends before it, or is none.
    fn walk(&mut self, text: &str, at: usize, path: &mut String, level: usize) -> Option<usize> {
        match Kind::of(text, at) {
            Kind::Object if level < MAX_LEVELS => self.object(text, at, path, level),
            Kind::List if level < MAX_LEVELS => self.list(text, at, path, level),
            _ => scan::skip(text.as_bytes(), at),
        }
    }

    fn list(&mut self, text: &str, at: usize, path: &mut String, level: usize) -> Option<usize> {
        let length = path.len();
        path.push_str("[]");
        let end = self.elements(text, at + 1, path, level);
        path.truncate(length);
        end
    }

    fn elements(&mut self, text: &str, mut at: usize, path: &mut String, level: usize) -> Option<usize> {
        let bytes = text.as_bytes();
        let mut seen = 0;
        loop {
            at = match bytes.get(scan::white(bytes, at))? {
                b']' => return Some(scan::white(bytes, at) + 1),
                b',' => scan::white(bytes, at) + 1,
                _ if seen < MAX_ELEMENTS => {
                    seen += 1;
                    self.enter(text, scan::white(bytes, at), path, level)?
                }
                _ => scan::skip(bytes, scan::white(bytes, at))?,
            };
        }
    }

    fn object(&mut self, text: &str, at: usize, path: &mut String, level: usize) -> Option<usize> {
        let (bytes, length) = (text.as_bytes(), path.len());
        let (mut at, mut seen) = (at + 1, 0);
        loop {
            at = scan::white(bytes, at);
            match bytes.get(at)? {
                b'}' => return Some(at + 1),
                b',' => {
                    at += 1;
                    continue;
                }
                b'"' => {}
                _ => return None,
            }
            let end = scan::string_end(bytes, at)?;
            let key = &text[at + 1..end - 1];
            let colon = scan::white(bytes, end);
            let value = scan::white(bytes, colon + 1);
            if bytes.get(colon) != Some(&b':') || value == bytes.len() {
                return None;
            }
            seen += 1;
            if seen > MAX_KEYS || key.len() > MAX_KEY_BYTES {
                at = scan::skip(bytes, value)?;
                continue;
            }
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
            let end = self.enter(text, value, path, level);
            path.truncate(length);
            at = end?;
        }
    }

    fn enter(&mut self, text: &str, at: usize, path: &mut String, level: usize) -> Option<usize> {
        if self.paths.len() >= MAX_PATHS {
            return scan::skip(text.as_bytes(), at);
        }
        let (kinds, kind) = (self.paths.entry(path.clone()).or_default(), Kind::of(text, at));
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
        self.walk(text, at, path, level + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_gathered_from_the_first_elements() {
        let text =
            "{\"a\": [{\"b\": null}, {\"b\": \"x\"}, {}, {\"c\": 1}], \"d\": {\"e\": [[2]]}, \"f\": {\"g";
        let outline = Outline::of(text);
        assert!(outline.is_json && outline.is("a[].b", Kind::Text) && outline.is("d.e[][]", Kind::Scalar));
        assert!(outline.has("f") && !outline.has("f.g") && !outline.has("a[].c"));
        assert!(outline.has_all("a[].", &["b"]) && outline.has_any("d.", &["x", "e"]));
        assert!(!Outline::of("Anna: hi").is_json);
    }

    #[test]
    fn the_work_is_bounded() {
        let deep = "[".repeat(1 << 20);
        assert!(Outline::of(&deep).paths.len() <= MAX_LEVELS);
        let wide: String = (0..100).map(|at| format!("\"k{at}\": {{\"a\": [1]}},")).collect();
        let nested = format!("{{{wide}\"z\": [{{{wide}}}]}}");
        assert!(Outline::of(&nested).paths.len() <= MAX_PATHS);
    }
}
