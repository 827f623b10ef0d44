//! QMSum: questions about meetings, and the turns that answer them. So that nothing hangs on how passages are cut,
//! windows of six turns are ranked: each has the score of the best passage that overlaps it, and is right where it
//! holds a turn that answers. Every other meeting is reported by itself, and so is the rest.

use std::{collections::HashMap, fs, path::Path};

use colloquy_domain::{
    ids::ConversationId,
    passages::Passage,
    search::{
        fusion::{FusedHit, fuse, single},
        query::{SearchFilter, TextQuery},
        within::{Outline, Outlined, Within},
    },
};
use serde_json::Value;

use crate::{
    corpus::{self, Model},
    engines::Engine,
    measures::{self, Outcome, Ranking, Summary},
};

/// Turns of a window.
const WINDOW: usize = 6;

pub(crate) struct Meeting {
    turns: Vec<(String, String)>,
    /// With the first and last turn of each stretch that answers.
    questions: Vec<(String, Vec<(usize, usize)>)>,
}

/// In the order of their names; BENCHMARKS.md says which were looked at for tuning.
pub(crate) fn read(folder: &Path) -> Vec<Meeting> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files.iter().map(|file| meeting(&fs::read_to_string(file).unwrap())).collect()
}

fn meeting(json: &str) -> Meeting {
    let meeting: Value = serde_json::from_str(json).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |key: &str| meeting[key].as_array().unwrap().clone();
    let turn = |turn: &Value| (text(&turn["speaker"]), text(&turn["content"]));
    let span = |span: &Value| (text(&span[0]).parse().unwrap(), text(&span[1]).parse().unwrap());
    let spans = |query: &Value| query["relevant_text_span"].as_array().unwrap().iter().map(span).collect();
    let questions =
        list("specific_query_list").iter().map(|query| (text(&query["query"]), spans(query))).collect();
    Meeting { turns: list("meeting_transcripts").iter().map(turn).collect(), questions }
}

impl Meeting {
    fn windows(&self) -> usize {
        self.turns.len().div_ceil(WINDOW)
    }

    fn answers(&self, window: usize, spans: &[(usize, usize)]) -> bool {
        let (first, last) = (window * WINDOW, window * WINDOW + WINDOW - 1);
        spans.iter().any(|(from, to)| *from <= last && *to >= first)
    }
}

pub(crate) async fn report(meetings: &[Meeting], engine: &Engine, model: &Model) -> Summary {
    let of = |(number, meeting): (u128, &Meeting)| corpus::of_turns(number, &meeting.turns);
    let conversations: Vec<_> = (1..).zip(meetings).map(of).collect();
    let opened = engine.open(model, &conversations).await;
    let names = ["TEXT", "SEMANTIC", "HYBRID"];
    let mut tuned = names.map(|name| Outcome { name, rankings: Vec::new() });
    let mut within = names.map(|name| Outcome { name, rankings: Vec::new() });
    let mut over_all = names.map(|name| Outcome { name, rankings: Vec::new() });
    for (at, (meeting, (id, passages))) in meetings.iter().zip(&conversations).enumerate() {
        for (question, spans) in &meeting.questions {
            let asked = TextQuery::parse(question).unwrap();
            let scope = SearchFilter { conversation_ids: vec![*id], ..SearchFilter::default() };
            let one = Within::new(&asked.without_frame(), &asked, outline(passages));
            let text = opened.words(&one.words, &scope).await;
            let semantic = opened.meaning(model, &one.plain, &scope).await;
            let lists =
                [single(&text.hits, false, 1), single(&semantic, true, 1), one.fuse(&text, &semantic)];
            let into = if at % 2 == 0 { &mut tuned } else { &mut within };
            for (list, outcome) in lists.iter().zip(into) {
                let found = windows(list, &[(*id, passages.clone(), meeting)]);
                outcome.rankings.extend(ranking(&found, *id, meeting, spans));
            }
            if at % 2 == 0 {
                continue;
            }
            let everywhere = SearchFilter::default();
            let text = opened.words(&asked.without_frame(), &everywhere).await;
            let semantic = opened.meaning(model, &asked.plain(), &everywhere).await;
            let lists = [single(&text.hits, false, 1), single(&semantic, true, 1), fuse(&text, &semantic)];
            let all: Vec<_> = conversations
                .iter()
                .zip(meetings)
                .map(|((id, passages), m)| (*id, passages.clone(), m))
                .collect();
            for (list, outcome) in lists.iter().zip(&mut over_all) {
                outcome.rankings.extend(ranking(&windows(list, &all), *id, meeting, spans));
            }
        }
    }
    opened.close().await;
    measures::report("QMSum within a meeting, every other one", "qmsum", &tuned);
    let summary = measures::report("QMSum within a meeting, the other half", "qmsum", &within);
    measures::report("QMSum over all meetings, the other half", "qmsum", &over_all);
    summary
}

fn outline(passages: &[Passage]) -> Outline {
    let outlined = |passage: &Passage| Outlined { id: passage.id, speakers: passage.speakers.clone() };
    Outline { passages: passages.iter().map(outlined).collect() }
}

/// Windows by the best passage that overlaps them, best first; those that none overlaps are not found.
fn windows(
    list: &[FusedHit],
    meetings: &[(ConversationId, Vec<Passage>, &Meeting)],
) -> Vec<(ConversationId, usize)> {
    let mut spans = HashMap::new();
    for (id, passages, _) in meetings {
        for passage in passages {
            let (first, last) = (passage.first_sequence as usize, passage.last_sequence as usize);
            spans.insert(passage.id, (*id, first / WINDOW..last / WINDOW + 1));
        }
    }
    let mut found = Vec::new();
    for hit in list {
        let (id, windows) = &spans[&hit.passage_id];
        for window in windows.clone() {
            if !found.contains(&(*id, window)) {
                found.push((*id, window));
            }
        }
    }
    found
}

/// `None` where nothing answers.
fn ranking(
    found: &[(ConversationId, usize)],
    id: ConversationId,
    meeting: &Meeting,
    spans: &[(usize, usize)],
) -> Option<Ranking> {
    let of = (0..meeting.windows()).filter(|window| meeting.answers(*window, spans)).count();
    let answers = found.iter().map(|(of, window)| *of == id && meeting.answers(*window, spans)).collect();
    (of > 0).then_some(Ranking { answers, of })
}
