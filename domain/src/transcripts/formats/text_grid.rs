//! Praat's TextGrid, long and short: each tier is a speaker, each label that is not empty a cue; the tiers are
//! merged by time. Labels are text without markup: tags that annotators put into them stay as they are.

mod tokens;

use std::borrow::Cow;

use self::tokens::{Token, Tokens};
use super::{
    super::{
        Limits, Transcript, assemble,
        detect::{Confidence, Sample},
        plain::squeezed,
        report::{Format, Place, SpeakerSource},
        spoken::{Piece, Source},
    },
    FormatReader,
};
use crate::{error::Problem, time::Millis};

pub(super) struct TextGrid;

impl FormatReader for TextGrid {
    fn format(&self) -> Format {
        Format::TextGrid
    }

    fn name(&self) -> &'static str {
        "TextGrid"
    }

    fn looks_like(&self) -> &'static str {
        "its first lines name ooTextFile and TextGrid, and its tiers have intervals with a text in quotes"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let head = &sample.head[..sample.head.floor_char_boundary(300)];
        let named = head.split_once("\"ooTextFile").is_some_and(|(_, rest)| rest.contains("\"TextGrid\""));
        match named {
            true => Confidence::new(100, "its first lines name ooTextFile and TextGrid"),
            false => Confidence::new(0, "its first lines do not name ooTextFile and TextGrid"),
        }
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let mut source = Source::new(Format::TextGrid, limits);
        source.speaker_source = Some(SpeakerSource::Tiers);
        let mut reading =
            Reading { source, expect: Expect::Class, tier: None, numbers: Numbers::default(), tiers: 0 };
        let mut stray: Option<Place> = None;
        for token in Tokens::new(text) {
            match (token, stray) {
                (Token::Word { line }, Some(place)) => stray = Some(Place::lines(place.line, line)),
                (Token::Word { line }, None) => stray = Some(line.into()),
                (Token::Number(number), _) => reading.number(number),
                (Token::Label { text, place, closed }, _) => {
                    reading.tell_stray(stray.take())?;
                    reading.label(text, place, closed)?;
                }
            }
        }
        reading.tell_stray(stray)?;
        reading.end_tier();
        if reading.tiers == 0 {
            let message = "line 1: the file has no tier, neither \"IntervalTier\" nor \"TextTier\"; save it from Praat \
                           as text, or name another format";
            return Err(Problem::new("MALFORMED", message).on_line(1));
        }
        let Reading { mut source, tiers, .. } = reading;
        if tiers > 1 {
            source.pieces.sort_by_key(|piece| piece.start);
        }
        assemble::transcript(source)
    }
}

/// What comes next. Both forms of the file have the same numbers and labels in the same order.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Class,
    Name,
    /// Beginning, end and number of items of the tier.
    Header,
    Items,
}

/// Up to as many numbers as anything has, and how many there were.
#[derive(Default)]
struct Numbers {
    first: [f64; 3],
    count: usize,
}

struct Tier<'a> {
    name: Option<Cow<'a, str>>,
    /// Points have one time, intervals two.
    points: bool,
    line: u32,
    announced: Option<f64>,
    items: u32,
}

struct Reading<'a> {
    source: Source<'a>,
    expect: Expect,
    tier: Option<Tier<'a>>,
    numbers: Numbers,
    tiers: usize,
}

impl<'a> Reading<'a> {
    fn number(&mut self, number: f64) {
        if self.expect == Expect::Name {
            self.expect = Expect::Header;
        }
        if let Some(place) = self.numbers.first.get_mut(self.numbers.count) {
            *place = number;
        }
        self.numbers.count += 1;
        if self.expect == Expect::Header && self.numbers.count == 3 {
            let announced = std::mem::take(&mut self.numbers).first[2];
            self.expect = Expect::Items;
            self.tier.iter_mut().for_each(|tier| tier.announced = Some(announced));
        }
    }

    fn label(&mut self, text: Cow<'a, str>, place: Place, closed: bool) -> Result<(), Problem> {
        let text = squeezed(text);
        let class = matches!(&*text, "IntervalTier" | "TextTier");
        match self.expect {
            Expect::Class if class => self.begin_tier(&text, place),
            Expect::Items if class && self.numbers.count == 0 => self.begin_tier(&text, place),
            Expect::Class => {
                let own = text.is_empty() || text.starts_with("ooTextFile") || text == "TextGrid";
                if !own {
                    self.source.skip(place, "the label stands in no tier")?;
                }
            }
            Expect::Name => {
                self.expect = Expect::Header;
                self.tier
                    .iter_mut()
                    .for_each(|tier| tier.name = Some(text.clone()).filter(|name| !name.is_empty()));
            }
            Expect::Header | Expect::Items => {
                self.expect = Expect::Items;
                self.item(text, place, closed)?;
            }
        }
        Ok(())
    }

    fn begin_tier(&mut self, class: &str, place: Place) {
        self.end_tier();
        self.tiers += 1;
        (self.expect, self.numbers) = (Expect::Name, Numbers::default());
        let points = class == "TextTier";
        self.tier = Some(Tier { name: None, points, line: place.line, announced: None, items: 0 });
    }

    fn end_tier(&mut self) {
        if let Some(tier) = self.tier.take()
            && tier.announced != Some(f64::from(tier.items))
        {
            self.source.log.warning(
                tier.line,
                "the tier has another number of labels than it says: the file may be cut",
            );
        }
    }

    fn item(&mut self, text: Cow<'a, str>, place: Place, closed: bool) -> Result<(), Problem> {
        let numbers = std::mem::take(&mut self.numbers);
        let Some(tier) = &mut self.tier else {
            return Ok(());
        };
        tier.items += 1;
        if text.is_empty() {
            return Ok(());
        }
        let times = if tier.points { 1 } else { 2 };
        if numbers.count != times {
            return self.source.skip(place, "the times of the label cannot be read");
        }
        let speaker = tier.name.clone();
        let start = self.millis(numbers.first[0], place);
        let end = if times == 2 { self.millis(numbers.first[1], place) } else { None };
        if end.is_some() && end < start {
            self.source.log.warning(place, "the interval ends before it starts: its end was left out");
        }
        if !closed {
            self.source.log.warning(place, "the label has no closing quote");
        }
        let end = end.filter(|end| start.is_none_or(|start| start <= *end));
        self.source.push(Piece { speaker, text, start, end, place, opens: true, turns: false })
    }

    fn millis(&mut self, seconds: f64, place: Place) -> Option<Millis> {
        let known = (0.0..=MAX_SECONDS).contains(&seconds);
        if !known {
            self.source.log.warning(place, "a time before the beginning or beyond reason was left out");
        }
        known.then(|| Millis((seconds * 1000.0).round() as u64))
    }

    fn tell_stray(&mut self, stray: Option<Place>) -> Result<(), Problem> {
        match stray {
            Some(place) => self.source.skip(place, "text outside of quotes"),
            None => Ok(()),
        }
    }
}

/// Three hundred years.
const MAX_SECONDS: f64 = 1e10;
