//! What every full-text engine must do with texts of several languages.

use colloquy_domain::{
    ports::search::{ConversationFacets, TextIndex},
    search::{
        highlight::{Highlight, SpokenText, highlight},
        query::{SearchFilter, TextQuery},
        synonyms::Synonyms,
    },
};

use crate::fixtures::{World, language};

type Index<'a> = &'a dyn TextIndex;

async fn put(index: Index<'_>, world: &World, n: u32, code: &str, texts: &[&str]) {
    let facets = ConversationFacets { language: language(code), ..world.facets(n) };
    index.replace(world.tenant(0), 1, facets, world.passages(n, texts)).await.unwrap();
}

/// Best first.
async fn ranked(index: Index<'_>, world: &World, query: &str) -> Vec<(u32, u32)> {
    let query = TextQuery::parse(query).unwrap();
    let found = index.search(world.tenant(0), &query, &SearchFilter::default(), 100).await.unwrap();
    world.places(&found.hits)
}

async fn found(index: Index<'_>, world: &World, query: &str) -> Vec<(u32, u32)> {
    let mut places = ranked(index, world, query).await;
    places.sort_unstable();
    places
}

/// A text of each, a form that is not in it, and a phrase as it stands there.
const TALKS: [(&str, &str, &str, &str); 5] = [
    ("en", "We were negotiating two contracts.", "contract", "two contracts"),
    ("es", "Las negociaciones fueron difíciles ayer.", "negociación", "fueron difíciles"),
    ("fr", "Nous avons signé les nouveaux accords d'entreprise.", "entreprises", "les nouveaux accords"),
    ("de", "Die Verhandlungen über die Häuser dauern an.", "Verhandlung", "über die Häuser"),
    ("pt", "As avaliações dos funcionários terminaram.", "avaliação", "dos funcionários"),
];

pub async fn each_language_finds_its_own_forms(index: Index<'_>, world: &World) {
    for (n, (code, text, ..)) in (0..).zip(TALKS) {
        put(index, world, n, code, &[text, "3"]).await;
    }
    for (n, (_, _, form, phrase)) in (0..).zip(TALKS) {
        assert_eq!(found(index, world, form).await, [(n, 0)], "{form}");
        assert_eq!(found(index, world, &format!("\"{phrase}\"")).await, [(n, 0)], "{phrase}");
        assert_eq!(found(index, world, &format!("\"{form}\" -3")).await, [], "{form}");
        assert_eq!(found(index, world, &format!("3 -{form}")).await.len(), TALKS.len());
    }
    // Accents may be left out of the form that stands there.
    assert_eq!(found(index, world, "hauser").await, [(3, 0)]);
    assert_eq!(found(index, world, "dificiles").await, [(1, 0)]);
    assert_eq!(found(index, world, "l'entreprise").await, [(2, 0)]);
    assert_eq!(found(index, world, "negociación Verhandlung").await, [(1, 0), (3, 0)]);
    assert_eq!(found(index, world, "negociaciones -difícil").await, []);
}

/// `planning` has the stem in English that `Plan` has in German.
pub async fn a_stem_of_one_language_meets_no_others(index: Index<'_>, world: &World) {
    put(index, world, 0, "en", &["the plans of old"]).await;
    put(index, world, 1, "de", &["der Plan davon", "das Planning davon"]).await;
    put(index, world, 2, "nl", &["het plan ervan", "plannen ervan"]).await;
    assert_eq!(found(index, world, "planning").await, [(0, 0), (1, 1)]);
    assert_eq!(found(index, world, "Pläne").await, [(1, 0)]);
    assert_eq!(found(index, world, "plannen").await, [(2, 1)]);
    assert_eq!(found(index, world, "davon -planning").await, [(1, 0)]);
}

pub async fn words_of_unspaced_scripts_are_found_inside_running_text(index: Index<'_>, world: &World) {
    put(index, world, 0, "zh", &["我们下周的会议讨论工资谈判", "会见一下,议论"]).await;
    put(index, world, 1, "ja", &["来週の会議でﾃﾞｰﾀﾍﾞｰｽの話をします", "ｶﾀｶﾅ"]).await;
    put(index, world, 2, "ko", &["다음 주 회의에서 급여를 논의합니다"]).await;
    assert_eq!(found(index, world, "工资").await, [(0, 0)]);
    assert_eq!(found(index, world, "会议").await, [(0, 0)]);
    assert_eq!(found(index, world, "会議").await, [(1, 0)]);
    assert_eq!(found(index, world, "データ").await, [(1, 0)]);
    assert_eq!(found(index, world, "カタカナ").await, [(1, 1)]);
    assert_eq!(found(index, world, "회의").await, [(2, 0)]);
    assert_eq!(found(index, world, "급여 工资").await, [(0, 0), (2, 0)]);
    assert_eq!(found(index, world, "\"下周的会议\" -谈判").await, []);
}

/// A sentence without spaces need not stand there: its parts are looked for, and what holds more of them comes first.
pub async fn what_runs_on_without_spaces_is_found_by_its_parts(index: Index<'_>, world: &World) {
    let chinese = ["我们下周的会议讨论工资谈判", "今天的天气很好", "关于工资的问题", "会见一下议论"];
    put(index, world, 0, "zh", &chinese).await;
    let japanese = ["来週の会議でデータベースの話をします", "データの移行は来月です", "散歩に行きたいですね"];
    put(index, world, 1, "ja", &japanese).await;
    let texts: Vec<SpokenText> = chinese
        .iter()
        .map(|text| (*text, "zh"))
        .chain(japanese.iter().map(|text| (*text, "ja")))
        .map(|(text, code)| SpokenText { text: text.to_owned(), language: language(code) })
        .collect();
    let search = async |typed: &str| {
        let query = TextQuery::parse(typed).unwrap().without_frame();
        let found = index.search(world.tenant(0), &query, &SearchFilter::default(), 100).await.unwrap();
        let places = world.places(&found.hits);
        let marks = highlight(&query, &texts);
        let marked: Vec<Vec<&str>> = texts
            .iter()
            .zip(&marks)
            .map(|(spoken, marks)| marks.iter().map(|range| &spoken.text[range.clone()]).collect())
            .collect();
        (places, marked)
    };
    let (places, marked) = search("请问工资谈判的会议是什么时候").await;
    assert_eq!(places, [(0, 0), (0, 2)]);
    assert_eq!((&marked[0], &marked[2]), (&vec!["的会议", "工资谈判"], &vec!["工资"]));
    assert!(marked[1].is_empty() && marked[3].is_empty(), "{marked:?}");
    let (places, marked) = search("会議でのデータベースについて教えてください").await;
    assert_eq!((places, &marked[4]), (vec![(1, 0)], &vec!["会議", "データベース"]));
    assert_eq!(search("工资谈判").await.0, [(0, 0)], "what is short stands as it is");
    assert_eq!(search("工资的谈判").await.0.len(), 2);
    assert_eq!(search("\"工资的谈判\"").await.0, []);
    assert_eq!(search("会议 -工资的谈判").await.0, [(0, 0)]);
    assert_eq!(search("天气 OR データベースの設計").await.0.len(), 2);
}

/// A word is as rare as it is in all languages together: the one text of a language does not stand out by that.
pub async fn a_word_is_as_rare_in_every_language(index: Index<'_>, world: &World) {
    for n in 0..12 {
        put(index, world, n, "en", &["budget and more of it", "nothing else said here"]).await;
    }
    put(index, world, 12, "en", &["budget budget and budget"]).await;
    put(index, world, 13, "de", &["budget und mehr davon"]).await;
    let ranking = ranked(index, world, "budget").await;
    assert_eq!((ranking.len(), ranking[0]), (14, (12, 0)));
    let query = TextQuery::parse("budget").unwrap();
    let found = index.search(world.tenant(0), &query, &SearchFilter::default(), 100).await.unwrap();
    let (last, second) = (found.hits[13].score, found.hits[1].score);
    assert!(second < 1.2 * last, "{second} of a text of the one language, {last} of the other");
    assert!(found.whole > 0.7 * second && found.whole < 1.5 * second, "{} of {second}", found.whole);
}

pub async fn a_form_as_it_was_typed_ranks_first(index: Index<'_>, world: &World) {
    put(index, world, 0, "de", &["die Verhandlungen laufen", "die Verhandlung läuft"]).await;
    assert_eq!(ranked(index, world, "Verhandlung").await, [(0, 1), (0, 0)]);
    assert_eq!(ranked(index, world, "verhandlungen").await, [(0, 0), (0, 1)]);
}

pub async fn another_language_is_another_reading(index: Index<'_>, world: &World) {
    let write = async |version, code| {
        let facets = ConversationFacets { language: code, ..world.facets(0) };
        let passages = world.passages(0, &["Verhandlungen"]);
        index.replace(world.tenant(0), version, facets, passages).await.unwrap();
    };
    write(1, None).await;
    assert_eq!(found(index, world, "Verhandlung").await, []);
    write(2, language("de")).await;
    assert_eq!(found(index, world, "Verhandlung").await, [(0, 0)]);
}

/// Marks are made by the language of the text, as hits are.
pub async fn marks_go_by_the_language_of_the_text(index: Index<'_>, world: &World) {
    let texts: Vec<SpokenText> = TALKS
        .iter()
        .flat_map(|(_, text, ..)| TALKS.iter().map(move |(code, ..)| (*text, *code)))
        .map(|(text, code)| SpokenText { text: text.to_owned(), language: language(code) })
        .collect();
    for (n, spoken) in (0..).zip(&texts) {
        let code = spoken.language.unwrap();
        put(index, world, n, code.as_str(), &[&spoken.text]).await;
    }
    for (_, _, form, phrase) in TALKS {
        for query in [form.to_owned(), format!("\"{phrase}\""), format!("{form} \"{phrase}\"")] {
            let marks = highlight(&TextQuery::parse(&query).unwrap(), &texts);
            let marked = (0..).zip(&marks).filter(|(_, marks)| !marks.is_empty()).map(|(n, _)| (n, 0));
            let marked: Vec<(u32, u32)> = marked.collect();
            let found = found(index, world, &query).await;
            // A phrase must stand there; of it and a word, marks show either.
            match query.contains(' ') && !query.starts_with('"') {
                true => assert!(found.iter().all(|place| marked.contains(place)), "{query}"),
                false => assert_eq!(found, marked, "{query}"),
            }
            assert!(!found.is_empty(), "{query}");
        }
    }
}

/// What stands for a word is found as the word is, and marked; more names in one text are not more than one.
pub async fn one_thing_is_found_under_each_of_its_names(index: Index<'_>, world: &World) {
    let texts = ["a salary of old", "base pay it is", "the pay is late", "pay and salary", "of old and late"];
    put(index, world, 0, "en", &texts).await;
    let synonyms = Synonyms(vec![vec!["salary".to_owned(), "base pay".to_owned()]]);
    let search = async |query: &str| {
        let query = synonyms.widen(&TextQuery::parse(query).unwrap());
        let found = index.search(world.tenant(0), &query, &SearchFilter::default(), 100).await.unwrap();
        let mut places = world.places(&found.hits);
        places.sort_unstable();
        let texts: Vec<SpokenText> = texts
            .iter()
            .map(|text| SpokenText { text: (*text).to_owned(), language: language("en") })
            .collect();
        (places, highlight(&query, &texts))
    };
    let marked = |marks: &[Vec<Highlight>], n: usize| -> Vec<&str> {
        marks[n].iter().map(|range| &texts[n][range.clone()]).collect()
    };
    let (places, marks) = search("salaries -late").await;
    assert_eq!(places, [(0, 0), (0, 3)], "another form of the word is not what the group has");
    assert_eq!(marked(&marks, 3), ["salary"]);
    let (places, marks) = search("salary").await;
    assert_eq!(places, [(0, 0), (0, 1), (0, 3)]);
    assert_eq!((marked(&marks, 0), marked(&marks, 1)), (vec!["salary"], vec!["base pay"]));
    assert_eq!(search("base pay").await.0, [(0, 0), (0, 1), (0, 2), (0, 3)]);
    assert_eq!(search("\"base pay\"").await.0, [(0, 1)]);
    assert_eq!(search("salary -\"base pay\"").await.0, [(0, 0), (0, 3)]);
    assert_eq!(search("old salary OR absent").await.0, [(0, 0)]);
}
