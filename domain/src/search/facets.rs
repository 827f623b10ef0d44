//! What there is to narrow a search by: for each filter its values with how many passages have them, and passages over
//! time. A count ignores the filter that it is for, so that it says what another choice would find. Where words are
//! asked for, the passages that match them are counted; where meaning alone is, all that the filters leave: everything
//! is near to a meaning, more or less. Counts are the full-text engine's, and PostgreSQL is not asked about each.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, Timelike};
use tokio::time::timeout;

use super::{
    language::{self, Asked},
    people,
    query::{SearchFilter, SearchMode, TextQuery},
};
use crate::{
    Error, Problem, Result,
    accounts::{Actor, Role},
    ports::{Ports, search::Counts},
    time::Timestamp,
};

/// Values of a facet that are told at most.
pub const MAX_VALUES: usize = 100;
/// Buckets of a histogram whose interval nobody asked for, and of any.
const FEW_BUCKETS: usize = 40;
const MOST_BUCKETS: usize = 400;

/// What passages are told apart by, each with the filter of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Facet {
    Kind,
    Tag,
    Speaker,
    Language,
    Person,
}

impl Facet {
    /// The filter without what it says of this.
    pub fn freed(self, filter: &SearchFilter) -> SearchFilter {
        let mut freed = filter.clone();
        match self {
            Self::Kind => freed.kinds.clear(),
            Self::Tag => freed.tags.clear(),
            Self::Speaker => freed.speakers.clear(),
            Self::Language => freed.languages.clear(),
            Self::Person => {
                freed.person_ids.clear();
                freed.people.clear();
            }
        }
        freed
    }
}

/// How many passages have a value. Kinds by their names, languages by their codes, people by their ids; tags and speakers as
/// they are compared, without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueCount {
    pub value: String,
    pub count: u64,
}

/// In UTC; a week begins on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Interval {
    const ALL: [Self; 6] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    fn start(self, at: Timestamp) -> Option<Timestamp> {
        let day = at.date_naive();
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        Some(match self {
            Self::Hour => day.and_hms_opt(at.hour(), 0, 0)?.and_utc(),
            Self::Day => midnight(day),
            Self::Week => {
                midnight(day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into()))?)
            }
            Self::Month => midnight(day.with_day(1)?),
            Self::Quarter => midnight(day.with_day(1)?.with_month0(day.month0() / 3 * 3)?),
            Self::Year => midnight(day.with_ordinal(1)?),
        })
    }

    fn next(self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Hour => at.checked_add_signed(TimeDelta::hours(1)),
            Self::Day => at.checked_add_days(Days::new(1)),
            Self::Week => at.checked_add_days(Days::new(7)),
            Self::Month => at.checked_add_months(Months::new(1)),
            Self::Quarter => at.checked_add_months(Months::new(3)),
            Self::Year => at.checked_add_months(Months::new(12)),
        }
    }

    /// Where its buckets begin and the last one ends; `None` where they are more than so many.
    fn bounds(self, first: Timestamp, last: Timestamp, most: usize) -> Option<Vec<Timestamp>> {
        let mut bounds = vec![self.start(first)?];
        loop {
            let next = self.next(*bounds.last()?)?;
            bounds.push(next);
            if bounds.len() > most + 1 {
                return None;
            }
            if next > last {
                return Some(bounds);
            }
        }
    }
}

pub struct FacetsInput {
    pub query: String,
    pub mode: SearchMode,
    pub filter: SearchFilter,
    pub facets: Vec<Facet>,
    /// Of each facet at most; up to [`MAX_VALUES`].
    pub values: usize,
    pub histogram: Option<HistogramInput>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct HistogramInput {
    /// A longer one is taken where it makes too many buckets; without one, the shortest that makes few.
    pub interval: Option<Interval>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facets {
    /// Passages that match with every filter.
    pub matching: u64,
    /// In the order asked, each from the most to the fewest.
    pub values: Vec<Vec<ValueCount>>,
    pub histogram: Option<Histogram>,
    /// Why there are no counts, for the user.
    pub degraded: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    pub interval: Interval,
    pub buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    pub from: Timestamp,
    pub before: Timestamp,
    pub count: u64,
}

pub async fn count(ports: &Ports, actor: &Actor, input: &FacetsInput) -> Result<Facets> {
    actor.require(Role::Viewer)?;
    let Asked { text, filter } = language::read(&input.query).map_err(Error::Invalid)?;
    if !(1..=MAX_VALUES).contains(&input.values) {
        let message = format!("`values` is 1 to {MAX_VALUES}; this is {}", input.values);
        return Err(Error::Invalid(Problem::new("VALUES_OUT_OF_RANGE", message).at("values")));
    }
    let nothing = || Facets { values: vec![Vec::new(); input.facets.len()], ..Facets::default() };
    let Some(filter) = input.filter.clone().and(filter) else {
        return Ok(nothing());
    };
    let filter = people::resolve(ports, actor.tenant(), filter).await?;
    let query = match input.mode {
        SearchMode::Semantic => TextQuery::default(),
        SearchMode::Text | SearchMode::Hybrid => {
            ports.synonyms.find(actor.tenant()).await?.widen(&text).without_frame()
        }
    };
    let counted = timeout(ports.search_rules.deadline(), ask(ports, actor, &query, &filter, input)).await;
    let counted = counted.unwrap_or_else(|late| Err(Error::unavailable("count in time", late)));
    counted.or_else(|error| {
        tracing::warn!(error = error.chain(), "search answers without counts");
        let degraded = "the text engine did not answer; there are no counts".to_owned();
        Ok(Facets { degraded: Some(degraded), ..nothing() })
    })
}

async fn ask(
    ports: &Ports,
    actor: &Actor,
    query: &TextQuery,
    filter: &SearchFilter,
    input: &FacetsInput,
) -> Result<Facets> {
    let missing = || Error::unavailable("count", "there is no full-text engine in this server's settings");
    let engine = ports.search.text.as_ref().ok_or_else(missing)?;
    let tenant = actor.tenant();
    let Counts { matching, values, span } =
        engine.count(tenant, query, filter, &input.facets, input.values).await?;
    let mut facets = Facets { matching, values, ..Facets::default() };
    let (Some(wanted), Some((first, last))) = (input.histogram, span) else {
        return Ok(facets);
    };
    let Some((interval, bounds)) = divide(wanted.interval, first, last) else {
        return Ok(facets);
    };
    let timeless = SearchFilter { occurred_from: None, occurred_before: None, ..filter.clone() };
    let counts = engine.spread(tenant, query, &timeless, &bounds).await?;
    let buckets = bounds.windows(2).zip(counts);
    let buckets = buckets.map(|(bounds, count)| Bucket { from: bounds[0], before: bounds[1], count });
    facets.histogram = Some(Histogram { interval, buckets: buckets.collect() });
    Ok(facets)
}

/// The interval that was asked for, or the shortest that makes few buckets; a longer one where that makes too many. What
/// even years make too many of has none.
fn divide(wanted: Option<Interval>, first: Timestamp, last: Timestamp) -> Option<(Interval, Vec<Timestamp>)> {
    let from = |shortest: Interval, most: usize| {
        let long_enough = Interval::ALL.into_iter().skip_while(move |interval| *interval != shortest);
        long_enough.into_iter().find_map(|interval| Some((interval, interval.bounds(first, last, most)?)))
    };
    match wanted {
        Some(wanted) => from(wanted, MOST_BUCKETS),
        None => from(Interval::Hour, FEW_BUCKETS).or_else(|| from(Interval::Year, MOST_BUCKETS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_interval_is_as_short_as_few_buckets_allow() {
        let chosen = |first: &str, last: &str| {
            let (interval, bounds) = divide(None, at(first), at(last)).unwrap();
            assert!(bounds.len() <= FEW_BUCKETS + 1);
            assert!(bounds[0] <= at(first) && at(last) < bounds[bounds.len() - 1]);
            interval
        };
        assert_eq!(chosen("2026-03-01T10:20:00Z", "2026-03-01T10:20:00Z"), Interval::Hour);
        assert_eq!(chosen("2026-03-01T10:20:00Z", "2026-03-09T10:20:00Z"), Interval::Day);
        assert_eq!(chosen("2026-01-01T00:00:00Z", "2026-08-01T00:00:00Z"), Interval::Week);
        assert_eq!(chosen("2024-01-31T00:00:00Z", "2026-08-01T00:00:00Z"), Interval::Month);
        assert_eq!(chosen("2018-01-31T00:00:00Z", "2026-08-01T00:00:00Z"), Interval::Quarter);
        assert_eq!(chosen("1999-01-31T00:00:00Z", "2026-08-01T00:00:00Z"), Interval::Year);
    }

    #[test]
    fn what_was_asked_for_is_taken_unless_it_makes_too_many_buckets() {
        let of = |wanted, first: &str, last: &str| {
            let divided = divide(Some(wanted), at(first), at(last));
            divided.map(|(interval, bounds)| (interval, bounds.len() - 1))
        };
        assert_eq!(
            of(Interval::Quarter, "2026-02-28T00:00:00Z", "2026-04-01T00:00:00Z"),
            Some((Interval::Quarter, 2))
        );
        assert_eq!(
            of(Interval::Week, "2026-02-28T00:00:00Z", "2026-03-02T00:00:00Z"),
            Some((Interval::Week, 2))
        );
        assert_eq!(
            of(Interval::Hour, "2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z"),
            Some((Interval::Day, 365))
        );
        assert_eq!(of(Interval::Hour, "0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"), None);
    }
}
