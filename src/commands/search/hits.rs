//! One hit as people read it: where it stands, who speaks, the words that match, and why it was found.

use crate::{
    client::{Fragment, Hit},
    commands::text::{Piece, time_code, word, wrap},
    output::{bold, faint, mark, plain},
};

/// Characters of a passage that are shown around its matches; without one, all of it may be why it was found.
const EXCERPT: usize = 480;
const UNMARKED: usize = 1200;
const INDENT: &str = "   ";

/// `whole` shows the passage from end to end.
pub(crate) fn show(place: usize, hit: &Hit, width: usize, whole: bool) -> String {
    let mut lines = vec![headline(place, hit)];
    let spoken = spoken(hit);
    let lengths: Vec<usize> = spoken.iter().map(Spoken::chars).collect();
    let matches: Vec<bool> = spoken.iter().map(|turn| turn.pieces.iter().any(|piece| piece.1)).collect();
    let shown = if whole { 0..spoken.len() } else { excerpt(&lengths, &matches) };
    if shown.start > 0 {
        lines.push(faint("…"));
    }
    lines
        .extend(spoken[shown.clone()].iter().flat_map(|turn| turn.lines(width.saturating_sub(INDENT.len()))));
    if shown.end < spoken.len() {
        lines.push(faint("…"));
    }
    lines.push(faint(why(hit)));
    lines.join(&format!("\n{INDENT}"))
}

fn headline(place: usize, hit: &Hit) -> String {
    let (title, kind, day) = match &hit.conversation {
        Some(conversation) => (
            plain(&conversation.title),
            word(&plain(&conversation.kind)),
            conversation.occurred_at.map(|at| at.format("%Y-%m-%d").to_string()),
        ),
        None => ("a conversation that is gone".to_owned(), String::new(), None),
    };
    let time = hit.passage.start_ms.map(|ms| format!("at {}", time_code(ms)));
    let speakers = plain(&hit.passage.speakers.join(", "));
    let about = [Some(kind), day, time, Some(speakers)];
    let about = about.into_iter().flatten().filter(|part| !part.is_empty());
    format!("{place}. {}  {}", bold(title), faint(about.collect::<Vec<_>>().join(" · ")))
}

/// A segment, and which of its words match.
struct Spoken<'a> {
    time: Option<u64>,
    label: Option<&'a str>,
    pieces: Vec<Piece<'a>>,
}

impl Spoken<'_> {
    fn chars(&self) -> usize {
        self.pieces.iter().map(|(text, _)| text.chars().count()).sum()
    }

    fn lines(&self, width: usize) -> Vec<String> {
        let time = self.time.map(|ms| format!("{} ", time_code(ms))).unwrap_or_default();
        let label = self.label.map(|label| format!("{}: ", plain(label))).unwrap_or_default();
        let head = format!("{time}{label}");
        let shown: Vec<_> = self.pieces.iter().map(|(text, is_match)| (plain(text), *is_match)).collect();
        let mut pieces = vec![(head.as_str(), false)];
        pieces.extend(shown.iter().map(|(text, is_match)| (text.as_str(), *is_match)));
        wrap(&pieces, width, |text| mark(text))
    }
}

/// A passage's text has a line a segment; where it has not, it is shown as it is.
fn spoken(hit: &Hit) -> Vec<Spoken<'_>> {
    let lines = lines(&hit.fragments);
    let known = lines.len() == hit.segments.len();
    let mut spoken = Vec::with_capacity(lines.len());
    for (at, pieces) in lines.into_iter().enumerate() {
        let segment = hit.segments.get(at).filter(|_| known);
        spoken.push(Spoken {
            time: segment.and_then(|segment| segment.start_ms),
            label: segment.and_then(|segment| Some(segment.participant.as_ref()?.label.as_str())),
            pieces,
        });
    }
    spoken
}

fn lines(fragments: &[Fragment]) -> Vec<Vec<Piece<'_>>> {
    let mut lines: Vec<Vec<Piece<'_>>> = vec![Vec::new()];
    for fragment in fragments {
        for (nth, part) in fragment.text.split('\n').enumerate() {
            if nth > 0 {
                lines.push(Vec::new());
            }
            if let Some(line) = lines.last_mut()
                && !part.is_empty()
            {
                line.push((part, fragment.is_match));
            }
        }
    }
    lines
}

/// Whole segments: those that match from the first on, then neighbours, as far as there is room.
fn excerpt(lengths: &[usize], matches: &[bool]) -> std::ops::Range<usize> {
    let first = matches.iter().position(|is_match| *is_match);
    let last = matches.iter().rposition(|is_match| *is_match);
    let room = if first.is_some() { EXCERPT } else { UNMARKED };
    let (mut start, mut end) = (first.unwrap_or(0), first.unwrap_or(0) + 1);
    let mut used = lengths.get(start).copied().unwrap_or(0);
    let fits = |used: usize, at: usize| lengths.get(at).is_some_and(|length| used + length <= room);
    while last.is_some_and(|last| end <= last) && fits(used, end) {
        used += lengths[end];
        end += 1;
    }
    loop {
        let (before, after) = (start > 0 && fits(used, start - 1), fits(used, end));
        if after {
            used += lengths[end];
            end += 1;
        }
        if before && fits(used, start - 1) {
            start -= 1;
            used += lengths[start];
        }
        if !before && !after {
            return start..end.min(lengths.len());
        }
    }
}

fn why(hit: &Hit) -> String {
    let by = |how: &str, found: Option<crate::client::Match>| {
        found.map(|found| format!("by {how}: place {} ({:.2})", found.rank, found.score))
    };
    let reasons = [by("word", hit.text_match), by("meaning", hit.semantic_match)];
    let behind = |number: u32, what: &str| (number > 0).then(|| format!("{number} more {what}"));
    let behind = [behind(hit.further_hits, "of this talk"), behind(hit.duplicates, "almost the same")];
    let all = reasons.into_iter().chain(behind).flatten();
    format!("found {}", all.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn hit(segments: &[(&str, &str)], fragments: serde_json::Value) -> Hit {
        let segments: Vec<_> = segments
            .iter()
            .zip(0_u64..)
            .map(|((label, text), n)| json!({ "text": text, "startMs": 2_074_000 + 15_000 * n, "participant": { "label": label } }))
            .collect();
        serde_json::from_value(json!({
            "fragments": fragments,
            "passage": { "startMs": 2_074_000, "speakers": ["Priya Raman", "Jonas Weber"] },
            "conversation": {
                "id": "c1", "title": "Backend\u{7} interview", "kind": "INTERVIEW",
                "occurredAt": "2026-03-01T10:00:00Z"
            },
            "segments": segments,
            "textMatch": { "rank": 1, "score": 7.254 },
            "semanticMatch": { "rank": 3, "score": 0.612 },
        }))
        .unwrap()
    }

    #[test]
    fn a_hit_shows_who_said_what_when_and_marks_what_matches() {
        let hit = hit(
            &[
                (
                    "Priya Raman",
                    "And what about money? I have to ask, and I would rather do so early than late.",
                ),
                ("Jonas Weber", "A base salary of ninety-six thousand, and a review after a year."),
            ],
            json!([
                { "text": "And what about money? I have to ask, and I would rather do so early than late.\nA ", "isMatch": false },
                { "text": "base salary", "isMatch": true },
                { "text": " of ninety-six thousand, and a review after a year.", "isMatch": false },
            ]),
        );
        let shown = show(1, &hit, 60, false);
        let shown = ["base", "salary"]
            .iter()
            .fold(shown, |shown, word| shown.replace(&mark(word), &word.to_uppercase()));
        assert_snapshot!(anstream::adapter::strip_str(&shown), @"
        1. Backend\u{fffd} interview  interview · 2026-03-01 · at 34:34 · Priya Raman, Jonas Weber
           34:34 Priya Raman: And what about money? I have to ask,
           and I would rather do so early than late.
           34:49 Jonas Weber: A BASE SALARY of ninety-six thousand,
           and a review after a year.
           found by word: place 1 (7.25), by meaning: place 3 (0.61)
        ");
    }

    #[test]
    fn a_long_passage_is_shown_around_what_matches() {
        let long = "word ".repeat(60);
        let turns: Vec<_> = (0..5).map(|_| ("Ann", long.as_str())).collect();
        let hit = hit(
            &turns,
            json!([
                { "text": format!("{long}\n{long}\n{long}\n"), "isMatch": false },
                { "text": "word", "isMatch": true },
                { "text": format!("{}\n{long}", &long[4..]), "isMatch": false },
            ]),
        );
        let shown = show(2, &hit, 100, false);
        assert!(shown.contains(&mark("word")), "{shown}");
        assert_eq!(shown.matches("Ann: ").count(), 1);
        assert_eq!(shown.matches('…').count(), 2);
        assert_eq!(show(2, &hit, 100, true).matches("Ann: ").count(), 5);
    }

    #[test]
    fn an_excerpt_is_never_empty_and_keeps_within_its_room() {
        assert_eq!(excerpt(&[5000], &[false]), 0..1);
        assert_eq!(excerpt(&[200; 9], &[false; 9]), 0..6);
        let mut matches = [false; 9];
        matches[4] = true;
        assert_eq!(excerpt(&[200; 9], &matches), 4..6);
        assert_eq!(excerpt(&[100; 9], &matches), 3..7);
        assert_eq!(excerpt(&[], &[]), 0..0);
    }
}
