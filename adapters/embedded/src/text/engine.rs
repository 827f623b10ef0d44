//! The one writer of the full-text index. Versions stand in the documents themselves, so they commit, and
//! are rolled back, with them. A write touches the passages that are otherwise than they were, as comparing tells them.

use std::{collections::HashMap, fs, path::Path};

use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::{ConversationId, PassageId},
    ports::{
        search::{ConversationFacets, PassageDocument, Version},
        verify::digest,
    },
    search::{analysis, query::fold},
};
use tantivy::{
    Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, TantivyDocument, TantivyError, Term,
    directory::MmapDirectory, index::SegmentMeta, indexer::IndexWriterOptions,
};
use uuid::Uuid;

use super::{
    inspect::{Passages, stored},
    schema::{Fields, IdFields, field_of, scoped},
};
use crate::{WRITTEN, identity::Stamp, writer::Engine};

const WRITING: &str = "write to the text index";
/// What tantivy asks for at the least.
const LEAST_HEAP_BYTES: usize = 15_000_000;
/// Looks for segments with deleted passages, of which one is enough unless others merge them too.
const EXPUNGES: usize = 5;
/// No replacement is later than a removal.
const REMOVED: Version = Version::MAX;

pub(crate) struct TextEngine {
    index: Index,
    writer: Option<IndexWriter>,
    reader: IndexReader,
    fields: Fields,
    stamp: Stamp,
    heap_bytes: usize,
}

/// One conversation's passages; none of them when it was removed.
pub(crate) struct TextWrite {
    pub(crate) tenant: Tenant,
    pub(crate) conversation_id: ConversationId,
    pub(crate) change: Change,
}

pub(crate) enum Change {
    Replace { version: Version, facets: ConversationFacets, passages: Vec<PassageDocument> },
    Remove,
}

pub(crate) enum TextJob {
    Write(TextWrite),
    /// Writes segments anew that hold passages which are deleted.
    Expunge,
}

impl TextEngine {
    /// An empty index that carries the stamp.
    pub(crate) fn create(dir: &Path, stamp: Stamp, heap_bytes: usize) -> tantivy::Result<Self> {
        fs::create_dir_all(dir)?;
        let (schema, _fields) = Fields::build();
        let directory = MmapDirectory::open(dir)?;
        let index = Index::create(directory, schema, IndexSettings::default())?;
        let mut engine = Self::over(index, stamp, heap_bytes)?;
        engine.commit()?;
        Ok(engine)
    }

    /// The index that is there, or what is wrong with it.
    pub(crate) fn open(dir: &Path, stamp: Stamp, heap_bytes: usize) -> tantivy::Result<Self> {
        let index = Index::open_in_dir(dir)?;
        let damaged = |what: &str| Err(TantivyError::InvalidArgument(what.to_owned()));
        if index.schema() != Fields::build().0 {
            return damaged("the text index has other fields");
        }
        if index.load_metas()?.payload.as_deref() != Some(stamp.as_str()) {
            return damaged("the text index carries another identity");
        }
        if !index.validate_checksum()?.is_empty() {
            return damaged("files of the text index are damaged");
        }
        Self::over(index, stamp, heap_bytes)
    }

    fn over(index: Index, stamp: Stamp, heap_bytes: usize) -> tantivy::Result<Self> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let (_schema, fields) = Fields::build();
        let writer = Some(new_writer(&index, heap_bytes)?);
        Ok(Self { index, writer, reader, fields, stamp, heap_bytes })
    }

    pub(crate) fn reader(&self) -> IndexReader {
        self.reader.clone()
    }

    pub(crate) fn fields(&self) -> Fields {
        self.fields
    }

    /// How many passages it writes: those that the conversation has otherwise, or not at all.
    fn stage(&self, write: &TextWrite, staged: &mut HashMap<[u8; 32], Version>) -> tantivy::Result<u64> {
        let writer = self.writer()?;
        let organization = write.tenant.0.0;
        let key = scoped(organization, write.conversation_id.0);
        let version = match &write.change {
            Change::Replace { version, .. } => *version,
            Change::Remove => REMOVED,
        };
        let (current, found) = match staged.get(&key) {
            Some(version) => (Some(*version), Passages::new()),
            None => stored(&self.reader.searcher(), &self.fields, &key)?,
        };
        if current.is_some_and(|current| current > version) {
            return Ok(0);
        }
        let replaced = match &write.change {
            Change::Replace { facets, passages, .. } if !passages.is_empty() => Some((facets, passages)),
            Change::Replace { .. } | Change::Remove => None,
        };
        // What the group has gathered before cannot be looked at yet: then all is written.
        if staged.insert(key, version).is_some() || replaced.is_none() {
            writer.delete_term(Term::from_field_bytes(self.fields.conversation, &key));
        }
        let mut marker = TantivyDocument::default();
        marker.add_bytes(self.fields.conversation, &key);
        marker.add_i64(self.fields.version, version);
        let Some((facets, passages)) = replaced else {
            marker.add_bytes(self.fields.key, &key);
            return writer.add_document(marker).map(|_at| 0);
        };
        writer.delete_term(Term::from_field_bytes(self.fields.key, &key));
        let mut known = numbers(found);
        let (mut same, mut other): (Vec<_>, Vec<_>) = passages
            .iter()
            .partition(|passage| known.get(&passage.id) == Some(&Some(digest(facets, passage))));
        // One of them carries the version.
        if other.is_empty() && current != Some(version) {
            other.extend(same.pop());
        }
        for passage in &same {
            known.remove(&passage.id);
        }
        for id in known.keys() {
            writer.delete_term(Term::from_field_bytes(self.fields.key, &scoped(organization, id.0)));
        }
        for passage in &other {
            let mut document = marker.clone();
            document.add_bytes(self.fields.key, &scoped(organization, passage.id.0));
            writer.add_document(self.document(document, organization, facets, passage))?;
        }
        Ok(other.len() as u64)
    }

    fn document(
        &self,
        mut document: TantivyDocument,
        organization: Uuid,
        facets: &ConversationFacets,
        passage: &PassageDocument,
    ) -> TantivyDocument {
        let fields = &self.fields;
        document.add_bytes(fields.organization, organization.as_bytes());
        let stemmed = analysis::stemmed(&passage.text, facets.language);
        document.add_pre_tokenized_text(fields.stemmed, field_of(stemmed));
        document.add_pre_tokenized_text(fields.exact, field_of(analysis::exact(&passage.text)));
        document.add_text(fields.kind, facets.kind.as_str());
        if let Some(language) = &facets.language {
            document.add_text(fields.language, language.as_str());
        }
        for speaker in &passage.speakers {
            document.add_text(fields.speakers, fold(speaker));
        }
        for person in &passage.people {
            document.add_text(fields.people, person.to_string());
        }
        for tag in &facets.tags {
            document.add_text(fields.tags, fold(tag));
        }
        if let Some(at) = facets.occurred_at {
            document.add_i64(fields.occurred_at, at.timestamp_micros());
        }
        document.add_u64(fields.digest, digest(facets, passage));
        add_id(&mut document, fields.passage_id, passage.id.0);
        add_id(&mut document, fields.conversation_id, facets.conversation_id.0);
        document
    }

    fn commit(&mut self) -> tantivy::Result<()> {
        let writer = self.writer.as_mut().ok_or_else(gone)?;
        let mut prepared = writer.prepare_commit()?;
        prepared.set_payload(self.stamp.as_str());
        prepared.commit()?;
        self.reader.reload()
    }

    /// What is merged has the words of its living passages alone. Files of before go once no search reads them.
    fn expunge(&mut self) -> tantivy::Result<()> {
        for _ in 0..EXPUNGES {
            let metas = self.index.searchable_segment_metas()?;
            let holding = metas.iter().filter(|meta| meta.num_deleted_docs() > 0);
            let holding: Vec<_> = holding.map(SegmentMeta::id).collect();
            if holding.is_empty() {
                break;
            }
            let merged = self.writer.as_mut().ok_or_else(gone)?.merge(&holding).wait();
            // One of them may be merged with others at this moment.
            if let Err(error) = merged {
                tracing::debug!(error = %error, "segments could not be merged, and are looked at again");
            }
        }
        self.reader.reload()?;
        self.writer()?.garbage_collect_files().wait().map(|_removed| ())
    }

    fn writer(&self) -> tantivy::Result<&IndexWriter> {
        self.writer.as_ref().ok_or_else(gone)
    }
}

impl Engine for TextEngine {
    type Write = TextJob;
    const NAME: &'static str = "text";

    fn apply(&mut self, jobs: &[&TextJob]) -> Result<()> {
        let mut staged = HashMap::with_capacity(jobs.len());
        let mut expunge = false;
        let mut stage = |job: &TextJob| match job {
            TextJob::Write(write) => {
                let written = self.stage(write, &mut staged)?;
                metrics::counter!(WRITTEN, "engine" => "text").increment(written);
                Ok(())
            }
            TextJob::Expunge => {
                expunge = true;
                Ok(())
            }
        };
        jobs.iter()
            .try_for_each(|job| stage(job))
            .and_then(|()| if staged.is_empty() { Ok(()) } else { self.commit() })
            .and_then(|()| if expunge { self.expunge() } else { Ok(()) })
            .map_err(|e| failed(WRITING, e))
    }

    fn recover(&mut self) -> Result<()> {
        // Dropped first: it holds the lock that the next one takes, and what it had gathered.
        self.writer = None;
        let reopen = || -> tantivy::Result<IndexWriter> {
            self.reader.reload()?;
            new_writer(&self.index, self.heap_bytes)
        };
        self.writer = Some(reopen().map_err(|e| failed("reopen the text index", e))?);
        Ok(())
    }
}

/// What stands in the way may go: a full disk, a writer that is being reopened.
pub(crate) fn failed(doing: &'static str, error: TantivyError) -> Error {
    match error {
        TantivyError::IoError(_) | TantivyError::LockFailure(..) | TantivyError::ErrorInThread(_) => {
            Error::unavailable(doing, error)
        }
        error => Error::internal(doing, error),
    }
}

fn gone() -> TantivyError {
    TantivyError::ErrorInThread("the writer is being reopened".to_owned())
}

fn new_writer(index: &Index, heap_bytes: usize) -> tantivy::Result<IndexWriter> {
    // One segment a commit and one merge at a time leave the other cores to whoever searches.
    let options = IndexWriterOptions::builder()
        .num_worker_threads(1)
        .num_merge_threads(1)
        .memory_budget_per_thread(heap_bytes.max(LEAST_HEAP_BYTES))
        .build();
    index.writer_with_options(options)
}

/// `None` for what stands there twice: that is not as it should be.
fn numbers(found: Passages) -> HashMap<PassageId, Option<u64>> {
    let mut numbers = HashMap::with_capacity(found.len());
    for (id, number) in found {
        numbers.entry(id).and_modify(|number| *number = None).or_insert(number);
    }
    numbers
}

fn add_id(document: &mut TantivyDocument, fields: IdFields, id: Uuid) {
    let (high, low) = id.as_u64_pair();
    document.add_u64(fields.high, high);
    document.add_u64(fields.low, low);
}

#[cfg(test)]
mod tests {
    use colloquy_domain::{conversations::ConversationKind, ids::OrganizationId, passages::text_hash};

    use super::*;
    use crate::identity::Identity;

    fn write(number: u128, version: Version, text: &str) -> TextJob {
        let conversation_id = ConversationId(Uuid::from_u128(number));
        let facets = ConversationFacets {
            conversation_id,
            revision: 1,
            kind: ConversationKind::Meeting,
            tags: vec![text.to_owned()],
            occurred_at: None,
            language: None,
        };
        let passage = PassageDocument {
            id: PassageId::of(conversation_id, &[0; 32], 0),
            text: text.to_owned(),
            speakers: vec![text.to_owned()],
            people: Vec::new(),
        };
        let change = Change::Replace { version, facets, passages: vec![passage] };
        let tenant = Tenant(OrganizationId(Uuid::from_u128(1)));
        TextJob::Write(TextWrite { tenant, conversation_id, change })
    }

    fn cut(version: Version, texts: &[&str], tags: &[&str]) -> TextJob {
        let TextJob::Write(write) = write(9, version, "") else { unreachable!() };
        let passage = |text: &&str| PassageDocument {
            id: PassageId::of(write.conversation_id, &text_hash(text), 0),
            text: (*text).to_owned(),
            speakers: Vec::new(),
            people: Vec::new(),
        };
        let passages = texts.iter().map(passage).collect();
        let TextWrite { tenant, conversation_id, change: Change::Replace { facets, .. } } = write else {
            unreachable!()
        };
        let facets =
            ConversationFacets { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..facets };
        let change = Change::Replace { version, facets, passages };
        TextJob::Write(TextWrite { tenant, conversation_id, change })
    }

    /// Documents that are there, and those that stand as they were written.
    fn stands(engine: &TextEngine, job: &TextJob) -> (u64, usize) {
        let TextJob::Write(TextWrite { tenant, conversation_id, change }) = job else { unreachable!() };
        let Change::Replace { version, facets, passages } = change else { unreachable!() };
        let key = scoped(tenant.0.0, conversation_id.0);
        let (found, numbers) = stored(&engine.reader.searcher(), &engine.fields, &key).expect("a look");
        assert_eq!(found, Some(*version));
        assert_eq!(numbers.len(), passages.len());
        let same = |one: &&PassageDocument| numbers.contains(&(one.id, Some(digest(facets, one))));
        (engine.reader.searcher().num_docs(), passages.iter().filter(same).count())
    }

    #[test]
    fn what_is_as_it_was_is_not_written_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let identity = Identity { generation: 1, log_id: Uuid::nil(), model: "none".to_owned() };
        let mut engine =
            TextEngine::create(dir.path(), Stamp::of(&identity, 2), LEAST_HEAP_BYTES).expect("an index");
        let written = |engine: &mut TextEngine, jobs: &[&TextJob]| {
            let mut staged = HashMap::new();
            let stage = |job: &&TextJob| match job {
                TextJob::Write(write) => engine.stage(write, &mut staged).expect("a write"),
                TextJob::Expunge => 0,
            };
            let written: u64 = jobs.iter().map(stage).sum();
            engine.commit().expect("a commit");
            written
        };
        let first = cut(1, &["one", "two", "three", "four"], &[]);
        assert_eq!(written(&mut engine, &[&first]), 4);
        let edited = cut(2, &["one", "other", "three", "four"], &[]);
        assert_eq!(written(&mut engine, &[&edited]), 1);
        assert_eq!(stands(&engine, &edited), (4, 4));
        assert_eq!(written(&mut engine, &[&first]), 0, "it is late");
        assert_eq!(written(&mut engine, &[&edited]), 0);
        let fewer = cut(3, &["one", "other"], &[]);
        assert_eq!(written(&mut engine, &[&fewer]), 1, "one carries the version");
        assert_eq!(stands(&engine, &fewer), (2, 2));
        let tagged = cut(4, &["one", "other"], &["tag"]);
        assert_eq!(written(&mut engine, &[&tagged]), 2);
        let (more, last) = (cut(5, &["one", "other", "new"], &["tag"]), cut(6, &["one", "new"], &["tag"]));
        assert_eq!(written(&mut engine, &[&more, &last, &more]), 3, "a group's second write is whole");
        assert_eq!(stands(&engine, &last), (2, 2));
        engine.apply(&[&cut(7, &[], &[])]).expect("a write");
        assert_eq!(stands(&engine, &cut(7, &[], &[])), (1, 0), "a marker");
        assert_eq!(written(&mut engine, &[&cut(8, &["one"], &[])]), 1);
        assert_eq!(stands(&engine, &cut(8, &["one"], &[])), (1, 1));
    }

    /// Whether any dictionary of the index has the word, or any file its bytes.
    fn holds(engine: &TextEngine, dir: &Path, word: &str) -> bool {
        let fields = [engine.fields.stemmed, engine.fields.exact, engine.fields.speakers, engine.fields.tags];
        let searcher = engine.reader.searcher();
        let mut terms = searcher.segment_readers().iter().flat_map(|segment| {
            fields.map(|field| {
                let inverted = segment.inverted_index(field).expect("a field");
                let mut terms = inverted.terms().stream().expect("its terms");
                let mut found = false;
                while terms.advance() {
                    found |= terms.key().windows(word.len()).any(|part| part == word.as_bytes());
                }
                found
            })
        });
        let files = fs::read_dir(dir).expect("a folder").flatten().map(|entry| entry.path());
        let mut bytes = files.filter(|path| path.is_file()).map(|path| fs::read(path).unwrap_or_default());
        terms.any(|found| found)
            || bytes.any(|bytes| bytes.windows(word.len()).any(|part| part == word.as_bytes()))
    }

    #[test]
    fn what_is_expunged_is_in_no_dictionary_and_no_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let identity = Identity { generation: 1, log_id: Uuid::nil(), model: "none".to_owned() };
        let mut engine =
            TextEngine::create(dir.path(), Stamp::of(&identity, 2), LEAST_HEAP_BYTES).expect("an index");
        for (number, text) in [(1, "quillonbrax"), (2, "harbour"), (3, "quillonbrax")] {
            engine.apply(&[&write(number, 1, text)]).expect("a write");
        }
        engine.apply(&[&write(4, 1, "frozen"), &write(5, 1, "quillonbrax")]).expect("a write");
        for number in [1, 3, 5] {
            engine.apply(&[&write(number, 2, "erased")]).expect("a write");
        }
        assert!(holds(&engine, dir.path(), "quillonbrax"), "merely deleted");
        engine.apply(&[&TextJob::Expunge]).expect("a merge");
        assert!(!holds(&engine, dir.path(), "quillonbrax"));
        for word in ["erased", "frozen", "harbour"] {
            assert!(holds(&engine, dir.path(), word), "{word}");
        }
        let stamp = Stamp::of(&identity, 2);
        drop(engine);
        assert!(
            TextEngine::open(dir.path(), stamp, LEAST_HEAP_BYTES).is_ok(),
            "it is whole, and carries its stamp"
        );
    }
}
