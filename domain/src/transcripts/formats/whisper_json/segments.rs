//! A segment of whisper. Where its words name several speakers, it is cut at the change: each part has the times that
//! its own words have, and none where they have none.

use std::borrow::Cow;

use memchr::memmem;

use super::super::super::{
    json::{Reading, Said, Unit, Value, numbered},
    report::Place,
    spoken::Piece,
};
use crate::{error::Problem, time::Millis};

pub(super) fn read<'a>(reading: &mut Reading<'a>, element: Value<'a>) -> Result<(), Problem> {
    let keys =
        ["text", "speaker", "start", "end", "words", "avg_logprob", "no_speech_prob", "compression_ratio"];
    let [text, speaker, start, end, words, sure, silent, ratio] = reading.pick(element, keys);
    let place = reading.place(element);
    let speaker = reading.label(place, speaker).map(numbered);
    let runs = words.map_or_else(|| Ok(Vec::new()), |words| runs(reading, words))?;
    let said = match &runs[..] {
        [_, _, ..] => several(reading, place, text, speaker, runs, [start, end])?,
        _ => {
            let speaker = speaker.or_else(|| runs.into_iter().next().map(|run| run.speaker));
            let (turns, unit) = (false, Unit::Seconds);
            reading.say(Said { element, text, speaker, start, end, unit, turns })?
        }
    };
    if said {
        doubt(reading, place, [sure, silent, ratio]);
    }
    Ok(())
}

/// A segment whose words name several speakers: in parts, or whole where its text has other words.
fn several<'a>(
    reading: &mut Reading<'a>,
    place: Place,
    text: Option<Value<'a>>,
    speaker: Option<Cow<'a, str>>,
    runs: Vec<Run<'a>>,
    times: [Option<Value<'a>>; 2],
) -> Result<bool, Problem> {
    let Some(text) = reading.text(place, text)? else {
        return Ok(false);
    };
    if let Some(cuts) = cuts(&text, &runs) {
        parts(reading, place, text, runs, &cuts)?;
        return Ok(true);
    }
    reading.source.log.warning(place, "the words are not those of the text: it was not split");
    let [start, end] = times.map(|time| reading.time(place, time, Unit::Seconds));
    let end = reading.not_before(place, start, end);
    reading.source.push(Piece { speaker, text, start, end, place, opens: true, turns: false })?;
    Ok(true)
}

/// Words of one speaker after another.
struct Run<'a> {
    speaker: Cow<'a, str>,
    words: Vec<Cow<'a, str>>,
    start: Option<Millis>,
    end: Option<Millis>,
    place: Place,
}

/// A word without a speaker goes on with the word before it, at the beginning with the first that has one.
fn runs<'a>(reading: &mut Reading<'a>, words: Value<'a>) -> Result<Vec<Run<'a>>, Problem> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    if memmem::find(words.raw().as_bytes(), b"speaker").is_none() {
        return Ok(runs);
    }
    let mut unnamed: Option<Run<'a>> = None;
    for element in words.items() {
        let [word, speaker, start, end] = element.pick(["word", "speaker", "start", "end"]).values;
        let Some(word) = word.and_then(Value::text) else {
            continue;
        };
        let place = reading.place(element);
        let [start, end] = [start, end].map(|time| reading.time(place, time, Unit::Seconds));
        let run = match reading.label(place, speaker).map(numbered) {
            Some(speaker) if runs.last().is_none_or(|run| run.speaker != speaker) => {
                reading.check_room(runs.len(), element)?;
                let before = unnamed.take();
                runs.push(before.map_or_else(
                    || Run { speaker: speaker.clone(), words: Vec::new(), start: None, end: None, place },
                    |run| Run { speaker: speaker.clone(), ..run },
                ));
                runs.last_mut()
            }
            Some(_) => runs.last_mut(),
            None if runs.is_empty() => Some(unnamed.get_or_insert_with(|| Run {
                speaker: Cow::Borrowed(""),
                words: Vec::new(),
                start: None,
                end: None,
                place,
            })),
            None => runs.last_mut(),
        };
        if let Some(run) = run {
            run.words.push(word.text);
            run.start = run.start.or(start);
            run.end = end.or(run.end);
            run.place = run.place.to(place);
        }
    }
    Ok(runs)
}

/// Where the runs begin in the text; `None` where the text has other words than they.
fn cuts(text: &str, runs: &[Run<'_>]) -> Option<Vec<usize>> {
    let mut found = Vec::with_capacity(runs.len());
    let mut at = 0;
    for run in runs {
        let mut first = None;
        for word in run.words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
            let gap = text[at..].find(word)?;
            if text[at..at + gap].contains(char::is_alphanumeric) {
                return None;
            }
            first.get_or_insert(at + gap);
            at += gap + word.len();
        }
        found.push(first?);
    }
    let ends_there = !text[at..].contains(char::is_alphanumeric);
    ends_there.then_some(found)
}

fn parts<'a>(
    reading: &mut Reading<'a>,
    place: Place,
    text: Cow<'a, str>,
    runs: Vec<Run<'a>>,
    cuts: &[usize],
) -> Result<(), Problem> {
    let slice = |from: usize, to: usize| match &text {
        Cow::Borrowed(text) => Cow::Borrowed(text[from..to].trim()),
        Cow::Owned(text) => Cow::Owned(text[from..to].trim().to_owned()),
    };
    for (at, run) in runs.into_iter().enumerate() {
        let from = if at == 0 { 0 } else { cuts[at] };
        let said = slice(from, cuts.get(at + 1).copied().unwrap_or(text.len()));
        let end = reading.not_before(run.place, run.start, run.end);
        let (speaker, start) = (Some(run.speaker), run.start);
        let opens = at == 0;
        let place = if opens { place } else { run.place };
        let piece = Piece { speaker, text: said, start, end, place, opens, turns: !opens };
        if opens {
            reading.source.push(piece)?;
        } else {
            reading.source.check_room(reading.source.pieces.len(), place.line)?;
            reading.source.pieces.push(piece);
        }
    }
    Ok(())
}

/// Whisper's own measures by which it tells what it made up: the text is kept, the doubt is told.
fn doubt(reading: &mut Reading<'_>, place: Place, measures: [Option<Value<'_>>; 3]) {
    let [sure, silent, ratio] = measures.map(|measure| measure.and_then(Value::number));
    if silent.is_some_and(|silent| silent > 0.6) && sure.is_some_and(|sure| sure < -1.0) {
        reading.source.log.warning(place, "likely hallucinated: the model heard hardly any speech here");
    }
    if ratio.is_some_and(|ratio| ratio > 2.4) {
        reading.source.log.warning(place, "likely hallucinated: the text repeats itself");
    }
}
