//! Which labels of a text are speakers: a first reading of the whole, because one line alone cannot tell
//! `Anna: yes` from `Remember: yes`.

use std::collections::HashMap;

use super::super::super::{
    detect::Confidence,
    labels::{self, Labelled},
    lines::Lines,
};

pub(in super::super) struct Survey<'a> {
    uses: HashMap<&'a str, Uses>,
    /// Lines that are not blank.
    lines: usize,
    /// Those that come after a blank one; of a text without blank lines, all.
    blocks: usize,
    /// Lines that may begin with a label.
    labelled: usize,
    /// Lines whose label is emphasised.
    marked: usize,
}

#[derive(Default)]
struct Uses {
    all: usize,
    marked: usize,
}

impl<'a> Survey<'a> {
    pub(in super::super) fn of(text: &'a str) -> Self {
        let mut survey = Self { uses: HashMap::new(), lines: 0, blocks: 0, labelled: 0, marked: 0 };
        let mut blank = true;
        for line in Lines::new(text) {
            if line.is_blank() {
                blank = true;
                continue;
            }
            survey.lines += 1;
            survey.blocks += usize::from(blank);
            blank = false;
            if let Some(found) = labels::split(line.text) {
                let uses = survey.uses.entry(found.label).or_default();
                uses.all += 1;
                uses.marked += usize::from(found.marked);
                survey.labelled += 1;
                survey.marked += usize::from(found.marked);
            }
        }
        if survey.blocks <= 1 {
            survey.blocks = survey.lines;
        }
        survey
    }

    /// At least two labelled lines; labels that recur in a fair share of the text, or names at half of it.
    pub(super) fn confidence(&self) -> Confidence {
        if self.labelled < 2 {
            return Confidence::new(0, "fewer than two lines begin with a name and a colon");
        }
        let recurring: usize = self.uses.values().map(|uses| uses.all).filter(|uses| *uses >= 2).sum();
        let names: usize =
            self.uses.iter().filter(|(label, _)| labels::is_name_like(label)).map(|(_, uses)| uses.all).sum();
        if recurring * 10 >= self.blocks && recurring > 0 {
            return Confidence::new(70, "names before a colon recur");
        }
        if names * 2 >= self.blocks && names >= 2 {
            return Confidence::new(50, "half of the paragraphs begin with a name and a colon");
        }
        Confidence::new(0, "the words before colons do not recur as names would")
    }

    /// The text sets its labels off by emphasis.
    pub(super) fn is_markdown(&self) -> bool {
        self.marked > 0
    }

    /// Whether what may be a label is one; `fresh` where it stands after a blank line
    /// or the end of a sentence, not within hard-wrapped prose.
    pub(in super::super) fn accepts(&self, found: &Labelled<'_>, fresh: bool) -> bool {
        let Some(uses) = self.uses.get(found.label) else {
            return false;
        };
        let name_like = labels::is_name_like(found.label);
        if uses.marked > 0 || self.labelled == self.lines {
            return true;
        }
        if self.is_markdown() && !name_like {
            return false;
        }
        if uses.all >= if self.is_markdown() { 3 } else { 2 } {
            return true;
        }
        let two_words = found.label.contains(char::is_whitespace);
        let one_word = !self.is_markdown() && !LEAD_INS.contains(&found.label.to_lowercase().as_str());
        fresh && name_like && (found.mark.is_some() || two_words || one_word)
    }

    /// Whether the label was accepted on its looks alone.
    pub(super) fn is_guess(&self, found: &Labelled<'_>) -> bool {
        !found.marked
            && self.labelled < self.lines
            && self.uses.get(found.label).is_some_and(|uses| uses.all == 1)
    }
}

/// Words that introduce a remark.
const LEAD_INS: [&str; 16] = [
    "note", "remember", "warning", "example", "question", "answer", "update", "ps", "edit", "however", "so",
    "well", "but", "and", "look", "listen",
];
