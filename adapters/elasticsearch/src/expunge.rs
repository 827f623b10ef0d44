//! Having the server write anew what holds deleted documents. It is asked for and not waited for, and not every service
//! lets one ask: nobody finds what is deleted in any case, and a server merges it away by itself in time.

use elasticsearch::http::Method;
use serde_json::json;

use crate::{client::Request, generation::Generation};

const EXPUNGING: &str = "have the search server write deleted documents out";

impl Generation {
    pub(crate) async fn merge_deleted(&self) {
        // Otherwise segments with few deleted documents are left as they are.
        let all = json!({ "index.merge.policy.expunge_deletes_allowed": 0 });
        let settings = Request::new(Method::Put, format!("/{}/_settings", self.index)).json(&all);
        let merge = Request::new(Method::Post, format!("/{}/_forcemerge", self.index))
            .with(&[("only_expunge_deletes", "true"), ("flush", "true")]);
        for request in [settings, merge] {
            match self.ground.client.ask(EXPUNGING, request).await {
                Ok(answer) if answer.is_ok() => {}
                Ok(answer) => {
                    let (index, status, kind) = (&self.index, answer.status, answer.kind());
                    tracing::debug!(index, status, kind, "the search server does not expunge");
                }
                Err(error) => tracing::warn!(error = error.chain(), "the search server may expunge later"),
            }
        }
    }
}
