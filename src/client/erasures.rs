//! Erasures, and who and what can be erased, as the shell asks for them.

use colloquy_domain::{people::key, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Client, ConversationRef, Trouble, UserError,
    shapes::{List, mutation},
};

macro_rules! fields {
    () => {
        "id kind subjectId state sweeps lastSweepAt requestedAt finishedAt report { conversations segments labels texts
        passages vectors analyses matches tags jobs restartedJobs settings cameBack }"
    };
}

const FIND: &str = concat!("query Erasure($id: ID!) { erasure(id: $id) { ", fields!(), " } }");
const LIST: &str = concat!(
    "query Erasures($first: Int!) { erasures(first: $first) { edges { node { ",
    fields!(),
    " } } pageInfo { hasNextPage } } }"
);
const CONVERSATION: &str = "query Conversation($id: ID!) { conversation(id: $id) { id title } }";
const PERSON: &str = "query Person($id: ID!) { person(id: $id) { id name } }";
const NAMED: &str = "query Named($name: String!, $after: String) {
    people(nameContains: $name, first: 100, after: $after) { edges { node { id name } }
        pageInfo { hasNextPage endCursor } } }";

/// People whose names are like one that nobody has, told at most.
const MAX_ALIKE: usize = 10;

/// As the shell shows it; beside it stands what the server gave, for programs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Erasure {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) subject_id: String,
    pub(crate) state: String,
    pub(crate) sweeps: u32,
    pub(crate) last_sweep_at: Option<Timestamp>,
    pub(crate) requested_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) report: Removed,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Removed {
    pub(crate) conversations: usize,
    pub(crate) segments: usize,
    pub(crate) labels: usize,
    pub(crate) texts: usize,
    pub(crate) passages: usize,
    pub(crate) vectors: usize,
    pub(crate) analyses: usize,
    pub(crate) matches: usize,
    pub(crate) tags: usize,
    pub(crate) jobs: usize,
    pub(crate) restarted_jobs: usize,
    pub(crate) settings: usize,
    pub(crate) came_back: usize,
}

impl Erasure {
    pub(crate) fn read(value: &Value) -> anyhow::Result<Self> {
        Ok(Self::deserialize(value)?)
    }

    /// All is redacted, and every store was looked through again.
    pub(crate) fn was_swept(&self) -> bool {
        self.sweeps > 0 || self.state == "DONE"
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PersonRef {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// Who is meant by a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) exactly: Vec<PersonRef>,
    /// Some whose names have it in them, where nobody's is it.
    pub(crate) alike: Vec<PersonRef>,
}

impl Client {
    /// By its own id or by that of what was erased, as the server gave it.
    pub(crate) async fn erasure(&self, id: &str) -> Result<Option<Value>, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            erasure: Option<Value>,
        }
        let Data { erasure } = self.query(FIND, json!({ "id": id })).await?;
        Ok(erasure)
    }

    /// Newest first, and whether there are more.
    pub(crate) async fn erasures(&self, first: u8) -> Result<(Vec<Value>, bool), Trouble> {
        #[derive(Deserialize)]
        struct Data {
            erasures: List,
        }
        let Data { erasures } = self.query(LIST, json!({ "first": first })).await?;
        let more = erasures.more();
        Ok((erasures.nodes(), more))
    }

    pub(crate) async fn erase_conversation(
        &self,
        id: &str,
    ) -> Result<Result<Value, Vec<UserError>>, Trouble> {
        self.erase("deleteConversation", json!({ "id": id })).await
    }

    pub(crate) async fn erase_person(&self, id: &str) -> Result<Result<Value, Vec<UserError>>, Trouble> {
        self.erase("erasePerson", json!({ "personId": id })).await
    }

    async fn erase(&self, field: &str, input: Value) -> Result<Result<Value, Vec<UserError>>, Trouble> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Payload {
            erasure: Option<Value>,
            user_errors: Vec<UserError>,
        }
        #[derive(Deserialize)]
        struct Data {
            payload: Payload,
        }
        let document = mutation(field, concat!("erasure { ", fields!(), " }"));
        let Data { payload } = self.mutate(&document, json!({ "input": input })).await?;
        Ok(payload.erasure.ok_or(payload.user_errors))
    }

    pub(crate) async fn conversation(&self, id: &str) -> Result<Option<ConversationRef>, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            conversation: Option<ConversationRef>,
        }
        let Data { conversation } = self.query(CONVERSATION, json!({ "id": id })).await?;
        Ok(conversation)
    }

    pub(crate) async fn person(&self, id: &str) -> Result<Option<PersonRef>, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            person: Option<PersonRef>,
        }
        let Data { person } = self.query(PERSON, json!({ "id": id })).await?;
        Ok(person)
    }

    /// Names are compared as the server compares them.
    pub(crate) async fn people_named(&self, name: &str) -> Result<Named, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            people: List<PersonRef>,
        }
        let (wanted, mut named, mut after) = (key(name), Named::default(), None);
        loop {
            let variables = json!({ "name": name, "after": after });
            let Data { people } = self.query(NAMED, variables).await?;
            after = people.next();
            for person in people.nodes() {
                if key(&person.name) == wanted {
                    named.exactly.push(person);
                } else if named.alike.len() < MAX_ALIKE {
                    named.alike.push(person);
                }
            }
            if after.is_none() {
                return Ok(named);
            }
        }
    }
}
