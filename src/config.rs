//! The configuration: defaults, then `colloquy.toml`, then `COLLOQUY_*`, then `--set`. Each section's struct
//! stands in the crate that uses it; unknown keys are refused. `config.default.toml` documents every key.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use colloquy_api::HttpSettings;
use colloquy_domain::{
    accounts::AccountRules,
    analysis::AnalysisRules,
    conversations::ImportRules,
    jobs::{JobKind, limits::JobLimits, rules::JobRules},
    search::SearchRules,
};
use colloquy_elasticsearch::ElasticsearchSettings;
use colloquy_postgres::DatabaseSettings;
use colloquy_qdrant::QdrantSettings;
use colloquy_redis::RedisSettings;
use colloquy_worker::{StewardSettings, WorkerSettings};
use figment::{
    Figment,
    error::Kind,
    providers::{Env, Format, Toml},
};
use serde::{Deserialize, Serialize};

use crate::{cli::Common, environment, telemetry::TelemetrySettings};

/// Read where no `--config` is given, if it is there.
const FILE: &str = "colloquy.toml";
const PREFIX: &str = "COLLOQUY_";
/// Variables with our prefix that are no settings.
const NO_SETTINGS: [&str; 6] = ["cache", "profile", "server", "token", "config", "test"];

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub data: DataSettings,
    pub http: HttpSettings,
    pub auth: AccountRules,
    pub secrets: SecretSettings,
    pub database: DatabaseSettings,
    pub redis: RedisSettings,
    pub elasticsearch: ElasticsearchSettings,
    pub search: SearchRules,
    pub qdrant: QdrantSettings,
    pub import: ImportRules,
    pub analysis: AnalysisRules,
    pub embedding: EmbeddingSettings,
    pub worker: WorkerSettings,
    pub steward: StewardSettings,
    pub jobs: JobRules,
    pub limits: JobLimits,
    pub telemetry: TelemetrySettings,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DataSettings {
    pub dir: PathBuf,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self { dir: PathBuf::from(".colloquy") }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SecretSettings {
    /// A file with the key that signs tokens: at least 32 random bytes.
    pub signing_key_file: Option<PathBuf>,
    /// The key itself, for the environment; the file is the better place.
    pub signing_key: Option<Secret>,
}

/// A text that is never shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EmbeddingSettings {
    pub model: EmbeddingChoice,
    pub model_dir: PathBuf,
    pub runtime_library: PathBuf,
    pub threads: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EmbeddingChoice {
    /// all-MiniLM-L6-v2 on this machine's processors.
    #[serde(rename = "minilm")]
    MiniLm,
    /// Feature hashing: no files and no meaning; for tests.
    Hashing,
    /// Search by word alone.
    None,
}

impl Default for EmbeddingSettings {
    fn default() -> Self {
        let cache = environment::cache();
        let library = if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            model: EmbeddingChoice::MiniLm,
            model_dir: cache.join("models/all-MiniLM-L6-v2"),
            runtime_library: cache.join("onnxruntime").join(library),
            threads: (cores / 2).max(1),
        }
    }
}

pub(crate) fn load(common: &Common) -> Result<Config> {
    let mut figment = Figment::new();
    match &common.config {
        Some(file) if !file.exists() => bail!("there is no configuration file {}", file.display()),
        Some(file) => figment = figment.merge(Toml::file_exact(file)),
        None if Path::new(FILE).exists() => figment = figment.merge(Toml::file_exact(FILE)),
        None => {}
    }
    figment = figment.merge(from_environment());
    for setting in &common.set {
        let toml = as_toml(setting)?;
        figment = figment.merge(Toml::string(&toml));
    }
    let mut config: Config =
        figment.extract().map_err(|error| not_right(error.into_iter().map(|error| told(&error))))?;
    let problems = config.jobs.problems();
    if !problems.is_empty() {
        return Err(not_right(problems.into_iter()));
    }
    if let Some(dir) = &common.data_dir {
        config.data.dir = dir.clone();
    }
    Ok(config)
}

fn not_right(problems: impl Iterator<Item = String>) -> anyhow::Error {
    let lines: Vec<_> = problems.map(|problem| format!("  {problem}")).collect();
    let lines = lines.join("\n");
    anyhow::anyhow!("the configuration is not right:\n{lines}\n`config.default.toml` documents every setting")
}

/// `COLLOQUY_HTTP_CORS_ORIGINS` is `http.cors_origins`: sections are one word, keys may have several.
fn from_environment() -> Env {
    Env::prefixed(PREFIX)
        .filter(|key| {
            let key = key.as_str().to_ascii_lowercase();
            !NO_SETTINGS
                .iter()
                .any(|no| key == *no || (key.starts_with(no) && key[no.len()..].starts_with('_')))
        })
        .map(|key| dotted(key.as_str()).into())
        .split(".")
}

/// The only sections within sections, besides those of kinds of jobs; every other key has one dot.
const INNER: [&str; 3] = ["http.live_", "http.limits_", "worker.concurrency_"];

fn dotted(key: &str) -> String {
    let key = key.to_ascii_lowercase().replacen('_', ".", 1);
    if let Some(of_a_kind) = key.strip_prefix("jobs.kinds_") {
        let of = |kind: JobKind| Some((kind, of_a_kind.strip_prefix(kind.as_str())?.strip_prefix('_')?));
        if let Some((kind, name)) = JobKind::ALL.into_iter().find_map(of) {
            return format!("jobs.kinds.{kind}.{name}");
        }
    }
    match INNER.iter().find_map(|inner| key.strip_prefix(inner).map(|rest| (inner, rest))) {
        Some((inner, rest)) => format!("{}.{rest}", inner.trim_end_matches('_')),
        None => key,
    }
}

/// Names keys as the files have them, and a variable as the user wrote it.
fn told(error: &figment::Error) -> String {
    let prefix = format!("`{PREFIX}`");
    if !error.metadata.as_ref().is_some_and(|metadata| metadata.name.starts_with(&prefix)) {
        return error.to_string();
    }
    let mut path = error.path.clone();
    if let Kind::UnknownField(name, _) = &error.kind
        && path.last() != Some(name)
    {
        path.push(name.clone());
    }
    let key = path.join(".").to_ascii_lowercase();
    let variable = format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase());
    let written = environment::variable_like(&variable).unwrap_or(variable);
    format!("{written} (`{key}`): {}", error.kind)
}

/// `http.bind=0.0.0.0:4000` as a line of TOML: a value that is none by itself is taken as text.
fn as_toml(setting: &str) -> Result<String> {
    let (key, value) =
        setting.split_once('=').with_context(|| format!("`--set {setting}` should be `--set KEY=VALUE`"))?;
    let plain = format!("{key} = {value}");
    if toml::from_str::<toml::Table>(&plain).is_ok() {
        return Ok(plain);
    }
    Ok(format!("{key} = {}", toml::Value::String(value.to_owned())))
}

/// The settings in force, secrets masked.
pub(crate) fn masked_toml(config: &Config) -> Result<String> {
    let mut shown = config.clone();
    shown.jobs = config.jobs.in_full();
    shown.redis.url = config.redis.masked_url();
    shown.elasticsearch.url = config.elasticsearch.url.as_deref().map(masked_url);
    shown.qdrant.url = config.qdrant.url.as_deref().map(masked_url);
    shown.database.url = config.database.url.as_deref().map(masked_url);
    toml::to_string_pretty(&shown).context("could not write the configuration as TOML")
}

/// Without user and password, wherever in the text they stand.
fn masked_url(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return "***".to_owned() };
    let had_credentials = !url.username().is_empty() || url.password().is_some();
    // They fail only for URLs that cannot have any.
    let cleared = url.set_username("").is_ok() & url.set_password(None).is_ok();
    if had_credentials && !(cleared && url.set_username("***").is_ok()) {
        return "***".to_owned();
    }
    // libpq's parameters may hold a password too.
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_has_neither_user_nor_password() {
        assert_eq!(masked_url("postgres://ada:s3cret@db:5432/colloquy"), "postgres://***@db:5432/colloquy");
        assert_eq!(masked_url("postgres://db/colloquy?password=s3cret"), "postgres://db/colloquy");
        assert_eq!(masked_url("host=db password=s3cret"), "***");
    }

    #[test]
    fn a_variable_names_a_section_and_a_key() {
        assert_eq!(dotted("HTTP_CORS_ORIGINS"), "http.cors_origins");
        assert_eq!(dotted("HTTP_LIVE_MAX_CONNECTIONS"), "http.live.max_connections");
        assert_eq!(dotted("WORKER_CONCURRENCY_EMBED"), "worker.concurrency.embed");
        assert_eq!(dotted("JOBS_KINDS_SEND_EMAIL_TIMEOUT_MS"), "jobs.kinds.send_email.timeout_ms");
    }

    #[test]
    fn a_value_that_is_no_toml_is_text() {
        assert_eq!(as_toml("http.bind=127.0.0.1:0").unwrap(), "http.bind = \"127.0.0.1:0\"");
        assert_eq!(as_toml("worker.lease_ms=5000").unwrap(), "worker.lease_ms = 5000");
        assert!(as_toml("nothing").is_err());
    }
}
