//! Members and their roles.

use chrono::{DateTime, Utc};
use colloquy_domain::{
    accounts::{Actor, Role, Tenant},
    audit::NewAuditEntry,
    ids::UserId,
    ports::store::accounts::{Member, RoleChange},
    time::Timestamp,
};
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{USER, UserRow, user};
use crate::{
    audit,
    errors::Step,
    pool::Connection,
    rows,
    schema::{memberships, users},
};

type Row = (UserRow, String, DateTime<Utc>);

fn member((row, role, since): Row) -> Step<Member> {
    Ok(Member { user: user(row), role: rows::role(&role)?, since })
}

pub(super) async fn find(conn: &mut Connection, tenant: Tenant, ids: &[UserId]) -> Step<Vec<Member>> {
    let found: Vec<Row> = memberships::table
        .inner_join(users::table)
        .filter(memberships::organization_id.eq(tenant.0.0))
        .filter(memberships::user_id.eq_any(ids.iter().map(|id| id.0)))
        .select((USER, memberships::role, memberships::created_at))
        .load(conn)
        .await?;
    found.into_iter().map(member).collect()
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    after: Option<(Timestamp, UserId)>,
    limit: usize,
) -> Step<Vec<Member>> {
    let mut query = memberships::table
        .inner_join(users::table)
        .filter(memberships::organization_id.eq(tenant.0.0))
        .order((memberships::created_at, memberships::user_id))
        .limit(rows::limit(limit))
        .select((USER, memberships::role, memberships::created_at))
        .into_boxed();
    if let Some((since, user)) = after {
        let later = memberships::created_at.gt(since);
        query =
            query.filter(later.or(memberships::created_at.eq(since).and(memberships::user_id.gt(user.0))));
    }
    let found: Vec<Row> = query.load(conn).await?;
    found.into_iter().map(member).collect()
}

/// Owners, the member and whoever asks are locked in one order: two owners who unmake each other at once
/// leave one of them.
pub(super) async fn set_role(
    conn: &mut Connection,
    tenant: Tenant,
    by: &Actor,
    user_id: UserId,
    role: Role,
    entry: &NewAuditEntry,
) -> Step<RoleChange> {
    let locked: Vec<(Uuid, String)> = memberships::table
        .filter(memberships::organization_id.eq(tenant.0.0))
        .filter(
            memberships::role
                .eq(Role::Owner.as_str())
                .or(memberships::user_id.eq_any([user_id.0, by.user_id.0])),
        )
        .order(memberships::user_id)
        .select((memberships::user_id, memberships::role))
        .for_update()
        .load(conn)
        .await?;
    let role_of = |id: UserId| locked.iter().find(|(user, _)| *user == id.0).map(|(_, role)| role.as_str());
    let owner = Role::Owner.as_str();
    let Some(before) = role_of(user_id) else {
        return Ok(RoleChange::NotAMember);
    };
    let by_owner = by.role == Role::Owner && role_of(by.user_id) == Some(owner);
    if before == owner && !by_owner {
        return Ok(RoleChange::AboveYou);
    }
    let owners = locked.iter().filter(|(_, role)| role == owner).count();
    if before == owner && role != Role::Owner && owners == 1 {
        return Ok(RoleChange::LastOwner);
    }
    diesel::update(memberships::table.find((tenant.0.0, user_id.0)))
        .set(memberships::role.eq(role.as_str()))
        .execute(conn)
        .await?;
    let mut entry = entry.clone().changed(before != role.as_str());
    entry.detail.insert("before".to_owned(), before.into());
    audit::insert(conn, &entry).await?;
    let changed = find(conn, tenant, &[user_id]).await?.pop();
    Ok(changed.map_or(RoleChange::NotAMember, RoleChange::Changed))
}
