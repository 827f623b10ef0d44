//! SciFact: claims, and the abstracts that speak to them. What is chosen is chosen by the train split; the test split is
//! what is reported.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use colloquy_domain::{
    ids::PassageId,
    search::{
        fusion::{fuse, single},
        query::{SearchFilter, TextQuery},
    },
};
use serde_json::Value;

use crate::{
    corpus::{self, Model},
    engines::{Engine, Opened},
    measures::{self, Outcome, Ranking, Summary},
};

pub(crate) struct Abstracts {
    texts: Vec<String>,
    train: Vec<Claim>,
    test: Vec<Claim>,
}

/// With the places of what speaks to it.
type Claim = (String, Vec<usize>);

pub(crate) fn read(folder: &Path) -> Abstracts {
    let rows = |file: &str| -> Vec<(String, String)> {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let row = |line: &str| {
            let row: Value = serde_json::from_str(line).unwrap();
            (row["id"].as_str().unwrap().to_owned(), row["text"].as_str().unwrap().to_owned())
        };
        text.lines().map(row).collect()
    };
    let corpus = rows("corpus.jsonl");
    let places: HashMap<&str, usize> =
        corpus.iter().zip(0..).map(|((id, _), at)| (id.as_str(), at)).collect();
    let queries: HashMap<String, String> = rows("queries.jsonl").into_iter().collect();
    let claims = |split: &str| -> Vec<Claim> {
        let mut judged: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let lines = fs::read_to_string(folder.join(format!("qrels-{split}.tsv"))).unwrap();
        for line in lines.lines().skip(1) {
            let [query, document, score] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            if score != "0" {
                judged.entry(query.to_owned()).or_default().push(places[document]);
            }
        }
        judged.into_iter().map(|(id, places)| (queries[&id].clone(), places)).collect()
    };
    let (train, test) = (claims("train"), claims("test"));
    Abstracts { texts: corpus.into_iter().map(|(_, text)| text).collect(), train, test }
}

pub(crate) async fn report(abstracts: &Abstracts, engine: &Engine, model: &Model) -> Summary {
    let (id, passages) = corpus::of_texts(1, &abstracts.texts);
    let ids: Vec<PassageId> = passages.iter().map(|passage| passage.id).collect();
    let opened = engine.open(model, &[(id, passages)]).await;
    let train = rank(&opened, model, &ids, &abstracts.train).await;
    let test = rank(&opened, model, &ids, &abstracts.test).await;
    opened.close().await;
    measures::report("SciFact, train split: 5,183 abstracts", "scifact", &train);
    measures::report("SciFact, test split", "scifact", &test)
}

async fn rank(opened: &Opened<'_>, model: &Model, ids: &[PassageId], claims: &[Claim]) -> [Outcome; 3] {
    let mut outcomes = ["TEXT", "SEMANTIC", "HYBRID"].map(|name| Outcome { name, rankings: Vec::new() });
    for (claim, answers) in claims {
        let asked = TextQuery::parse(claim).unwrap();
        let filter = SearchFilter::default();
        let text = opened.words(&asked.without_frame(), &filter).await;
        let semantic = opened.meaning(model, &asked.plain(), &filter).await;
        let lists = [single(&text.hits, false, 1), single(&semantic, true, 1), fuse(&text, &semantic)];
        for (list, outcome) in lists.iter().zip(&mut outcomes) {
            let is_answer = |id: PassageId| answers.iter().any(|at| ids[*at] == id);
            let answers_found = list.iter().map(|hit| is_answer(hit.passage_id)).collect();
            outcome.rankings.push(Ranking { answers: answers_found, of: answers.len() });
        }
    }
    outcomes
}
