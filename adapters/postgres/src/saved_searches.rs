//! Saved searches. Each change of one raises its organization's number in the same transaction.

mod matches;
mod rows;

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    audit::NewAuditEntry,
    ids::{ConversationId, PassageId, SavedSearchId, SearchMatchId},
    jobs::Claim,
    money::MicroDollars,
    passages::text_hash,
    ports::{
        jobs::Follow,
        store::{
            PageBy,
            passages::PassageStore,
            saved_searches::{NewMatch, SavedSearchStore, SearchMatch},
        },
    },
    search::saved::{SavedSearch, SearchVersion},
    time::Timestamp,
};

pub(crate) use rows::drop_all;

use crate::{Postgres, follow::Raised, jobs::complete_one};

#[async_trait]
impl SavedSearchStore for Postgres {
    async fn clock(&self) -> Result<Timestamp> {
        self.run("ask PostgreSQL for the time", async |conn| rows::now(conn).await).await
    }

    async fn insert(
        &self,
        tenant: Tenant,
        search: &SavedSearch,
        at_most: usize,
        audit: NewAuditEntry,
    ) -> Result<()> {
        const DOING: &str = "save a search";
        self.transaction(DOING, async |conn| rows::insert(conn, tenant, search, at_most, &audit).await).await
    }

    async fn update(
        &self,
        tenant: Tenant,
        search: &SavedSearch,
        looks_anew: bool,
        audit: NewAuditEntry,
    ) -> Result<()> {
        const DOING: &str = "change a saved search";
        self.transaction(DOING, async |conn| rows::update(conn, tenant, search, looks_anew, &audit).await)
            .await
    }

    async fn delete(&self, tenant: Tenant, id: SavedSearchId, audit: NewAuditEntry) -> Result<bool> {
        const DOING: &str = "delete a saved search";
        self.transaction(DOING, async |conn| rows::delete(conn, tenant, id, &audit).await).await
    }

    async fn find(&self, tenant: Tenant, ids: &[SavedSearchId]) -> Result<Vec<SavedSearch>> {
        self.run("read saved searches", async |conn| rows::find(conn, tenant, ids).await).await
    }

    async fn list(&self, tenant: Tenant, page: PageBy<SavedSearchId>) -> Result<Vec<SavedSearch>> {
        self.run("list saved searches", async |conn| rows::list(conn, tenant, page).await).await
    }

    async fn change(&self, tenant: Tenant) -> Result<i64> {
        const DOING: &str = "look whether saved searches have changed";
        self.run(DOING, async |conn| rows::change(conn, tenant).await).await
    }

    async fn versions(
        &self,
        tenant: Tenant,
        by_meaning: bool,
    ) -> Result<Vec<(SavedSearchId, SearchVersion)>> {
        const DOING: &str = "read what is looked for";
        self.run(DOING, async |conn| rows::versions(conn, tenant, by_meaning).await).await
    }

    async fn query_vectors(
        &self,
        tenant: Tenant,
        model: &str,
        ids: &[SavedSearchId],
    ) -> Result<Vec<(SavedSearchId, Vec<f32>)>> {
        const DOING: &str = "read vectors of queries";
        self.run(DOING, async |conn| rows::vectors(conn, tenant, model, ids).await).await
    }

    async fn keep_query_vector(
        &self,
        tenant: Tenant,
        of: (SavedSearchId, SearchVersion),
        model: &str,
        vector: &[f32],
    ) -> Result<()> {
        const DOING: &str = "keep the vector of a query";
        self.run(DOING, async |conn| rows::keep_vector(conn, tenant, of, model, vector).await).await
    }

    async fn record(
        &self,
        tenant: Tenant,
        conversation_id: ConversationId,
        matches: &[NewMatch],
    ) -> Result<()> {
        let written = self.transaction("keep matches", async |conn| {
            matches::insert(conn, tenant, conversation_id, matches).await
        });
        let events = written.await? > 0;
        self.announce(Raised { jobs: false, events });
        Ok(())
    }

    async fn record_and_complete(
        &self,
        tenant: Tenant,
        claim: Claim,
        conversation_id: ConversationId,
        matches: &[NewMatch],
        follow: Follow,
    ) -> Result<()> {
        let raised = self.transaction("keep matches", async |conn| {
            matches::insert(conn, tenant, conversation_id, matches).await?;
            complete_one(conn, tenant, claim, &follow, MicroDollars::ZERO).await
        });
        self.announce(raised.await?);
        Ok(())
    }

    async fn find_matches(
        &self,
        tenant: Tenant,
        of: SavedSearchId,
        ids: &[SearchMatchId],
    ) -> Result<Vec<SearchMatch>> {
        let rows = self.run("read matches", async |conn| matches::find(conn, tenant, of, ids).await).await?;
        self.with_passages(tenant, of, rows).await
    }

    async fn list_matches(
        &self,
        tenant: Tenant,
        of: SavedSearchId,
        page: PageBy<SearchMatchId>,
    ) -> Result<Vec<SearchMatch>> {
        let rows = self.run("list matches", async |conn| matches::list(conn, tenant, of, page).await).await?;
        self.with_passages(tenant, of, rows).await
    }
}

impl Postgres {
    /// In the rows' order. What has been cut anew since the rows were read is passed over.
    async fn with_passages(
        &self,
        tenant: Tenant,
        of: SavedSearchId,
        rows: Vec<matches::Row>,
    ) -> Result<Vec<SearchMatch>> {
        let ids: Vec<PassageId> = rows.iter().map(|row| PassageId(row.passage_id)).collect();
        let found = PassageStore::find(self, tenant, &ids).await?;
        let stands = |row: matches::Row| {
            let of_row = |found: &&_| is_of(&row, found);
            let found = found.iter().find(of_row)?.clone();
            Some(SearchMatch {
                id: SearchMatchId(row.id),
                saved_search_id: of,
                similarity: row.similarity,
                at: row.created_at,
                found,
            })
        };
        Ok(rows.into_iter().filter_map(stands).collect())
    }
}

fn is_of(row: &matches::Row, found: &colloquy_domain::ports::store::passages::FoundPassage) -> bool {
    found.passage.id.0 == row.passage_id && text_hash(&found.passage.text).as_slice() == row.text_hash
}

fn missing(id: SavedSearchId) -> Error {
    Error::not_found("saved search", id)
}
