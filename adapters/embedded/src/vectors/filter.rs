//! Filters as sets of items, kept in the transaction that changes the vectors, so that a filter is exact at
//! every moment. Times are kept twice, by the microsecond and by the day: a long span is a few hundred sets
//! of days and two ragged ends.

use std::{collections::BTreeMap, ops::Bound};

use colloquy_domain::{
    ids::PersonId,
    search::query::{SearchFilter, fold},
};
use heed::{RoTxn, RwTxn};
use roaring::RoaringBitmap;
use uuid::Uuid;

use super::tables::{Record, Shard, Tables};

const DAY_MICROS: i64 = 86_400_000_000;

/// Where a set of items stands: organization, facet, value.
pub(crate) type Key = [u8; 19];

#[derive(Debug, Clone, Copy)]
enum Facet<'a> {
    Kind(&'a str),
    /// As [`veiled`] has them.
    Tag(Uuid),
    Speaker(Uuid),
    Micros(i64),
    Day(i64),
    Language(&'a str),
    Person(PersonId),
}

impl Facet<'_> {
    fn key(self, shard: Shard) -> Key {
        let (tag, value) = match self {
            Self::Kind(name) => (0, hashed(name)),
            Self::Tag(veiled) => (1, veiled.into_bytes()),
            Self::Speaker(veiled) => (2, veiled.into_bytes()),
            Self::Micros(at) => (3, ordered(at)),
            Self::Day(day) => (4, ordered(day)),
            Self::Language(code) => (5, hashed(code)),
            Self::Person(id) => (6, id.0.into_bytes()),
        };
        let mut key = [0; 19];
        key[..2].copy_from_slice(&shard.to_be_bytes());
        key[2] = tag;
        key[3..].copy_from_slice(&value);
        key
    }
}

/// Names have any length, keys have not.
fn hashed(name: &str) -> [u8; 16] {
    Uuid::new_v5(&Uuid::nil(), name.as_bytes()).into_bytes()
}

/// A label or tag as the tables hold it, whatever its case. What a page of the file has held stays in it until the page is
/// used again, so that no name may ever stand there.
pub(crate) fn veiled(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::nil(), fold(name).as_bytes())
}

/// Bytes that sort as the numbers do.
fn ordered(number: i64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(number.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    bytes
}

/// Moves the conversation's items from the sets they stand in to those they belong in.
pub(crate) fn update(
    tables: &Tables,
    txn: &mut RwTxn,
    shard: Shard,
    before: Option<&Record>,
    after: &Record,
) -> heed::Result<()> {
    let before = before.map(|record| sets(shard, record)).unwrap_or_default();
    let mut after = sets(shard, after);
    let mut changes: Vec<(Key, RoaringBitmap, RoaringBitmap)> = Vec::new();
    for (key, out) in before {
        let into = after.remove(&key).unwrap_or_default();
        if out != into {
            changes.push((key, out, into));
        }
    }
    changes.extend(after.into_iter().map(|(key, into)| (key, RoaringBitmap::new(), into)));
    for (key, out, into) in changes {
        let set = (tables.postings.get(txn, &key)?.unwrap_or_default() - out) | into;
        if set.is_empty() {
            tables.postings.delete(txn, &key)?;
        } else {
            tables.postings.put(txn, &key, &set)?;
        }
    }
    Ok(())
}

/// The sets that a record's items belong in.
fn sets(shard: Shard, record: &Record) -> BTreeMap<Key, RoaringBitmap> {
    let mut sets: BTreeMap<Key, RoaringBitmap> = BTreeMap::new();
    let Some(facets) = &record.facets else { return sets };
    let mut shared = vec![Facet::Kind(facets.kind.as_str())];
    shared.extend(facets.tags.iter().map(|tag| Facet::Tag(*tag)));
    shared.extend(facets.language.as_ref().map(|language| Facet::Language(language.as_str())));
    if let Some(at) = facets.occurred_micros {
        shared.extend([Facet::Micros(at), Facet::Day(at.div_euclid(DAY_MICROS))]);
    }
    let all: RoaringBitmap = record.items.iter().map(|item| item.item).collect();
    for facet in shared {
        *sets.entry(facet.key(shard)).or_default() |= &all;
    }
    for item in &record.items {
        for speaker in &item.speakers {
            sets.entry(Facet::Speaker(*speaker).key(shard)).or_default().insert(item.item);
        }
        for person in &item.people {
            sets.entry(Facet::Person(*person).key(shard)).or_default().insert(item.item);
        }
    }
    sets
}

/// The items that a filter lets through; `None` where it lets everything through.
pub(crate) fn candidates(
    tables: &Tables,
    txn: &RoTxn,
    shard: Shard,
    filter: &SearchFilter,
) -> heed::Result<Option<RoaringBitmap>> {
    let SearchFilter {
        kinds,
        tags,
        speakers,
        occurred_from,
        occurred_before,
        conversation_ids,
        languages,
        person_ids,
        people: _,
    } = filter;
    let mut narrowed = Narrowed(None);
    if !conversation_ids.is_empty() {
        let mut set = RoaringBitmap::new();
        for id in conversation_ids {
            let record = tables.conversation(txn, shard, *id)?;
            set.extend(record.iter().flat_map(|record| &record.items).map(|item| item.item));
        }
        narrowed.by(set);
    }
    let any_of = |keys: Vec<Key>| union(tables, txn, &keys);
    if !kinds.is_empty() {
        narrowed.by(any_of(kinds.iter().map(|kind| Facet::Kind(kind.as_str()).key(shard)).collect())?);
    }
    if !languages.is_empty() {
        let keys = languages.iter().map(|one| Facet::Language(one.as_str()).key(shard));
        narrowed.by(any_of(keys.collect())?);
    }
    if !tags.is_empty() {
        narrowed.by(any_of(tags.iter().map(|tag| Facet::Tag(veiled(tag)).key(shard)).collect())?);
    }
    if !speakers.is_empty() {
        narrowed.by(any_of(speakers.iter().map(|label| Facet::Speaker(veiled(label)).key(shard)).collect())?);
    }
    if !person_ids.is_empty() {
        narrowed.by(any_of(person_ids.iter().map(|id| Facet::Person(*id).key(shard)).collect())?);
    }
    if occurred_from.is_some() || occurred_before.is_some() {
        let from = occurred_from.map_or(i64::MIN, |at| at.timestamp_micros());
        let before = occurred_before.map_or(i64::MAX, |at| at.timestamp_micros());
        narrowed.by(span(tables, txn, shard, from, before)?);
    }
    Ok(narrowed.0)
}

struct Narrowed(Option<RoaringBitmap>);

impl Narrowed {
    fn by(&mut self, set: RoaringBitmap) {
        self.0 = Some(match self.0.take() {
            Some(narrowed) => narrowed & set,
            None => set,
        });
    }
}

fn union(tables: &Tables, txn: &RoTxn, keys: &[Key]) -> heed::Result<RoaringBitmap> {
    let mut union = RoaringBitmap::new();
    for key in keys {
        if let Some(set) = tables.postings.get(txn, key)? {
            union |= set;
        }
    }
    Ok(union)
}

/// Items from `from` on and before `before`.
fn span(tables: &Tables, txn: &RoTxn, shard: Shard, from: i64, before: i64) -> heed::Result<RoaringBitmap> {
    let mut found = RoaringBitmap::new();
    let mut add = |facet: fn(i64) -> Facet<'static>, from: i64, before: i64| -> heed::Result<()> {
        let (first, end) = (facet(from).key(shard), facet(before).key(shard));
        if first >= end {
            return Ok(());
        }
        let range = (Bound::Included(first.as_slice()), Bound::Excluded(end.as_slice()));
        for entry in tables.postings.range(txn, &range)? {
            found |= entry?.1;
        }
        Ok(())
    };
    let first_day = from.div_euclid(DAY_MICROS) + i64::from(from.rem_euclid(DAY_MICROS) != 0);
    let last_day = before.div_euclid(DAY_MICROS);
    if first_day < last_day {
        add(Facet::Micros, from, first_day * DAY_MICROS)?;
        add(Facet::Day, first_day, last_day)?;
        add(Facet::Micros, last_day * DAY_MICROS, before)?;
    } else {
        add(Facet::Micros, from, before)?;
    }
    Ok(found)
}
