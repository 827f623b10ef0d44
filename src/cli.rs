//! What can be typed: commands, flags and their help.

mod audit;
mod erase;
mod export;
mod jobs;
mod schedule;
mod values;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use colloquy_domain::{jobs::Queue, time::Timestamp, transcripts::report::Format};
use url::Url;

pub(crate) use audit::Audit;
pub(crate) use erase::{Erase, EraseCommand, EraseConversations, ErasePerson, How};
pub(crate) use export::{Export, ExportFormat};
pub(crate) use jobs::{Change, Jobs, JobsCommand, ListJobs, PauseQueue, ShowJob, ShowQueues, Which};
pub(crate) use schedule::{CreateSchedule, Schedule, ScheduleCommand, UpdateSchedule};
pub(crate) use values::{Analyzer, BatchKind, Color, KeyRole, Kind, MissedRuns, Mode};

/// Conversations in; searchable, analysed with evidence, live over GraphQL.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Examples:
  colloquy demo                          sample conversations, and GraphiQL to look around
  colloquy standalone                    everything in one process, data under .colloquy/
  colloquy import talks/ --kind coaching
  colloquy search '\"notice period\" -salary'

`import`, `search` and `jobs` ask the server of --server; else the standalone on the same data folder; else they
start one for as long as they need it.

Exit status: 0 when all went well, 1 when something failed, 2 for a command that cannot be understood, 130
after Ctrl-C."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Common {
    /// Read the settings from FILE; colloquy.toml in the present folder where left out
    #[arg(long, global = true, value_name = "FILE", env = "COLLOQUY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Keep data in DIR; .colloquy where left out
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Change a setting for this run, such as http.bind=127.0.0.1:5000; repeatable
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print for programs: JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log what the settings say also where only warnings would be logged, and cut no report short
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// Colours and bold letters
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process: API, workers, search, model, PostgreSQL and Redis
    Standalone(Standalone),
    /// The API alone
    Api(Api),
    /// Workers alone
    Worker(Worker),
    /// Bring the database's schema up to date
    #[command(after_help = "Examples:
  colloquy migrate
  COLLOQUY_DATABASE_URL=postgres://… colloquy migrate

Several at once are safe: one works, the others wait for it. `api` and `worker` never migrate.")]
    Migrate,
    /// Print a new API key of the installation's owner, for whoever has its settings
    #[command(after_help = "Example:
  COLLOQUY_TOKEN=$(colloquy owner-key) colloquy batch plan reindex --everywhere --server https://colloquy.example.com

The owner is of the organization `Local`, which a standalone makes at its start and the first call of this makes elsewhere.
Each call makes a key; `revokeApiKey` takes one back.")]
    OwnerKey,
    /// Sign in to a server and keep a key for it
    Login(Login),
    /// Revoke and forget the key that `login` kept
    Logout(Logout),
    /// Import transcripts of meeting software, recognisers and people
    Import(Import),
    /// Write transcripts as files: JSON, WebVTT, SRT, Markdown, text
    Export(Export),
    /// Take conversations and people out of every store, for good
    Erase(Erase),
    /// Search what was said
    Search(Search),
    /// Look at background work, and mend it: list, retry, cancel, discard, pause
    Jobs(Jobs),
    /// The same work on many conversations: plan it, start it under a cap, steer it
    Batch(Batch),
    /// Batches that come back: by a cron line, in a time zone
    Schedule(Schedule),
    /// Compare the search engines with PostgreSQL
    #[command(after_help = "Examples:
  colloquy verify
  colloquy verify --repair

Exit status 1 when something differs and --repair was not given. Needs an administrator's key.")]
    Verify(Verify),
    /// List who did what, newest first
    Audit(Audit),
    /// Look at everything that is needed, and say what is wrong
    #[command(after_help = "Examples:
  colloquy doctor
  colloquy doctor --json | jq '.[] | select(.ok | not)'

Exit status 1 when a check failed.")]
    Doctor,
    /// Print the GraphQL schema
    #[command(after_help = "Example:
  colloquy schema > schema.graphql")]
    Schema,
    /// Print the settings in force, secrets masked
    #[command(after_help = "Examples:
  colloquy config
  COLLOQUY_HTTP_BIND=127.0.0.1:5000 colloquy config

Settings come from colloquy.toml, then COLLOQUY_SECTION_KEY, then --set section.key=value.")]
    Config,
    /// A tour with sample conversations on a folder that is thrown away
    Demo(Demo),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy standalone
  colloquy standalone --bind 127.0.0.1:0 --data-dir /srv/colloquy
  colloquy standalone --no-embedding

PostgreSQL and Redis are started as children on free ports unless database.url and redis.url are set.")]
pub(crate) struct Standalone {
    /// Listen here instead of at http.bind; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub(crate) bind: Option<SocketAddr>,
    /// Go without the embedding model: search by word alone
    #[arg(long)]
    pub(crate) no_embedding: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  COLLOQUY_DATABASE_URL=postgres://… COLLOQUY_REDIS_URL=redis://… \\
  COLLOQUY_SECRETS_SIGNING_KEY_FILE=/run/secrets/colloquy colloquy api --bind 0.0.0.0:4000")]
pub(crate) struct Api {
    /// Listen here instead of at http.bind
    #[arg(long, value_name = "ADDR")]
    pub(crate) bind: Option<SocketAddr>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy worker
  colloquy worker --queues analyze --concurrency 4")]
pub(crate) struct Worker {
    /// Only these queues, by comma: ingest, index, embed, analyze, mail, batch, default
    #[arg(long, value_name = "QUEUE,…", value_delimiter = ',', value_parser = values::queue)]
    pub(crate) queues: Option<Vec<Queue>>,
    /// Jobs of a queue at once, instead of the settings' number
    #[arg(long, value_name = "N", value_parser = values::at_least_one)]
    pub(crate) concurrency: Option<usize>,
    /// Another process of this program watches
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
}

/// The server that a client talks to, and as whom.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Target {
    /// The server's address, such as https://colloquy.example.org; its key is the one that `login` kept
    #[arg(long, value_name = "URL", env = "COLLOQUY_SERVER", value_parser = values::server)]
    pub(crate) server: Option<Url>,
    /// A key for the server; better put into the environment, for others see command lines
    #[arg(long, value_name = "KEY", env = "COLLOQUY_TOKEN", hide_env_values = true, hide = true)]
    pub(crate) token: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy login --server https://colloquy.example.org
  colloquy login --server https://colloquy.example.org --email me@example.org --password-stdin < password
  colloquy login --server https://colloquy.example.org --token-stdin < api-key

What is kept is an API key, made for this machine with your password; so a long import does not outlive its
token. It stands in a file that only you can read, and `colloquy logout` revokes it. For machines without
that file, COLLOQUY_TOKEN holds a key.")]
pub(crate) struct Login {
    /// The server's address
    #[arg(long, value_name = "URL", env = "COLLOQUY_SERVER", required = true, value_parser = values::server)]
    pub(crate) server: Url,
    /// Asked for where left out
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    /// What the key may do at most
    #[arg(long, value_name = "ROLE", value_enum, default_value_t)]
    pub(crate) role: KeyRole,
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Keep an API key that was made before, read from the first line of standard input
    #[arg(long, conflicts_with_all = ["password_stdin", "email", "role"])]
    pub(crate) token_stdin: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy logout
  colloquy logout --server https://colloquy.example.org")]
pub(crate) struct Logout {
    /// The server's address; not needed where one key alone is kept
    #[arg(long, value_name = "URL", env = "COLLOQUY_SERVER", value_parser = values::server)]
    pub(crate) server: Option<Url>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy import talk.vtt --kind coaching --tag mara --occurred-at 2026-03-01
  colloquy import talks/ --jobs 8 --wait
  colloquy import talks/ --dry-run          what would be imported, and what is odd about it
  colloquy import talks.zip --tag archive   each file of a zip, tar or tar.gz
  cat talk.srt | colloquy import - --title 'Weekly'
  colloquy import talks/ --json | jq 'select(.outcome == \"failed\")'

Of a folder the files that end in .vtt, .srt, .txt, .md, .json, .docx, .csv, .tsv or .TextGrid are taken, and archives, also in folders below; a file
that is named is always tried. Archives are known by their content, and the server imports each of their files.
The same bytes again are no second conversation. Ctrl-C finishes the files that are under way and cancels archives: what was
imported stays, and the same command later brings the rest. Ctrl-C again waits for nothing; the server may then go on
with an archive.")]
pub(crate) struct Import {
    /// Files and folders; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// What kind of talk it is
    #[arg(long, short, value_name = "KIND", value_enum, default_value_t)]
    pub(crate) kind: Kind,
    /// What the files are, such as otter-text or whisper-json; their content tells where left out
    #[arg(long, short, value_name = "FORMAT", value_parser = values::format)]
    pub(crate) format: Option<Format>,
    /// Label the conversation; repeatable
    #[arg(long = "tag", short, value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Its title, for one file; the file's name where left out
    #[arg(long, value_name = "TITLE")]
    pub(crate) title: Option<String>,
    /// When it took place: 2026-03-01, `2026-03-01 14:30` (UTC) or 2026-03-01T14:30:00+01:00
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) occurred_at: Option<Timestamp>,
    /// Report what would be imported, how it would begin and what is there already, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Wait until everything is found by word and by meaning, and analysed
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) wait: bool,
    /// Files under way at once
    #[arg(long, short, value_name = "N", default_value_t = 4, value_parser = values::jobs)]
    pub(crate) jobs: usize,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy search salary
  colloquy search '\"three months\" notice -bonus' --kind interview
  colloquy search how much pay the candidate wants --mode semantic -n 3
  colloquy search budget --speaker 'Hana Sato' --from 2026-01-01 --json | jq '.[].conversation.title'
  colloquy search budget --group --facets
  colloquy search 'salary OR pay kind:interview' --varied --explain

\"A phrase\" must stand there to the letter, -word must not, of one OR another at least one; of the other words
more is better. speaker:, person:, tag:, kind:, lang:, before: and after: narrow the search as the options do; person:
is whoever has that name, under any label. Put the query into single quotes, and behind -- where it begins with a
hyphen: colloquy search -- -bonus notice

--mode text finds the words, --mode semantic what is near in meaning, and hybrid, the default, both. With --facets
or --explain, --json gives an object of hits, facets and explanation in the place of the list of hits.")]
pub(crate) struct Search {
    /// Words, "phrases" and -words
    #[arg(required = true, value_name = "QUERY")]
    pub(crate) query: Vec<String>,
    /// By word, by meaning, or both
    #[arg(long, short, value_name = "MODE", value_enum, default_value_t)]
    pub(crate) mode: Mode,
    /// Of each conversation the best hit, and how many more there are
    #[arg(long, short)]
    pub(crate) group: bool,
    /// Leave out what says almost the same as a better hit, and put what is new before what is like the first
    #[arg(long)]
    pub(crate) varied: bool,
    /// Count what matches by kind, tag, speaker and time
    #[arg(long)]
    pub(crate) facets: bool,
    /// Tell how the answer came about: engines, times, scores
    #[arg(long)]
    pub(crate) explain: bool,
    /// Only this kind of talk; repeatable
    #[arg(long = "kind", short, value_name = "KIND", value_enum)]
    pub(crate) kinds: Vec<Kind>,
    /// Only what bears one of these tags; repeatable
    #[arg(long = "tag", short, value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Only where one of these speaks; repeatable
    #[arg(long = "speaker", short, value_name = "NAME")]
    pub(crate) speakers: Vec<String>,
    /// Only talks that took place then or later
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) from: Option<Timestamp>,
    /// Only talks that took place before
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) before: Option<Timestamp>,
    /// Hits at most
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) number: u8,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy batch plan reanalyze --tag pay --analyzer extractive
  colloquy batch plan reimport --id ID --overwrite-edits
  colloquy batch start ID --cap 1.50 --watch
  colloquy batch pause ID
  colloquy batch list --json | jq '.[] | select(.failed > 0)'

A plan counts and prices and does nothing. Exit status 1 where a batch that is watched ends with failures, stopped
by its cap, or cancelled. Needs a key of the role ADMIN.")]
pub(crate) struct Batch {
    #[command(subcommand)]
    pub(crate) command: BatchCommand,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BatchCommand {
    /// Count and price what a batch would do
    Plan(BatchPlan),
    /// Start what was planned
    Start(BatchStart),
    /// Begin nothing more; what runs ends
    Pause(BatchId),
    /// Go on, perhaps under a higher cap
    Resume(BatchGoOn),
    /// Cancel what has not been done
    Cancel(BatchId),
    /// Run what failed again, and nothing else
    Retry(BatchGoOn),
    /// Show one batch
    Show(BatchShow),
    /// List batches, newest first
    List(BatchList),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Have jobs write anew what differs
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct BatchPlan {
    #[command(flatten)]
    pub(crate) work: BatchWork,
    /// Every conversation of every organization: builds the search indexes anew beside the live ones
    #[arg(long, conflicts_with = "all")]
    pub(crate) everywhere: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BatchWork {
    /// What to do to each conversation
    #[arg(value_name = "WORK", value_enum)]
    pub(crate) work: BatchKind,
    /// Every conversation of the organization
    #[arg(long)]
    pub(crate) all: bool,
    /// Only this conversation; repeatable
    #[arg(long = "id", value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Only this kind of talk; repeatable
    #[arg(long = "kind", short, value_name = "KIND", value_enum)]
    pub(crate) kinds: Vec<Kind>,
    /// Only what bears one of these tags; repeatable
    #[arg(long = "tag", short, value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Only titles with this in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// Only talks that took place then or later
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) from: Option<Timestamp>,
    /// Only talks that took place before
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) before: Option<Timestamp>,
    /// Only what was imported then or later
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) imported_from: Option<Timestamp>,
    /// Only what was imported before
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) imported_before: Option<Timestamp>,
    /// For `reanalyze`
    #[arg(long, value_name = "ANALYZER", value_enum, default_value_t)]
    pub(crate) analyzer: Analyzer,
    /// For `reimport`: also what people have changed since it was read, which is skipped otherwise; their changes are past
    /// revisions then, and come back by a revert
    #[arg(long)]
    pub(crate) overwrite_edits: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BatchId {
    /// As `plan` and `list` show it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct BatchStart {
    /// As `plan` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// What it may cost, in dollars; needed where the plan is not for nothing
    #[arg(long, value_name = "DOLLARS", value_parser = values::dollars)]
    pub(crate) cap: Option<u64>,
    /// Also with a cap below the estimate
    #[arg(long)]
    pub(crate) accept_partial: bool,
    /// Conversations to begin a minute at most
    #[arg(long, value_name = "N", value_parser = values::at_least_one)]
    pub(crate) per_minute: Option<usize>,
    /// Stay, and show how far it is
    #[arg(long, short)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BatchGoOn {
    /// As `list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Another cap, in dollars
    #[arg(long, value_name = "DOLLARS", value_parser = values::dollars)]
    pub(crate) cap: Option<u64>,
    /// Stay, and show how far it is
    #[arg(long, short)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BatchShow {
    /// As `list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Stay, and show how far it is
    #[arg(long, short)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BatchList {
    /// Batches at most
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) number: u8,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy demo
  colloquy demo --once && echo all is well")]
pub(crate) struct Demo {
    /// End after the tour; exit status 0 only if each step did what it says
    #[arg(long)]
    pub(crate) once: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_hold_together_and_every_one_of_them_has_help() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            assert!(sub.get_about().is_some(), "{} says nothing of itself", sub.get_name());
            let after = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("Example"), "{} has no example", sub.get_name());
            for arg in sub.get_arguments() {
                assert!(arg.get_help().is_some(), "{} {} has no help", sub.get_name(), arg.get_id());
            }
        }
    }

    #[test]
    fn a_search_takes_words_as_they_come_and_flags_before_or_after_them() {
        let line = ["colloquy", "search", "-n", "3", "--", "-bonus", "notice period"];
        let cli = Cli::try_parse_from(line).unwrap();
        let Command::Search(search) = cli.command else { panic!("not a search") };
        assert_eq!(search.query, ["-bonus", "notice period"]);
        assert_eq!(search.number, 3);
        let cli = Cli::try_parse_from(["colloquy", "search", "pay", "--mode", "text", "--json"]).unwrap();
        assert!(cli.common.json);
        let Command::Search(search) = cli.command else { panic!("not a search") };
        assert_eq!((search.query, search.mode), (vec!["pay".to_owned()], Mode::Text));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for line in [
            &["colloquy", "login", "--server", "https://a.example", "--token-stdin", "--password-stdin"][..],
            &["colloquy", "import"],
            &["colloquy", "import", "a", "--wait", "--dry-run"],
            &["colloquy", "search", "x", "-n", "0"],
            &["colloquy", "worker", "--queues", "ingest,nonsense"],
            &["colloquy", "worker", "--concurrency", "0"],
        ] {
            assert_eq!(Cli::try_parse_from(line).err().map(|error| error.exit_code()), Some(2), "{line:?}");
        }
    }
}
