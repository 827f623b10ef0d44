//! What the fleet may do at once and in a minute, over all its processes: by queue, by organization, and by
//! whoever a handler calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ids::OrganizationId, jobs::Queue};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobLimits {
    pub queues: BTreeMap<Queue, Limit>,
    /// For every organization that has none of its own below.
    pub organization: Limit,
    pub organizations: BTreeMap<OrganizationId, Limit>,
    /// By the name of what handlers call, such as a model's provider.
    pub providers: BTreeMap<String, Limit>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limit {
    /// Jobs under way at once: dispatched or running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<u32>,
    /// Jobs begun in a minute. Up to a second's worth of them, or one, can begin together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
}

impl Limit {
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// What can begin together after a pause.
    pub fn burst(per_minute: u32) -> f64 {
        (f64::from(per_minute) / 60.0).max(1.0)
    }
}

impl JobLimits {
    pub fn is_empty(&self) -> bool {
        let none = |limit: &Limit| limit.is_none();
        self.queues.values().all(none)
            && self.organization.is_none()
            && self.organizations.values().all(none)
            && self.providers.values().all(none)
    }
}
