//! WebVTT of Zoom: numbered cues that begin with `Name: `. A cue without a name is nobody's: Zoom names the
//! speaker in each cue where it knows one.

use std::{borrow::Cow, collections::HashMap};

use super::{
    super::{
        Limits, Transcript, assemble,
        detect::{Confidence, Sample},
        labels,
        report::{Format, SpeakerSource},
        spoken::{self, Piece, Source},
    },
    FormatReader,
    webvtt::{
        WebVtt,
        cues::{Cue, Cues},
        squeeze,
    },
};
use crate::error::Problem;

pub(super) struct ZoomVtt;

impl FormatReader for ZoomVtt {
    fn format(&self) -> Format {
        Format::ZoomVtt
    }

    fn name(&self) -> &'static str {
        "Zoom WebVTT"
    }

    fn looks_like(&self) -> &'static str {
        "it is WebVTT, its cues are numbered and begin with the speaker's name and a colon"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let (mut cues, mut labelled) = (0, 0);
        for (cue, number) in Cues::new(sample.head).into_iter().flatten().flatten().zip(1_u32..) {
            let numbered = cue.id.trim().parse() == Ok(number) && cue.settings.is_empty();
            if !numbered || cue.payload.contains("<v") {
                return Confidence::new(0, "its cues are not plain and numbered from 1");
            }
            cues += 1;
            labelled += usize::from(label(cue.payload).is_some_and(|label| labels::is_name_like(label.name)));
        }
        match labelled {
            2.. if labelled * 2 >= cues => {
                Confidence::new(100, "WebVTT whose cues are numbered and begin with a name and a colon")
            }
            _ => Confidence::new(0, "it is no WebVTT whose cues are numbered and begin with names"),
        }
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let Some(cues) = Cues::new(text) else {
            return WebVtt.parse(text, limits);
        };
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for label in cues.clone().flatten().filter_map(|cue| label(cue.payload)) {
            *uses.entry(label.name).or_default() += 1;
        }
        let is_speaker = |label: &Label<'_>| {
            let again = uses.get(label.name).is_some_and(|uses| *uses > 1);
            again || (labels::is_name_like(label.name) && !label.is_wild)
        };
        let mut source = Source::new(Format::ZoomVtt, limits);
        source.speaker_source = Some(SpeakerSource::Labels);
        for cue in cues {
            match cue {
                Ok(cue) => add(&cue, &mut source, is_speaker)?,
                Err(skipped) => skipped.tell(&mut source)?,
            }
        }
        assemble::transcript(source)
    }
}

struct Label<'a> {
    name: &'a str,
    /// It has signs or words that labels elsewhere do not have: people call themselves here as they like.
    is_wild: bool,
}

/// The label of a cue's first line; without times and bullets, which Zoom does not write.
fn label(payload: &str) -> Option<Label<'_>> {
    let line = payload.lines().next()?;
    match labels::split(line) {
        Some(found) if found.marked || found.mark.is_some() => None,
        Some(found) => Some(Label { name: found.label, is_wild: false }),
        None => wild(line).map(|name| Label { name, is_wild: true }),
    }
}

/// `Lee, Anna [Guest]: text`, `Anna 🌻 – Acme: text`
fn wild(line: &str) -> Option<&str> {
    const MAX_CHARS: usize = 100;
    let (name, _) = line.split_once(": ")?;
    let begins = name.starts_with(|first: char| first.is_alphanumeric() && !first.is_lowercase());
    let is_prose = name.contains(['?', '!', ';']) || name.contains(". ");
    (begins && !is_prose && name.chars().nth(MAX_CHARS).is_none()).then_some(name)
}

/// Takes a cue and the name from its text.
fn add<'a>(
    cue: &Cue<'a>,
    source: &mut Source<'a>,
    is_speaker: impl Fn(&Label<'_>) -> bool,
) -> Result<(), Problem> {
    if let Some(odd) = cue.odd {
        source.log.warning(cue.line, odd);
    }
    let before = source.pieces.len();
    source.add(spoken::Cue {
        start: cue.start,
        end: cue.end,
        line: cue.line,
        text_line: cue.payload_line,
        payload: cue.payload,
    })?;
    let whole = source.pieces.len() == before + 1;
    for piece in &mut source.pieces[before..] {
        name(piece, &is_speaker);
    }
    if whole && source.pieces[before].text.is_empty() {
        source.pieces.pop();
        source.log.dropped(cue.line, "nothing is said after the label");
    }
    Ok(())
}

/// Takes the name from the text of a piece and puts the rest on one line.
fn name(piece: &mut Piece<'_>, is_speaker: impl Fn(&Label<'_>) -> bool) {
    let (speaker, said) = match std::mem::take(&mut piece.text) {
        Cow::Borrowed(text) => {
            let (speaker, said) = named(text, is_speaker);
            (speaker.map(Cow::Borrowed), squeeze(said))
        }
        Cow::Owned(text) => {
            let (speaker, said) = named(&text, is_speaker);
            (speaker.map(|name| Cow::Owned(name.to_owned())), Cow::Owned(squeeze(said).into_owned()))
        }
    };
    piece.text = said;
    if piece.speaker.is_none() {
        piece.speaker = speaker;
    }
}

fn named(text: &str, is_speaker: impl Fn(&Label<'_>) -> bool) -> (Option<&str>, &str) {
    let speaker = label(text.trim_start()).filter(|label| is_speaker(label)).map(|label| label.name);
    match speaker.and_then(|name| Some((name, text.split_once(name)?.1.trim_start()))) {
        Some((name, said)) => (Some(name), said.strip_prefix([':', '：']).unwrap_or(said)),
        None => (None, text),
    }
}
