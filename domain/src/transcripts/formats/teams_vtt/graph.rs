//! What Microsoft Graph answers: times with as few digits as there need be, as in `0:0:5.32`, where WebVTT wants two and
//! three; and the metadata of a transcript, whose cues hold JSON that says who says what.

use std::borrow::Cow;

use super::super::super::{
    Limits,
    export::stamp,
    json::{Document, Value},
    lines::Lines,
    times::{self, ARROW},
};

/// Whether the first times of a file are shorter than WebVTT has them.
pub(super) fn has_short_times(text: &str) -> bool {
    Lines::new(text)
        .find(|line| line.text.contains(ARROW))
        .is_some_and(|line| times::strict_span(line.text).is_none() && long_times(line.text).is_some())
}

/// A file with times as WebVTT has them, line by line as it was.
pub(super) fn with_long_times(text: &str) -> Cow<'_, str> {
    if !has_short_times(text) {
        return Cow::Borrowed(text);
    }
    let mut long = String::with_capacity(text.len() + text.len() / 4);
    let mut from = 0;
    for line in Lines::new(text).filter(|line| line.text.contains(ARROW)) {
        if let Some(times) = long_times(line.text) {
            long.push_str(&text[from..line.start]);
            long.push_str(&times);
            from = line.end();
        }
    }
    long.push_str(&text[from..]);
    Cow::Owned(long)
}

/// `0:0:0.0 --> 0:0:5.32` as `00:00:00.000 --> 00:00:05.320`
fn long_times(line: &str) -> Option<String> {
    let span = times::lenient_span(line)?;
    let mut parts = line.split(ARROW);
    let whole =
        |part: Option<&str>| part.is_some_and(|part| part.bytes().filter(|byte| *byte == b':').count() == 2);
    let is_short = whole(parts.next()) && whole(parts.next()) && span.rest.is_empty();
    is_short.then(|| format!("{} {ARROW} {}", stamp(span.start, '.'), stamp(span.end, '.')))
}

/// Whether the text of a cue is of such metadata.
pub(super) fn is_metadata(payload: &str) -> bool {
    payload.starts_with('{') && payload.contains("\"spokenText\"")
}

/// Who says what in a cue of metadata; `None` where it is none.
pub(super) fn said(payload: &str, limits: &Limits) -> Option<(Option<String>, String)> {
    if !is_metadata(payload) {
        return None;
    }
    let document = Document::read(payload, limits).ok()?;
    let [speaker, text] = document.only().ok()?.pick(["speakerName", "spokenText"]).values;
    let own = |value: Value<'_>| value.text().map(|text| text.text.into_owned());
    Some((speaker.and_then(own), text.and_then(own)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_are_made_long_and_no_line_is_moved() {
        let text =
            "WEBVTT\r\n\r\n0:0:0.0 --> 0:1:5.32\r\n<v A>0:0 --> 1</v>\r\n\r\n10:00:07.500-->10:0:8.5\r\nx";
        let long = with_long_times(text);
        assert_eq!(
            long,
            "WEBVTT\r\n\r\n00:00:00.000 --> 00:01:05.320\r\n<v A>0:0 --> 1</v>\r\n\r\n\
             10:00:07.500 --> 10:00:08.500\r\nx"
        );
        for whole in [
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nx\n\n0:0:1.0 --> 0:0:2.0\ny",
            "WEBVTT\n\n0:1.5 --> 0:2.0\nx",
        ] {
            assert!(matches!(with_long_times(whole), Cow::Borrowed(_)), "{whole}");
        }
    }

    #[test]
    fn metadata_says_who_says_what() {
        let read = |payload| said(payload, &Limits::default());
        let both = "{\"speakerName\":\"Mara \\\"M\\\" Voss\",\"spokenText\":\"Hm.\"}";
        assert_eq!(read(both), Some((Some("Mara \"M\" Voss".to_owned()), "Hm.".to_owned())));
        assert_eq!(read("{\"speakerName\":null,\n\"spokenText\":\"Hm.\"}"), Some((None, "Hm.".to_owned())));
        for none in ["Hm.", "{\"spokenText\":\"cut", "{\"spokenText\":7}", "{} \"spokenText\""] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
