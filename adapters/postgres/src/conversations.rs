//! Conversations with their participants, segments, tags and progress.

pub(crate) mod insert;
pub(crate) mod list;
mod revise;
mod tags;
pub(crate) mod transcript;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use colloquy_domain::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    conversations::{ContentHash, Conversation, Participant, SpokenSegment, Tag, Talk},
    erasure::NewErasure,
    ids::{ConversationId, OrganizationId, ParticipantId, SegmentId, UserId},
    jobs::Claim,
    money::MicroDollars,
    ports::{
        jobs::Follow,
        store::{
            PageBy,
            conversations::{
                ConversationFilter, ConversationPatch, ConversationStore, Inserted, NewConversation,
                NewRevision, Progress, SpokenIn,
            },
        },
    },
};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper,
    dsl::{now, sql},
    sql_types::Bool,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Postgres, archives, audit, erasures,
    errors::{Failure, Step},
    follow,
    jobs::complete_one,
    pool::Connection,
    rows,
    schema::conversations,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = conversations, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    organization_id: Uuid,
    kind: String,
    title: String,
    occurred_at: Option<DateTime<Utc>>,
    external_id: Option<String>,
    file_name: Option<String>,
    content_hash: Vec<u8>,
    object_key: String,
    revision: i32,
    language: Option<String>,
    report: Value,
    created_by: Option<Uuid>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn conversation(self) -> Step<Conversation> {
        Ok(Conversation {
            id: ConversationId(self.id),
            organization_id: OrganizationId(self.organization_id),
            kind: rows::conversation_kind(&self.kind)?,
            title: self.title,
            occurred_at: self.occurred_at,
            external_id: self.external_id,
            file_name: self.file_name,
            content_hash: ContentHash(rows::hash(&self.content_hash)?),
            object_key: self.object_key,
            revision: self.revision,
            language: rows::language(self.language)?,
            report: rows::from_json(self.report)?,
            created_by: self.created_by.map(UserId),
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

#[derive(AsChangeset)]
#[diesel(table_name = conversations)]
struct Patch {
    title: Option<String>,
    kind: Option<&'static str>,
    occurred_at: Option<Option<DateTime<Utc>>>,
    language: Option<Option<String>>,
    language_set: Option<bool>,
}

/// Search goes by the version: it grows with every change that search can see.
pub(crate) async fn touch(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    patch: &ConversationPatch,
) -> Step<Option<Conversation>> {
    let set = match patch.language {
        Some(SpokenIn::Set(language)) => Some(language),
        Some(SpokenIn::Detected(language)) => {
            diesel::update(conversations::table)
                .filter(conversations::id.eq(id.0))
                .filter(conversations::organization_id.eq(tenant.0.0))
                .filter(conversations::language.is_null())
                .set(conversations::language.eq(language.as_str()))
                .execute(conn)
                .await?;
            None
        }
        None => None,
    };
    let patch = Patch {
        language: set.map(|language| language.map(String::from)),
        language_set: set.map(|language| language.is_some()),
        title: patch.title.clone(),
        kind: patch.kind.map(|kind| kind.as_str()),
        occurred_at: patch.occurred_at,
    };
    let found: Option<Row> = diesel::update(conversations::table)
        .filter(conversations::id.eq(id.0))
        .filter(conversations::organization_id.eq(tenant.0.0))
        .set((
            patch,
            conversations::version.eq(conversations::version + 1),
            conversations::updated_at.eq(now),
        ))
        .returning(Row::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    found.map(Row::conversation).transpose()
}

#[async_trait]
impl ConversationStore for Postgres {
    async fn insert(&self, tenant: Tenant, new: NewConversation, follow: Follow) -> Result<Inserted> {
        let (inserted, raised) = self
            .transaction("keep a conversation", async |conn| {
                insert::insert(conn, tenant, &new, &follow).await
            })
            .await?;
        self.announce(raised);
        Ok(inserted)
    }

    async fn find_same(
        &self,
        tenant: Tenant,
        hash: ContentHash,
        external_id: Option<&str>,
    ) -> Result<Inserted> {
        self.run("look for a known conversation", async |conn| {
            insert::find_same(conn, tenant, hash, external_id).await
        })
        .await
    }

    async fn find(&self, tenant: Tenant, ids: &[ConversationId]) -> Result<Vec<Conversation>> {
        self.run("read conversations", async |conn| {
            let found: Vec<Row> = conversations::table
                .filter(conversations::organization_id.eq(tenant.0.0))
                .filter(conversations::id.eq_any(ids.iter().map(|id| id.0)))
                .select(Row::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(Row::conversation).collect()
        })
        .await
    }

    async fn list(
        &self,
        tenant: Tenant,
        filter: &ConversationFilter,
        page: PageBy<ConversationId>,
    ) -> Result<Vec<Conversation>> {
        self.run("list conversations", async |conn| list::list(conn, tenant, filter, page).await).await
    }

    async fn count(&self, tenant: Tenant, filter: &ConversationFilter) -> Result<u64> {
        self.run("count conversations", async |conn| list::count(conn, tenant, filter).await).await
    }

    async fn update(
        &self,
        tenant: Tenant,
        id: ConversationId,
        patch: ConversationPatch,
        follow: Follow,
    ) -> Result<Option<Conversation>> {
        let changed = self.transaction("update a conversation", async |conn| {
            let Some(conversation) = touch(conn, tenant, id, &patch).await? else {
                return Ok(None);
            };
            Ok(Some((conversation, follow::write(conn, &follow).await?)))
        });
        Ok(changed.await?.map(|(conversation, raised)| {
            self.announce(raised);
            conversation
        }))
    }

    async fn set_tags(
        &self,
        tenant: Tenant,
        id: ConversationId,
        add: &[Tag],
        remove: &[String],
        follow: Follow,
    ) -> Result<Option<Conversation>> {
        let nothing = ConversationPatch::default();
        let changed = self.transaction("tag a conversation", async |conn| {
            let Some(conversation) = touch(conn, tenant, id, &nothing).await? else {
                return Ok(None);
            };
            tags::add(conn, tenant, id, add).await?;
            tags::remove(conn, tenant, id, remove).await?;
            Ok(Some((conversation, follow::write(conn, &follow).await?)))
        });
        Ok(changed.await?.map(|(conversation, raised)| {
            self.announce(raised);
            conversation
        }))
    }

    async fn delete(
        &self,
        tenant: Tenant,
        id: ConversationId,
        only: Option<&ConversationFilter>,
        erasure: NewErasure,
        follow: Follow,
        audit: Option<NewAuditEntry>,
    ) -> Result<Option<Conversation>> {
        let deleted = self.transaction("delete a conversation", async |conn| {
            if let Some(filter) = only
                && !list::holds(conn, tenant, id, filter).await?
            {
                return Ok(None);
            }
            if !list::holds(conn, tenant, id, &ConversationFilter::default()).await? {
                return Ok(None);
            }
            erasures::deleted(conn, tenant, id, erasure).await?;
            if let Some(entry) = &audit {
                audit::insert(conn, entry).await?;
            }
            archives::forget(conn, tenant, id).await?;
            let found: Option<Row> = diesel::delete(conversations::table)
                .filter(conversations::id.eq(id.0))
                .filter(conversations::organization_id.eq(tenant.0.0))
                .returning(Row::as_returning())
                .get_result(conn)
                .await
                .optional()?;
            let Some(row) = found else { return Ok(None) };
            Ok(Some((row.conversation()?, follow::write(conn, &follow).await?)))
        });
        Ok(deleted.await?.map(|(conversation, raised)| {
            self.announce(raised);
            conversation
        }))
    }

    async fn revise(&self, tenant: Tenant, claim: Claim, new: NewRevision, follow: Follow) -> Result<()> {
        let raised = self
            .transaction("write a revision", async |conn| {
                revise::revise(conn, tenant, &new).await?;
                complete_one(conn, tenant, claim, &follow, MicroDollars::ZERO).await
            })
            .await?;
        self.announce(raised);
        Ok(())
    }

    async fn tags(&self, tenant: Tenant, ids: &[ConversationId]) -> Result<Vec<(ConversationId, Tag)>> {
        self.run("read tags", async |conn| tags::find(conn, tenant, ids).await).await
    }

    async fn list_tags(&self, tenant: Tenant, after: Option<&str>, limit: usize) -> Result<Vec<(Tag, u64)>> {
        self.run("list tags", async |conn| tags::list(conn, tenant, after, limit).await).await
    }

    async fn participants(&self, tenant: Tenant, ids: &[ConversationId]) -> Result<Vec<Participant>> {
        self.run("read participants", async |conn| transcript::participants(conn, tenant, ids).await).await
    }

    async fn known_participants(&self, tenant: Tenant, id: ConversationId) -> Result<Vec<Participant>> {
        const DOING: &str = "read all participants";
        self.run(DOING, async |conn| transcript::known_participants(conn, tenant, id).await).await
    }

    async fn find_participants(&self, tenant: Tenant, ids: &[ParticipantId]) -> Result<Vec<Participant>> {
        self.run("read participants", async |conn| transcript::find_participants(conn, tenant, ids).await)
            .await
    }

    async fn segments(
        &self,
        tenant: Tenant,
        id: ConversationId,
        page: PageBy<i32>,
    ) -> Result<Vec<SpokenSegment>> {
        self.run("read segments", async |conn| transcript::segments(conn, tenant, id, page).await).await
    }

    async fn find_segments(&self, tenant: Tenant, ids: &[SegmentId]) -> Result<Vec<SpokenSegment>> {
        self.run("read segments", async |conn| transcript::find_segments(conn, tenant, ids).await).await
    }

    async fn segment_runs(
        &self,
        tenant: Tenant,
        runs: &[(ConversationId, i32, i32)],
    ) -> Result<Vec<Vec<SpokenSegment>>> {
        self.run("read runs of segments", async |conn| transcript::segment_runs(conn, tenant, runs).await)
            .await
    }

    async fn count_segments(
        &self,
        tenant: Tenant,
        ids: &[ConversationId],
    ) -> Result<Vec<(ConversationId, u64)>> {
        self.run("count segments", async |conn| transcript::count_segments(conn, tenant, ids).await).await
    }

    async fn find_talk(&self, tenant: Tenant, id: ConversationId) -> Result<Option<Talk>> {
        self.snapshot("read a transcript", async |conn| transcript::talk(conn, tenant, id).await).await
    }

    async fn progress(&self, tenant: Tenant, ids: &[ConversationId]) -> Result<Vec<Progress>> {
        self.run("read progress", async |conn| transcript::progress(conn, tenant, ids).await).await
    }

    async fn scan(
        &self,
        _scope: SystemScope,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<(OrganizationId, ConversationId)>> {
        self.run("scan conversations", async |conn| {
            let found: Vec<(Uuid, Uuid)> = conversations::table
                .filter(conversations::id.gt(after.map_or(Uuid::nil(), Uuid::from)))
                .order(conversations::id)
                .limit(rows::limit(limit))
                .select((conversations::organization_id, conversations::id))
                .load(conn)
                .await?;
            Ok(found.into_iter().map(|(tenant, id)| (OrganizationId(tenant), ConversationId(id))).collect())
        })
        .await
    }

    async fn erased_objects(&self, _scope: SystemScope, keys: &[String]) -> Result<Vec<String>> {
        self.run("look for objects that are to be gone", async |conn| {
            conversations::table
                .filter(conversations::object_key.eq_any(keys))
                .filter(sql::<Bool>("erased_at IS NOT NULL"))
                .select(conversations::object_key)
                .load(conn)
                .await
                .map_err(Failure::from)
        })
        .await
    }

    async fn known_objects(&self, _scope: SystemScope, keys: &[String]) -> Result<Vec<String>> {
        self.run("look for objects in use", async |conn| {
            conversations::table
                .filter(conversations::object_key.eq_any(keys))
                .select(conversations::object_key)
                .load(conn)
                .await
                .map_err(Failure::from)
        })
        .await
    }
}
