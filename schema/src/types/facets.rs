//! What there is to narrow a search by.

use async_graphql::{ComplexObject, Context, Enum, Result, SimpleObject};
use colloquy_domain::{
    search::{
        facets::{self, Bucket, Facet, FacetsInput, HistogramInput, Interval},
        query::{SearchFilter, SearchMode},
    },
    time::Timestamp,
};

use super::{
    int,
    person::{PersonCount, counted},
    search::SearchOutcome,
    spelling::SearchCorrection,
};
use crate::{Wired, errors::fault, guards::actor, page::refuse};

/// What is counted for a search.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) query: String,
    pub(crate) mode: SearchMode,
    pub(crate) filter: SearchFilter,
}

/// How long a bucket is, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Interval")]
pub(crate) enum SearchInterval {
    Hour,
    Day,
    /// From Monday on.
    Week,
    Month,
    Quarter,
    Year,
}

/// How many passages have a value.
#[derive(SimpleObject)]
pub(crate) struct FacetValue {
    /// As filters take it: kinds by their names, languages by their codes, tags and speakers without case.
    value: String,
    count: i32,
}

/// Passages in a span of time.
#[derive(SimpleObject)]
pub(crate) struct SearchBucket {
    /// Inclusive.
    from: Timestamp,
    /// Exclusive.
    before: Timestamp,
    count: i32,
}

impl From<Bucket> for SearchBucket {
    fn from(of: Bucket) -> Self {
        Self { from: of.from, before: of.before, count: int(of.count) }
    }
}

/// Passages over time, without gaps from the first to the last. Conversations without a time are in no bucket.
#[derive(SimpleObject)]
pub(crate) struct SearchHistogram {
    interval: SearchInterval,
    buckets: Vec<SearchBucket>,
}

/// What there is to narrow a search by. A list ignores the filter that it is for (the histogram those on time), and heeds
/// all others, so that it says what another choice would find; from the most to the fewest.
#[derive(SimpleObject)]
pub(crate) struct SearchFacets {
    /// Passages that match with every filter.
    matching: i32,
    kinds: Vec<FacetValue>,
    tags: Vec<FacetValue>,
    speakers: Vec<FacetValue>,
    languages: Vec<FacetValue>,
    /// Somebody who is not there any more is left out.
    people: Vec<PersonCount>,
    /// Null where no conversation that matches has a time.
    histogram: Option<SearchHistogram>,
    /// Why there are no counts; null where there are.
    degraded: Option<String>,
}

const FACETS: [(&str, Facet); 5] = [
    ("kinds", Facet::Kind),
    ("tags", Facet::Tag),
    ("speakers", Facet::Speaker),
    ("languages", Facet::Language),
    ("people", Facet::Person),
];

#[ComplexObject]
impl SearchOutcome {
    /// What may have been meant, where words of the query stand in none of your organization's passages, or in next to none:
    /// the query with words near to them that do. It finds something. Words within quotes are corrected too; quotes, OR,
    /// fields and what is after a minus stay as they were typed. Null where there is nothing to correct, for SEMANTIC, and
    /// where the search index does not answer within 300 ms.
    #[graphql(complexity = "20 + child_complexity")]
    async fn did_you_mean(&self, ctx: &Context<'_>) -> Result<Option<SearchCorrection>> {
        SearchCorrection::of(ctx, &self.counted).await
    }

    /// Passages counted by what filters tell apart. In TEXT and HYBRID those that match the words of the query, its quotes,
    /// OR and minus; in SEMANTIC all that the filters leave. Only what is selected is counted. Counts are the search
    /// index's: what was changed a moment ago may be counted as it was.
    #[graphql(complexity = "1_000 + child_complexity")]
    async fn facets(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 10, desc = "Values in a list at most; up to 100.")] values: i32,
        #[graphql(
            desc = "Of the histogram's buckets. A longer one is taken where it would make more than 400 of them; without it, the shortest that makes 40 at most."
        )]
        interval: Option<SearchInterval>,
    ) -> Result<SearchFacets> {
        let asked = |name: &str| ctx.look_ahead().field(name).exists();
        let wanted: Vec<(&str, Facet)> = FACETS.into_iter().filter(|(name, _)| asked(name)).collect();
        let Counted { query, mode, filter } = self.counted.clone();
        let input = FacetsInput {
            query,
            mode,
            filter,
            facets: wanted.iter().map(|(_, facet)| *facet).collect(),
            values: usize::try_from(values).map_err(|_negative| refuse("`values` is 1 to 100"))?,
            histogram: asked("histogram").then(|| HistogramInput { interval: interval.map(Interval::from) }),
        };
        let found = facets::count(ctx.ports(), actor(ctx)?, &input).await.map_err(fault)?;
        let mut lists = wanted.into_iter().map(|(name, _)| name).zip(found.values).collect::<Vec<_>>();
        let mut list = |name: &str| {
            let found = lists.iter().position(|(of, _)| *of == name).map(|at| lists.swap_remove(at).1);
            let value = |of: facets::ValueCount| FacetValue { value: of.value, count: int(of.count) };
            found.unwrap_or_default().into_iter().map(value).collect::<Vec<_>>()
        };
        let people = list("people").into_iter();
        let people = people.filter_map(|of| Some((of.value.parse().ok()?, of.count)));
        let people = counted(ctx, people.collect()).await?;
        let histogram = found.histogram.map(|of| SearchHistogram {
            interval: of.interval.into(),
            buckets: of.buckets.into_iter().map(Into::into).collect(),
        });
        Ok(SearchFacets {
            matching: int(found.matching),
            kinds: list("kinds"),
            tags: list("tags"),
            speakers: list("speakers"),
            languages: list("languages"),
            people,
            histogram,
            degraded: found.degraded,
        })
    }
}
