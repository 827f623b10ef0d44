//! How many matches have which values, and how they spread over time, from columns.

use std::collections::HashMap;

use colloquy_domain::search::facets::{Facet, ValueCount};
use tantivy::{
    DocId, Score, SegmentOrdinal, SegmentReader,
    collector::{Collector, SegmentCollector},
    columnar::{Column, StrColumn},
};

use super::schema::OCCURRED_AT;

fn column(facet: Facet) -> &'static str {
    match facet {
        Facet::Kind => "kind",
        Facet::Tag => "tags",
        Facet::Speaker => "speakers",
        Facet::Language => "language",
        Facet::Person => "people",
    }
}

/// Matches by a facet's values.
pub(super) struct Values(pub(super) Facet);

pub(super) struct SegmentValues {
    column: Option<StrColumn>,
    counts: HashMap<u64, u64>,
    of_one: Vec<u64>,
}

impl Collector for Values {
    type Fruit = HashMap<String, u64>;
    type Child = SegmentValues;

    fn for_segment(
        &self,
        _segment: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<SegmentValues> {
        let column = reader.fast_fields().str(column(self.0))?;
        Ok(SegmentValues { column, counts: HashMap::new(), of_one: Vec::new() })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(
        &self,
        fruits: Vec<tantivy::Result<HashMap<String, u64>>>,
    ) -> tantivy::Result<HashMap<String, u64>> {
        let mut merged = HashMap::new();
        for fruit in fruits {
            for (value, count) in fruit? {
                *merged.entry(value).or_default() += count;
            }
        }
        Ok(merged)
    }
}

impl SegmentCollector for SegmentValues {
    type Fruit = tantivy::Result<HashMap<String, u64>>;

    fn collect(&mut self, doc: DocId, _score: Score) {
        let Some(column) = &self.column else { return };
        self.of_one.clear();
        self.of_one.extend(column.ords().values_for_doc(doc));
        // Two labels may be one once they are folded.
        self.of_one.sort_unstable();
        self.of_one.dedup();
        for ord in &self.of_one {
            *self.counts.entry(*ord).or_default() += 1;
        }
    }

    fn harvest(self) -> tantivy::Result<HashMap<String, u64>> {
        let Some(column) = self.column else { return Ok(HashMap::new()) };
        let name = |(ord, count)| -> tantivy::Result<(String, u64)> {
            let mut value = String::new();
            column.ord_to_str(ord, &mut value)?;
            Ok((value, count))
        };
        self.counts.into_iter().map(name).collect()
    }
}

/// From the most to the fewest, equals by their names.
pub(super) fn most(counts: HashMap<String, u64>, limit: usize) -> Vec<ValueCount> {
    let mut counts: Vec<ValueCount> =
        counts.into_iter().map(|(value, count)| ValueCount { value, count }).collect();
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    counts.truncate(limit);
    counts
}

/// How many matches fall between each two bounds, in microseconds; without bounds, the first and the last.
pub(super) struct Times {
    pub(super) bounds: Vec<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Spread {
    pub(super) counts: Vec<u64>,
    pub(super) span: Option<(i64, i64)>,
}

pub(super) struct SegmentTimes {
    column: Column<i64>,
    bounds: Vec<i64>,
    spread: Spread,
}

impl Collector for Times {
    type Fruit = Spread;
    type Child = SegmentTimes;

    fn for_segment(&self, _segment: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<SegmentTimes> {
        let column = reader.fast_fields().i64(OCCURRED_AT)?;
        let spread = Spread { counts: vec![0; self.bounds.len().saturating_sub(1)], span: None };
        Ok(SegmentTimes { column, bounds: self.bounds.clone(), spread })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, fruits: Vec<Spread>) -> tantivy::Result<Spread> {
        let mut merged = Spread { counts: vec![0; self.bounds.len().saturating_sub(1)], span: None };
        for fruit in fruits {
            merged.counts.iter_mut().zip(fruit.counts).for_each(|(sum, count)| *sum += count);
            merged.span = match (merged.span, fruit.span) {
                (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                (one, other) => one.or(other),
            };
        }
        Ok(merged)
    }
}

impl SegmentCollector for SegmentTimes {
    type Fruit = Spread;

    fn collect(&mut self, doc: DocId, _score: Score) {
        let Some(at) = self.column.first(doc) else { return };
        let (first, last) = self.spread.span.unwrap_or((at, at));
        self.spread.span = Some((first.min(at), last.max(at)));
        let begun = self.bounds.partition_point(|bound| *bound <= at);
        if let Some(count) = begun.checked_sub(1).and_then(|bucket| self.spread.counts.get_mut(bucket)) {
            *count += 1;
        }
    }

    fn harvest(self) -> Spread {
        self.spread
    }
}
