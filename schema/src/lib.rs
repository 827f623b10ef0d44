//! GraphQL: types, resolvers, loaders, guards and limits. A resolver holds no rule and awaits only use cases
//! and loaders. The SDL in `schema.graphql` is generated from here and kept in step by a test.

mod cursor;
mod errors;
mod gather;
mod global_id;
mod guards;
pub mod limits;
mod loaders;
mod mutation;
mod mutations;
mod page;
mod query;
mod subscription;
mod types;

use async_graphql::SchemaBuilder;
use colloquy_domain::{events::feed::Feed, ports::Ports};

use gather::Gather;
use limits::Limits;

pub use mutation::Mutation;
pub use query::Query;
pub use subscription::Subscription;

pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// The schema over real ports. The edge adds an [`Actor`](colloquy_domain::accounts::Actor) to each request
/// whose credential it has checked.
pub fn build(ports: Ports, feed: Feed, limits: &Limits) -> Schema {
    let loader = Gather::new(loaders::Store::new(ports.clone()));
    let complexity = limits.max_complexity as usize;
    builder().limit_complexity(complexity).data(ports).data(feed).data(loader).finish()
}

/// The SDL, as `colloquy schema` prints it.
pub fn sdl() -> String {
    unwired().sdl()
}

/// The schema without ports: it can say what it is and whether a document fits it, and serves nobody.
pub fn unwired() -> Schema {
    builder().finish()
}

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription)
        .register_output_type::<types::node::Node>()
}

/// What a resolver wants from its context; the edge and [`build`] put it there.
trait Wired {
    fn ports(&self) -> &Ports;
    fn feed(&self) -> &Feed;
    fn loader(&self) -> &Gather<loaders::Store>;
}

impl Wired for async_graphql::Context<'_> {
    fn ports(&self) -> &Ports {
        self.data_unchecked()
    }

    fn feed(&self) -> &Feed {
        self.data_unchecked()
    }

    fn loader(&self) -> &Gather<loaders::Store> {
        self.data_unchecked()
    }
}
