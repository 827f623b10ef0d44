//! When who spoke: intervals of time, their unions, overlaps and gaps. Everything is a sort and a sweep.

use serde::{Deserialize, Serialize};

use super::reading::{Reading, Turn};
use crate::{
    ids::{ParticipantId, SegmentId},
    time::Millis,
};

/// Nobody speaks for at least this long: a silence.
pub const SILENCE_MS: u64 = 2_000;
/// Cues of one speaker that are no further apart are one stretch of speech when overlaps are counted.
const STRETCH_GAP_MS: u64 = 250;

/// How often, and for how long, `by` began to speak while `of` was speaking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    pub by: ParticipantId,
    pub of: ParticipantId,
    pub count: u32,
    /// From each start to the end of whichever stops first.
    pub overlap_ms: u64,
    /// How often `by` went on after `of` had stopped: an interruption rather than an aside.
    pub took_floor: u32,
}

/// Stretches of at least [`SILENCE_MS`] in which nobody speaks, between the first word and the last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Silences {
    pub count: u32,
    pub total_ms: u64,
    /// The earlier of two.
    pub longest: Option<Silence>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub start_ms: Millis,
    pub end_ms: Millis,
    /// What was said last before it.
    pub after_segment_id: SegmentId,
    /// What ended it.
    pub before_segment_id: SegmentId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Interval {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Interval {
    pub(super) fn length(self) -> u64 {
        self.end - self.start
    }
}

pub(super) struct Timeline {
    /// By segment.
    intervals: Vec<Option<Interval>>,
    speakers: Vec<Option<usize>>,
    /// Segments that have times, by start.
    order: Vec<usize>,
    pub(super) untimed: u32,
}

impl Timeline {
    pub(super) fn new(reading: &Reading<'_>) -> Self {
        let intervals: Vec<Option<Interval>> = reading
            .talk
            .segments
            .iter()
            .map(|segment| {
                let (start, end) = (segment.start_ms?.0, segment.end_ms?.0);
                (start <= end).then_some(Interval { start, end })
            })
            .collect();
        let mut order: Vec<usize> =
            (0..intervals.len()).filter(|segment| intervals[*segment].is_some()).collect();
        order.sort_by_key(|segment| (intervals[*segment].map(|interval| interval.start), *segment));
        let untimed = (intervals.len() - order.len()) as u32;
        Self { intervals, speakers: reading.speakers.clone(), order, untimed }
    }

    pub(super) fn is_timed(&self, segment: usize) -> bool {
        self.intervals[segment].is_some()
    }

    /// Segments with their intervals, by start.
    fn in_order(&self) -> impl Iterator<Item = (usize, Interval)> {
        self.order.iter().filter_map(|segment| Some((*segment, self.intervals[*segment]?)))
    }

    /// From the first start to the last end, if all of the turn has times.
    pub(super) fn interval_of(&self, turn: &Turn) -> Option<Interval> {
        let mut intervals = turn.segments.clone().map(|segment| self.intervals[segment]);
        let first = intervals.next()??;
        intervals.try_fold(first, |whole, next| {
            let next = next?;
            Some(Interval { start: whole.start.min(next.start), end: whole.end.max(next.end) })
        })
    }

    pub(super) fn duration_ms(&self) -> Option<u64> {
        let start = self.in_order().map(|(_, interval)| interval.start).min()?;
        let end = self.in_order().map(|(_, interval)| interval.end).max()?;
        Some(end - start)
    }

    pub(super) fn anybody_speaking_ms(&self) -> Option<u64> {
        let everybody = union(self.in_order().map(|(_, interval)| interval), 0);
        (!everybody.is_empty()).then(|| everybody.iter().map(|interval| interval.length()).sum())
    }

    /// Per participant; `None` where none of the segments has times.
    pub(super) fn speaking_ms(
        &self,
        count: usize,
        place: impl Fn(Option<usize>) -> usize,
    ) -> Vec<Option<u64>> {
        let mut spoken: Vec<Vec<Interval>> = vec![Vec::new(); count];
        for (segment, interval) in self.in_order() {
            spoken[place(self.speakers[segment])].push(interval);
        }
        spoken
            .into_iter()
            .map(|intervals| {
                (!intervals.is_empty())
                    .then(|| union(intervals.into_iter(), 0).iter().map(|it| it.length()).sum())
            })
            .collect()
    }

    /// Per known participant, the intervals of speech, each by start.
    fn stretches(&self, gap: u64) -> Vec<Vec<Interval>> {
        let count = self.speakers.iter().flatten().max().map_or(0, |most| most + 1);
        let mut intervals: Vec<Vec<Interval>> = vec![Vec::new(); count];
        for (segment, interval) in self.in_order() {
            if let Some(speaker) = self.speakers[segment] {
                intervals[speaker].push(interval);
            }
        }
        intervals.into_iter().map(|of_one| union(of_one.into_iter(), gap)).collect()
    }

    pub(super) fn overlap_ms(&self) -> u64 {
        let mut changes: Vec<(u64, i32)> = Vec::new();
        for interval in self.stretches(0).into_iter().flatten() {
            changes.push((interval.start, 1));
            changes.push((interval.end, -1));
        }
        changes.sort_unstable();
        let (mut speaking, mut since, mut total) = (0, 0, 0);
        for (at, change) in changes {
            if speaking >= 2 {
                total += at - since;
            }
            since = at;
            speaking += change;
        }
        total
    }

    /// Who began while somebody else had the floor. The floor is held by whoever will speak longest of those
    /// who have begun, so that each start counts once however many speak.
    pub(super) fn overlaps(&self, reading: &Reading<'_>) -> Vec<Overlap> {
        let mut stretches: Vec<(Interval, usize)> = Vec::new();
        for (speaker, intervals) in self.stretches(STRETCH_GAP_MS).into_iter().enumerate() {
            stretches.extend(intervals.into_iter().map(|interval| (interval, speaker)));
        }
        stretches.sort_unstable_by_key(|(interval, speaker)| (interval.start, *speaker));
        let mut found: std::collections::BTreeMap<(usize, usize), (u32, u64, u32)> = Default::default();
        let mut floor: Option<(Interval, usize)> = None;
        for (interval, by) in stretches {
            if let Some((held, of)) = floor.filter(|(held, of)| held.end > interval.start && *of != by) {
                let entry = found.entry((by, of)).or_default();
                entry.0 += 1;
                entry.1 += held.end.min(interval.end) - interval.start;
                entry.2 += u32::from(interval.end > held.end);
            }
            if floor.is_none_or(|(held, _)| interval.end > held.end) {
                floor = Some((interval, by));
            }
        }
        found
            .into_iter()
            .filter_map(|((by, of), (count, overlap_ms, took_floor))| {
                let (by, of) = (reading.participant_id(Some(by))?, reading.participant_id(Some(of))?);
                Some(Overlap { by, of, count, overlap_ms, took_floor })
            })
            .collect()
    }

    pub(super) fn silences(&self, reading: &Reading<'_>) -> Silences {
        let mut silences = Silences::default();
        let mut longest_ms = 0;
        let mut last: Option<(usize, u64)> = None;
        for (segment, interval) in self.in_order() {
            if let Some((after, end)) = last {
                let gap = interval.start.saturating_sub(end);
                if gap >= SILENCE_MS {
                    silences.count += 1;
                    silences.total_ms += gap;
                    if gap > longest_ms {
                        longest_ms = gap;
                        silences.longest = Some(Silence {
                            start_ms: Millis(end),
                            end_ms: Millis(interval.start),
                            after_segment_id: reading.talk.segments[after].id,
                            before_segment_id: reading.talk.segments[segment].id,
                        });
                    }
                }
            }
            if last.is_none_or(|(_, end)| interval.end >= end) {
                last = Some((segment, interval.end));
            }
        }
        silences
    }

    /// Per participant, how long each turn after another participant's let wait.
    pub(super) fn response_delays(&self, reading: &Reading<'_>, count: usize) -> Vec<Vec<u64>> {
        let mut delays = vec![Vec::new(); count];
        for pair in reading.turns.windows(2) {
            let (Some(_), Some(speaker)) = (pair[0].speaker, pair[1].speaker) else {
                continue;
            };
            if let (Some(before), Some(own)) = (self.interval_of(&pair[0]), self.interval_of(&pair[1])) {
                delays[speaker].push(own.start.saturating_sub(before.end));
            }
        }
        delays
    }
}

/// Intervals (by start) with those joined that touch, overlap, or are at most `gap` apart.
fn union(intervals: impl Iterator<Item = Interval>, gap: u64) -> Vec<Interval> {
    let mut joined: Vec<Interval> = Vec::new();
    for next in intervals {
        match joined.last_mut() {
            Some(last) if next.start <= last.end.saturating_add(gap) => last.end = last.end.max(next.end),
            _ => joined.push(next),
        }
    }
    joined
}

/// Of an even number, the mean of the middle two, rounded down.
pub(super) fn median(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(sorted[middle - 1] + (sorted[middle] - sorted[middle - 1]) / 2),
    }
}
