//! From names of people in a query to the people that have them now, before any engine is asked: engines know ids.

use super::query::SearchFilter;
use crate::{Result, accounts::Tenant, ports::Ports};

/// People that the names of one query stand for at most.
const MOST: usize = 1_000;

/// Nobody who is named so makes a filter that nothing fits, and that counts of people may ignore.
pub(super) async fn resolve(ports: &Ports, tenant: Tenant, filter: SearchFilter) -> Result<SearchFilter> {
    if filter.people.is_empty() {
        return Ok(filter);
    }
    let named = ports.people.named(tenant, &filter.people, MOST).await?;
    Ok(filter.with_named(named))
}
