//! The analysis of one sample: what it claims with the words that support it, and what it measured.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;

use crate::{
    client::Client,
    commands::text::{time_code, wrap},
    output::{bold, faint, plain},
};

const DOCUMENT: &str = "
query Analysis($id: ID!) {
  conversation(id: $id) {
    analysis {
      analyzer
      insights(kinds: [SUMMARY, DECISION, ACTION_ITEM]) {
        kind text owner due
        evidence { quote startMs segments { participant { label } } }
      }
      measures {
        durationMs turns words questions
        silences { count totalMs }
        participants {
          participant { label }
          words turns questions shareOfWords wordsPerMinute fillerWords
          longestTurn { words }
        }
      }
    }
  }
}";

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Analysis {
    pub(super) analyzer: String,
    pub(super) insights: Vec<Insight>,
    pub(super) measures: Measures,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Insight {
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) owner: Option<String>,
    pub(super) due: Option<String>,
    pub(super) evidence: Vec<Evidence>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Evidence {
    pub(super) quote: String,
    pub(super) start_ms: Option<u64>,
    pub(super) segments: Vec<Segment>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Segment {
    participant: Option<Participant>,
}

#[derive(Debug, Clone, Deserialize)]
struct Participant {
    label: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measures {
    duration_ms: Option<u64>,
    turns: u32,
    words: u32,
    questions: u32,
    silences: Silences,
    participants: Vec<Speaker>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Silences {
    count: u32,
    total_ms: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Speaker {
    participant: Option<Participant>,
    words: u32,
    turns: u32,
    questions: u32,
    share_of_words: Option<f64>,
    words_per_minute: Option<f64>,
    filler_words: Option<u32>,
    longest_turn: Option<LongestTurn>,
}

#[derive(Debug, Clone, Deserialize)]
struct LongestTurn {
    words: u32,
}

pub(super) async fn fetch(client: &Client, conversation_id: &str) -> Result<Analysis> {
    #[derive(Deserialize)]
    struct Data {
        conversation: Option<Conversation>,
    }
    #[derive(Deserialize)]
    struct Conversation {
        analysis: Option<Analysis>,
    }
    let data: Data = client.query(DOCUMENT, json!({ "id": conversation_id })).await?;
    let conversation = data.conversation.context("the conversation is gone")?;
    conversation.analysis.context("there is no analysis")
}

impl Analysis {
    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Insight> {
        self.insights.iter().filter(move |insight| insight.kind == kind)
    }

    /// What a useful analysis of a meeting would not lack.
    pub(super) fn lacks(&self) -> Vec<&'static str> {
        let lack = |lacks: bool, what| lacks.then_some(what);
        let unsupported = self.insights.iter().any(|insight| {
            insight.evidence.is_empty()
                || insight.evidence.iter().any(|evidence| evidence.segments.is_empty())
        });
        let found = [
            lack(self.of("SUMMARY").next().is_none(), "a summary"),
            lack(self.of("DECISION").next().is_none(), "decisions"),
            lack(self.of("ACTION_ITEM").next().is_none(), "action items"),
            lack(unsupported, "evidence for every claim"),
            lack(self.measures.participants.is_empty(), "measures"),
        ];
        found.into_iter().flatten().collect()
    }

    pub(super) fn show(&self, width: usize) -> String {
        let mut shown = format!("{}\n", bold(format_args!("Summary ({} analyzer)", plain(&self.analyzer))));
        for evidence in self.of("SUMMARY").flat_map(|insight| &insight.evidence) {
            let lines = wrap(&[(&evidence.said(), false)], width - 4, str::to_owned);
            shown += &format!("  - {}\n", lines.join("\n    "));
        }
        for (kind, title) in [("DECISION", "Decisions"), ("ACTION_ITEM", "Action items")] {
            shown += &format!("\n{}\n", bold(title));
            for insight in self.of(kind).take(3) {
                shown += &insight.show(width);
            }
        }
        shown += &format!("\n{}\n{}", bold("Measures"), self.measures.show());
        shown
    }
}

impl Insight {
    fn show(&self, width: usize) -> String {
        let owner = self.owner.as_ref().map(|owner| format!("owner: {}", plain(owner)));
        let due = self.due.as_ref().map(|due| format!("due: {}", plain(due)));
        let about: Vec<_> = owner.into_iter().chain(due).collect();
        let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
        let claim = wrap(&[(&plain(&self.text), false), (&about, false)], width - 4, str::to_owned);
        let mut shown = format!("  - {}\n", claim.join("\n    "));
        if let Some(evidence) = self.evidence.first() {
            for line in wrap(&[(&evidence.said(), false)], width - 6, str::to_owned) {
                shown += &format!("      {}\n", faint(line));
            }
        }
        shown
    }
}

impl Evidence {
    /// Who said what, and when.
    fn said(&self) -> String {
        let by = self.segments.iter().find_map(|segment| segment.participant.as_ref());
        let by = by.map_or_else(|| "somebody".to_owned(), |by| plain(&by.label));
        let at = self.start_ms.map(|ms| format!(" at {}", time_code(ms))).unwrap_or_default();
        format!("{by}{at}: “{}”", plain(&self.quote))
    }
}

impl Measures {
    fn show(&self) -> String {
        let speakers: Vec<_> = self.participants.iter().map(|speaker| (speaker.name(), speaker)).collect();
        let wide = speakers.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(7);
        let head = format!(
            "  {:wide$}  {:>6} {:>6} {:>6} {:>10} {:>9} {:>13} {:>8}",
            "speaker", "words", "share", "turns", "questions", "words/min", "longest turn", "fillers"
        );
        let mut lines = vec![faint(head)];
        let number = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        for (name, speaker) in speakers {
            let share = speaker.share_of_words.map(|share| format!("{:.0} %", share * 100.0));
            let pace = speaker.words_per_minute.map(|pace| format!("{pace:.0}"));
            lines.push(format!(
                "  {name:wide$}  {:>6} {:>6} {:>6} {:>10} {:>9} {:>13} {:>8}",
                speaker.words,
                share.unwrap_or_else(|| "-".to_owned()),
                speaker.turns,
                speaker.questions,
                pace.unwrap_or_else(|| "-".to_owned()),
                number(speaker.longest_turn.as_ref().map(|turn| turn.words)),
                number(speaker.filler_words),
            ));
        }
        let length = self.duration_ms.map(|ms| format!("{}, ", time_code(ms))).unwrap_or_default();
        lines.push(format!(
            "  {length}{} words in {} turns, {} questions, {} silences ({} in all)",
            self.words,
            self.turns,
            self.questions,
            self.silences.count,
            time_code(self.silences.total_ms)
        ));
        lines.join("\n")
    }
}

impl Speaker {
    fn name(&self) -> String {
        self.participant.as_ref().map_or_else(|| "nobody named".to_owned(), |speaker| plain(&speaker.label))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn analysis() -> Analysis {
        let insight = |kind: &str, text: &str, owner: Option<&str>| {
            json!({
                "kind": kind, "text": text, "owner": owner, "due": owner.map(|_| "by Friday"),
                "evidence": [{
                    "quote": format!("{text}, then."), "startMs": 303_000,
                    "segments": [{ "participant": { "label": "Hana Sato" } }],
                }],
            })
        };
        serde_json::from_value(json!({
            "analyzer": "extractive",
            "insights": [
                insight("SUMMARY", "Onboarding loses people", None),
                insight("DECISION", "We drop the calendar step", None),
                insight("ACTION_ITEM", "Write to the vendor", Some("Luis")),
            ],
            "measures": {
                "durationMs": 2_100_000, "turns": 2, "words": 130, "questions": 4,
                "silences": { "count": 2, "totalMs": 61_000 },
                "participants": [
                    {
                        "participant": { "label": "Hana Sato" }, "words": 100, "turns": 1, "questions": 4,
                        "shareOfWords": 0.769, "wordsPerMinute": 151.6, "fillerWords": 3,
                        "longestTurn": { "words": 61 },
                    },
                    { "participant": null, "words": 30, "turns": 1, "questions": 0 },
                ],
            },
        }))
        .unwrap()
    }

    #[test]
    fn claims_are_shown_with_who_said_it_and_when() {
        let shown = analysis().show(80);
        assert_snapshot!(anstream::adapter::strip_str(&shown), @"
        Summary (extractive analyzer)
          - Hana Sato at 5:03: “Onboarding loses people, then.”

        Decisions
          - We drop the calendar step
              Hana Sato at 5:03: “We drop the calendar step, then.”

        Action items
          - Write to the vendor (owner: Luis, due: by Friday)
              Hana Sato at 5:03: “Write to the vendor, then.”

        Measures
          speaker        words  share  turns  questions words/min  longest turn  fillers
          Hana Sato        100   77 %      1          4       152            61        3
          nobody named      30      -      1          0         -             -        -
          35:00, 130 words in 2 turns, 4 questions, 2 silences (1:01 in all)
        ");
    }

    #[test]
    fn what_an_analysis_lacks_is_told() {
        let mut analysis = analysis();
        assert!(analysis.lacks().is_empty());
        analysis.insights[1].evidence.clear();
        analysis.insights.remove(2);
        assert_eq!(analysis.lacks(), ["action items", "evidence for every claim"]);
    }
}
