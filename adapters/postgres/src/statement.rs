//! Statements of ours that PostgreSQL plans once a connection. diesel prepares `sql_query` anew each time, since
//! it cannot know that the text is always the same; here it is.

use diesel::{
    QueryResult,
    expression::expression_types::Untyped,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
};

pub(crate) struct Prepared<Q>(Q);

pub(crate) trait Prepare: Sized {
    /// For text that is written in the code: each text stays prepared as long as its connection lives.
    fn prepared(self) -> Prepared<Self> {
        Prepared(self)
    }
}

impl<Q: QueryFragment<Pg>> Prepare for Q {}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

/// Told apart by its text and the types of its values.
impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q> Query for Prepared<Q> {
    type SqlType = Untyped;
}
