//! `colloquy erase` as it is typed.

use clap::{Args, Subcommand};

use super::Target;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy erase conversation ID ID
  colloquy erase person 'Ana Lopez' --wait
  colloquy erase person ID --yes
  colloquy erase show ID

What is erased is gone from every revision, file, index and job, and there is no way back; a database that is restored has
it erased again. Without a terminal to ask on, --yes must be given. What was erased before is told, and is no failure.
Conversations need a key of the role MEMBER; people, `show` and `list` an administrator's: `colloquy login --role admin`.
Many conversations at once are purged by `colloquy batch plan purge`.")]
pub(crate) struct Erase {
    #[command(subcommand)]
    pub(crate) command: EraseCommand,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EraseCommand {
    /// Delete conversations with all that was made of them
    Conversation(EraseConversations),
    /// Take a person out of every conversation in which they are or were somebody
    Person(ErasePerson),
    /// Show one erasure, and what was removed
    Show(ShowErasure),
    /// List erasures, newest first
    List(ListErasures),
}

#[derive(Debug, Args)]
pub(crate) struct EraseConversations {
    /// Ids of conversations, as the API and `colloquy import --json` show them
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Debug, Args)]
pub(crate) struct ErasePerson {
    /// Their id, or their name without regard to case and accents; a name that several people have is refused
    #[arg(value_name = "ID|NAME")]
    pub(crate) who: String,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Debug, Args)]
pub(crate) struct How {
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Wait until all is redacted and every store was looked through again, and show what was removed
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowErasure {
    /// As `list` shows it; or the id that the person or the conversation had
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct ListErasures {
    /// Erasures at most
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) number: u8,
}
