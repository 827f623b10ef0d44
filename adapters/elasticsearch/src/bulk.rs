//! Many writes in requests of bounded size. Each item's outcome is looked at: a request that went well may hold items
//! that did not.

use bytes::Bytes;
use colloquy_domain::{Error, Result, accounts::Tenant, ports::search::Version};
use elasticsearch::http::Method;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Pause, Request, is_transient},
    fault::{Fault, refused, senseless},
    generation::Generation,
};

const LARGEST_BYTES: usize = 4 << 20;
const MOST_ITEMS: usize = 500;

pub(crate) struct Bulk<'a> {
    generation: &'a Generation,
    doing: &'static str,
    /// Each with its action and, where it has one, its document, a line each.
    items: Vec<String>,
    bytes: usize,
}

impl<'a> Bulk<'a> {
    pub(crate) fn new(generation: &'a Generation, doing: &'static str) -> Self {
        Self { generation, doing, items: Vec::new(), bytes: 0 }
    }

    /// Unless a later version of it is there.
    pub(crate) async fn index(
        &mut self,
        tenant: Tenant,
        key: &str,
        version: Version,
        document: &Value,
    ) -> Result<()> {
        let action = json!({ "index": about(tenant, key, version) });
        self.push(format!("{action}\n{document}\n")).await
    }

    /// Unless a later version of it is there.
    pub(crate) async fn delete(&mut self, tenant: Tenant, key: &str, version: Version) -> Result<()> {
        let action = json!({ "delete": about(tenant, key, version) });
        self.push(format!("{action}\n")).await
    }

    /// Sends what is left; all of it can be found when this returns.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.send("true").await
    }

    async fn push(&mut self, item: String) -> Result<()> {
        if self.items.len() >= MOST_ITEMS || self.bytes + item.len() > LARGEST_BYTES {
            // The last request's refresh makes these seen, too: one organization is one shard.
            self.send("false").await?;
        }
        self.bytes += item.len();
        self.items.push(item);
        Ok(())
    }

    async fn send(&mut self, refresh: &str) -> Result<()> {
        let mut items = std::mem::take(&mut self.items);
        self.bytes = 0;
        let client = &self.generation.ground.client;
        let (deadline, mut pause) = (client.deadline(), Pause::default());
        while !items.is_empty() {
            let request = Request::new(Method::Post, format!("/{}/_bulk", self.generation.writes))
                .with(&[("refresh", refresh), ("require_alias", "true")])
                .bytes(Bytes::from(items.concat()));
            let answer = client.expect(self.doing, request).await?;
            let busy = self.outcomes(&answer, items.len())?;
            let left = |(item, busy): (String, &bool)| busy.then_some(item);
            items = items.into_iter().zip(&busy).filter_map(left).collect();
            if !items.is_empty() && !pause.before(deadline).await {
                return Err(Error::unavailable(self.doing, Fault::Other("the server takes only a part")));
            }
        }
        Ok(())
    }

    /// Which items are to be sent again. A conflict is a later version, and what is to be deleted may be gone.
    fn outcomes(&self, answer: &Value, sent: usize) -> Result<Vec<bool>> {
        let items = answer["items"].as_array().filter(|items| items.len() == sent);
        let items = items.ok_or_else(|| senseless(self.doing, "a bulk answer lacks items"))?;
        let mut busy = Vec::with_capacity(sent);
        for item in items {
            let (item, deletes) = match (&item["index"], &item["delete"]) {
                (Value::Null, delete) => (delete, true),
                (index, _) => (index, false),
            };
            let status = item["status"].as_u64().unwrap_or(0);
            busy.push(match status {
                200..300 | 409 => false,
                404 if deletes && item["error"].is_null() => false,
                _ if is_transient(status) => true,
                _ => {
                    let status = u16::try_from(status).unwrap_or(0);
                    return Err(refused(self.doing, &Answer { status, body: item.clone() }));
                }
            });
        }
        Ok(busy)
    }
}

fn about(tenant: Tenant, key: &str, version: Version) -> Value {
    json!({ "_id": key, "routing": tenant.0, "version": version, "version_type": "external_gte" })
}
