//! Revisions of conversations, and the state at each. A segment or participant has a row for each state; whoever writes a
//! new one holds the people concerned first and the conversation then, as whoever ties does.

mod compare;
mod read;
mod write;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    audit::NewAuditEntry,
    conversations::{
        Participant, RevisionNumber, SpokenSegment, Talk,
        revisions::{ChangePlace, Revision, SegmentChange},
    },
    ids::{ConversationId, ParticipantId, SegmentId},
    ports::{
        jobs::Follow,
        store::{
            PageBy,
            revisions::{NewEdit, RevisionStore},
        },
    },
};

use crate::Postgres;

/// Whether a row with `valid_from` and `valid_to` is of a revision.
macro_rules! valid {
    ($row:literal, $at:literal) => {
        concat!(
            $row,
            ".valid_from <= ",
            $at,
            " AND (",
            $row,
            ".valid_to IS NULL OR ",
            $row,
            ".valid_to > ",
            $at,
            ")"
        )
    };
}
pub(crate) use valid;

#[async_trait]
impl RevisionStore for Postgres {
    async fn write(
        &self,
        tenant: Tenant,
        edit: &NewEdit,
        follow: Follow,
        audit: Option<NewAuditEntry>,
    ) -> Result<()> {
        let written = self.transaction("write a revision by hand", async |conn| {
            write::write(conn, tenant, edit, &follow, audit.as_ref()).await
        });
        self.announce(written.await?);
        Ok(())
    }

    async fn list(
        &self,
        tenant: Tenant,
        id: ConversationId,
        page: PageBy<RevisionNumber>,
    ) -> Result<Vec<Revision>> {
        self.run("list revisions", async |conn| read::list(conn, tenant, id, page).await).await
    }

    async fn find(
        &self,
        tenant: Tenant,
        id: ConversationId,
        number: RevisionNumber,
    ) -> Result<Option<Revision>> {
        self.run("read a revision", async |conn| read::find(conn, tenant, id, number).await).await
    }

    async fn is_edited(&self, tenant: Tenant, id: ConversationId) -> Result<bool> {
        const DOING: &str = "look for changes by hand";
        self.run(DOING, async |conn| read::is_edited(conn, tenant, id).await).await
    }

    async fn talk(&self, tenant: Tenant, id: ConversationId, number: RevisionNumber) -> Result<Option<Talk>> {
        const DOING: &str = "read a transcript of a revision";
        self.snapshot(DOING, async |conn| read::talk(conn, tenant, id, number).await).await
    }

    async fn participants(
        &self,
        tenant: Tenant,
        id: ConversationId,
        number: RevisionNumber,
    ) -> Result<Vec<Participant>> {
        const DOING: &str = "read participants of a revision";
        self.run(DOING, async |conn| read::participants(conn, tenant, id, number).await).await
    }

    async fn segments(
        &self,
        tenant: Tenant,
        id: ConversationId,
        number: RevisionNumber,
        page: PageBy<i32>,
    ) -> Result<Vec<SpokenSegment>> {
        const DOING: &str = "read segments of a revision";
        self.run(DOING, async |conn| read::segments(conn, tenant, id, number, page).await).await
    }

    async fn find_segments(
        &self,
        tenant: Tenant,
        ids: &[(SegmentId, RevisionNumber)],
    ) -> Result<Vec<((SegmentId, RevisionNumber), SpokenSegment)>> {
        const DOING: &str = "read segments as they were";
        self.run(DOING, async |conn| read::find_segments(conn, tenant, ids).await).await
    }

    async fn find_participants(
        &self,
        tenant: Tenant,
        ids: &[(ParticipantId, RevisionNumber)],
    ) -> Result<Vec<((ParticipantId, RevisionNumber), Participant)>> {
        const DOING: &str = "read participants as they were";
        self.run(DOING, async |conn| read::find_participants(conn, tenant, ids).await).await
    }

    async fn compare(
        &self,
        tenant: Tenant,
        id: ConversationId,
        from: RevisionNumber,
        to: RevisionNumber,
        after: Option<ChangePlace>,
        limit: usize,
    ) -> Result<Vec<SegmentChange>> {
        self.snapshot("compare revisions", async |conn| {
            compare::compare(conn, tenant, id, from, to, after, limit).await
        })
        .await
    }
}
