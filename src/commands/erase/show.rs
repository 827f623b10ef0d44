//! Erasures as people read them: ids, states and numbers, since nothing else is kept of them.

use colloquy_domain::time::Timestamp;

use crate::{
    client::{Erasure, Removed},
    commands::text::{count, grouped, word},
    output::{bold, faint, good, odd, plain},
};

const INDENT: &str = "                ";

/// What has just become of something that was to be erased.
pub(super) fn told(outcome: &str, shown: &str, erasure: &Erasure) -> String {
    let outcome = if outcome == "erased" { good("erased        ") } else { faint("erased already") };
    let mut lines = vec![format!("{outcome}  {}", bold(plain(shown)))];
    lines.extend(removed(&erasure.report));
    lines.push(match (erasure.state.as_str(), erasure.was_swept()) {
        ("DONE", _) => "every store was looked through for the last time".to_owned(),
        (_, true) => {
            "every store was looked through, and will be once more when all has ended that ran".to_owned()
        }
        ("ERASING", false) => "conversations are redacted, one after another".to_owned(),
        (_, false) => "every store will be looked through again".to_owned(),
    });
    lines.push(faint(format_args!("colloquy erase show {}", plain(&erasure.id))));
    lines.join(&format!("\n{INDENT}"))
}

/// One of a list.
pub(super) fn row(erasure: &Erasure) -> String {
    let Erasure { id, kind, requested_at, report, .. } = erasure;
    let numbers = match report.segments {
        0 => count(report.conversations, "conversation"),
        segments => {
            format!("{}, {}", count(report.conversations, "conversation"), count(segments, "segment"))
        }
    };
    format!("{}  {:12}  {}  {}  {numbers}", bold(plain(id)), word(kind), state(erasure), time(*requested_at))
}

/// All that is known of one.
pub(super) fn details(erasure: &Erasure) -> String {
    let mut lines = vec![format!("{}  {}", bold(word(&erasure.kind)), state(erasure))];
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<10}  {value}"));
    row("id", plain(&erasure.id));
    row("was", plain(&erasure.subject_id));
    row("asked for", time(erasure.requested_at));
    for part in removed(&erasure.report) {
        row("removed", part);
    }
    if let Some(at) = erasure.last_sweep_at {
        row("looked", format!("{}, last at {}", count(erasure.sweeps as usize, "time"), time(at)));
    }
    if let Some(at) = erasure.finished_at {
        row("done", time(at));
    }
    lines.join("\n")
}

/// In lines that say of what there was how much.
fn removed(report: &Removed) -> Vec<String> {
    let Removed { conversations, segments, labels, texts, passages, vectors, analyses, matches, .. } =
        *report;
    let lines = [
        line(&[
            (conversations, "conversation", "conversations"),
            (segments, "segment", "segments"),
            (labels, "label", "labels"),
            (texts, "other text", "other texts"),
        ]),
        line(&[
            (passages, "passage", "passages"),
            (vectors, "vector", "vectors"),
            (analyses, "analysis", "analyses"),
            (matches, "match of a saved search", "matches of saved searches"),
            (report.tags, "tag", "tags"),
        ]),
        line(&[
            (report.jobs, "job redacted", "jobs redacted"),
            (report.restarted_jobs, "job begun again", "jobs begun again"),
            (report.settings, "setting", "settings"),
        ]),
        line(&[(report.came_back, "of it came back, and went again", "of it came back, and went again")]),
    ];
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}

/// What there was none of is left out.
fn line(parts: &[(usize, &str, &str)]) -> String {
    let one = |(number, one, many): &(usize, &str, &str)| match number {
        1 => format!("1 {one}"),
        number => format!("{} {many}", grouped(*number)),
    };
    parts.iter().filter(|(number, ..)| *number > 0).map(one).collect::<Vec<_>>().join(", ")
}

fn state(erasure: &Erasure) -> String {
    let word = word(&erasure.state);
    if erasure.state == "DONE" { good(word) } else { odd(word) }
}

fn time(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn erasure(state: &str, sweeps: u32) -> Erasure {
        let report = json!({ "conversations": 2, "segments": 1204, "labels": 3, "texts": 1, "passages": 40,
            "vectors": 40, "analyses": 1, "matches": 2, "tags": 0, "jobs": 0, "restartedJobs": 1, "settings": 0,
            "cameBack": 0 });
        let value = json!({ "id": "e1", "kind": "PERSON", "subjectId": "p1", "state": state, "sweeps": sweeps,
            "lastSweepAt": (sweeps > 0).then_some("2026-03-01T09:31:00Z"), "requestedAt": "2026-03-01T09:30:00Z",
            "finishedAt": null, "report": report });
        Erasure::read(&value).unwrap()
    }

    fn bare(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn an_erasure_tells_what_was_removed_and_what_is_left_to_do() {
        assert_snapshot!(bare(&told("erased", "Ana Lopez", &erasure("SWEEPING", 1))), @"
        erased          Ana Lopez
                        2 conversations, 1,204 segments, 3 labels, 1 other text
                        40 passages, 40 vectors, 1 analysis, 2 matches of saved searches
                        1 job begun again
                        every store was looked through, and will be once more when all has ended that ran
                        colloquy erase show e1
        ");
        let before = bare(&told("already-erased", "p1", &erasure("ERASING", 0)));
        assert!(before.starts_with("erased already  p1\n"), "{before}");
        assert!(before.contains("conversations are redacted, one after another"), "{before}");
    }

    #[test]
    fn a_list_has_a_line_an_erasure_and_one_is_shown_whole() {
        assert_eq!(
            bare(&row(&erasure("DONE", 2))),
            "e1  person        done  2026-03-01 09:30:00Z  2 conversations, 1,204 segments"
        );
        assert_snapshot!(bare(&details(&erasure("SWEEPING", 1))), @"
        person  sweeping
          id          e1
          was         p1
          asked for   2026-03-01 09:30:00Z
          removed     2 conversations, 1,204 segments, 3 labels, 1 other text
          removed     40 passages, 40 vectors, 1 analysis, 2 matches of saved searches
          removed     1 job begun again
          looked      1 time, last at 2026-03-01 09:31:00Z
        ");
    }
}
