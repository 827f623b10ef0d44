//! The LMDB environment: the graph of every organization and the tables that say what its items stand for.
//! Whatever changes together changes in one transaction. Keys begin with the organization's number, so no
//! read can stray into another tenant.

use std::{borrow::Cow, fs, io, ops::Bound, path::Path};

use colloquy_domain::{
    accounts::Tenant,
    conversations::ConversationKind,
    ids::{ConversationId, PassageId, PersonId},
    language::Language,
    ports::search::Version,
};
use hannoy::{ItemId, distances::Cosine};
use heed::{
    BoxedError, BytesDecode, BytesEncode, CommitOrAbort, Database, Env, EnvOpenOptions, RoTxn, RwTxn,
    WithoutTls,
    types::{Bytes, Str},
};
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const STAMP: &str = "stamp";
const READERS: u32 = 512;

/// An organization's number: its graph's in hannoy, and the head of its keys.
pub(crate) type Shard = u16;

#[derive(Clone, Copy)]
pub(crate) struct Tables {
    pub(crate) graphs: hannoy::Database<'static, Cosine>,
    meta: Database<'static, Str, Str>,
    shards: Database<'static, Bytes, Json<ShardRecord>>,
    conversations: Database<'static, Bytes, Json<Record>>,
    items: Database<'static, Bytes, Bytes>,
    pub(crate) postings: Database<'static, Bytes, Bitmap>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ShardRecord {
    pub(crate) shard: Shard,
    /// Never goes back: an item's number is not used again.
    pub(crate) next_item: ItemId,
}

/// What an item's vector stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) passage_id: PassageId,
    pub(crate) conversation_id: ConversationId,
}

/// A conversation as it stands in the graph, with what it takes to undo that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) version: Version,
    pub(crate) items: Vec<Item>,
    /// Missing when the conversation was removed.
    pub(crate) facets: Option<Facets>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) item: ItemId,
    pub(crate) passage_id: PassageId,
    /// Veiled.
    pub(crate) speakers: Vec<Uuid>,
    pub(crate) people: Vec<PersonId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facets {
    pub(crate) kind: ConversationKind,
    /// Veiled.
    pub(crate) tags: Vec<Uuid>,
    pub(crate) occurred_micros: Option<i64>,
    pub(crate) language: Option<Language>,
}

/// Opens the environment; makes it when it is missing.
pub(crate) fn open_env(dir: &Path, map_bytes: usize) -> heed::Result<Env<WithoutTls>> {
    fs::create_dir_all(dir)?;
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_bytes).max_dbs(8).max_readers(READERS);
    #[expect(
        unsafe_code,
        reason = "the map is sound as long as nobody else writes the file, which the folder's lock sees to"
    )]
    let env = unsafe { options.open(dir) }?;
    Ok(env)
}

/// Bytes that the data file must have, so that no read of the map falls behind its end, which kills the
/// process.
pub(crate) fn expected_bytes(env: &Env<WithoutTls>) -> u64 {
    let pages = env.info().last_page_number as u64 + 1;
    pages * u64::from(env.unnamed_database_stat().page_size)
}

/// LMDB leaves pages at the end unwritten that a transaction took and gave back.
pub(crate) fn fill_up(env: &Env<WithoutTls>) -> heed::Result<()> {
    let expected = expected_bytes(env);
    if env.real_disk_size()? < expected {
        env.try_clone_inner_file()?.set_len(expected)?;
    }
    Ok(())
}

impl Tables {
    pub(crate) fn create(env: &Env<WithoutTls>) -> heed::Result<Self> {
        let txn = env.write_txn()?;
        let tables = env.create_databases_and_commit(txn, |opener, txn| -> heed::Result<_> {
            let tables = (
                opener.create_database(txn, Some("graphs"))?,
                opener.create_database(txn, Some("meta"))?,
                opener.create_database(txn, Some("shards"))?,
                opener.create_database(txn, Some("conversations"))?,
                opener.create_database(txn, Some("items"))?,
                opener.create_database(txn, Some("postings"))?,
            );
            Ok(CommitOrAbort::<_, ()>::Commit(tables))
        })?;
        let (graphs, meta, shards, conversations, items, postings) = tables.unwrap_commit();
        Ok(Self { graphs, meta, shards, conversations, items, postings })
    }

    pub(crate) fn stamp<'t>(&self, txn: &'t RoTxn) -> heed::Result<Option<&'t str>> {
        self.meta.get(txn, STAMP)
    }

    pub(crate) fn put_stamp(&self, txn: &mut RwTxn, stamp: &str) -> heed::Result<()> {
        self.meta.put(txn, STAMP, stamp)
    }

    pub(crate) fn shard(&self, txn: &RoTxn, tenant: Tenant) -> heed::Result<Option<ShardRecord>> {
        self.shards.get(txn, tenant.0.0.as_bytes())
    }

    pub(crate) fn put_shard(
        &self,
        txn: &mut RwTxn,
        tenant: Tenant,
        record: &ShardRecord,
    ) -> heed::Result<()> {
        self.shards.put(txn, tenant.0.0.as_bytes(), record)
    }

    /// The organization's number; a new organization gets the next one, which is not yet put.
    pub(crate) fn shard_or_next(&self, txn: &RoTxn, tenant: Tenant) -> heed::Result<ShardRecord> {
        if let Some(record) = self.shard(txn, tenant)? {
            return Ok(record);
        }
        let shard = Shard::try_from(self.shards.len(txn)?).map_err(|e| heed::Error::Encoding(Box::new(e)))?;
        Ok(ShardRecord { shard, next_item: 0 })
    }

    pub(crate) fn conversation(
        &self,
        txn: &RoTxn,
        shard: Shard,
        id: ConversationId,
    ) -> heed::Result<Option<Record>> {
        self.conversations.get(txn, &conversation_key(shard, id))
    }

    /// In the order of ids.
    pub(crate) fn conversations_after(
        &self,
        txn: &RoTxn,
        shard: Shard,
        after: Option<ConversationId>,
        limit: usize,
    ) -> heed::Result<Vec<(ConversationId, Record)>> {
        let from = conversation_key(shard, after.unwrap_or(ConversationId(Uuid::nil())));
        let to = conversation_key(shard, ConversationId(Uuid::max()));
        let range = (Bound::Excluded(from.as_slice()), Bound::Included(to.as_slice()));
        let mut found = Vec::new();
        for entry in self.conversations.range(txn, &range)?.take(limit) {
            let (key, record) = entry?;
            let id = Uuid::from_slice(&key[2..]).map_err(|e| heed::Error::Decoding(Box::new(e)))?;
            found.push((ConversationId(id), record));
        }
        Ok(found)
    }

    pub(crate) fn put_conversation(
        &self,
        txn: &mut RwTxn,
        shard: Shard,
        id: ConversationId,
        record: &Record,
    ) -> heed::Result<()> {
        self.conversations.put(txn, &conversation_key(shard, id), record)
    }

    pub(crate) fn item(&self, txn: &RoTxn, shard: Shard, item: ItemId) -> heed::Result<Option<Meaning>> {
        let Some(bytes) = self.items.get(txn, &item_key(shard, item))? else {
            return Ok(None);
        };
        match Meaning::from_bytes(bytes) {
            Some(meaning) => Ok(Some(meaning)),
            None => Err(heed::Error::Decoding("what an item stands for is cut short".into())),
        }
    }

    pub(crate) fn put_item(
        &self,
        txn: &mut RwTxn,
        shard: Shard,
        item: ItemId,
        meaning: Meaning,
    ) -> heed::Result<()> {
        self.items.put(txn, &item_key(shard, item), &meaning.to_bytes())
    }

    pub(crate) fn delete_item(&self, txn: &mut RwTxn, shard: Shard, item: ItemId) -> heed::Result<()> {
        self.items.delete(txn, &item_key(shard, item)).map(|_was_there| ())
    }

    /// Items of all organizations.
    pub(crate) fn count_items(&self, txn: &RoTxn) -> heed::Result<u64> {
        self.items.len(txn)
    }
}

impl Meaning {
    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(self.passage_id.0.as_bytes());
        bytes[16..].copy_from_slice(self.conversation_id.0.as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (passage, rest) = bytes.split_first_chunk()?;
        Some(Self {
            passage_id: PassageId(Uuid::from_bytes(*passage)),
            conversation_id: ConversationId(Uuid::from_bytes(rest.try_into().ok()?)),
        })
    }
}

fn conversation_key(shard: Shard, id: ConversationId) -> [u8; 18] {
    let mut key = [0; 18];
    key[..2].copy_from_slice(&shard.to_be_bytes());
    key[2..].copy_from_slice(id.0.as_bytes());
    key
}

fn item_key(shard: Shard, item: ItemId) -> [u8; 6] {
    let mut key = [0; 6];
    key[..2].copy_from_slice(&shard.to_be_bytes());
    key[2..].copy_from_slice(&item.to_be_bytes());
    key
}

/// Records as JSON.
pub(crate) struct Json<T>(std::marker::PhantomData<T>);

impl<'a, T: Serialize + 'a> BytesEncode<'a> for Json<T> {
    type EItem = T;

    fn bytes_encode(record: &'a T) -> Result<Cow<'a, [u8]>, BoxedError> {
        Ok(Cow::Owned(serde_json::to_vec(record)?))
    }
}

impl<'a, T: Deserialize<'a> + 'a> BytesDecode<'a> for Json<T> {
    type DItem = T;

    fn bytes_decode(bytes: &'a [u8]) -> Result<T, BoxedError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// Sets of items, checked as they are read.
pub(crate) struct Bitmap;

impl<'a> BytesEncode<'a> for Bitmap {
    type EItem = RoaringBitmap;

    fn bytes_encode(set: &'a RoaringBitmap) -> Result<Cow<'a, [u8]>, BoxedError> {
        let mut bytes = Vec::with_capacity(set.serialized_size());
        set.serialize_into(&mut bytes)?;
        Ok(Cow::Owned(bytes))
    }
}

impl<'a> BytesDecode<'a> for Bitmap {
    type DItem = RoaringBitmap;

    fn bytes_decode(bytes: &'a [u8]) -> Result<RoaringBitmap, BoxedError> {
        Ok(RoaringBitmap::deserialize_from(bytes)?)
    }
}

/// An environment whose file ends too early must not be read.
pub(crate) fn check_length(env: &Env<WithoutTls>) -> heed::Result<()> {
    if env.real_disk_size()? < expected_bytes(env) {
        return Err(
            io::Error::new(io::ErrorKind::UnexpectedEof, "the file of the vectors is cut short").into()
        );
    }
    Ok(())
}
