//! People, and which participants they are. Whoever ties or deletes holds the person first, then conversations in the order
//! of ids, then participants: so none of them waits in a circle.

pub(crate) mod known;
mod rows;
mod ties;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    audit::NewAuditEntry,
    ids::{ConversationId, ParticipantId, PersonId},
    people::Person,
    ports::{
        jobs::Follow,
        store::people::{AfterPerson, PersonStore},
    },
};

use crate::Postgres;

#[async_trait]
impl PersonStore for Postgres {
    async fn insert(
        &self,
        tenant: Tenant,
        person: &Person,
        at_most: usize,
        audit: NewAuditEntry,
    ) -> Result<()> {
        const DOING: &str = "keep a person";
        self.transaction(DOING, async |conn| rows::insert(conn, tenant, person, at_most, &audit).await).await
    }

    async fn rename(
        &self,
        tenant: Tenant,
        id: PersonId,
        name: &str,
        audit: NewAuditEntry,
    ) -> Result<Option<Person>> {
        const DOING: &str = "rename a person";
        self.transaction(DOING, async |conn| rows::rename(conn, tenant, id, name, &audit).await).await
    }

    async fn delete(
        &self,
        tenant: Tenant,
        id: PersonId,
        untie: &[ConversationId],
        follow: Follow,
        audit: NewAuditEntry,
    ) -> Result<bool> {
        let deleted = self.transaction("delete a person", async |conn| {
            ties::delete(conn, tenant, id, untie, &follow, &audit).await
        });
        let (is_gone, raised) = deleted.await?;
        self.announce(raised);
        Ok(is_gone)
    }

    async fn find(&self, tenant: Tenant, ids: &[PersonId]) -> Result<Vec<Person>> {
        self.run("read people", async |conn| rows::find(conn, tenant, ids).await).await
    }

    async fn list(
        &self,
        tenant: Tenant,
        name_contains: Option<&str>,
        after: Option<AfterPerson>,
        limit: usize,
    ) -> Result<Vec<Person>> {
        const DOING: &str = "list people";
        self.run(DOING, async |conn| rows::list(conn, tenant, name_contains, after, limit).await).await
    }

    async fn named(&self, tenant: Tenant, keys: &[String], limit: usize) -> Result<Vec<PersonId>> {
        self.run("look for people by name", async |conn| rows::named(conn, tenant, keys, limit).await).await
    }

    async fn suggest(
        &self,
        tenant: Tenant,
        participants: &[ParticipantId],
    ) -> Result<Vec<(ParticipantId, Person)>> {
        const DOING: &str = "look for people by labels";
        self.run(DOING, async |conn| rows::suggest(conn, tenant, participants).await).await
    }

    async fn conversations(&self, tenant: Tenant, id: PersonId, limit: usize) -> Result<Vec<ConversationId>> {
        const DOING: &str = "look for a person's conversations";
        self.run(DOING, async |conn| ties::conversations(conn, tenant, id, limit).await).await
    }
}
