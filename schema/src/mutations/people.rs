//! People, and who of them a participant is. Each call is in the audit log.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use colloquy_domain::people::manage;

use crate::{
    Wired,
    errors::{UserError, fault, settle},
    global_id,
    guards::{actor, origin},
    mutations::revisions,
    types::{
        person::Person,
        revision::{self, Revision, RevisionConflict},
        segment::Participant,
    },
};

#[derive(Default)]
pub(crate) struct PersonMutations;

#[derive(InputObject)]
struct CreatePersonInput {
    name: String,
}

#[derive(InputObject)]
struct UpdatePersonInput {
    id: ID,
    name: String,
}

#[derive(InputObject)]
struct DeletePersonInput {
    id: ID,
}

#[derive(InputObject)]
struct SetParticipantPersonInput {
    participant_id: ID,
    /// Null where it is nobody in particular.
    person_id: Option<ID>,
    /// The revision that you have seen.
    expected_revision: i32,
    /// Why; at most 500 characters.
    reason: Option<String>,
}

#[derive(SimpleObject)]
struct PersonPayload {
    person: Option<Person>,
    user_errors: Vec<UserError>,
}

#[derive(SimpleObject)]
struct DeletePersonPayload {
    deleted_id: Option<ID>,
    user_errors: Vec<UserError>,
}

#[derive(SimpleObject)]
struct SetParticipantPersonPayload {
    participant: Option<Participant>,
    /// The revision that was made; null where that stood so already.
    revision: Option<Revision>,
    /// With the user error REVISION_CONFLICT.
    conflict: Option<RevisionConflict>,
    user_errors: Vec<UserError>,
}

#[Object]
impl PersonMutations {
    /// Makes a person, whom participants of conversations can be tied to. Another one of the same name is another person.
    /// At most 100,000 an organization. Needs MEMBER.
    async fn create_person(&self, ctx: &Context<'_>, input: CreatePersonInput) -> Result<PersonPayload> {
        let created = manage::create(ctx.ports(), actor(ctx)?, &origin(ctx), &input.name).await;
        let (person, user_errors) = settle(created)?;
        Ok(PersonPayload { person: person.map(Person), user_errors })
    }

    /// Gives a person another name. Needs MEMBER.
    async fn update_person(&self, ctx: &Context<'_>, input: UpdatePersonInput) -> Result<PersonPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let updated = async {
            let id = global_id::require(&input.id)?;
            manage::rename(ctx.ports(), actor, &origin, id, &input.name).await
        };
        let (person, user_errors) = settle(updated.await)?;
        Ok(PersonPayload { person: person.map(Person), user_errors })
    }

    /// Deletes a person. Their participants stay, and are nobody in particular; labels and text stay as they are. Needs
    /// MEMBER.
    async fn delete_person(
        &self,
        ctx: &Context<'_>,
        input: DeletePersonInput,
    ) -> Result<DeletePersonPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let deleted = async {
            let id = global_id::require(&input.id)?;
            manage::delete(ctx.ports(), actor, &origin, id).await
        };
        let (deleted, user_errors) = settle(deleted.await)?;
        Ok(DeletePersonPayload { deleted_id: deleted.map(|()| input.id.clone()), user_errors })
    }

    /// Says who a participant is; searches by person find what it says from then on. It is a revision of the conversation.
    /// What stands so already changes nothing. Whoever is tied so is suggested first for other participants of this label.
    /// Needs MEMBER.
    async fn set_participant_person(
        &self,
        ctx: &Context<'_>,
        input: SetParticipantPersonInput,
    ) -> Result<SetParticipantPersonPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let expected = input.expected_revision;
        let tied = async {
            let participant = global_id::require(&input.participant_id)?;
            let person = input.person_id.as_ref().map(global_id::require).transpose()?;
            manage::tie(ctx.ports(), actor, &origin, participant, person, expected, input.reason).await
        };
        let tied = tied.await;
        let conflict = conflict_over(ctx, &input.participant_id, expected, &tied).await?;
        let (tied, user_errors) = settle(tied)?;
        let Some((participant, revised)) = tied else {
            return Ok(SetParticipantPersonPayload {
                participant: None,
                revision: None,
                conflict,
                user_errors,
            });
        };
        let revision = match revised.made {
            Some(number) => revision::find(ctx, participant.conversation_id, number).await?,
            None => None,
        };
        let participant = Some(Participant(participant));
        Ok(SetParticipantPersonPayload { participant, revision, conflict, user_errors })
    }
}

async fn conflict_over<T>(
    ctx: &Context<'_>,
    participant: &ID,
    expected: i32,
    tied: &colloquy_domain::Result<T>,
) -> Result<Option<RevisionConflict>> {
    let (Some(id), Err(_)) = (global_id::decode(participant), tied) else {
        return Ok(None);
    };
    let found = ctx.ports().conversations.find_participants(actor(ctx)?.tenant(), &[id]).await;
    match found.map_err(fault)?.first() {
        Some(participant) => revisions::conflict(ctx, participant.conversation_id, expected, tied).await,
        None => Ok(None),
    }
}
