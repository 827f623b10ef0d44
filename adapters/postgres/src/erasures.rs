//! Erasures, and the redaction of what the database holds. Whoever redacts holds the conversation, as everybody does who
//! changes its text; and whoever begins holds the person, as everybody does who ties somebody to them.

mod conversation;
mod deleted;
mod redact;
mod rows;
mod stored;
mod sweep;
pub(crate) mod words;

use std::time::Duration;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    erasure::{Erasure, ErasureKind, NewErasure},
    ids::{ConversationId, ErasureId, PersonId},
    jobs::Claim,
    ports::{
        jobs::Follow,
        store::{
            PageBy,
            erasures::{Due, ErasureStore, Listed, Sweep},
        },
    },
};

use uuid::Uuid;

use crate::{Postgres, follow::milliseconds};

pub(crate) use deleted::deleted;

#[async_trait]
impl ErasureStore for Postgres {
    async fn begin(
        &self,
        tenant: Tenant,
        new: NewErasure,
        person: PersonId,
        follow: Follow,
        audit: NewAuditEntry,
    ) -> Result<()> {
        let begun = self.transaction("begin to erase a person", async |conn| {
            rows::begin(conn, tenant, new, person, &follow, &audit).await
        });
        self.announce(begun.await?);
        Ok(())
    }

    async fn unredacted(&self, tenant: Tenant, id: ErasureId, limit: usize) -> Result<Vec<ConversationId>> {
        const DOING: &str = "look for conversations to be redacted";
        self.run(DOING, async |conn| rows::unredacted(conn, tenant, id, limit).await).await
    }

    async fn redact(
        &self,
        tenant: Tenant,
        id: ErasureId,
        conversation: ConversationId,
        follow: Follow,
    ) -> Result<()> {
        let redacted = self.transaction("redact a conversation", async |conn| {
            conversation::redact(conn, tenant, id, conversation, &follow).await
        });
        self.announce(redacted.await?);
        Ok(())
    }

    async fn settle(
        &self,
        tenant: Tenant,
        id: ErasureId,
        claim: Claim,
        settled_after: Duration,
    ) -> Result<()> {
        let settled = self.transaction("end the redaction of a person", async |conn| {
            stored::settle(conn, tenant, id, claim, settled_after).await
        });
        self.announce(settled.await?);
        Ok(())
    }

    async fn find(&self, tenant: Tenant, ids: &[ErasureId]) -> Result<Vec<Erasure>> {
        self.run("read erasures", async |conn| rows::find(conn, tenant, ids).await).await
    }

    async fn find_of(&self, tenant: Tenant, kind: ErasureKind, subject: Uuid) -> Result<Option<Erasure>> {
        const DOING: &str = "look for an erasure";
        self.run(DOING, async |conn| rows::find_of(conn, tenant, kind, subject).await).await
    }

    async fn list(&self, tenant: Tenant, page: PageBy<ErasureId>) -> Result<Vec<Erasure>> {
        self.run("list erasures", async |conn| rows::list(conn, tenant, page).await).await
    }

    async fn due(&self, _scope: SystemScope, limit: usize) -> Result<Vec<Due>> {
        self.run("look for erasures that are due", async |conn| rows::due(conn, limit).await).await
    }

    async fn to_sweep(&self, tenant: Tenant, settled_after: Duration, limit: usize) -> Result<Vec<Sweep>> {
        let settled_ms = milliseconds(settled_after);
        const DOING: &str = "look for erasures to sweep";
        self.run(DOING, async |conn| sweep::to_sweep(conn, tenant, settled_ms, limit).await).await
    }

    async fn conversations(
        &self,
        tenant: Tenant,
        id: ErasureId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>> {
        const DOING: &str = "read the conversations of an erasure";
        self.run(DOING, async |conn| rows::conversations(conn, tenant, id, after, limit).await).await
    }

    async fn redact_again(
        &self,
        tenant: Tenant,
        id: ErasureId,
        conversation: ConversationId,
        follow: Follow,
    ) -> Result<bool> {
        let again = self.transaction("redact a conversation again", async |conn| {
            sweep::redact_again(conn, tenant, id, conversation, &follow).await
        });
        let (came_back, raised) = again.await?;
        self.announce(raised);
        Ok(came_back)
    }

    async fn swept(&self, tenant: Tenant, sweeps: &[Sweep], settled_after: Duration) -> Result<()> {
        let settled_ms = milliseconds(settled_after);
        const DOING: &str = "note a sweep";
        self.transaction(DOING, async |conn| sweep::swept(conn, tenant, sweeps, settled_ms).await).await
    }

    async fn unlisted(&self, _scope: SystemScope, limit: usize) -> Result<Vec<Listed>> {
        self.run("read erasures for the list", async |conn| rows::unlisted(conn, limit).await).await
    }

    async fn listed(&self, _scope: SystemScope, ids: &[ErasureId]) -> Result<()> {
        self.run("note that erasures are listed", async |conn| rows::listed(conn, ids).await).await
    }

    async fn back(&self, _scope: SystemScope, listed: &[Listed]) -> Result<Vec<Listed>> {
        self.run("look for what was erased", async |conn| rows::back(conn, listed).await).await
    }
}
