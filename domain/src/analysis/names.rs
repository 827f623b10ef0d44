//! By what names the people in a talk are called in it.

use std::collections::HashMap;

use super::text;
use crate::conversations::Talk;

/// Words in labels that are roles or titles, not names one is called by.
const NOT_NAMES: [&str; 32] = [
    "speaker",
    "the",
    "and",
    "of",
    "guest",
    "host",
    "coach",
    "client",
    "interviewer",
    "interviewee",
    "candidate",
    "mr",
    "mrs",
    "ms",
    "dr",
    "prof",
    "unknown",
    "participant",
    "user",
    "project",
    "manager",
    "adviser",
    "advisor",
    "mentor",
    "mentee",
    "recruiter",
    "student",
    "phd",
    "grad",
    "postdoc",
    "may",
    "will",
];

/// Folded name to the participant's index; names that two people share are left out.
pub(super) struct Names(HashMap<String, usize>);

impl Names {
    pub(super) fn new(talk: &Talk) -> Self {
        let mut owners: HashMap<String, Option<usize>> = HashMap::new();
        for (index, participant) in talk.participants.iter().enumerate() {
            for word in text::words(&participant.label) {
                let name = text::fold(&participant.label[word.start..word.end]);
                let callable = name.chars().count() > 1 && !name.starts_with(|c: char| c.is_ascii_digit());
                if callable && !NOT_NAMES.contains(&name.as_str()) {
                    owners
                        .entry(name)
                        .and_modify(|owner| *owner = owner.filter(|owner| *owner == index))
                        .or_insert(Some(index));
                }
            }
        }
        Self(owners.into_iter().filter_map(|(name, owner)| Some((name, owner?))).collect())
    }

    pub(super) fn who(&self, word: &str) -> Option<usize> {
        self.0.get(word.strip_suffix("'s").unwrap_or(word)).copied()
    }
}
