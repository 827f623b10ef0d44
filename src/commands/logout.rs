//! `colloquy logout`: the key is revoked where `login` made it, and forgotten.

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{Outcome, Usage};
use crate::{
    cli::Logout,
    client::{Client, Credentials, Trouble, UserError},
    output::{self, plain},
};

const REVOKE: &str = "
mutation Revoke($input: RevokeApiKeyInput!) {
  revokeApiKey(input: $input) { apiKey { id } userErrors { code message field line } }
}";

pub(crate) async fn run(args: Logout) -> Result<Outcome> {
    let mut credentials = Credentials::load()?;
    let server = which(args.server, &credentials)?;
    let Some(credential) = credentials.remove(&server)? else {
        bail!("there is no key for {server}");
    };
    let Some(id) = &credential.key_id else {
        output::line(format_args!("forgot the key for {server}; it was made elsewhere, so it stays valid"))?;
        return Ok(Outcome::Done);
    };
    let client = Client::new(server.clone(), Some(&credential.token))?;
    match revoke(&client, id).await {
        Ok(None) => output::line(format_args!("signed out of {server}: the key is revoked"))?,
        // A key that is not good any more is as good as revoked.
        Err(trouble) if trouble.code() == Some("UNAUTHENTICATED") => {
            output::line(format_args!("signed out of {server}: the key was not valid any more"))?;
        }
        Ok(Some(error)) => return unrevoked(&server, &error.to_string()),
        Err(trouble) => return unrevoked(&server, &trouble.to_string()),
    }
    Ok(Outcome::Done)
}

fn unrevoked(server: &Url, reason: &str) -> Result<Outcome> {
    output::warn(format_args!(
        "the key for {server} is forgotten here but could not be revoked there: {}; revoke it in the console",
        plain(reason)
    ));
    Ok(Outcome::Failed)
}

fn which(server: Option<Url>, credentials: &Credentials) -> Result<Url> {
    if let Some(server) = server {
        return Ok(server);
    }
    let mut servers = credentials.servers();
    match (servers.next(), servers.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => bail!("no key is kept"),
        (Some(_), Some(_)) => {
            let all: Vec<_> = credentials.servers().map(Url::as_str).collect();
            Err(Usage(format!("which one? --server is one of {}", all.join(", "))).into())
        }
    }
}

/// `login` again: the key before has been replaced.
pub(super) async fn revoke_quietly(client: &Client, id: &str) {
    match revoke(client, id).await {
        Ok(None) => {}
        Ok(Some(error)) => {
            output::warn(format_args!("the key before was not revoked: {}", plain(&error.to_string())))
        }
        Err(trouble) => output::warn(format_args!("the key before was not revoked: {trouble}")),
    }
}

async fn revoke(client: &Client, id: &str) -> Result<Option<UserError>, Trouble> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        revoke_api_key: Payload,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        user_errors: Vec<UserError>,
    }
    // A second time changes nothing, so it may be asked again.
    let Data { revoke_api_key } = client.query(REVOKE, json!({ "input": { "id": id } })).await?;
    Ok(revoke_api_key.user_errors.into_iter().next())
}
