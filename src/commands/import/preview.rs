//! How a conversation would begin, for somebody who looks before they import.

use crate::{
    client::{Preview, PreviewTurn},
    commands::text::{count, time_code, wrap},
    output::{bold, faint, plain},
};

/// Turns that are shown of one file, enough to see speakers and times.
const TURNS: usize = 5;

/// `segments` is how many there are in all; `whole` shows all that the server gave.
pub(super) fn lines(preview: &Preview, segments: u32, width: usize, whole: bool) -> Vec<String> {
    let shown = if whole { preview.turns.len() } else { preview.turns.len().min(TURNS) };
    let turns = &preview.turns[..shown];
    let times: Vec<String> = turns.iter().map(times).collect();
    let column = times.iter().map(|times| times.chars().count() + 2).max().filter(|wide| *wide > 2);
    let column = column.unwrap_or(0);
    let mut lines = vec![format!("“{}” would begin:", plain(&preview.title))];
    for (turn, times) in turns.iter().zip(times) {
        lines.push(faint(format_args!("{times:<column$}")) + &line(turn, width.saturating_sub(column)));
    }
    let more = (segments as usize).saturating_sub(shown);
    if more > 0 {
        lines.push(faint(format_args!("and {}", count(more, "further segment"))));
    }
    lines
}

/// What the source says, and nothing else.
fn times(turn: &PreviewTurn) -> String {
    match (turn.start_ms.map(time_code), turn.end_ms.map(time_code)) {
        (Some(start), Some(end)) => format!("{start}–{end}"),
        (Some(start), None) => start,
        (None, Some(end)) => format!("–{end}"),
        (None, None) => String::new(),
    }
}

fn line(turn: &PreviewTurn, width: usize) -> String {
    let (text, speaker) = (plain(&turn.text), turn.speaker.as_deref().map(plain));
    let said = match &speaker {
        Some(speaker) => format!("{speaker}: {text}"),
        None => text,
    };
    let mut lines = wrap(&[(&said, false)], width.saturating_sub(2), str::to_owned).into_iter();
    let mut first = lines.next().unwrap_or_default();
    if lines.next().is_some() {
        first.push_str(" …");
    }
    match speaker.and_then(|speaker| first.strip_prefix(&speaker).map(|rest| bold(&speaker) + rest)) {
        Some(bold) => bold,
        None => first,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn turn(speaker: Option<&str>, times: (Option<u64>, Option<u64>), text: &str) -> PreviewTurn {
        let speaker = speaker.map(str::to_owned);
        PreviewTurn { speaker, text: text.to_owned(), start_ms: times.0, end_ms: times.1 }
    }

    fn shown(turns: Vec<PreviewTurn>, segments: u32, whole: bool) -> String {
        let preview = Preview { title: "Walk\u{7}".to_owned(), turns };
        anstream::adapter::strip_str(&lines(&preview, segments, 60, whole).join("\n")).to_string()
    }

    #[test]
    fn a_person_sees_who_speaks_and_when() {
        let long = "I walked along the harbour until the lighthouse was out of sight.";
        let mut turns = vec![
            turn(Some("Mara"), (Some(1_000), Some(4_000)), "How was it?"),
            turn(Some("Tobias\u{1b}"), (Some(65_500), Some(70_000)), long),
            turn(None, (Some(3_723_000), None), "Nobody knows who said this."),
            turn(Some("Mara"), (None, Some(3_725_000)), "Until then."),
            turn(Some("Mara"), (None, None), "Whenever."),
        ];
        turns.push(turns[0].clone());
        assert_snapshot!(shown(turns.clone(), 1_190, false), @"
        “Walk\u{fffd}” would begin:
        0:01–0:04  Mara: How was it?
        1:05–1:10  Tobias\u{fffd}: I walked along the harbour until the …
        1:02:03    Nobody knows who said this.
        –1:02:05   Mara: Until then.
                   Mara: Whenever.
        and 1,185 further segments
        ");
        assert!(shown(turns, 1_190, true).ends_with("and 1,184 further segments"));
    }

    #[test]
    fn where_nothing_has_a_time_no_room_is_kept_for_it() {
        let turns = vec![turn(Some("Ada"), (None, None), "Hello."), turn(None, (None, None), "Hello.")];
        assert_eq!(shown(turns, 2, false), "“Walk\u{fffd}” would begin:\nAda: Hello.\nHello.");
    }
}
