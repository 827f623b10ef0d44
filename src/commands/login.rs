//! `colloquy login`: a password, once, becomes an API key for this machine, which is kept.

use std::io::{self, IsTerminal};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{
    Outcome, Usage, prompt,
    prompt::{first_line, unless_interrupted},
};
use crate::{
    cli::{KeyRole, Login},
    client::{Client, Credential, Credentials, UserError, warn_if_open},
    output::{self, plain},
};

const VIEWER: &str = "{ viewer { role user { email } organization { name } } }";
const LOG_IN: &str = "
mutation LogIn($input: LogInInput!) {
  logIn(input: $input) { session { accessToken } userErrors { code message field line } }
}";
const CREATE_KEY: &str = "
mutation CreateKey($input: CreateApiKeyInput!) {
  createApiKey(input: $input) { apiKey { id } secret userErrors { code message field line } }
}";
const LOG_OUT: &str = "mutation { logOut { userErrors { code } } }";

pub(crate) async fn run(args: Login) -> Result<Outcome> {
    let mut credentials = Credentials::load()?;
    warn_if_open(&args.server);
    let (token, key_id) = match args.token_stdin {
        true => (first_line("a key")?, None),
        false => {
            let (token, id) = with_password(&args).await?;
            (token, Some(id))
        }
    };
    let client = Client::new(args.server.clone(), Some(&token))?;
    let viewer = viewer(&client).await?;
    let user = viewer.user.map(|user| user.email);
    let credential = Credential { token, key_id, user: user.clone() };
    let before = credentials.put(args.server.clone(), credential)?;
    if let Some(id) = before.and_then(|before| before.key_id) {
        super::logout::revoke_quietly(&client, &id).await;
    }
    output::line(format_args!(
        "signed in to {} as {} of {}, with a key of role {} kept in {}",
        args.server,
        plain(user.as_deref().unwrap_or("somebody")),
        plain(viewer.organization.as_ref().map_or("no organization", |organization| &organization.name)),
        viewer.role,
        credentials.place(),
    ))?;
    Ok(Outcome::Done)
}

#[derive(Deserialize)]
struct Viewer {
    role: String,
    user: Option<User>,
    organization: Option<Organization>,
}

#[derive(Deserialize)]
struct User {
    email: String,
}

#[derive(Deserialize)]
struct Organization {
    name: String,
}

async fn viewer(client: &Client) -> Result<Viewer> {
    #[derive(Deserialize)]
    struct Data {
        viewer: Option<Viewer>,
    }
    let Data { viewer } = client.query(VIEWER, json!({})).await?;
    viewer.context("the server does not know whose key this is")
}

/// The key and its id.
async fn with_password(args: &Login) -> Result<(String, String)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct LogIn {
        log_in: LogInPayload,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct LogInPayload {
        session: Option<Session>,
        user_errors: Vec<UserError>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Session {
        access_token: String,
    }

    let email = match &args.email {
        Some(email) => email.clone(),
        None if args.password_stdin => {
            return Err(Usage("with --password-stdin give --email too".to_owned()).into());
        }
        None => ask("e-mail: ").await?,
    };
    let password = match args.password_stdin {
        true => first_line("a password")?,
        false => ask_password(&args.server, &email).await?,
    };
    let client = Client::new(args.server.clone(), None)?;
    let input = json!({ "input": { "email": email, "password": password } });
    let LogIn { log_in } = client.mutate(LOG_IN, input).await?;
    refuse(log_in.user_errors)?;
    let session = log_in.session.context("the server gave no session")?;

    let client = Client::new(args.server.clone(), Some(&session.access_token))?;
    let made = create_key(&client, args.role).await;
    // The session has served; its refresh token should not lie about.
    if let Err(error) = client.mutate::<serde::de::IgnoredAny>(LOG_OUT, json!({})).await {
        tracing::debug!(%error, "the session ends by itself");
    }
    made
}

async fn create_key(client: &Client, role: KeyRole) -> Result<(String, String)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        create_api_key: Payload,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        api_key: Option<ApiKey>,
        secret: Option<String>,
        user_errors: Vec<UserError>,
    }
    #[derive(Deserialize)]
    struct ApiKey {
        id: String,
    }

    let host = nix::unistd::gethostname().ok().and_then(|host| host.into_string().ok());
    let name = format!("colloquy shell on {}", host.as_deref().unwrap_or("a machine without a name"));
    let input = json!({ "input": { "name": name, "role": role } });
    let Data { create_api_key: made } =
        client.mutate(CREATE_KEY, input).await.context("could not make a key")?;
    refuse(made.user_errors)?;
    match (made.secret, made.api_key) {
        (Some(secret), Some(key)) => Ok((secret, key.id)),
        _ => bail!("the server made no key"),
    }
}

fn refuse(errors: Vec<UserError>) -> Result<()> {
    match errors.first() {
        Some(error) => bail!("{}", plain(&error.to_string())),
        None => Ok(()),
    }
}

async fn ask(question: &'static str) -> Result<String> {
    if !io::stdin().is_terminal() {
        return Err(
            Usage("there is no terminal to ask on; give --email and --password-stdin".to_owned()).into()
        );
    }
    prompt::ask(question).await
}

async fn ask_password(server: &Url, email: &str) -> Result<String> {
    let question = format!("password of {} at {server}: ", plain(email));
    let answer = move || {
        rpassword::prompt_password(question)
            .context("there is no terminal to ask on; give --password-stdin or --token-stdin")
    };
    unless_interrupted(answer).await
}
