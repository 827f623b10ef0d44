//! The console in a real browser, against the real binary.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::json;

use crate::support::{Ended, Import, left_out, sample, workspace, world};

/// The driver ends by itself within a minute, whatever happens; this is for one that does not.
const LIMIT: Duration = Duration::from_secs(75);

/// The driver, with the browser to use; what is missing where something is.
fn driver() -> Result<Command, &'static str> {
    #[expect(clippy::disallowed_methods, reason = "the environment tells tests where things are")]
    let named = std::env::var_os("CHROMIUM").filter(|path| !path.is_empty());
    let chromium = named.map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    let folder = workspace().join("web/graphiql/test");
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).status();
    if !node.is_ok_and(|status| status.success()) {
        return Err("Node was not found; `just browser` installs it");
    }
    if !folder.join("node_modules/playwright-core").is_dir() {
        return Err("the browser's driver was not found; `just browser` installs it");
    }
    if !chromium.is_file() {
        return Err("Chromium was not found; `just browser` installs it");
    }
    let mut command = Command::new("node");
    command.arg(folder.join("browser.mjs")).env("CHROMIUM", chromium).stdin(Stdio::null());
    Ok(command)
}

#[tokio::test]
async fn an_owner_queries_and_subscribes_in_a_browser() {
    let mut command = match driver() {
        Ok(command) => command,
        Err(missing) => return left_out("console::an_owner_queries_and_subscribes_in_a_browser", missing),
    };
    let world = world!();
    let server = world.standalone().await;
    let text = sample("coaching-session.vtt");
    let import = Import { text: &text, title: Some("Coaching session"), ..Import::default() };
    let id = server.owner().imported(import).await;

    let query = "{ viewer { user { email } } conversations(first: 5) { edges { node { title } } } }";
    let subscription = format!(
        "subscription {{ conversationProgress(conversationId: {}) {{ ... on ConversationProgress {{ stage }} }} }}",
        json!(id)
    );
    command
        .args([&format!("{}graphql", server.url), &server.token, query, &subscription])
        .args([r#""title": "Coaching session""#, r#""stage": "ANALYZED""#]);
    let output = tokio::process::Command::from(command).kill_on_drop(true).output();
    let ended = tokio::time::timeout(LIMIT, output).await.expect("the driver ends").expect("it starts");
    assert_eq!(Ended::from(ended).well(), "ok\n");
}
