//! What can be typed after `colloquy export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Kind, Target};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy export ID                          as JSON, into the present folder
  colloquy export ID --format vtt -o -        to standard output
  colloquy export ID --revision 1             as it was before it was edited
  colloquy export --all --format md -o talks/
  colloquy export --tag pay --kind interview --format txt -o pay/

Each conversation is a file named by its title. A file of the same name and content stays as it is; one of other content
stays too, and the new one has a number behind its name. `colloquy import` takes every such file back as it was.")]
pub(crate) struct Export {
    /// Ids of conversations, as the API shows them
    #[arg(value_name = "ID", required_unless_present_any = ["all", "kinds", "tags", "title"])]
    pub(crate) ids: Vec<String>,
    /// The transcript as it was at this revision, of one conversation; the current one where left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) revision: Option<i32>,
    /// Every conversation of the organization
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// Only this kind of talk; repeatable
    #[arg(long = "kind", short, value_name = "KIND", value_enum, conflicts_with = "ids")]
    pub(crate) kinds: Vec<Kind>,
    /// Only what bears one of these tags; repeatable
    #[arg(long = "tag", short, value_name = "TAG", conflicts_with = "ids")]
    pub(crate) tags: Vec<String>,
    /// Only titles with this in it
    #[arg(long, value_name = "TEXT", conflicts_with = "ids")]
    pub(crate) title: Option<String>,
    /// What the files are
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) format: ExportFormat,
    /// The folder they are written into, made where it is missing; `-` is standard output
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ExportFormat {
    /// All that is known of a conversation
    #[default]
    Json,
    /// WebVTT
    #[value(name = "vtt")]
    WebVtt,
    Srt,
    #[value(name = "md")]
    Markdown,
    #[value(name = "txt")]
    Text,
}
