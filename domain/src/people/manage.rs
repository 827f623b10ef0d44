//! Making, renaming and deleting people, and saying which of them a participant is. Each change commits together with its
//! audit entry. Search knows people by their ids, so that a name changes nothing there.

use super::{MAX_PEOPLE, Person};
use crate::{
    Error, Result,
    accounts::{Actor, Role, sign_up::check_name},
    audit::{self, NewAuditEntry, Origin},
    conversations::{
        Participant, RevisionNumber,
        revise::{self, Change, Revise, Revised},
        update::changed,
    },
    ids::{ConversationId, ParticipantId, PersonId},
    ports::{Ports, jobs::Follow},
};

/// Conversations that one transaction takes a person out of.
const TOGETHER: usize = 500;
/// More transactions than that nobody needs.
const ROUNDS: usize = 1_000;

/// Another one of the same name is another person.
pub async fn create(ports: &Ports, actor: &Actor, origin: &Origin, name: &str) -> Result<Person> {
    let entry = NewAuditEntry::new(ports, actor, origin, "people.create");
    let person = match new(ports, actor, name) {
        Ok(person) => person,
        Err(error) => return audit::refuse(ports, entry, error).await,
    };
    let entry = entry.on(person.id);
    let written = entry.again(ports);
    let inserted = ports.people.insert(actor.tenant(), &person, MAX_PEOPLE, written).await;
    audit::settle(ports, entry, inserted.map(|()| person)).await
}

fn new(ports: &Ports, actor: &Actor, name: &str) -> Result<Person> {
    actor.require(Role::Member)?;
    let name = check_name("name", name)?;
    let now = ports.clock.now();
    let id = PersonId(ports.ids.next());
    Ok(Person { id, organization_id: actor.organization_id, name, created_at: now, updated_at: now })
}

pub async fn rename(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    id: PersonId,
    name: &str,
) -> Result<Person> {
    let entry = NewAuditEntry::new(ports, actor, origin, "people.update").on(id);
    let renamed = async {
        actor.require(Role::Member)?;
        let name = check_name("name", name)?;
        let renamed = ports.people.rename(actor.tenant(), id, &name, entry.again(ports)).await?;
        renamed.ok_or_else(|| Error::not_found("person", id))
    };
    let renamed = renamed.await;
    audit::settle(ports, entry, renamed).await
}

/// Whoever was tied to them is nobody in particular again. Of very many conversations so many are done in one transaction,
/// each with its entry; who comes again goes on.
pub async fn delete(ports: &Ports, actor: &Actor, origin: &Origin, id: PersonId) -> Result<()> {
    let entry = NewAuditEntry::new(ports, actor, origin, "people.delete").on(id);
    let deleted = untie_and_delete(ports, actor, id, &entry).await;
    audit::settle(ports, entry, deleted).await
}

async fn untie_and_delete(ports: &Ports, actor: &Actor, id: PersonId, entry: &NewAuditEntry) -> Result<()> {
    actor.require(Role::Member)?;
    let tenant = actor.tenant();
    for _ in 0..ROUNDS {
        let tied = ports.people.conversations(tenant, id, TOGETHER).await?;
        let entry = entry.again(ports).with("conversations", Some(tied.len()));
        let follow = all_changed(ports, actor, &tied);
        if ports.people.delete(tenant, id, &tied, follow, entry).await? {
            return Ok(());
        }
    }
    Err(Error::unavailable("delete a person", "participants are tied to them all the time"))
}

fn all_changed(ports: &Ports, actor: &Actor, ids: &[ConversationId]) -> Follow {
    let mut follow = Follow::default();
    for id in ids {
        let of_one = changed(ports, actor.tenant(), *id);
        follow.jobs.extend(of_one.jobs);
        follow.events.extend(of_one.events);
    }
    follow
}

/// Says who a participant is, or with `None` that it is nobody in particular: a revision like any other. What stands so
/// already changes nothing.
pub async fn tie(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    id: ParticipantId,
    person: Option<PersonId>,
    expected: RevisionNumber,
    reason: Option<String>,
) -> Result<(Participant, Revised)> {
    let entry = NewAuditEntry::new(ports, actor, origin, "participants.setPerson").on(id);
    let entry = entry.with("person", person.map(|person| person.to_string()));
    let tied = async {
        actor.require(Role::Member)?;
        let conversation_id = find_participant(ports, actor, id).await?.conversation_id;
        let input = Revise { conversation_id, expected, reason, change: Change::Tie { id, person } };
        let made = revise::make(ports, actor, input, Some(entry.again(ports))).await?;
        Ok((find_participant(ports, actor, id).await?, made))
    };
    audit::settle(ports, entry.again(ports), tied.await).await
}

async fn find_participant(ports: &Ports, actor: &Actor, id: ParticipantId) -> Result<Participant> {
    let found = ports.conversations.find_participants(actor.tenant(), &[id]).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("participant", id))
}
