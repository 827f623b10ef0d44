//! WebVTT of Microsoft Teams: a cue's identifier is `GUID/n-k`, where all `k` of one `n` are parts of one turn.
//! The cues may stand out of order and are put in the order of their times. What Microsoft Graph answers has no
//! identifiers, and forms of its own; see [`graph`].

mod graph;

use std::{borrow::Cow, collections::HashMap};

use super::{
    super::{
        Limits, Transcript, assemble,
        detect::{Confidence, Sample},
        report::{Format, Place, SpeakerSource},
        spoken::{self, Piece, Source},
    },
    FormatReader,
    webvtt::{
        WebVtt,
        cues::{Cue, Cues},
        squeeze,
    },
};
use crate::{error::Problem, time::Millis};

pub(super) struct TeamsVtt;

impl FormatReader for TeamsVtt {
    fn format(&self) -> Format {
        Format::TeamsVtt
    }

    fn name(&self) -> &'static str {
        "Teams WebVTT"
    }

    fn looks_like(&self) -> &'static str {
        "it is WebVTT, and the identifiers of its cues are like 6b4d…/12-0, or its times as short as 0:0:5.3"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let head = graph::with_long_times(sample.head);
        let cues: Vec<_> = Cues::new(&head).into_iter().flatten().flatten().take(8).collect();
        let all = |is_so: fn(&Cue<'_>) -> bool| !cues.is_empty() && cues.iter().all(is_so);
        let voiced = cues.iter().any(|cue| cue.payload.contains("<v "));
        if all(|cue| part(cue.id).is_some()) {
            return Confidence::new(100, "WebVTT whose cues have the identifiers of Teams");
        }
        if all(|cue| graph::is_metadata(cue.payload)) {
            return Confidence::new(100, "WebVTT whose cues are metadata of Microsoft Graph");
        }
        if voiced && graph::has_short_times(sample.head) {
            return Confidence::new(100, "WebVTT with voices, and with times as Microsoft Graph writes them");
        }
        Confidence::new(0, "it is no WebVTT whose cues have the identifiers of Teams")
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let text = graph::with_long_times(text);
        let Some(found) = Cues::new(&text) else {
            return WebVtt.parse(&text, limits);
        };
        let mut source = Source::new(Format::TeamsVtt, limits);
        let mut cues = Vec::new();
        for cue in found {
            match cue {
                Ok(cue) => {
                    source.check_room(cues.len(), cue.line)?;
                    cues.push(cue);
                }
                Err(skipped) => skipped.tell(&mut source)?,
            }
        }
        let mut last: Option<Part<'_>> = None;
        let mut joined = Joined::default();
        for at in in_order(&cues, &mut source) {
            let (cue, before) = (&cues[at], source.pieces.len());
            let part = part(cue.id);
            add(cue, &mut source, limits)?;
            let continues =
                last.zip(part).is_some_and(|(last, part)| last.turn == part.turn && last.k < part.k);
            let is_joined = continues && join(&mut source, before, &mut joined);
            if !is_joined {
                joined.tell(&mut source);
            }
            if is_joined || source.pieces.len() > before {
                last = part;
            }
        }
        joined.tell(&mut source);
        assemble::transcript(source)
    }
}

/// Which part of which turn a cue is.
#[derive(Clone, Copy, PartialEq)]
struct Part<'a> {
    /// `GUID/n`
    turn: &'a str,
    k: u32,
}

fn part(id: &str) -> Option<Part<'_>> {
    let (turn, k) = id.trim().rsplit_once('-')?;
    let (guid, n) = turn.split_once('/')?;
    let groups = guid.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let hexadecimal = guid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let numbered = !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit());
    Some(Part { turn, k: k.parse().ok().filter(|_| groups && hexadecimal && numbered)? })
}

/// The turns in the order of their first times, the parts of each together.
fn in_order(cues: &[Cue<'_>], source: &mut Source<'_>) -> Vec<usize> {
    let mut turns: HashMap<&str, (Millis, usize)> = HashMap::new();
    let mut latest = Millis(0);
    for (at, cue) in cues.iter().enumerate() {
        if cue.start < latest {
            source
                .log
                .warning(cue.line, "the cue stood after a later one and was put in the order of the times");
        }
        latest = latest.max(cue.start);
        if let Some(part) = part(cue.id) {
            let turn = turns.entry(part.turn).or_insert((cue.start, at));
            turn.0 = turn.0.min(cue.start);
        }
    }
    let mut order: Vec<_> = (0..cues.len()).collect();
    order.sort_by_cached_key(|at| {
        let cue = &cues[*at];
        let part = part(cue.id);
        let turn = part.and_then(|part| turns.get(part.turn).copied());
        (turn.unwrap_or((cue.start, *at)), part.map(|part| part.k), cue.start)
    });
    order
}

fn add<'a>(cue: &Cue<'a>, source: &mut Source<'a>, limits: &Limits) -> Result<(), Problem> {
    if let Some(odd) = cue.odd {
        source.log.warning(cue.line, odd);
    }
    if let Some((speaker, text)) = graph::said(cue.payload, limits) {
        return told(cue, source, speaker, text);
    }
    source.add(spoken::Cue {
        start: cue.start,
        end: cue.end,
        line: cue.line,
        text_line: cue.payload_line,
        payload: cue.payload,
    })
}

/// Takes a cue whose text says who says what.
fn told(
    cue: &Cue<'_>,
    source: &mut Source<'_>,
    speaker: Option<String>,
    text: String,
) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return source.skip(cue.line, "the cue has no text");
    }
    source.speaker_source = Some(SpeakerSource::Fields);
    let end = (cue.end >= cue.start).then_some(cue.end);
    if end.is_none() {
        source.log.warning(cue.line, "the cue ends before it starts: its end was left out");
    }
    let (speaker, text) = (speaker.map(Cow::Owned), Cow::Owned(squeeze(&text).into_owned()));
    let (start, place) = (Some(cue.start), cue.payload_line.into());
    source.push(Piece { speaker, text, start, end, place, opens: true, turns: false })
}

/// The parts that were joined to the piece before them.
#[derive(Default)]
struct Joined {
    place: Option<Place>,
    count: u32,
}

impl Joined {
    fn tell(&mut self, source: &mut Source<'_>) {
        if let Some(place) = self.place.take() {
            source.log.merged(
                place,
                std::mem::take(&mut self.count),
                format_args!("parts of the turn that begins before them"),
            );
        }
    }
}

/// A turn of more than this is left in parts.
const MAX_TURN_BYTES: usize = 8 << 10;

/// Joins the one piece from `before` on to the piece before it, where one speaker says both.
fn join(source: &mut Source<'_>, before: usize, joined: &mut Joined) -> bool {
    let [first, part] = &mut source.pieces[before.saturating_sub(1)..] else {
        return false;
    };
    let too_long = first.text.len() + part.text.len() > MAX_TURN_BYTES;
    if first.speaker != part.speaker || part.start < first.start || too_long {
        return false;
    }
    let mut text = std::mem::take(&mut first.text).into_owned();
    text.push(' ');
    text.push_str(&squeeze(&part.text));
    first.text = Cow::Owned(text);
    first.end = first.end.max(part.end);
    let begun = joined.place.unwrap_or(part.place);
    joined.place =
        Some(Place::lines(begun.line.min(part.place.line), begun.end_line.max(part.place.end_line)));
    joined.count += 1;
    source.pieces.pop();
    true
}
