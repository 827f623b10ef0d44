//! A text that is one document or several after another: checked once as a whole, with the ends of its long values
//! kept, so that a value is not run through again at every level above it.

use super::{
    super::{Limits, lines::breaks},
    Value,
    scan::{self, Fault, MAX_DEPTH, What},
};
use crate::error::Problem;

#[derive(Debug)]
pub(in crate::transcripts) struct Document<'a> {
    text: &'a str,
    /// Starts and ends of the objects and lists that are longer than [`LONG`], by start.
    ends: Vec<(usize, usize)>,
    roots: Vec<(usize, usize)>,
}

/// In bytes.
pub(super) const LONG: usize = 4096;

impl<'a> Document<'a> {
    /// MALFORMED where a value is not well made.
    pub(in crate::transcripts) fn read(text: &'a str, limits: &Limits) -> Result<Self, Problem> {
        let bytes = text.as_bytes();
        let (mut ends, mut roots) = (Vec::new(), Vec::new());
        let mut at = scan::white(bytes, text.len() - text.trim_start_matches('\u{feff}').len());
        while at < bytes.len() {
            if !matches!(bytes[at], b'{' | b'[') {
                return Err(malformed(
                    text,
                    at,
                    "JSON begins with { or [, so this is none; name another format",
                ));
            }
            if roots.len() == limits.max_cues {
                let what = format!("there are more than {} documents; split the file", roots.len());
                return Err(malformed(text, at, &what));
            }
            let end = scan::check(bytes, at, LONG, &mut ends).map_err(|fault| refused(text, &fault))?;
            roots.push((at, end));
            at = scan::white(bytes, end);
        }
        ends.sort_unstable();
        Ok(Self { text, ends, roots })
    }

    pub(in crate::transcripts) fn text(&self) -> &'a str {
        self.text
    }

    /// The documents in their order.
    pub(in crate::transcripts) fn values(&'a self) -> impl Iterator<Item = Value<'a>> {
        self.roots.iter().map(|(start, end)| Value::new(self, *start, *end))
    }

    /// The document of a text that may hold only one.
    pub(in crate::transcripts) fn only(&'a self) -> Result<Value<'a>, Problem> {
        match self.roots[..] {
            [(start, end)] => Ok(Value::new(self, start, end)),
            [] => Err(malformed(self.text, 0, "there is no document; name another format")),
            [_, (second, _), ..] => Err(malformed(
                self.text,
                second,
                "a second document begins here; bring each in a file of its own",
            )),
        }
    }

    /// Where the value that begins at `start` ends.
    pub(super) fn end_of(&self, start: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let near = &bytes[..bytes.len().min(start + LONG)];
        match bytes.get(start)? {
            b'{' | b'[' => scan::skip(near, start).or_else(|| {
                let found = self.ends.binary_search_by_key(&start, |(start, _)| *start).ok()?;
                Some(self.ends[found].1)
            }),
            _ => scan::skip(bytes, start),
        }
    }
}

/// A refusal with the place that it is for.
pub(in crate::transcripts) fn malformed(text: &str, at: usize, what: &str) -> Problem {
    let line = breaks(&text[..at]).saturating_add(1);
    Problem::new("MALFORMED", format!("line {line}, byte {at}: {what}")).on_line(line)
}

fn refused(text: &str, fault: &Fault) -> Problem {
    let due = match fault.what {
        What::CutOff => {
            let what = "the document ends here before it is whole: the file was cut off; export it again";
            return malformed(text, fault.at, what);
        }
        What::TooDeep => {
            let what = format!("values are nested deeper than {MAX_DEPTH} levels, which no transcript needs");
            return malformed(text, fault.at, &what);
        }
        What::NoValue => "a value",
        What::NoKey => "a key in quotes",
        What::NoColon => "a colon",
        What::NoComma => "a comma or a closing bracket",
    };
    malformed(
        text,
        fault.at,
        &format!("{due} is due here, so this is no JSON; mend the file or export it again"),
    )
}
