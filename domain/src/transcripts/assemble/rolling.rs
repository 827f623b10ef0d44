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
    let repeats = repeats(&source.pieces);
    let rolling = repeats.iter().filter(|repeat| repeat.lines < repeat.of).count();
    if rolling < FEWEST || rolling * 100 < source.pieces.len() * SHARE {
        return;
    }
    let mut repeats = repeats.into_iter().peekable();
    let pieces = std::mem::take(&mut source.pieces);
    for (at, piece) in pieces.into_iter().enumerate() {
        let Some(repeat) = repeats.next_if(|repeat| repeat.at == at) else {
            source.pieces.push(piece);
            continue;
        };
        if repeat.lines == repeat.of {
            source.log.dropped(piece.place, "the cue shows the one before it again (rolling captions)");
        } else {
            source.log.warning(piece.place, REPEATED);
            let new: Vec<_> = lines(&piece.text).skip(repeat.lines).collect();
            source.pieces.push(Piece { text: Cow::Owned(new.join("\n")), ..piece });
        }
    }
}

/// A piece that shows lines of the one before it.
struct Repeat {
    /// Its number.
    at: usize,
    /// How many of its lines those are.
    lines: usize,
    /// Its lines.
    of: usize,
}

fn repeats(pieces: &[Piece<'_>]) -> Vec<Repeat> {
    let repeat = |at: usize| {
        let (before, now) = (&pieces[at - 1], &pieces[at..]);
        let may_repeat = follows(before, now) && shares_a_line(&before.text, &now[0].text);
        let before: Vec<_> = may_repeat.then(|| lines(&before.text).collect())?;
        let now: Vec<_> = lines(&now[0].text).collect();
        Some(Repeat { at, lines: overlap(&before, &now), of: now.len() }).filter(|repeat| repeat.lines > 0)
    };
    (1..pieces.len()).filter_map(repeat).collect()
}

/// Whether the first line of `now` stands in `before`; it looks no further than it must.
fn shares_a_line(before: &str, now: &str) -> bool {
    let said = |text| Lines::new(text).map(|line| line.text.trim_start()).filter(|line| !line.is_empty());
    said(now).next().is_some_and(|first| {
        said(before).any(|line| {
            line.as_bytes()[0] == first.as_bytes()[0] && line.split_whitespace().eq(first.split_whitespace())
        })
    })
}

const REPEATED: &str = "lines that show the cue before it again were left out (rolling captions)";

fn lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    Lines::new(text).filter(|line| !line.is_blank()).map(|line| squeeze(line.text))
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

/// How many lines at the head of `now` are those at the end of `before`. Each line is compared twice at most, as Knuth,
/// Morris and Pratt have it: cues may be as long as a file.
fn overlap(before: &[Cow<'_, str>], now: &[Cow<'_, str>]) -> usize {
    // How many lines at the head are also those at the end of the first one, two, three and so on.
    let mut borders = vec![0; now.len()];
    for at in 1..now.len() {
        borders[at] = extended(now, &borders, borders[at - 1], &now[at]);
    }
    let last = &before[before.len() - before.len().min(now.len())..];
    last.iter().fold(0, |shown, line| extended(now, &borders, shown, line))
}

/// How many lines at the head of `now` end with `line`, where `shown` of them ended with the line before it.
fn extended(now: &[Cow<'_, str>], borders: &[usize], mut shown: usize, line: &str) -> usize {
    while shown > 0 && now.get(shown).is_none_or(|next| next != line) {
        shown = borders[shown - 1];
    }
    shown + usize::from(now.get(shown).is_some_and(|next| next == line))
}
