//! Jobs as people read them.

use colloquy_domain::time::Timestamp;

use super::state;
use crate::{
    client::{AttemptError, Job},
    commands::text,
    output::{bold, faint, plain},
};

/// A line a job, below it what went wrong last.
pub(super) fn table(jobs: &[Job], width: usize) -> String {
    let kinds = jobs.iter().map(|job| job.kind.len()).max().unwrap_or(0).max(4);
    let heading = format!("{:<9}  {:<kinds$}  {:>5}  {:<20}  ID", "STATE", "KIND", "TRIES", "CREATED");
    let mut lines = vec![faint(heading)];
    for job in jobs {
        let tries = format!("{}/{}", job.attempts, job.max_attempts);
        let gap = " ".repeat(9_usize.saturating_sub(job.state.len()));
        lines.push(format!(
            "{}{gap}  {:<kinds$}  {tries:>5}  {:<20}  {}",
            state(&job.state),
            plain(&job.kind),
            time(job.created_at),
            job.id
        ));
        if let Some(last) = job.errors.last() {
            lines.push(faint(format_args!(
                "{:11}{}",
                "",
                cut(&plain(&last.message), width.saturating_sub(11))
            )));
        }
    }
    lines.join("\n")
}

/// A message in so many letters at most.
fn cut(message: &str, letters: usize) -> String {
    if message.chars().count() <= letters {
        return message.to_owned();
    }
    let mut short: String = message.chars().take(letters.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Everything that is known of one.
pub(super) fn details(job: &Job) -> String {
    let mut lines = vec![format!("{}  {}", bold(plain(&job.kind)), state(&job.state))];
    let mut row = |name: &str, value: String| lines.push(format!("  {:<12}  {value}", name));
    row("id", job.id.clone());
    row("queue", text::word(&job.queue));
    row("attempts", format!("{} of {}", job.attempts, job.max_attempts));
    if job.priority != 0 {
        row("priority", job.priority.to_string());
    }
    if job.waits_for > 0 {
        row("waits for", text::count(job.waits_for as usize, "job"));
    }
    if let Some(conversation) = &job.conversation {
        row("conversation", format!("{} ({})", plain(&conversation.title), conversation.id));
    }
    row("payload", plain(&job.payload.to_string()));
    if let Some(trace) = &job.trace_id {
        row("trace", plain(trace));
    }
    let times = [
        ("created", Some(job.created_at)),
        ("due", Some(job.run_at).filter(|_| job.finished_at.is_none() && job.started_at.is_none())),
        ("started", job.started_at),
        ("asked to stop", job.cancel_requested_at),
        ("finished", job.finished_at),
    ];
    for (name, at) in times {
        if let Some(at) = at {
            row(name, time(at));
        }
    }
    for AttemptError { attempt, at, message } in &job.errors {
        row(&format!("error {attempt}"), format!("{}  {}", faint(time(*at)), plain(message)));
    }
    lines.join("\n")
}

fn time(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn job(state: &str, errors: serde_json::Value) -> Job {
        serde_json::from_value(json!({
            "id": "agGdw0000000000000001", "kind": "index_passages", "queue": "INDEX", "state": state,
            "priority": 0, "attempts": 5, "maxAttempts": 5, "waitsFor": 1, "runAt": "2026-03-01T10:00:00Z",
            "createdAt": "2026-03-01T09:00:00Z", "startedAt": "2026-03-01T10:00:01Z", "finishedAt": null,
            "cancelRequestedAt": null, "traceId": "0af7651916cd43dd8448eb211c80319c",
            "payload": { "conversation_id": "c-1", "revision": 1 }, "errors": errors,
            "conversation": { "id": "c-1", "title": "First talk" }
        }))
        .unwrap()
    }

    #[test]
    fn a_list_shows_a_line_a_job_and_what_went_wrong_last() {
        let errors = json!([
            { "attempt": 4, "at": "2026-03-01T10:00:00Z", "message": "an earlier one" },
            { "attempt": 5, "at": "2026-03-01T10:00:01Z", "message": "the index does\nnot answer, and this is long" },
        ]);
        let shown = table(&[job("DEAD", errors), job("RUNNING", json!([]))], 44);
        assert_snapshot!(anstream::adapter::strip_str(&shown), @r"
        STATE      KIND            TRIES  CREATED               ID
        dead       index_passages    5/5  2026-03-01 09:00:00Z  agGdw0000000000000001
                   the index does not answer, and t…
        running    index_passages    5/5  2026-03-01 09:00:00Z  agGdw0000000000000001
        ");
    }

    #[test]
    fn one_is_shown_with_all_that_is_known() {
        let errors = json!([{ "attempt": 5, "at": "2026-03-01T10:00:01Z", "message": "does not answer" }]);
        assert_snapshot!(anstream::adapter::strip_str(&details(&job("DEAD", errors))), @r#"
        index_passages  dead
          id            agGdw0000000000000001
          queue         index
          attempts      5 of 5
          waits for     1 job
          conversation  First talk (c-1)
          payload       {"conversation_id":"c-1","revision":1}
          trace         0af7651916cd43dd8448eb211c80319c
          created       2026-03-01 09:00:00Z
          started       2026-03-01 10:00:01Z
          error 5       2026-03-01 10:00:01Z  does not answer
        "#);
    }
}
