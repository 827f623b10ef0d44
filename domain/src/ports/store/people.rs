//! People, and which participants they are.

use async_trait::async_trait;

use crate::{
    Result,
    accounts::Tenant,
    audit::NewAuditEntry,
    ids::{ConversationId, ParticipantId, PersonId},
    people::Person,
    ports::jobs::Follow,
};

/// Behind which person a list goes on: their name's [`key`](crate::people::key), and who of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AfterPerson {
    pub key: String,
    pub id: PersonId,
}

#[async_trait]
pub trait PersonStore: Send + Sync {
    /// Refused where the organization has `at_most` already (`TOO_MANY_PEOPLE`).
    async fn insert(
        &self,
        tenant: Tenant,
        person: &Person,
        at_most: usize,
        audit: NewAuditEntry,
    ) -> Result<()>;

    /// `None` where there is no such person. The entry says whether that was another name.
    async fn rename(
        &self,
        tenant: Tenant,
        id: PersonId,
        name: &str,
        audit: NewAuditEntry,
    ) -> Result<Option<Person>>;

    /// Unties them in these conversations, whose versions it bumps, and deletes them unless they are tied in others:
    /// whether they are gone. Somebody who is not there is NOT_FOUND.
    async fn delete(
        &self,
        tenant: Tenant,
        id: PersonId,
        untie: &[ConversationId],
        follow: Follow,
        audit: NewAuditEntry,
    ) -> Result<bool>;

    /// Those of the tenant among `ids`, in any order.
    async fn find(&self, tenant: Tenant, ids: &[PersonId]) -> Result<Vec<Person>>;

    /// By name as it is compared; `name_contains` is a part of that.
    async fn list(
        &self,
        tenant: Tenant,
        name_contains: Option<&str>,
        after: Option<AfterPerson>,
        limit: usize,
    ) -> Result<Vec<Person>>;

    /// Whose names have one of these keys; so many at most.
    async fn named(&self, tenant: Tenant, keys: &[String], limit: usize) -> Result<Vec<PersonId>>;

    /// For each of the participants that is nobody yet, whom a participant of its label was tied to last, then people whose
    /// names are its label, the oldest first; labels and names as names are compared:
    /// [`MAX_SUGGESTED`](crate::people::MAX_SUGGESTED) at most.
    async fn suggest(
        &self,
        tenant: Tenant,
        participants: &[ParticipantId],
    ) -> Result<Vec<(ParticipantId, Person)>>;

    /// In which they are tied to a participant, also one who speaks no more; so many at most.
    async fn conversations(&self, tenant: Tenant, id: PersonId, limit: usize) -> Result<Vec<ConversationId>>;
}
