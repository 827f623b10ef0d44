//! The language of a conversation that has none, found in the passages that stand. An import finds it in what it reads; this
//! is for what was imported before there was one.

use super::update;
use crate::{Result, accounts::Tenant, language, ports::Ports, ports::store::passages::Indexable};

/// Whether it was found now. Then it is a later version for search, which jobs of its own bring to the engines.
pub async fn detect(ports: &Ports, tenant: Tenant, of: &Indexable) -> Result<bool> {
    let texts = of.passages.iter().map(|passage| passage.text.as_str());
    let found = match of.facets.language {
        None => language::detect(texts),
        Some(_) => None,
    };
    let Some(found) = found else { return Ok(false) };
    update::detected(ports, tenant, of.facets.conversation_id, found.language).await?;
    Ok(true)
}
