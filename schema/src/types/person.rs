//! People, known across conversations.

use async_graphql::{
    Context, ID, Object, Result, SimpleObject,
    connection::{Connection, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{
    ids::PersonId, people, ports::store::conversations::ConversationFilter, time::Timestamp,
};
use uuid::Uuid;

use super::conversation::{Conversation, ConversationConnection, page_cost};
use crate::{
    Wired,
    errors::fault,
    global_id,
    guards::actor,
    loaders::PersonById,
    page::{PageArgs, connection},
};

/// Somebody who speaks, known across conversations.
pub(crate) struct Person(pub(crate) people::Person);

pub(crate) type PersonConnection = Connection<OpaqueCursor<(String, Uuid)>, Person, EmptyFields, EmptyFields>;

#[Object]
impl Person {
    pub(crate) async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    /// Others may have the same.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// In which they speak, newest import first. At most 100 a page.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn conversations(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<ConversationConnection> {
        let page = PageArgs { after, before, first, last }.read::<OpaqueCursor<Uuid>>()?;
        let filter = ConversationFilter { person_ids: vec![self.0.id], ..ConversationFilter::default() };
        let tenant = actor(ctx)?.tenant();
        let rows = ctx.ports().conversations.list(tenant, &filter, page.by_id()).await.map_err(fault)?;
        Ok(connection(&page, rows, |row| OpaqueCursor(row.id.0), Conversation))
    }

    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    async fn updated_at(&self) -> Timestamp {
        self.0.updated_at
    }
}

/// How many passages somebody speaks in.
#[derive(SimpleObject)]
pub(crate) struct PersonCount {
    person: Person,
    count: i32,
}

/// Those who are still there, in the order given.
pub(crate) async fn counted(ctx: &Context<'_>, counts: Vec<(PersonId, i32)>) -> Result<Vec<PersonCount>> {
    let tenant = actor(ctx)?.tenant();
    let keys = counts.iter().map(|(id, _)| PersonById(tenant, *id));
    let mut found = ctx.loader().load_many(keys).await.map_err(fault)?;
    let one = |(id, count)| {
        let person = Person(found.remove(&PersonById(tenant, id))?);
        Some(PersonCount { person, count })
    };
    Ok(counts.into_iter().filter_map(one).collect())
}

/// `None` for somebody who is not there any more.
pub(crate) async fn find_person(ctx: &Context<'_>, id: PersonId) -> Result<Option<Person>> {
    let key = PersonById(actor(ctx)?.tenant(), id);
    Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Person))
}
