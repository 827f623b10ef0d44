//! The queue beside others, on one machine in one run: `just bench-jobs`. Each section can be run alone. Fails where
//! any job did not run, or ran twice.

mod batch;
mod cost;
mod history;
mod lists;
mod orphans;
mod ours;
mod peers;
mod records;
mod servers;
mod speed;
mod weight;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{
    machine,
    process::Binary,
    queues::{
        ours::Owner,
        peers::{Installed, Kind},
    },
};

pub(crate) const USAGE: &str = "Usage: colloquy-bench queues [SECTION]… [OPTION]…

Sections, all where none is given:
  throughput   jobs a second of a backlog and one at a time, with 1, 4 and 16 at once, and processor time
  pickup       how soon a job begins at 200 a second, with 1, 4 and 16 at once
  cost         PostgreSQL's statements and bytes of its log a job
  waiting      both with a thousand and with a million jobs waiting
  open         both beside a transaction left open
  orphans      how soon a job of a killed worker runs again
  lists        what lists, retryJobs and discardJobs take among ten million finished jobs
  batch        planning, feeding, pausing and cancelling a batch of a million conversations

  --quick           small counts: to see that it works, not how quick it is
  --tell            jobs are an organization's, so that their changes are events; else the system's
  --without-peers   Colloquy alone; else BullMQ and Celery must be there
  --peers FOLDER    where `just bench-jobs` installed them
  --binary FILE     the colloquy to measure; the one beside this program where left out

The last line has the ratios of the throughput section: `bullmq 1.0x` is as many jobs a second as BullMQ.";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Throughput,
    Pickup,
    Cost,
    Waiting,
    Open,
    Orphans,
    Lists,
    Batch,
}

impl Section {
    const ALL: [Self; 8] = [
        Self::Throughput,
        Self::Pickup,
        Self::Cost,
        Self::Waiting,
        Self::Open,
        Self::Orphans,
        Self::Lists,
        Self::Batch,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Pickup => "pickup",
            Self::Cost => "cost",
            Self::Waiting => "waiting",
            Self::Open => "open",
            Self::Orphans => "orphans",
            Self::Lists => "lists",
            Self::Batch => "batch",
        }
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) binary: Option<PathBuf>,
    sections: Vec<Section>,
    quick: bool,
    tell: bool,
    without_peers: bool,
    peers: Option<PathBuf>,
}

impl Asked {
    /// `None` where help is wanted.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut asked = Self {
            binary: None,
            sections: Vec::new(),
            quick: false,
            tell: false,
            without_peers: false,
            peers: None,
        };
        while let Some(word) = words.next() {
            let mut path =
                || words.next().map(PathBuf::from).with_context(|| format!("`{word}` of what?\n{USAGE}"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--quick" => asked.quick = true,
                "--tell" => asked.tell = true,
                "--without-peers" => asked.without_peers = true,
                "--peers" => asked.peers = Some(path()?),
                "--binary" => asked.binary = Some(path()?),
                name => {
                    let section = Section::ALL.into_iter().find(|section| section.name() == name);
                    asked.sections.push(section.with_context(|| format!("`{name}`?\n{USAGE}"))?);
                }
            }
        }
        if asked.sections.is_empty() {
            asked.sections.extend(Section::ALL);
        }
        Ok(Some(asked))
    }
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Size {
    rounds: usize,
    concurrency: &'static [usize],
    backlog: u64,
    celery_backlog: u64,
    singles: u64,
    rate: u64,
    /// Of a steady rate, with a second before it that does not count.
    seconds: u64,
    /// Jobs of a probe set.
    set: u64,
    few_waiting: u64,
    many_waiting: u64,
    /// For how long a transaction is left open.
    open_seconds: u64,
    /// Finished jobs that lists are of.
    finished: u64,
    /// Conversations of a batch, and how many of them are fed before it is cancelled.
    conversations: u64,
    fed: u64,
}

impl Size {
    const FULL: Self = Self {
        rounds: 3,
        concurrency: &[1, 4, 16],
        backlog: 100_000,
        celery_backlog: 10_000,
        singles: 300,
        rate: 200,
        seconds: 10,
        set: 20_000,
        few_waiting: 1_000,
        many_waiting: 1_000_000,
        open_seconds: 120,
        finished: 10_000_000,
        conversations: 1_000_000,
        fed: 100_000,
    };
    const QUICK: Self = Self {
        rounds: 1,
        concurrency: &[1, 4, 16],
        backlog: 2_000,
        celery_backlog: 500,
        singles: 20,
        rate: 200,
        seconds: 2,
        set: 1_000,
        few_waiting: 100,
        many_waiting: 5_000,
        open_seconds: 5,
        finished: 10_000,
        conversations: 2_000,
        fed: 1_500,
    };
}

/// What all sections work with.
struct Bench {
    binary: Binary,
    peers: Vec<Installed>,
    size: Size,
    owner: Owner,
}

pub(crate) async fn run(binary: Binary, asked: Asked) -> Result<()> {
    println!("{}", machine::describe(&binary)?);
    let mut peers = Vec::new();
    let mut left_out = Vec::new();
    let compares =
        asked.sections.iter().any(|section| matches!(section, Section::Throughput | Section::Pickup));
    if compares && !asked.without_peers {
        for kind in Kind::ALL {
            let folder = asked.peers.as_deref().context("--peers FOLDER is needed, or --without-peers");
            match folder.and_then(|folder| Installed::find(kind, folder)) {
                Ok(installed) => peers.push(installed),
                Err(error) => {
                    println!("Left out: {} ({error:#}).\n", kind.name());
                    left_out.push(kind.name());
                }
            }
        }
    }
    let bench = Bench {
        binary,
        peers,
        size: if asked.quick { Size::QUICK } else { Size::FULL },
        owner: if asked.tell { Owner::Organization } else { Owner::System },
    };
    if asked.quick {
        println!("Small counts: these figures say that it works, and not how quick it is.\n");
    }
    let mut ratios = None;
    for section in asked.sections {
        eprintln!("measuring: {}", section.name());
        let text = match section {
            Section::Throughput => {
                let (text, found) = speed::throughput(&bench).await.context("`throughput` failed")?;
                ratios = found;
                text
            }
            Section::Pickup => speed::pickup(&bench).await.context("`pickup` failed")?,
            Section::Cost => cost::run(&bench).await.context("`cost` failed")?,
            Section::Waiting => weight::waiting(&bench).await.context("`waiting` failed")?,
            Section::Open => weight::open(&bench).await.context("`open` failed")?,
            Section::Orphans => orphans::run(&bench).await.context("`orphans` failed")?,
            Section::Lists => lists::run(&bench).await.context("`lists` failed")?,
            Section::Batch => batch::run(&bench).await.context("`batch` failed")?,
        };
        println!("{text}");
    }
    if let Some(ratios) = ratios {
        println!("{ratios}");
    }
    if !left_out.is_empty() {
        bail!("{} could not be measured; --without-peers does without", left_out.join(" and "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Option<Asked>> {
        Asked::read(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn without_a_section_all_are_measured() {
        let asked = read(&["--quick", "--peers", "/somewhere"]).unwrap().unwrap();
        assert_eq!(asked.sections, Section::ALL);
        assert!(asked.quick && !asked.without_peers && !asked.tell);
        let one = read(&["orphans"]).unwrap().unwrap();
        assert_eq!(one.sections, [Section::Orphans]);
    }

    #[test]
    fn what_is_not_known_is_refused_and_help_names_every_section() {
        assert!(read(&["thruput"]).unwrap_err().to_string().starts_with("`thruput`?"));
        assert!(read(&["--peers"]).unwrap_err().to_string().starts_with("`--peers` of what?"));
        assert!(read(&["--help"]).unwrap().is_none());
        for section in Section::ALL {
            assert!(USAGE.contains(&format!("\n  {} ", section.name())), "{}", section.name());
        }
    }
}
