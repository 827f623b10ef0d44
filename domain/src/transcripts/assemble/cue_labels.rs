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
        report::{Log, Place},
        spoken::{Piece, Source},
    },
    is_aside,
};
/// What a source's labels are, and whose word it is.
pub(super) struct Labels {
    /// None where the source has voices.
    speakers: HashSet<String>,
    /// Whom the last label named.
    last: Option<String>,
    /// The last plain label, which is likely to stand again.
    plain: String,
}

impl Labels {
    pub(super) fn of(source: &Source<'_>) -> Self {
        let speakers = if source.voiced { HashSet::new() } else { recurring_labels(&source.pieces) };
        Self { speakers, last: None, plain: String::new() }
    }

    /// Gives each piece of a cue its final text and, where the source has no voices, the speaker its text names.
    /// Where nothing is left, the cue holds nothing but labels.
    pub(super) fn resolve<'a>(&mut self, cue: &mut Vec<Piece<'a>>, log: &mut Log) {
        if !cue.iter().any(|piece| self.parts(&piece.text)) {
            for piece in cue.iter_mut() {
                piece.text = flat(std::mem::take(&mut piece.text));
            }
        } else {
            let mut found = Vec::new();
            for mut piece in cue.drain(..) {
                if self.parts(&piece.text) {
                    self.split_lines(piece, &mut found, log);
                } else {
                    piece.text = flat(std::mem::take(&mut piece.text));
                    found.push(piece);
                }
            }
            *cue = found;
        }
        if !self.speakers.is_empty() {
            self.carry_over(cue, log);
        }
    }

    /// Whether a text may be of several speakers, or of one whom it names.
    fn parts(&self, text: &str) -> bool {
        has_dashes(text) || (!self.speakers.is_empty() && has_colon(text))
    }

    /// Cuts a piece where a line names a speaker or begins with a dialogue dash. Labels without text go.
    fn split_lines<'a>(&mut self, mut piece: Piece<'a>, found: &mut Vec<Piece<'a>>, log: &mut Log) {
        match std::mem::take(&mut piece.text) {
            Cow::Borrowed(text) => self.split(&piece, text, found, log, |part| part),
            Cow::Owned(text) => self.split(&piece, &text, found, log, |part| Cow::Owned(part.into_owned())),
        }
    }

    fn split<'a, 't>(
        &mut self,
        piece: &Piece<'a>,
        text: &'t str,
        found: &mut Vec<Piece<'a>>,
        log: &mut Log,
        own: impl Fn(Cow<'t, str>) -> Cow<'a, str>,
    ) {
        let dashes = has_dashes(text);
        let mut part = piece.clone();
        let mut said = Cow::Borrowed("");
        let mut finish = |part: Piece<'a>, said: Cow<'t, str>| {
            if !said.is_empty() {
                found.push(Piece { text: own(said), ..part });
            }
        };
        for line in Lines::new(text).filter(|line| !line.is_blank()) {
            let label = labels::split_after(Some(&self.plain), line.text)
                .filter(|labelled| self.speakers.contains(labelled.label));
            if let Some(plain) =
                label.and_then(|labelled| labelled.plain()).filter(|label| *label != self.plain)
            {
                plain.clone_into(&mut self.plain);
            }
            let place = Place::from(piece.place.line + line.number - 1);
            if label.is_some_and(|labelled| labelled.mark.is_some()) {
                log.warning(place, "a time beside a label was left out: the cue has times of its own");
            }
            let dash = undashed(line.text).filter(|_| dashes);
            let rest = match (label, dash) {
                (Some(labelled), _) => labelled.text,
                (None, Some(said)) => said,
                (None, None) => line.text,
            };
            if label.is_some() || dash.is_some() {
                let speaker = label.map(|labelled| own(Cow::Borrowed(labelled.label)));
                let next = Piece {
                    speaker: speaker.or_else(|| piece.speaker.clone()),
                    place,
                    turns: true,
                    ..piece.clone()
                };
                finish(std::mem::replace(&mut part, next), std::mem::take(&mut said));
            }
            append(&mut said, squeeze(rest));
        }
        finish(part, said);
    }

    /// Where labels stand only at a change of speaker, the cues between belong to the last one named.
    fn carry_over(&mut self, cue: &mut [Piece<'_>], log: &mut Log) {
        for piece in cue {
            if piece.speaker.is_some() || piece.turns {
                if self.last.as_deref() != piece.speaker.as_deref() {
                    self.last = piece.speaker.as_deref().map(str::to_owned);
                }
            } else if let Some(last) = &self.last
                && !is_aside(&piece.text)
            {
                piece.speaker = Some(Cow::Owned(last.clone()));
                log.warning(piece.place, "a cue without a label was given to the speaker named before it");
            }
        }
    }
}

fn has_colon(text: &str) -> bool {
    text.contains(':') || text.contains('：')
}

/// Labels that are the source's way of naming speakers; none where they are rare or look like prose.
fn recurring_labels(pieces: &[Piece<'_>]) -> HashSet<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let (mut labelled_pieces, mut last) = (0, None);
    for piece in pieces.iter().filter(|piece| has_colon(&piece.text)) {
        let mut labelled = false;
        for line in Lines::new(&piece.text) {
            let Some(found) = labels::split_after(last, line.text) else { continue };
            *counts.entry(found.label).or_default() += 1;
            labelled = true;
            last = found.plain();
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

fn append<'t>(said: &mut Cow<'t, str>, more: Cow<'t, str>) {
    if said.is_empty() {
        *said = more;
    } else if !more.is_empty() {
        let said = said.to_mut();
        said.push(' ');
        said.push_str(&more);
    }
}

/// Two lines or more that begin with a dash are two people's.
fn has_dashes(text: &str) -> bool {
    text.trim_start().starts_with(['-', '–', '—'])
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
