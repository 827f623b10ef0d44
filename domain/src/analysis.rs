//! What can be said of a talk without a model: measures in exact numbers, and insights by rule, each with
//! the sentences that support it. Pure functions of a transcript: the same talk gives the same findings.
//!
//! The rules read English. Of another language only what needs no grammar is given (measures, questions by
//! their mark, key phrases by frequency), and [`Measures::notes`](measures::Measures::notes) says so.

mod action_items;
mod decisions;
mod due;
pub mod evidence;
mod extractive;
mod key_phrases;
mod lexicon;
pub mod measures;
mod names;
mod phrases;
mod questions;
mod reading;
mod risks;
mod sentiment;
mod summary;
mod text;
pub mod timeline;
mod vocabulary;

use serde::{Deserialize, Serialize};

pub use self::{evidence::verify, extractive::analyze, measures::Measures};
use crate::{
    conversations::RevisionNumber,
    ids::{ConversationId, ParticipantId, SegmentId},
    money::MicroDollars,
    time::Millis,
};

/// What made an analysis. A change of its rules is a new version, and so a new analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Analyzer {
    pub name: &'static str,
    pub version: i32,
}

/// The analyzer that needs no model.
pub const EXTRACTIVE: Analyzer = Analyzer { name: "extractive", version: 1 };

/// Finds what the extractive one finds, for a price: to try caps and budgets without a provider.
pub const TEST_PRICED: Analyzer = Analyzer { name: "test-priced", version: 1 };

/// Whether a word, in lower case, may say what a talk is about.
pub(crate) fn bears_a_subject(word: &str) -> bool {
    !vocabulary::FUNCTION_WORDS.contains(word) && !vocabulary::TALK_WORDS.contains(word)
}

/// What the operator decides about analyzers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnalysisRules {
    /// Micro-dollars that the test analyzer costs for 1,000 tokens; it is off where there is none.
    pub test_analyzer_price: Option<MicroDollars>,
}

/// What an analysis is kept under: the same transcript, analyzer and parameters are not analysed (and paid
/// for) twice. The order of keys in `parameters` does not matter.
pub fn analysis_key(
    conversation: ConversationId,
    revision: RevisionNumber,
    analyzer: &Analyzer,
    parameters: &serde_json::Value,
) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("colloquy 2026 analysis key");
    hasher.update(conversation.0.as_bytes());
    hasher.update(&revision.to_le_bytes());
    hash_text(&mut hasher, analyzer.name);
    hasher.update(&analyzer.version.to_le_bytes());
    hash_json(&mut hasher, parameters);
    *hasher.finalize().as_bytes()
}

/// With its length before it, so that no two lists of texts hash alike.
fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

fn hash_json(hasher: &mut blake3::Hasher, value: &serde_json::Value) {
    match value {
        serde_json::Value::Array(items) => {
            hasher.update(b"[");
            hasher.update(&(items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| hash_json(hasher, item));
        }
        serde_json::Value::Object(fields) => {
            hasher.update(b"{");
            hasher.update(&(fields.len() as u64).to_le_bytes());
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            for (name, item) in fields {
                hash_text(hasher, name);
                hash_json(hasher, item);
            }
        }
        scalar => {
            hasher.update(b"=");
            hash_text(hasher, &scalar.to_string());
        }
    }
}

/// What one run of an analyzer found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    pub measures: Measures,
    /// By kind in the order of [`InsightKind::ALL`]; key phrases by score, all others by place in the talk.
    pub insights: Vec<Insight>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InsightKind {
    Summary,
    Decision,
    ActionItem,
    Risk,
    Question,
    KeyPhrase,
    Sentiment,
}

impl InsightKind {
    pub const ALL: [Self; 7] = [
        Self::Summary,
        Self::Decision,
        Self::ActionItem,
        Self::Risk,
        Self::Question,
        Self::KeyPhrase,
        Self::Sentiment,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Summary => "SUMMARY",
            Self::Decision => "DECISION",
            Self::ActionItem => "ACTION_ITEM",
            Self::Risk => "RISK",
            Self::Question => "QUESTION",
            Self::KeyPhrase => "KEY_PHRASE",
            Self::Sentiment => "SENTIMENT",
        }
    }
}

/// One claim about a talk, and what supports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Insight {
    pub kind: InsightKind,
    /// For people to read. The evidence has what was said to the letter.
    pub text: String,
    /// Whom it is about: who asks, who decides, who is worried, who is to act.
    pub participant_id: Option<ParticipantId>,
    /// From 0 to 1, how sure the analyzer is; of a key phrase, its weight beside the heaviest; of a
    /// sentiment, the sentiment itself from -1 to 1.
    pub score: Option<f32>,
    pub details: Details,
    /// Never empty.
    pub evidence: Vec<Evidence>,
}

/// What only one kind of insight has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Details {
    #[default]
    None,
    ActionItem {
        /// The label of who is to act; `None` where the talk leaves it to the group.
        owner: Option<String>,
        /// By when, in the talk's own words: "by Friday".
        due: Option<String>,
    },
    Question {
        /// Whether somebody else spoke to it soon after; `None` where the speakers are not known.
        answered: Option<bool>,
        answered_by: Option<ParticipantId>,
    },
    KeyPhrase {
        occurrences: u32,
    },
    Sentiment {
        /// Sentences that carry any feeling.
        sentences: u32,
        /// The talk in ten equal parts; `None` where a part carries no feeling.
        course: Vec<Option<f32>>,
    },
}

/// The segments, the words and the time that support a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// In the order of the talk.
    pub segment_ids: Vec<SegmentId>,
    /// To the letter; where it spans segments, they are joined by one space.
    pub quote: String,
    /// Of the first segment, where the source has it.
    pub start_ms: Option<Millis>,
    /// Of the last segment, where the source has it.
    pub end_ms: Option<Millis>,
}
