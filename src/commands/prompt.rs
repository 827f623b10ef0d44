//! Questions on the terminal, and answers from standard input.

use std::io::{self, BufRead, Write};

use anyhow::{Context, Result, bail};

/// The line that is typed behind the question.
pub(super) async fn ask(question: impl Into<String>) -> Result<String> {
    let question = question.into();
    let answer = move || {
        let mut err = anstream::stderr().lock();
        write!(err, "{question}").and_then(|()| err.flush())?;
        drop(err);
        first_line("an answer").map(|line| line.trim().to_owned())
    };
    unless_interrupted(answer).await
}

pub(super) fn first_line(what: &str) -> Result<String> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .with_context(|| format!("could not read {what} from standard input"))?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        bail!("{what} was expected on the first line of standard input");
    }
    Ok(line.to_owned())
}

/// So that Ctrl-C at a prompt leaves by the front door, where the terminal gets its echo back.
pub(super) async fn unless_interrupted<T: Send + 'static>(
    answer: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::select! {
        answered = tokio::task::spawn_blocking(answer) => answered?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    }
}
