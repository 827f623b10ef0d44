//! The analyzer that needs no model: reads a talk once and asks each rule for its insights.

use super::{
    Findings, Insight, action_items, decisions, key_phrases, measures, questions, reading::Reading, risks,
    sentiment, summary,
};
use crate::conversations::Talk;

/// Everything that can be said of a talk without a model. Takes well under a second for the longest talk,
/// never fails, and says of an empty talk nothing.
pub fn analyze(talk: &Talk) -> Findings {
    let reading = Reading::new(talk);
    let measures = measures::measure(&reading);
    let mut insights: Vec<Insight> = Vec::new();
    let phrases = key_phrases::find(&reading);
    let decisions = decisions::find(&reading);
    let action_items = action_items::find(&reading);
    insights.extend(summary::find(&reading, &phrases, decisions.iter().chain(&action_items)));
    insights.extend(decisions);
    insights.extend(action_items);
    insights.extend(risks::find(&reading));
    insights.extend(questions::find(&reading));
    insights.extend(phrases);
    insights.extend(sentiment::find(&reading));
    Findings { measures, insights }
}
