//! Another transcript of a conversation that stands: what was said otherwise before ends with it, and stays for history.

use std::collections::HashSet;

use colloquy_domain::{
    Error, accounts::Tenant, conversations::revisions::RevisionKind, ports::store::conversations::NewRevision,
};
use diesel::{
    ExpressionMethods, QueryDsl,
    dsl::{case_when, now},
};
use diesel_async::RunQueryDsl;

use super::insert::{insert_participants, insert_segments, size};
use crate::{
    errors::Step,
    passages,
    pool::Connection,
    rows,
    schema::{conversations, revisions, segments},
};

pub(super) async fn revise(conn: &mut Connection, tenant: Tenant, new: &NewRevision) -> Step<()> {
    let id = new.conversation_id;
    let found = new.report.language.map(|found| String::from(found.language));
    let language = case_when(conversations::language_set, conversations::language).otherwise(found);
    let moved = diesel::update(conversations::table)
        .filter(conversations::id.eq(id.0))
        .filter(conversations::organization_id.eq(tenant.0.0))
        .filter(conversations::revision.eq(new.number - 1))
        .set((
            conversations::revision.eq(new.number),
            conversations::version.eq(conversations::version + 1),
            conversations::language.eq(language),
            conversations::report.eq(rows::json(&new.report)?),
            conversations::updated_at.eq(now),
            size(&new.segments),
        ))
        .execute(conn)
        .await?;
    if moved == 0 {
        let stands: i64 = conversations::table
            .filter(conversations::id.eq(id.0))
            .filter(conversations::organization_id.eq(tenant.0.0))
            .count()
            .get_result(conn)
            .await?;
        if stands == 0 {
            return Err(Error::not_found("conversation", id).into());
        }
        let message = format!("revision {} is not the next one any more", new.number);
        return Err(Error::conflict("REVISION_SUPERSEDED", message).into());
    }
    diesel::insert_into(revisions::table)
        .values((
            revisions::conversation_id.eq(id.0),
            revisions::number.eq(new.number),
            revisions::organization_id.eq(tenant.0.0),
            revisions::kind.eq(RevisionKind::Reimport.as_str()),
            revisions::created_at.eq(new.created_at),
        ))
        .execute(conn)
        .await?;
    diesel::update(segments::table)
        .filter(segments::conversation_id.eq(id.0))
        .filter(segments::organization_id.eq(tenant.0.0))
        .filter(segments::valid_to.is_null())
        .filter(diesel::dsl::not(segments::id.eq_any(new.kept.iter().map(|id| id.0))))
        .set(segments::valid_to.eq(new.number))
        .execute(conn)
        .await?;
    insert_participants(conn, tenant, new.number, &new.participants).await?;
    let kept: HashSet<_> = new.kept.iter().collect();
    let begun: Vec<_> = new.segments.iter().filter(|one| !kept.contains(&one.id)).cloned().collect();
    insert_segments(conn, tenant, id, new.number, &begun).await?;
    passages::put(conn, tenant, id, new.number, &new.passages).await
}
