//! Speakers that stand in the text of cues (`Name: text`, as meeting software exports them), and dialogue
//! dashes. A label counts only where the whole source is consistent about it, and never beside real voices.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use super::{
    super::{
        formats::webvtt::squeeze,
        labels,
        lines::Lines,
        report::Place,
        spoken::{Piece, Source},
    },
    is_aside,
};
use crate::error::Problem;

/// Gives every piece its final text and, where the source has no voices, the speaker its text names.
pub(super) fn resolve(source: &mut Source<'_>) -> Result<(), Problem> {
    let speakers = if source.voiced { HashSet::new() } else { recurring_labels(&source.pieces) };
    let pieces = std::mem::take(&mut source.pieces);
    let mut found = Vec::with_capacity(pieces.len());
    let mut cue = None;
    for piece in pieces {
        if piece.opens {
            drop_unsaid(cue.replace(piece.place), source);
        }
        let (before, line) = (found.len(), piece.place.line);
        if !has_dashes(&piece.text) && (speakers.is_empty() || !piece.text.contains(COLONS)) {
            found.push(Piece { text: flat(piece.text), opens: false, ..piece });
        } else {
            split_lines(&piece, &speakers, &mut found);
        }
        source.check_room(found.len().saturating_sub(1), line)?;
        if let Some(first) = found.get_mut(before) {
            first.opens = cue.take().is_some();
        }
    }
    drop_unsaid(cue, source);
    if !speakers.is_empty() {
        carry_over(&mut found, source);
    }
    source.pieces = found;
    Ok(())
}

const COLONS: [char; 2] = [':', '：'];

/// The cue at `place`, if there is one, turned out to hold nothing but labels.
fn drop_unsaid(place: Option<Place>, source: &mut Source<'_>) {
    if let Some(place) = place {
        source.log.dropped(place, "nothing is said after the label");
    }
}

/// Where labels stand only at a change of speaker, the cues between belong to the last one named.
fn carry_over(pieces: &mut [Piece<'_>], source: &mut Source<'_>) {
    let mut last = None;
    for piece in pieces {
        if piece.speaker.is_some() || piece.turns {
            last.clone_from(&piece.speaker);
        } else if !is_aside(&piece.text) && last.is_some() {
            piece.speaker.clone_from(&last);
            source.log.warning(piece.place, "a cue without a label was given to the speaker named before it");
        }
    }
}

/// Labels that are the source's way of naming speakers; none where they are rare or look like prose.
fn recurring_labels(pieces: &[Piece<'_>]) -> HashSet<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut labelled_pieces = 0;
    for piece in pieces.iter().filter(|piece| piece.text.contains(COLONS)) {
        let mut labelled = false;
        for found in Lines::new(&piece.text).filter_map(|line| labels::split(line.text)) {
            *counts.entry(found.label).or_default() += 1;
            labelled = true;
        }
        labelled_pieces += usize::from(labelled);
    }
    let recurring = || counts.iter().filter(|(_, count)| **count >= 2);
    let uses: usize = recurring().map(|(_, count)| count).sum();
    let share = |part: usize, percent: usize| part * 100 >= pieces.len() * percent;
    let mostly = labelled_pieces >= 2 && share(labelled_pieces, 50);
    let often = match recurring().count() {
        0 => false,
        1 => share(uses, 30),
        _ => share(uses, 10),
    };
    let accepted = counts.iter().filter(|(label, count)| {
        (mostly || often) && (**count >= 2 || (mostly && labels::is_name_like(label)))
    });
    accepted.map(|(label, _)| (*label).to_owned()).collect()
}

/// Cuts a piece where a line names a speaker or begins with a dialogue dash. Labels without text go.
fn split_lines<'a>(piece: &Piece<'a>, speakers: &HashSet<String>, found: &mut Vec<Piece<'a>>) {
    let dashes = has_dashes(&piece.text);
    let mut part = Piece { text: Cow::Borrowed(""), opens: false, ..piece.clone() };
    let mut text = String::new();
    let mut finish = |part: Piece<'a>, text: &mut String| {
        let said = squeeze(text).into_owned();
        text.clear();
        if !said.is_empty() {
            found.push(Piece { text: Cow::Owned(said), ..part });
        }
    };
    for line in Lines::new(&piece.text).filter(|line| !line.is_blank()) {
        let label = labels::split(line.text).filter(|labelled| speakers.contains(labelled.label));
        let dash = undashed(line.text).filter(|_| dashes);
        let said = match (label, dash) {
            (Some(labelled), _) => labelled.text,
            (None, Some(said)) => said,
            (None, None) => line.text,
        };
        if label.is_some() || dash.is_some() {
            let speaker = label.map(|labelled| Cow::Owned(labelled.label.to_owned()));
            let next = Piece {
                speaker: speaker.or_else(|| piece.speaker.clone()),
                place: (piece.place.line + line.number - 1).into(),
                turns: true,
                ..part.clone()
            };
            finish(std::mem::replace(&mut part, next), &mut text);
        }
        text.push(' ');
        text.push_str(said);
    }
    finish(part, &mut text);
}

/// Two lines or more that begin with a dash are two people's.
fn has_dashes(text: &str) -> bool {
    text.contains(['\n', '\r'])
        && text.trim_start().starts_with(['-', '–', '—'])
        && Lines::new(text).filter(|line| undashed(line.text).is_some()).nth(1).is_some()
}

fn undashed(line: &str) -> Option<&str> {
    line.trim_start()
        .strip_prefix(['-', '–', '—'])
        .filter(|rest| rest.contains(char::is_alphanumeric))
        .map(str::trim)
}

fn flat(text: Cow<'_, str>) -> Cow<'_, str> {
    let text = match text {
        Cow::Borrowed(text) => return squeeze(text),
        Cow::Owned(text) => text,
    };
    match squeeze(&text) {
        Cow::Borrowed(same) if same.len() == text.len() => Cow::Owned(text),
        squeezed => Cow::Owned(squeezed.into_owned()),
    }
}
