//! People, and who of them a participant is. Each call is in the audit log.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use colloquy_domain::people::manage;

use crate::{
    Wired,
    errors::{UserError, settle},
    global_id,
    guards::{actor, origin},
    types::{person::Person, segment::Participant},
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

    /// Says who a participant is; searches by person find what it says from then on. What stands so already changes
    /// nothing. Needs MEMBER.
    async fn set_participant_person(
        &self,
        ctx: &Context<'_>,
        input: SetParticipantPersonInput,
    ) -> Result<SetParticipantPersonPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let tied = async {
            let participant = global_id::require(&input.participant_id)?;
            let person = input.person_id.as_ref().map(global_id::require).transpose()?;
            manage::tie(ctx.ports(), actor, &origin, participant, person).await
        };
        let (participant, user_errors) = settle(tied.await)?;
        Ok(SetParticipantPersonPayload { participant: participant.map(Participant), user_errors })
    }
}
