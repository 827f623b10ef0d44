//! The fields of a passage. Nothing is stored: texts are in PostgreSQL, ids are columns.

use colloquy_domain::search::analysis;
use tantivy::{
    schema::{
        FAST, Field, INDEXED, IndexRecordOption, STRING, Schema, SchemaBuilder, TextFieldIndexing,
        TextOptions,
    },
    tokenizer::{PreTokenizedString, Token},
};
use uuid::Uuid;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    /// Missing in a marker, which stands for a conversation without passages and is never found.
    pub(crate) organization: Field,
    /// [`scoped`] to the organization, in passages and markers.
    pub(crate) conversation: Field,
    /// A passage's own, scoped likewise; a marker has its conversation's.
    pub(crate) key: Field,
    /// The conversation's is the greatest of its documents: those that a write left as they are have an earlier one.
    pub(crate) version: Field,
    pub(crate) stemmed: Field,
    pub(crate) exact: Field,
    /// Folded.
    pub(crate) speakers: Field,
    /// By their ids.
    pub(crate) people: Field,
    /// Folded.
    pub(crate) tags: Field,
    pub(crate) kind: Field,
    pub(crate) language: Field,
    /// Microseconds since 1970, as fine as PostgreSQL has it.
    pub(crate) occurred_at: Field,
    /// Of all that the passage was given, to be compared.
    pub(crate) digest: Field,
    pub(crate) passage_id: IdFields,
    pub(crate) conversation_id: IdFields,
}

/// A UUID as two columns of numbers, the cheapest thing to read for each hit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdFields {
    pub(crate) high: Field,
    pub(crate) low: Field,
}

pub(crate) const PASSAGE_HIGH: &str = "passage_high";
pub(crate) const PASSAGE_LOW: &str = "passage_low";
pub(crate) const CONVERSATION_HIGH: &str = "conversation_high";
pub(crate) const CONVERSATION_LOW: &str = "conversation_low";
pub(crate) const VERSION: &str = "version";
pub(crate) const OCCURRED_AT: &str = "occurred_at";
pub(crate) const DIGEST: &str = "digest";

impl Fields {
    pub(crate) fn build() -> (Schema, Self) {
        let mut schema = Schema::builder();
        let fields = Self {
            organization: schema.add_bytes_field("organization", INDEXED),
            conversation: schema.add_bytes_field("conversation", INDEXED),
            key: schema.add_bytes_field("key", INDEXED),
            version: schema.add_i64_field(VERSION, FAST),
            stemmed: schema.add_text_field("stemmed", terms()),
            exact: schema.add_text_field("exact", terms()),
            speakers: schema.add_text_field("speakers", STRING | FAST),
            people: schema.add_text_field("people", STRING | FAST),
            tags: schema.add_text_field("tags", STRING | FAST),
            kind: schema.add_text_field("kind", STRING | FAST),
            language: schema.add_text_field("language", STRING | FAST),
            occurred_at: schema.add_i64_field(OCCURRED_AT, FAST),
            digest: schema.add_u64_field(DIGEST, FAST),
            passage_id: id(&mut schema, PASSAGE_HIGH, PASSAGE_LOW),
            conversation_id: id(&mut schema, CONVERSATION_HIGH, CONVERSATION_LOW),
        };
        (schema.build(), fields)
    }
}

/// They are made before tantivy is given a document.
fn terms() -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    TextOptions::default().set_indexing_options(indexing)
}

fn id(schema: &mut SchemaBuilder, high: &str, low: &str) -> IdFields {
    IdFields { high: schema.add_u64_field(high, FAST), low: schema.add_u64_field(low, FAST) }
}

/// A text's terms as a field takes them.
pub(crate) fn field_of(tokens: Vec<analysis::Token>) -> PreTokenizedString {
    let token = |token: analysis::Token| Token {
        offset_from: token.start,
        offset_to: token.end,
        position: token.position,
        text: token.text,
        position_length: 1,
    };
    PreTokenizedString { text: String::new(), tokens: tokens.into_iter().map(token).collect() }
}

/// A conversation's or a passage's key, in which a tenant can only ever name its own.
pub(crate) fn scoped(organization: Uuid, id: Uuid) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(organization.as_bytes());
    key[16..].copy_from_slice(id.as_bytes());
    key
}
