//! `colloquy erase`: takes conversations and people out of every store through the API, and shows what was removed.

mod show;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{Outcome, Usage, prompt, text::count};
use crate::{
    cli::{self, Common, EraseCommand, EraseConversations, ErasePerson, How},
    client::{self, Client, Connection, Erasure, Named, PersonRef, Trouble},
    output::{self, faint, plain},
};

const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// Titles that a question names.
const NAMED: usize = 5;
/// People that one name may mean.
const LISTED: usize = 20;

pub(crate) async fn run(common: &Common, args: cli::Erase) -> Result<Outcome> {
    if let EraseCommand::Conversation(EraseConversations { how, .. })
    | EraseCommand::Person(ErasePerson { how, .. }) = &args.command
        && !how.yes
        && !io::stdin().is_terminal()
    {
        let message =
            "there is no terminal to ask on, and what is erased does not come back; --yes does not ask";
        return Err(Usage(message.to_owned()).into());
    }
    let connection = client::connect(common, &args.target).await?;
    let ended = command(common, &connection, args.command).await;
    connection.close().await;
    ended
}

async fn command(common: &Common, connection: &Connection, command: EraseCommand) -> Result<Outcome> {
    let client = &connection.client;
    match command {
        EraseCommand::Conversation(args) => {
            let run = Run::new(common, connection, &args.how);
            run.conversations(&args.ids).await
        }
        EraseCommand::Person(args) => {
            let run = Run::new(common, connection, &args.how);
            run.person(&args.who).await
        }
        EraseCommand::Show(args) => {
            let Some(found) = client.erasure(&args.id).await? else {
                bail!("there is no erasure {}; `colloquy erase list` shows their ids", plain(&args.id));
            };
            match common.json {
                true => output::json(&found)?,
                false => output::line(show::details(&Erasure::read(&found)?))?,
            }
            Ok(Outcome::Done)
        }
        EraseCommand::List(args) => list(common, client.erasures(args.number).await?),
    }
}

fn list(common: &Common, (found, more): (Vec<Value>, bool)) -> Result<Outcome> {
    if common.json {
        return output::json(&found).map(|()| Outcome::Done);
    }
    if found.is_empty() {
        output::line("nothing was erased")?;
    }
    for erasure in &found {
        output::line(show::row(&Erasure::read(erasure)?))?;
    }
    if more {
        output::line(faint("and there are more: raise -n"))?;
    }
    Ok(Outcome::Done)
}

struct Run<'a> {
    json: bool,
    client: &'a Client,
    asks: bool,
    waits: bool,
}

/// Something that is to be erased, and how people know it.
struct Subject {
    id: String,
    shown: String,
}

/// What became of it.
enum Erased {
    Now(Value),
    Before(Value),
    /// Neither it nor its erasure was found, or it was refused.
    Not(String),
}

impl<'a> Run<'a> {
    fn new(common: &Common, connection: &'a Connection, how: &How) -> Self {
        // What is left to do would end with the command.
        let waits = how.wait || connection.is_own();
        Self { json: common.json, client: &connection.client, asks: !how.yes, waits }
    }

    async fn conversations(&self, ids: &[String]) -> Result<Outcome> {
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        for id in ids {
            match self.client.conversation(id).await? {
                // One that is named twice is erased once.
                Some(found) if there.iter().all(|one: &Subject| one.id != found.id) => {
                    there.push(Subject { id: found.id, shown: format!("“{}”", plain(&found.title)) });
                }
                Some(_) => {}
                None => gone.push(id),
            }
        }
        let mut went_well = true;
        if !there.is_empty() {
            if !self.agreed(&question(&there)).await {
                output::note("nothing was erased");
                return Ok(Outcome::Failed);
            }
            for subject in &there {
                let erased = match self.client.erase_conversation(&subject.id).await? {
                    Ok(erasure) => Erased::Now(erasure),
                    Err(errors) if errors.iter().any(|error| error.code == "NOT_FOUND") => {
                        self.before(&subject.id, "conversation").await?
                    }
                    Err(errors) => Erased::Not(join(&errors)),
                };
                went_well &= self.tell(&subject.id, Some(&subject.shown), erased).await?;
            }
        }
        for id in gone {
            let erased = self.before(id, "conversation").await?;
            went_well &= self.tell(id, None, erased).await?;
        }
        Ok(if went_well { Outcome::Done } else { Outcome::Failed })
    }

    async fn person(&self, who: &str) -> Result<Outcome> {
        let person = match self.client.person(who).await? {
            Some(person) => person,
            None => match meant(who, self.client.people_named(who).await?) {
                Ok(person) => person,
                Err(unclear) => {
                    let erased = match self.before(who, "person").await? {
                        Erased::Not(_) => Erased::Not(unclear),
                        erased => erased,
                    };
                    return self.ended(who, None, erased).await;
                }
            },
        };
        let name = plain(&person.name);
        let question = format!(
            "{name} ({}) would be taken out of every conversation, for good. Go on? [y/N] ",
            plain(&person.id)
        );
        if !self.agreed(&question).await {
            output::note("nobody was erased");
            return Ok(Outcome::Failed);
        }
        let erased = match self.client.erase_person(&person.id).await? {
            Ok(erasure) => Erased::Now(erasure),
            Err(errors) if errors.iter().any(|error| error.code == "NOT_FOUND") => {
                self.before(&person.id, "person").await?
            }
            Err(errors) => Erased::Not(join(&errors)),
        };
        self.ended(&person.id, Some(&name), erased).await
    }

    async fn ended(&self, id: &str, shown: Option<&str>, erased: Erased) -> Result<Outcome> {
        Ok(if self.tell(id, shown, erased).await? { Outcome::Done } else { Outcome::Failed })
    }

    async fn agreed(&self, question: &str) -> bool {
        if !self.asks {
            return true;
        }
        // An empty line, or Ctrl-C, is a no.
        let answer = prompt::ask(question).await.unwrap_or_default();
        matches!(answer.to_lowercase().as_str(), "y" | "yes")
    }

    /// Whether what is not there was erased, as far as the key may know.
    async fn before(&self, id: &str, what: &str) -> Result<Erased> {
        match self.client.erasure(id).await {
            Ok(Some(erasure)) if erasure["subjectId"] == id && is_of(&erasure, what) => {
                Ok(Erased::Before(erasure))
            }
            Ok(_) => Ok(Erased::Not(format!("there is no such {what}, and none was erased"))),
            Err(trouble) if is_forbidden(&trouble) => Ok(Erased::Not(format!(
                "there is no such {what}; whether it was erased, an administrator's key can tell"
            ))),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// Whether it is gone.
    async fn tell(&self, id: &str, shown: Option<&str>, erased: Erased) -> Result<bool> {
        let (outcome, erasure) = match erased {
            Erased::Now(erasure) => ("erased", erasure),
            Erased::Before(erasure) => ("already-erased", erasure),
            Erased::Not(error) if self.json => {
                output::json(&json!({ "id": id, "outcome": "failed", "error": error }))?;
                return Ok(false);
            }
            Erased::Not(error) => {
                output::error(format_args!("{}: {error}", plain(id)));
                return Ok(false);
            }
        };
        let erasure = if self.waits { self.swept(erasure).await? } else { erasure };
        match self.json {
            true => output::json(&json!({ "id": id, "outcome": outcome, "erasure": erasure }))?,
            false => {
                output::line(show::told(outcome, shown.unwrap_or(id), &Erasure::read(&erasure)?))?;
            }
        }
        Ok(true)
    }

    /// The erasure once it was swept. Who may not look at it is told as much.
    async fn swept(&self, mut value: Value) -> Result<Value> {
        loop {
            let erasure = Erasure::read(&value)?;
            if erasure.was_swept() {
                return Ok(value);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            match self.client.erasure(&erasure.id).await {
                Ok(Some(now)) => value = now,
                Ok(None) => bail!("the erasure {} is gone", plain(&erasure.id)),
                Err(trouble) if is_forbidden(&trouble) => {
                    output::warn("the rest is done without you: waiting for it needs an administrator's key");
                    return Ok(value);
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }
}

/// A person's id is no conversation's.
fn is_of(erasure: &Value, what: &str) -> bool {
    erasure["kind"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(what))
}

fn is_forbidden(trouble: &Trouble) -> bool {
    trouble.code() == Some("FORBIDDEN")
}

fn join(errors: &[client::UserError]) -> String {
    errors.iter().map(|error| plain(&error.to_string())).collect::<Vec<_>>().join("; ")
}

fn question(there: &[Subject]) -> String {
    let titles: Vec<_> = there.iter().take(NAMED).map(|subject| subject.shown.as_str()).collect();
    let more = if there.len() > NAMED { ", …" } else { "" };
    let those = count(there.len(), "conversation");
    format!("{those} would be erased for good: {}{more}. Go on? [y/N] ", titles.join(", "))
}

/// The one person of that name; else why it is not clear who is meant.
fn meant(name: &str, named: Named) -> Result<PersonRef, String> {
    let Named { mut exactly, alike } = named;
    let name = plain(name);
    let listed = |people: &[PersonRef]| {
        let line = |person: &PersonRef| format!("\n  {}  {}", plain(&person.id), plain(&person.name));
        let more = if people.len() > LISTED { "\n  …" } else { "" };
        people.iter().take(LISTED).map(line).collect::<String>() + more
    };
    match (exactly.len(), alike.is_empty()) {
        (1, _) => Ok(exactly.remove(0)),
        (0, true) => Err(format!("nobody has the id or the name {name}")),
        (0, false) => Err(format!("nobody is called {name}; those who are nearly so:{}", listed(&alike))),
        (several, _) => {
            let who = listed(&exactly);
            Err(format!("{several} people are called {name}; say by its id which one is meant:{who}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(names: &[&str]) -> Vec<PersonRef> {
        let person =
            |(at, name): (usize, &&str)| PersonRef { id: format!("p{at}"), name: (*name).to_owned() };
        names.iter().enumerate().map(person).collect()
    }

    #[test]
    fn a_name_means_one_person_or_nobody() {
        let meant = |exactly: &[&str], alike: &[&str]| {
            meant("Ana", Named { exactly: people(exactly), alike: people(alike) }).map(|person| person.name)
        };
        assert_eq!(meant(&["Ána"], &["Ana Lopez"]).unwrap(), "Ána");
        assert_eq!(meant(&[], &[]).unwrap_err(), "nobody has the id or the name Ana");
        assert_eq!(
            meant(&["Ana", "ana"], &[]).unwrap_err(),
            "2 people are called Ana; say by its id which one is meant:\n  p0  Ana\n  p1  ana"
        );
        assert_eq!(
            meant(&[], &["Ana Lopez", "Diana\n"]).unwrap_err(),
            "nobody is called Ana; those who are nearly so:\n  p0  Ana Lopez\n  p1  Diana "
        );
    }

    #[test]
    fn a_question_names_what_would_be_erased() {
        let subjects = |number: usize| -> Vec<Subject> {
            let subject = |n| Subject { id: format!("c{n}"), shown: format!("“Talk {n}”") };
            (1..=number).map(subject).collect()
        };
        assert_eq!(
            question(&subjects(1)),
            "1 conversation would be erased for good: “Talk 1”. Go on? [y/N] "
        );
        assert!(question(&subjects(7)).ends_with("“Talk 4”, “Talk 5”, …. Go on? [y/N] "));
    }
}
