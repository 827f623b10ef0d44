//! Which server a command talks to: the one that is named, with the key that `login` kept; else a standalone
//! on the same data folder; else one that is started for as long as the command needs it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{sys::signal::kill, unistd::Pid};
use serde::de::IgnoredAny;
use serde_json::json;
use url::{Host, Url};

use super::{Client, Credentials};
use crate::{
    cli::{Common, Target},
    config, output,
    standalone::{self, Running, ServerFile},
};

/// A client, and the standalone behind it where that is ours.
pub(crate) struct Connection {
    pub(crate) client: Client,
    own: Option<Running>,
}

impl Connection {
    /// Whether the server ends with this command, and with it all work in the background.
    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    pub(crate) async fn close(self) {
        if let Some(running) = self.own {
            running.stop().await;
        }
    }
}

pub(crate) async fn connect(common: &Common, target: &Target) -> Result<Connection> {
    if let Some(server) = &target.server {
        let token = match &target.token {
            Some(token) => token.trim().to_owned(),
            None => kept(server)?,
        };
        warn_if_open(server);
        return Ok(Connection { client: Client::new(server.clone(), Some(&token))?, own: None });
    }
    let mut config = config::load(common)?;
    if let Some(client) = find_running(&config.data.dir).await? {
        return Ok(Connection { client, own: None });
    }
    output::note(output::faint(format_args!(
        "no standalone runs on {}; starting one for as long as this takes",
        config.data.dir.display()
    )));
    config.http.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let running = Box::pin(standalone::start(config)).await.context("could not start a standalone")?;
    let client = Client::new(running.url.clone(), Some(&running.token))?;
    Ok(Connection { client, own: Some(running) })
}

fn kept(server: &Url) -> Result<String> {
    let credentials = Credentials::load()?;
    let Some(credential) = credentials.find(server) else {
        let others: Vec<_> = credentials.servers().map(Url::as_str).collect();
        let others = match others.is_empty() {
            true => String::new(),
            false => format!(" (there are keys for {})", others.join(", ")),
        };
        bail!("not signed in to {server}; run `colloquy login --server {server}`{others}");
    };
    Ok(credential.token.clone())
}

/// Over plain HTTP anybody on the way reads the key.
pub(crate) fn warn_if_open(server: &Url) {
    let loopback = match server.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if server.scheme() == "http" && !loopback {
        output::warn(format_args!(
            "{server} is not https: others on the way can read what is sent, the key too"
        ));
    }
}

/// The standalone on this folder, if the file that it left is not stale: its process lives, and it knows the key.
async fn find_running(data: &std::path::Path) -> Result<Option<Client>> {
    let Some(file) = ServerFile::read(data) else { return Ok(None) };
    let Ok(pid) = i32::try_from(file.pid) else { return Ok(None) };
    if matches!(kill(Pid::from_raw(pid), None), Err(nix::errno::Errno::ESRCH)) {
        return Ok(None);
    }
    let client = Client::new(file.url.clone(), Some(&file.token))?;
    let variables = json!({});
    let probe = client.once::<IgnoredAny>("{ viewer { role } }", &variables, None);
    match tokio::time::timeout(Duration::from_secs(5), probe).await {
        Ok(Ok(_)) => {}
        Ok(Err(trouble)) if trouble.is_lasting() => {
            tracing::debug!(error = %trouble, "server.json is stale");
            return Ok(None);
        }
        // It is there and busy, or in trouble: the command itself will wait, or say what it is.
        Ok(Err(_)) | Err(_) => {}
    }
    if file.version != env!("CARGO_PKG_VERSION") {
        let ours = env!("CARGO_PKG_VERSION");
        output::warn(format_args!(
            "the standalone at {} is version {}, this is {ours}",
            file.url, file.version
        ));
    }
    Ok(Some(client))
}
