//! Saved searches are matched by the domain alone: what it says of a text must be what the engine finds.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, TimeDelta};
use colloquy_domain::{
    conversations::ConversationKind,
    ids::{PersonId, SavedSearchId},
    passages::Passage,
    people::{Known, key},
    ports::{
        search::{ConversationFacets, PassageDocument, TextIndex},
        store::passages::FoundPassage,
    },
    search::{
        language::{Asked, read},
        matching::{Came, Matcher, Watched},
        query::SearchFilter,
        saved::Watch,
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

use crate::fixtures::{World, language};

const CONVERSATIONS: u32 = 8;
const TEXTS: u32 = 20;
const QUERIES: usize = 400;
const LANGUAGES: [&str; 8] = ["en", "de", "fr", "es", "pt", "nl", "zh", ""];
const TAGS: [&str; 3] = ["Q3", "pay rise", "Éire"];
const SPEAKERS: [&str; 3] = ["Ann Lee", "BEN", "Zoë"];
/// Two of them have one name.
const PEOPLE: [&str; 4] = ["Ana López", "Ben", "ana lopez", "Zoë"];

/// Forms of few words, so that queries and texts meet; what runs together, and what is passed over in questions.
const WORDS: &str = "plan plans Planning planned Pläne Plänen Haus Häuser hauser the The how much is a or \
    negocia negociación negociaciones negociado avion l'avion l’avion avions d'aujourd'hui e-mail email 3.5 3 5 \
    会议 会議 会 議 データ ﾃﾞｰﾀ 회의 회의에서 résumé resumes resume\u{301} notice Notices period notice-period \
    会议讨论工资谈判 来週の会議でデータベースの話 工资 来週 \
    avaliação avaliações funcionário x naïve o'clock C++ dos";

struct Draw(StdRng);

impl Draw {
    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.0.random_range(0..list.len())]
    }

    fn word(&mut self) -> String {
        let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
        // What is too long is no word, and takes a place all the same.
        match self.0.random_range(0..60) {
            0 => "long".repeat(64),
            _ => self.of(&words).to_owned(),
        }
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.0.random_range(0..14) {
            text.push_str(&self.word());
            text.push_str(self.of(&[" ", " ", " ", ", ", ". ", "-", "\n", ""]));
        }
        text
    }

    fn query(&mut self) -> String {
        let items: Vec<String> = (0..self.0.random_range(1..5)).map(|_| self.item()).collect();
        items.join(" ")
    }

    fn item(&mut self) -> String {
        match self.0.random_range(0..12) {
            0..=4 => self.word(),
            5 | 6 => format!("\"{} {}\"", self.word(), self.word()),
            7 => format!("-{}", self.word()),
            8 => format!("-\"{} {}\"", self.word(), self.word()),
            9 => format!("{} OR {} OR \"{}\"", self.word(), self.word(), self.word()),
            10 => format!("lang:{}", self.of(&LANGUAGES[..7])),
            _ => match self.0.random_range(0..4) {
                3 => format!("person:\"{}\"", self.of(&PEOPLE).to_uppercase()),
                0 => format!("tag:\"{}\"", self.of(&TAGS).to_uppercase()),
                1 => format!("speaker:\"{}\"", self.of(&SPEAKERS).to_lowercase()),
                _ => format!("kind:{}", self.of(&["coaching", "meeting"])),
            },
        }
    }

    fn facets(&mut self, world: &World, n: u32) -> ConversationFacets {
        let code = LANGUAGES[n as usize % LANGUAGES.len()];
        ConversationFacets {
            kind: if n.is_multiple_of(2) { ConversationKind::Coaching } else { ConversationKind::Meeting },
            tags: vec![self.of(&TAGS).to_owned()],
            language: if code.is_empty() { None } else { language(code) },
            ..world.facets(n)
        }
    }
}

fn known(id: PersonId, world: &World) -> Known {
    let name = (0..).zip(PEOPLE).find(|(n, _)| world.person(*n) == id).map_or("", |(_, name)| name);
    Known { id, key: key(name) }
}

/// With the people in the place of their names.
fn resolved(filter: &SearchFilter, world: &World) -> SearchFilter {
    let all = (0..).zip(PEOPLE).map(|(n, _)| known(world.person(n), world));
    let named = all.filter(|known| filter.people.contains(&known.key)).map(|known| known.id);
    filter.clone().with_named(named.collect())
}

fn came(facets: &ConversationFacets, ordinal: u32, document: &PassageDocument, world: &World) -> Came {
    let passage = Passage {
        id: document.id,
        conversation_id: facets.conversation_id,
        ordinal,
        first_sequence: 0,
        last_sequence: 0,
        text: document.text.clone(),
        start_ms: None,
        end_ms: None,
        speakers: document.speakers.clone(),
        people: document.people.iter().map(|id| known(*id, world)).collect(),
    };
    let found = FoundPassage { passage, facets: facets.clone(), embedding_model: None };
    Came { found, at: DateTime::UNIX_EPOCH + TimeDelta::days(1), vector: None }
}

pub async fn what_matches_is_what_is_found(index: &dyn TextIndex, world: &World) {
    let mut draw = Draw(StdRng::seed_from_u64(7));
    let mut texts = Vec::new();
    for n in 0..CONVERSATIONS {
        let facets = draw.facets(world, n);
        let of = |ordinal: u32| {
            let (text, speaker) = (draw.text(), draw.of(&SPEAKERS));
            let speaks = |n: &u32| (ordinal + n).is_multiple_of(3);
            let people = (0..4).filter(speaks).map(|n| world.person(n)).collect();
            PassageDocument { people, ..world.passage(n, ordinal, &text, &[speaker]) }
        };
        let documents: Vec<PassageDocument> = (0..TEXTS).map(of).collect();
        texts.extend(
            (0..).zip(&documents).map(|(ordinal, one)| ((n, ordinal), came(&facets, ordinal, one, world))),
        );
        index.replace(world.tenant(0), 1, facets, documents).await.unwrap();
    }
    let asked: Vec<(String, Asked)> = std::iter::repeat_with(|| draw.query())
        .filter_map(|query| read(&query).ok().map(|asked| (query, asked)))
        .take(QUERIES)
        .collect();
    let watched = (0..).zip(&asked).map(|(number, (_, asked))| {
        let of = (SavedSearchId(Uuid::from_u128(number)), 1);
        Arc::new(Watched::new(of, DateTime::UNIX_EPOCH, asked.clone(), Watch::Text, None))
    });
    let matcher = Matcher::new(watched.collect());
    let mut matching = vec![BTreeSet::new(); asked.len()];
    for (place, came) in &texts {
        for one in matcher.matches(came) {
            matching[one.watched.id.0.as_u128() as usize].insert(*place);
        }
    }
    let mut met = 0;
    for ((query, asked), matching) in asked.iter().zip(&matching) {
        let limit = (CONVERSATIONS * TEXTS) as usize;
        let filter = resolved(&asked.filter, world);
        let found = index.search(world.tenant(0), &asked.text.without_frame(), &filter, limit).await.unwrap();
        let found: BTreeSet<(u32, u32)> = world.places(&found.hits).into_iter().collect();
        let differ: Vec<_> = found.symmetric_difference(matching).collect();
        let text = differ.first().and_then(|place| texts.iter().find(|(other, _)| other == *place));
        assert!(differ.is_empty(), "{query:?} differs in {differ:?}, of which the first is {text:#?}");
        met += found.len();
    }
    assert!(met > QUERIES, "{met} hits are too few to say anything");
}
