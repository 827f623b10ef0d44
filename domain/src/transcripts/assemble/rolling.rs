//! Rolling captions: each cue shows the last line of the one before it once more, above its own. What is shown
//! twice was said once, so the repeats go, and the report names each.

use std::borrow::Cow;

use super::super::{
    formats::webvtt::squeeze,
    lines::Lines,
    spoken::{Piece, Source},
};

/// Cues that show old lines above new ones, before a source is taken for one of rolling captions: some, and
/// their share of all, in percent.
const FEWEST: usize = 3;
const SHARE: usize = 20;
/// Two cues follow each other where at most this much time is between them.
const GAP_MS: u64 = 100;

/// Takes the repeated lines out of a source of rolling captions, and leaves any other as it is.
pub(super) fn unroll(source: &mut Source<'_>) {
    let lines: Vec<Vec<Cow<'_, str>>> = source.pieces.iter().map(|piece| lines(&piece.text)).collect();
    let repeated: Vec<usize> = (0..lines.len())
        .map(|at| match at.checked_sub(1) {
            Some(before) if follows(&source.pieces[before], &source.pieces[at..]) => {
                overlap(&lines[before], &lines[at])
            }
            _ => 0,
        })
        .collect();
    let rolling =
        repeated.iter().zip(&lines).filter(|(repeated, lines)| **repeated > 0 && **repeated < lines.len());
    let rolling = rolling.count();
    if rolling < FEWEST || rolling * 100 < lines.len() * SHARE {
        return;
    }
    let kept: Vec<Option<String>> = lines
        .iter()
        .zip(&repeated)
        .map(|(lines, repeated)| (*repeated > 0).then(|| lines[*repeated..].join("\n")))
        .collect();
    drop(lines);
    let pieces = std::mem::take(&mut source.pieces);
    for (piece, kept) in pieces.into_iter().zip(kept) {
        let Some(text) = kept else {
            source.pieces.push(piece);
            continue;
        };
        if text.is_empty() {
            source.log.dropped(piece.place, "the cue shows the one before it again (rolling captions)");
        } else {
            source.log.warning(piece.place, REPEATED);
            source.pieces.push(Piece { text: Cow::Owned(text), ..piece });
        }
    }
}

const REPEATED: &str = "lines that show the cue before it again were left out (rolling captions)";

fn lines(text: &str) -> Vec<Cow<'_, str>> {
    Lines::new(text).filter(|line| !line.is_blank()).map(|line| squeeze(line.text)).collect()
}

/// Whether the first of `now` is a cue of one voice that comes right after `before`.
fn follows(before: &Piece<'_>, now: &[Piece<'_>]) -> bool {
    let [piece, rest @ ..] = now else { return false };
    let (Some(start), Some(began), Some(ended)) = (piece.start, before.start, before.end) else {
        return false;
    };
    piece.opens
        && rest.first().is_none_or(|next| next.opens)
        && piece.speaker == before.speaker
        && start >= began
        && start.since(ended) <= GAP_MS
}

/// How many lines at the head of `now` are those at the end of `before`.
fn overlap(before: &[Cow<'_, str>], now: &[Cow<'_, str>]) -> usize {
    (1..=before.len().min(now.len())).rev().find(|count| before.ends_with(&now[..*count])).unwrap_or(0)
}
