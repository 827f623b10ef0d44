//! Messages of Deepgram's stream, one after another or in a list. What is final says what was heard on a channel; what
//! is not, a later one replaces, unless the stream ends before. Messages about other things say nothing.

use super::{
    super::super::{
        json::{Document, Kind, Reading, Value},
        report::{Place, SpeakerSource},
    },
    Channel,
};
use crate::error::Problem;

fn messages<'a>(document: &'a Document<'a>) -> impl Iterator<Item = Value<'a>> {
    document.values().flat_map(|value| {
        let alone = (value.kind() != Kind::List).then_some(value);
        value.items().chain(alone)
    })
}

/// What was heard, of a message that says it.
fn heard(channel: Option<Value<'_>>) -> Option<Value<'_>> {
    channel.filter(|channel| channel.kind() == Kind::Object)
}

pub(super) fn is_one<'a>(document: &'a Document<'a>) -> bool {
    messages(document).any(|message| heard(message.get("channel")).is_some())
}

/// The number of a message's channel, from 0, and how many there are.
fn channel_index(index: Option<Value<'_>>) -> [Option<u64>; 2] {
    let mut numbers =
        index.into_iter().flat_map(Value::items).map(|number| number.number().map(|number| number as u64));
    [numbers.next().flatten(), numbers.next().flatten()]
}

pub(super) fn read<'a>(reading: &mut Reading<'a>, document: &'a Document<'a>) -> Result<(), Problem> {
    let several = messages(document)
        .any(|message| matches!(channel_index(message.get("channel_index")), [_, Some(2..)]));
    if several {
        reading.source.speaker_source = Some(SpeakerSource::Channels);
    }
    let (mut replaced, mut open): (Option<Place>, Option<Place>) = (None, None);
    for message in messages(document) {
        let [channel, index, is_final] = reading.pick(message, ["channel", "channel_index", "is_final"]);
        let Some(channel) = heard(channel) else {
            if message.kind() != Kind::Object {
                let place = reading.place(message);
                reading.source.skip(place, "it is no message")?;
            }
            continue;
        };
        if is_final.is_some_and(|is_final| is_final.raw() == "false") {
            let place = reading.place(message);
            replaced = Some(replaced.map_or(place, |first| first.to(place)));
            open = Some(place).filter(|_| says_something(channel));
            continue;
        }
        open = None;
        let [number, _] = channel_index(index);
        Channel { number: number.filter(|_| several) }.read(reading, channel)?;
    }
    if let Some(place) = replaced {
        reading.source.log.aside(place, "results that were not final, which later ones replace");
    }
    if let Some(place) = open {
        reading.source.skip(place, "the stream ends before this was final")?;
    }
    if several {
        reading.sort(None);
    }
    Ok(())
}

fn says_something(channel: Value<'_>) -> bool {
    let first = channel.get("alternatives").and_then(|list| list.items().next());
    let said = first.and_then(|first| first.get("transcript")).and_then(Value::text);
    said.is_some_and(|said| !said.text.trim().is_empty())
}
