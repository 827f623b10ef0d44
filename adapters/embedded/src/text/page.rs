//! A page of hits: those that sort behind the last one seen, best first. Only as many are kept as are wanted, so that a
//! page costs the same however deep it is. Every match is scored: a score is the same for each page.

use std::{cmp::Ordering, collections::BinaryHeap};

use colloquy_domain::{
    ids::{ConversationId, PassageId},
    ports::search::{After, EngineHit},
};
use tantivy::{
    DocId, Score, SegmentOrdinal, SegmentReader,
    collector::{Collector, SegmentCollector},
    columnar::Column,
};
use uuid::Uuid;

use super::{
    best_first,
    schema::{CONVERSATION_HIGH, CONVERSATION_LOW, PASSAGE_HIGH, PASSAGE_LOW},
};

pub(super) struct Page {
    pub(super) after: Option<After>,
    pub(super) limit: usize,
}

impl Collector for Page {
    type Fruit = Vec<EngineHit>;
    type Child = SegmentPage;

    fn for_segment(&self, _segment: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<SegmentPage> {
        let columns = Columns::open(reader)?;
        Ok(SegmentPage { columns, after: self.after, limit: self.limit, kept: BinaryHeap::new() })
    }

    fn requires_scoring(&self) -> bool {
        true
    }

    fn merge_fruits(&self, fruits: Vec<Vec<EngineHit>>) -> tantivy::Result<Vec<EngineHit>> {
        let mut hits: Vec<EngineHit> = fruits.into_iter().flatten().collect();
        hits.sort_by(best_first);
        hits.truncate(self.limit);
        Ok(hits)
    }
}

pub(super) struct SegmentPage {
    columns: Columns,
    after: Option<After>,
    limit: usize,
    /// The worst on top.
    kept: BinaryHeap<Candidate>,
}

impl SegmentCollector for SegmentPage {
    type Fruit = Vec<EngineHit>;

    fn collect(&mut self, doc: DocId, score: Score) {
        let is_full = self.kept.len() >= self.limit;
        if self.after.is_some_and(|after| score > after.score)
            || is_full && self.kept.peek().is_none_or(|worst| score < worst.score)
        {
            return;
        }
        let Some(id) = self.columns.passage.get(doc) else { return };
        if self.after.is_some_and(|after| score == after.score && id <= after.passage_id.0) {
            return;
        }
        self.kept.push(Candidate { score, id, doc });
        if is_full {
            self.kept.pop();
        }
    }

    fn harvest(self) -> Vec<EngineHit> {
        let hit = |found: Candidate| {
            Some(EngineHit {
                passage_id: PassageId(found.id),
                conversation_id: ConversationId(self.columns.conversation.get(found.doc)?),
                score: found.score,
            })
        };
        self.kept.into_iter().filter_map(hit).collect()
    }
}

/// The greater is the worse.
struct Candidate {
    score: Score,
    id: Uuid,
    doc: DocId,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then_with(|| self.id.cmp(&other.id))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

struct Columns {
    passage: IdColumns,
    conversation: IdColumns,
}

pub(super) struct IdColumns {
    pub(super) high: Column<u64>,
    pub(super) low: Column<u64>,
}

impl Columns {
    fn open(segment: &SegmentReader) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        let id = |high, low| -> tantivy::Result<IdColumns> {
            Ok(IdColumns { high: columns.u64(high)?, low: columns.u64(low)? })
        };
        Ok(Self {
            passage: id(PASSAGE_HIGH, PASSAGE_LOW)?,
            conversation: id(CONVERSATION_HIGH, CONVERSATION_LOW)?,
        })
    }
}

impl IdColumns {
    pub(super) fn get(&self, doc: DocId) -> Option<Uuid> {
        Some(Uuid::from_u64_pair(self.high.first(doc)?, self.low.first(doc)?))
    }
}
