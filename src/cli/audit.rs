//! What can be typed after `colloquy audit`.

use clap::Args;

use super::Target;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy audit
  colloquy audit -n 100 --json | jq '.[] | select(.outcome == \"REFUSED\")'
  colloquy audit --everywhere

Needs an administrator's key: `colloquy login --role admin`. What is done for every organization, such as
`jobs pause QUEUE --everywhere`, is in no organization's log: --everywhere lists it.")]
pub(crate) struct Audit {
    /// Entries at most
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) number: u8,
    /// What was done for every organization: needs the settings of the installation, as `migrate` does, and asks no
    /// server
    #[arg(long)]
    pub(crate) everywhere: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}
