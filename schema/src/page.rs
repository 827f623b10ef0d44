//! Relay connections over lists that are read by key: arguments checked, `first` and `last` at most 100.

use async_graphql::{
    OutputType,
    connection::{Connection, ConnectionNameType, CursorType, Edge, EdgeNameType, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{Error, Problem, ports::store::PageBy};
use uuid::Uuid;

use crate::errors::fault;

pub(crate) const MAX_PAGE: i32 = 100;
const DEFAULT_PAGE: i32 = 20;

/// The arguments of a connection, as Relay has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageArgs {
    pub(crate) after: Option<String>,
    pub(crate) before: Option<String>,
    pub(crate) first: Option<i32>,
    pub(crate) last: Option<i32>,
}

/// A page to read: one row more than is shown, to know whether there are more.
pub(crate) struct Page<K> {
    pub(crate) by: PageBy<K>,
    size: usize,
}

impl PageArgs {
    pub(crate) fn read<K: CursorType>(self) -> async_graphql::Result<Page<K>> {
        let backward = self.last.is_some();
        if backward && self.first.is_some() {
            return Err(refuse("give `first` or `last`, not both"));
        }
        let size = self.first.or(self.last).unwrap_or(DEFAULT_PAGE);
        if !(0..=MAX_PAGE).contains(&size) {
            return Err(refuse(format!("`first` and `last` are 0 to {MAX_PAGE}; this is {size}")));
        }
        let key = |cursor: Option<String>| {
            let strange = |_: K::Error| refuse("this is not a cursor of this list");
            cursor.map(|cursor| K::decode_cursor(&cursor).map_err(strange)).transpose()
        };
        let (after, before) = (key(self.after)?, key(self.before)?);
        let size = size as usize;
        Ok(Page { by: PageBy { after, before, limit: size + 1, backward }, size })
    }
}

impl Page<OpaqueCursor<Uuid>> {
    /// The page of a list whose cursors are ids.
    pub(crate) fn by_id<Id: From<Uuid>>(&self) -> PageBy<Id> {
        let id = |cursor: &OpaqueCursor<Uuid>| Id::from(cursor.0);
        let PageBy { after, before, limit, backward } = &self.by;
        PageBy {
            after: after.as_ref().map(id),
            before: before.as_ref().map(id),
            limit: *limit,
            backward: *backward,
        }
    }
}

impl<K> Page<K> {
    /// Cuts the row too many off, and says whether there was one before or after what is left.
    pub(crate) fn trim<T>(&self, rows: &mut Vec<T>) -> (bool, bool) {
        let more = rows.len() > self.size;
        if more && self.by.backward {
            rows.drain(..rows.len() - self.size);
        } else {
            rows.truncate(self.size);
        }
        if self.by.backward { (more, self.by.before.is_some()) } else { (self.by.after.is_some(), more) }
    }
}

/// Rows in the list's order become a connection.
pub(crate) fn connection<K, R, N, Name, EdgeName>(
    page: &Page<K>,
    mut rows: Vec<R>,
    key: impl Fn(&R) -> K,
    node: impl Fn(R) -> N,
) -> Connection<K, N, EmptyFields, EmptyFields, Name, EdgeName>
where
    K: CursorType + Send + Sync,
    N: OutputType,
    Name: ConnectionNameType,
    EdgeName: EdgeNameType,
{
    let (previous, next) = page.trim(&mut rows);
    let mut connection = Connection::new(previous, next);
    connection.edges.extend(rows.into_iter().map(|row| Edge::new(key(&row), node(row))));
    connection
}

pub(crate) fn refuse(message: impl Into<String>) -> async_graphql::Error {
    fault(Error::Invalid(Problem::new("BAD_USER_INPUT", message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(first: Option<i32>, last: Option<i32>) -> PageArgs {
        PageArgs { first, last, ..PageArgs::default() }
    }

    #[test]
    fn a_page_has_a_bound_and_a_direction() {
        assert!(args(Some(101), None).read::<i32>().is_err());
        assert!(args(Some(-1), None).read::<i32>().is_err());
        assert!(args(Some(1), Some(1)).read::<i32>().is_err());
        assert_eq!(args(None, None).read::<i32>().ok().map(|page| page.by.limit), Some(21));
    }

    #[test]
    fn the_row_too_many_tells_that_there_are_more() {
        let forward = args(Some(2), None).read::<i32>().ok().unwrap();
        let mut rows = vec![1, 2, 3];
        assert_eq!(forward.trim(&mut rows), (false, true));
        assert_eq!(rows, [1, 2]);
        let backward = args(None, Some(2)).read::<i32>().ok().unwrap();
        let mut rows = vec![1, 2, 3];
        assert_eq!(backward.trim(&mut rows), (true, false));
        assert_eq!(rows, [2, 3]);
    }
}
