//! The table of samples/README.md: a phrase that stands in one passage, and other words for it.

use std::{fs, path::Path};

use colloquy_domain::{
    ids::PassageId,
    search::{
        fusion::{fuse, single},
        query::{SearchFilter, TextQuery},
    },
    transcripts::{self, Limits},
};

use crate::{
    corpus::{self, Model},
    engines::Engine,
};

pub(crate) struct Samples {
    /// A file each, as turns.
    talks: Vec<Vec<(String, String)>>,
    /// A phrase, and its paraphrase.
    paraphrases: Vec<(String, String)>,
}

pub(crate) fn read(root: &Path) -> Samples {
    let folder = root.join("samples");
    let files = ["coaching-session.vtt", "backend-interview.srt", "career-advice.txt", "product-meeting.vtt"];
    let turns = |file: &&str| -> Vec<(String, String)> {
        let read =
            transcripts::parse(&fs::read(folder.join(file)).unwrap(), None, &Limits::default()).unwrap();
        let label = |turn: &transcripts::Turn| {
            turn.speaker.map(|at| read.report.speakers[at].clone()).unwrap_or_default()
        };
        read.turns.iter().map(|turn| (label(turn), turn.text.clone())).collect()
    };
    let mut paraphrases = Vec::new();
    for line in fs::read_to_string(folder.join("README.md")).unwrap().lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, _, phrase, paraphrase, _, _] = cells[..]
            && let Some(phrase) = phrase.strip_prefix("`\"").and_then(|rest| rest.strip_suffix("\"`"))
        {
            paraphrases.push((phrase.to_lowercase(), paraphrase.to_owned()));
        }
    }
    assert_eq!(paraphrases.len(), 12);
    Samples { talks: files.iter().map(turns).collect(), paraphrases }
}

pub(crate) async fn report(samples: &Samples, engine: &Engine, model: &Model) {
    let conversations: Vec<_> =
        (1..).zip(&samples.talks).map(|(number, turns)| corpus::of_turns(number, turns)).collect();
    let passages: Vec<_> = conversations.iter().flat_map(|(_, passages)| passages).collect();
    let opened = engine.open(model, &conversations).await;
    println!("\nSamples: places of 12 paraphrases among {} passages\n", passages.len());
    let mut places: [Vec<String>; 3] = Default::default();
    for (phrase, paraphrase) in &samples.paraphrases {
        let holds = |text: &str| text.replace('\n', " ").to_lowercase().contains(phrase);
        let meant: Vec<PassageId> =
            passages.iter().filter(|passage| holds(&passage.text)).map(|passage| passage.id).collect();
        assert!(!meant.is_empty(), "{phrase}");
        let (asked, filter) = (TextQuery::parse(paraphrase).unwrap(), SearchFilter::default());
        let text = opened.words(&asked.without_frame(), &filter).await;
        let semantic = opened.meaning(model, &asked.plain(), &filter).await;
        let lists = [single(&text.hits, false, 1), single(&semantic, true, 1), fuse(&text, &semantic)];
        for (list, places) in lists.iter().zip(&mut places) {
            let place = list.iter().position(|hit| meant.contains(&hit.passage_id));
            places.push(place.map_or("–".to_owned(), |at| (at + 1).to_string()));
        }
    }
    opened.close().await;
    for (name, places) in ["TEXT", "SEMANTIC", "HYBRID"].iter().zip(places) {
        println!("  {name:10} {}", places.join(" "));
    }
}
