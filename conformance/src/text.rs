//! What every full-text engine must do.

use colloquy_domain::{
    accounts::Tenant,
    conversations::ConversationKind::{Advice, Coaching, Interview, Meeting},
    ports::search::{ConversationFacets, TextIndex},
    search::{
        highlight::highlight,
        query::{SearchFilter, TextQuery},
    },
};
use futures::future::join_all;

pub use crate::{counts::*, paging::*, words::*};

use crate::fixtures::{World, at, language, spoken, strings};

pub(crate) type Index<'a> = &'a dyn TextIndex;

pub(crate) async fn put(index: Index<'_>, world: &World, n: u32, texts: &[&str]) {
    let passages = world.passages(n, texts);
    index.replace(world.tenant(0), 1, world.facets(n), passages).await.unwrap();
}

async fn find_in(
    index: Index<'_>,
    world: &World,
    tenant: Tenant,
    query: &str,
    filter: &SearchFilter,
) -> Vec<(u32, u32)> {
    let query = TextQuery::parse(query).unwrap();
    world.places(&index.search(tenant, &query, filter, 100).await.unwrap().hits)
}

async fn find(index: Index<'_>, world: &World, query: &str) -> Vec<(u32, u32)> {
    find_in(index, world, world.tenant(0), query, &SearchFilter::default()).await
}

async fn found(index: Index<'_>, world: &World, query: &str) -> Vec<(u32, u32)> {
    let mut places = find(index, world, query).await;
    places.sort_unstable();
    places
}

/// As many different words as a query can hold, with those that stand there among them.
pub async fn a_long_query_is_answered(index: Index<'_>, world: &World) {
    put(index, world, 0, &["She negotiated her remuneration.", "nothing"]).await;
    let letters = |first: char| ('b'..='k').map(move |second| format!("{first}{second}x "));
    let query: String = ('b'..='x').flat_map(letters).collect();
    assert_eq!(find(index, world, &format!("{query}remuneration")).await, [(0, 0)]);
}

pub async fn words_match_in_any_form(index: Index<'_>, world: &World) {
    put(
        index,
        world,
        0,
        &["She negotiated her salary.", "Negotiations are hard.", "Résumé and CAFÉ", "nothing"],
    )
    .await;
    assert_eq!(found(index, world, "negotiate").await, [(0, 0), (0, 1)]);
    assert_eq!(find(index, world, "NEGOTIATIONS").await[0], (0, 1));
    assert_eq!(found(index, world, "salaries").await, [(0, 0)]);
    assert_eq!(found(index, world, "resume").await, [(0, 2)]);
    assert_eq!(found(index, world, "cafés").await, [(0, 2)]);
    assert_eq!(found(index, world, "absent").await, []);
}

pub async fn any_word_will_do_and_more_rank_higher(index: Index<'_>, world: &World) {
    put(
        index,
        world,
        0,
        &["the budget is fixed", "the deadline is fixed", "budget and deadline", "the weather is fine"],
    )
    .await;
    let hits = find(index, world, "budget deadline").await;
    assert_eq!(hits.len(), 3);
    assert_eq!(hits[0], (0, 2));
    // The form that was typed ranks before another form of the word.
    put(index, world, 1, &["they were planning it", "they had planned it"]).await;
    assert_eq!(find(index, world, "planned").await, [(1, 1), (1, 0)]);
}

pub async fn no_word_is_too_common(index: Index<'_>, world: &World) {
    put(index, world, 0, &["to be or not to be", "something else"]).await;
    assert_eq!(found(index, world, "to be").await, [(0, 0)]);
    assert_eq!(found(index, world, "\"or not to\"").await, [(0, 0)]);
}

pub async fn words_of_several_terms_stand_together(index: Index<'_>, world: &World) {
    put(index, world, 0, &["send an e-mail", "mail me the e", "growth of 3.5 percent", "5 or 3"]).await;
    assert_eq!(found(index, world, "e-mail").await, [(0, 0)]);
    assert_eq!(found(index, world, "3.5").await, [(0, 2)]);
    put(index, world, 1, &["I don't know"]).await;
    assert_eq!(found(index, world, "don't").await, [(1, 0)]);
}

pub async fn phrases_match_as_they_stand(index: Index<'_>, world: &World) {
    let texts =
        ["a notice period of three months", "the period of notice", "notice periods", "Notice: period!"];
    put(index, world, 0, &texts).await;
    assert_eq!(found(index, world, "\"notice period\"").await, [(0, 0), (0, 3)]);
    assert_eq!(found(index, world, "\"notice period\" months").await, [(0, 0)]);
    assert_eq!(found(index, world, "\"notice period\" \"three months\"").await, [(0, 0)]);
    assert_eq!(found(index, world, "\"months three\"").await, []);
}

pub async fn what_is_not_wanted_is_left_out(index: Index<'_>, world: &World) {
    put(index, world, 0, &["salary and bonuses", "salary and stock options", "salary, options of stock"])
        .await;
    assert_eq!(found(index, world, "salary -bonus").await, [(0, 1), (0, 2)]);
    assert_eq!(found(index, world, "salary -\"stock options\"").await, [(0, 0), (0, 2)]);
    assert_eq!(found(index, world, "salary -bonus -stock").await, []);
}

pub async fn one_of_what_is_joined_must_stand_there(index: Index<'_>, world: &World) {
    let texts = ["salary and notice", "a raise in pay, with notice", "base pay", "notice of a bonus"];
    put(index, world, 0, &texts).await;
    assert_eq!(found(index, world, "salary OR pay").await, [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(found(index, world, "notice salary OR \"raise in pay\"").await, [(0, 0), (0, 1)]);
    assert_eq!(found(index, world, "\"base pay\" OR bonus -notice").await, [(0, 2)]);
    assert_eq!(found(index, world, "salary OR bonus notice OR pay").await, [(0, 0), (0, 3)]);
    assert_eq!(found(index, world, "absent OR missing notice").await, []);
}

pub async fn unspaced_scripts_are_found_by_any_part(index: Index<'_>, world: &World) {
    put(index, world, 0, &["来週の会議は火曜日です", "議会の会期", "다음 주 회의를 준비", "ประชุมสัปดาห์หน้า"])
        .await;
    assert_eq!(found(index, world, "会議").await, [(0, 0)]);
    assert_eq!(found(index, world, "火曜").await, [(0, 0)]);
    assert_eq!(found(index, world, "会").await, [(0, 0), (0, 1)]);
    assert_eq!(found(index, world, "회의").await, [(0, 2)]);
    assert_eq!(found(index, world, "สัปดาห์").await, [(0, 3)]);
}

/// Four conversations that differ in every facet.
async fn varied(index: Index<'_>, world: &World) {
    let facets = |n: u32, kind, tags: &[&str], occurred: Option<&str>| ConversationFacets {
        kind,
        tags: strings(tags),
        occurred_at: occurred.map(at),
        language: [language("en"), language("de"), None, language("yue")][n as usize],
        ..world.facets(n)
    };
    let all = [
        facets(0, Coaching, &["Q3 Review", "pay"], Some("2026-03-01T10:00:00Z")),
        facets(1, Interview, &["pay"], Some("2026-03-01T10:00:00.000001Z")),
        facets(2, Meeting, &[], Some("2026-04-01T00:00:00Z")),
        facets(3, Advice, &["q3 review"], None),
    ];
    for (n, facets) in (0..).zip(all) {
        let passages = vec![
            world.passage(n, 0, "word", &["Ann Lee", "Bo"]),
            world.passage(n, 1, "word", &["bo"]),
            world.passage(n, 2, "word", &[]),
        ];
        index.replace(world.tenant(0), 1, facets, passages).await.unwrap();
    }
}

const NONE: [u32; 0] = [];

async fn conversations(index: Index<'_>, world: &World, filter: SearchFilter) -> Vec<u32> {
    let places = find_in(index, world, world.tenant(0), "word", &filter).await;
    let mut conversations: Vec<u32> = places.into_iter().map(|(n, _)| n).collect();
    conversations.sort_unstable();
    conversations.dedup();
    conversations
}

pub async fn each_filter_narrows(index: Index<'_>, world: &World) {
    varied(index, world).await;
    let any = SearchFilter::default;
    assert_eq!(conversations(index, world, any()).await, [0, 1, 2, 3]);
    assert_eq!(
        conversations(index, world, SearchFilter { kinds: vec![Interview, Advice], ..any() }).await,
        [1, 3]
    );
    let tagged = |tags: &[&str]| SearchFilter { tags: strings(tags), ..any() };
    assert_eq!(conversations(index, world, tagged(&["  q3 REVIEW"])).await, [0, 3]);
    assert_eq!(conversations(index, world, tagged(&["pay", "absent"])).await, [0, 1]);
    assert_eq!(conversations(index, world, tagged(&["q3"])).await, NONE);
    let spoken_in = |codes: &[&str]| SearchFilter {
        languages: codes.iter().filter_map(|code| language(code)).collect(),
        ..any()
    };
    assert_eq!(conversations(index, world, spoken_in(&["de", "yue"])).await, [1, 3]);
    assert_eq!(conversations(index, world, spoken_in(&["en"])).await, [0]);
    assert_eq!(conversations(index, world, spoken_in(&["fr"])).await, NONE);
    let ids = vec![world.conversation(2), world.conversation(9)];
    assert_eq!(conversations(index, world, SearchFilter { conversation_ids: ids, ..any() }).await, [2]);

    let speaks = SearchFilter { speakers: strings(&["ANN LEE"]), ..any() };
    assert_eq!(find_in(index, world, world.tenant(0), "word", &speaks).await.len(), 4);
    let speaks = SearchFilter { speakers: strings(&["Bo"]), ..any() };
    assert_eq!(find_in(index, world, world.tenant(0), "word", &speaks).await.len(), 8);

    let span = |from: Option<&str>, before: Option<&str>| SearchFilter {
        occurred_from: from.map(at),
        occurred_before: before.map(at),
        ..any()
    };
    let early = Some("2026-03-01T10:00:00Z");
    assert_eq!(conversations(index, world, span(early, None)).await, [0, 1, 2]);
    assert_eq!(conversations(index, world, span(None, early)).await, NONE);
    assert_eq!(conversations(index, world, span(None, Some("2026-03-01T10:00:00.000001Z"))).await, [0]);
    assert_eq!(conversations(index, world, span(early, Some("2026-04-01T00:00:00Z"))).await, [0, 1]);
    assert_eq!(conversations(index, world, span(Some("2026-04-01T00:00:00Z"), None)).await, [2]);
    assert_eq!(conversations(index, world, span(Some("2026-05-01T00:00:00Z"), early)).await, NONE);
    assert_eq!(conversations(index, world, span(early, early)).await, NONE);
}

pub async fn filters_combine(index: Index<'_>, world: &World) {
    varied(index, world).await;
    let filter = SearchFilter {
        kinds: vec![Coaching, Interview, Advice],
        tags: strings(&["pay"]),
        speakers: strings(&["ann lee"]),
        occurred_from: Some(at("2026-03-01T00:00:00Z")),
        occurred_before: Some(at("2026-03-02T00:00:00Z")),
        conversation_ids: vec![world.conversation(1), world.conversation(3)],
        languages: language("de").into_iter().collect(),
        ..SearchFilter::default()
    };
    let places = find_in(index, world, world.tenant(0), "word", &filter).await;
    assert_eq!(places, [(1, 0)]);
}

pub async fn tenants_never_see_each_other(index: Index<'_>, world: &World) {
    for n in 0..3 {
        let passages = world.passages(n, &["shared secret"]);
        index.replace(world.tenant(n), 1, world.facets(n), passages).await.unwrap();
    }
    let every = (0..3).map(|n| world.conversation(n)).collect();
    let by_id = SearchFilter { conversation_ids: every, ..SearchFilter::default() };
    for n in 0..3 {
        for filter in [&SearchFilter::default(), &by_id] {
            assert_eq!(find_in(index, world, world.tenant(n), "secret", filter).await, [(n, 0)]);
        }
    }
    assert_eq!(find_in(index, world, world.tenant(3), "secret", &by_id).await, []);
}

pub async fn a_tenant_cannot_touch_anothers_conversation(index: Index<'_>, world: &World) {
    put(index, world, 0, &["mine"]).await;
    index.remove(world.tenant(1), world.conversation(0)).await.unwrap();
    index.replace(world.tenant(1), 9, world.facets(0), Vec::new()).await.unwrap();
    assert_eq!(found(index, world, "mine").await, [(0, 0)]);
}

pub async fn later_versions_win(index: Index<'_>, world: &World) {
    let tenant = world.tenant(0);
    let write = async |version, texts: &[&str]| {
        index.replace(tenant, version, world.facets(0), world.passages(0, texts)).await.unwrap();
    };
    write(5, &["five", "tail", "tail"]).await;
    write(4, &["four"]).await;
    assert_eq!(found(index, world, "five four").await, [(0, 0)]);
    assert_eq!(found(index, world, "four").await, []);
    write(6, &["six"]).await;
    assert_eq!(found(index, world, "five tail").await, []);
    assert_eq!(found(index, world, "six").await, [(0, 0)]);
    write(7, &[]).await;
    assert_eq!(found(index, world, "six").await, []);
    write(6, &["six"]).await;
    assert_eq!(found(index, world, "six").await, []);
}

/// Earlier versions have longer tails, which must not be left behind.
pub async fn writers_that_race_leave_the_latest(index: Index<'_>, world: &World) {
    const LATEST: u32 = 6;
    for n in 0..4 {
        let write = |version: u32| async move {
            let texts = vec![format!("word v{version}"); (LATEST + 1 - version) as usize];
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let passages = world.passages(n, &texts);
            index.replace(world.tenant(0), version.into(), world.facets(n), passages).await.unwrap();
        };
        // The order in which they begin differs from round to round.
        let versions = (1..=LATEST).map(|version| (version * 5 + n) % LATEST + 1);
        join_all(versions.map(write)).await;
        let filter =
            SearchFilter { conversation_ids: vec![world.conversation(n)], ..SearchFilter::default() };
        assert_eq!(find_in(index, world, world.tenant(0), "word", &filter).await, [(n, 0)]);
        assert_eq!(find_in(index, world, world.tenant(0), "v6", &filter).await, [(n, 0)]);
    }
}

pub async fn a_removal_that_races_is_the_last(index: Index<'_>, world: &World) {
    for n in 0..4 {
        let write = |version| async move {
            let passages = world.passages(n, &["word", "word", "word"]);
            index.replace(world.tenant(0), version, world.facets(n), passages).await.unwrap();
        };
        let remove = || async move { index.remove(world.tenant(0), world.conversation(n)).await.unwrap() };
        if n % 2 == 0 {
            futures::join!(write(1), remove(), write(2));
        } else {
            futures::join!(remove(), write(1), write(2));
        }
        assert_eq!(found(index, world, "word").await, []);
    }
}

pub async fn the_whole_is_what_every_word_once_scores(index: Index<'_>, world: &World) {
    let texts = ["amber birch cedar", "amber birch dune", "amber ebony fjord", "grove heath inlet"];
    put(index, world, 0, &texts).await;
    let find = async |query: &str| {
        let query = TextQuery::parse(query).unwrap();
        index.search(world.tenant(0), &query, &SearchFilter::default(), 10).await.unwrap()
    };
    for query in ["amber birch cedar", "amber", "\"birch cedar\"", "amber \"ebony fjord\""] {
        let found = find(query).await;
        let best = found.hits[0].score;
        assert!((best - found.whole).abs() < 0.01 * best, "{query}: {best} of {}", found.whole);
    }
    // What nobody says is rarest of all.
    let found = find("amber kelp lagoon").await;
    assert!(found.hits[0].score < found.whole / 4.0, "{} of {}", found.hits[0].score, found.whole);
    let found = find("kelp").await;
    assert_eq!((found.hits.len(), found.whole), (0, 0.0));
}

pub async fn the_same_version_may_be_written_again(index: Index<'_>, world: &World) {
    for _ in 0..3 {
        put(index, world, 0, &["again", "and again"]).await;
        assert_eq!(found(index, world, "again").await, [(0, 0), (0, 1)]);
    }
}

pub async fn a_removed_conversation_stays_out(index: Index<'_>, world: &World) {
    put(index, world, 0, &["gone"]).await;
    put(index, world, 1, &["gone but not this"]).await;
    for _ in 0..2 {
        index.remove(world.tenant(0), world.conversation(0)).await.unwrap();
        assert_eq!(found(index, world, "gone").await, [(1, 0)]);
    }
    index.replace(world.tenant(0), 99, world.facets(0), world.passages(0, &["gone"])).await.unwrap();
    assert_eq!(found(index, world, "gone").await, [(1, 0)]);
    // Also when the removal comes first.
    index.remove(world.tenant(0), world.conversation(2)).await.unwrap();
    put(index, world, 2, &["gone"]).await;
    assert_eq!(found(index, world, "gone").await, [(1, 0)]);
}

pub async fn a_limit_cuts_the_same_list(index: Index<'_>, world: &World) {
    for n in 0..5 {
        let text = "filler ".repeat(n as usize) + "needle";
        put(index, world, n, &[&text, "needle", "needle in the hay"]).await;
    }
    let query = TextQuery::parse("needle").unwrap();
    let all = index.search(world.tenant(0), &query, &SearchFilter::default(), 100).await.unwrap().hits;
    assert_eq!(all.len(), 15);
    assert!(all.is_sorted_by(|a, b| a.score >= b.score), "best first");
    for limit in [0, 1, 7, 15] {
        let some = index.search(world.tenant(0), &query, &SearchFilter::default(), limit).await.unwrap().hits;
        assert_eq!(some, all[..limit]);
    }
}

pub async fn equal_scores_have_one_order(index: Index<'_>, world: &World) {
    for n in 0..20 {
        put(index, world, n, &["the same words"]).await;
    }
    let query = TextQuery::parse("same").unwrap();
    let before = index.search(world.tenant(0), &query, &SearchFilter::default(), 6).await.unwrap().hits;
    assert!(before.is_sorted_by_key(|hit| hit.passage_id));
    for n in (0..20).rev() {
        put(index, world, n, &["the same words"]).await;
    }
    let after = index.search(world.tenant(0), &query, &SearchFilter::default(), 6).await.unwrap().hits;
    let ids = |hits: &[colloquy_domain::ports::search::EngineHit]| -> Vec<_> {
        hits.iter().map(|hit| hit.passage_id).collect()
    };
    assert_eq!(ids(&before), ids(&after));
}

pub async fn what_is_found_is_what_is_marked(index: Index<'_>, world: &World) {
    let texts = strings(&[
        "Straße nach Łódź, ÆTHER und Ångström; NAÏVE coöperation",
        "strasse nach lodz, aether und angstrom; naive cooperation",
        "ΤΆΞΗ και τάξη, Йод и йод",
        "We're running; runs, ran, runner. It's the dogs' generously GENERATED news",
        "１２３ Ｆｕｌｌ x² ½ ﬁnal",
        "東京都に住む 한국어를 배우다 ไปเที่ยวกัน",
        "e-mail a.b.c 3.5% C++ snake_case camelCase",
    ]);
    put(index, world, 0, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let words = texts.iter().flat_map(|text| text.split_whitespace());
    let queries = words.flat_map(|word| [word.to_owned(), format!("\"{word}\"")]);
    for query in queries.filter(|query| query.contains(char::is_alphanumeric)) {
        let parsed = TextQuery::parse(&query).unwrap();
        let marks = highlight(&parsed, &spoken(&texts));
        let marked = (0..).zip(&marks).filter(|(_, marks)| !marks.is_empty());
        let marked: Vec<(u32, u32)> = marked.map(|(ordinal, _)| (0, ordinal)).collect();
        assert!(!marked.is_empty(), "{query}");
        assert_eq!(found(index, world, &query).await, marked, "{query}");
    }
}

pub async fn odd_text_does_no_harm(index: Index<'_>, world: &World) {
    let long = "x".repeat(70_000);
    let texts = ["", "\u{0}\u{301}\u{200b}", &long, "plain\u{feff}text 🙂 AND (title:\"x\" OR *)"];
    put(index, world, 0, &texts).await;
    let tag = "t".repeat(600);
    let facets = ConversationFacets { tags: vec![tag.clone()], ..world.facets(1) };
    index.replace(world.tenant(0), 1, facets, world.passages(1, &["tagged"])).await.unwrap();
    let tagged = SearchFilter { tags: vec![tag], ..SearchFilter::default() };
    assert_eq!(find_in(index, world, world.tenant(0), "tagged", &tagged).await, [(1, 0)]);
    assert_eq!(found(index, world, "title").await, [(0, 3)]);
    for query in ["AND OR NOT", "a:b^2 [x TO y] +(\\", "\"*\" x", "🙂 🙂x", long.get(..900).unwrap()] {
        find(index, world, query).await;
        let parsed = TextQuery::parse(query).unwrap();
        highlight(&parsed, &spoken(&texts));
    }
}
