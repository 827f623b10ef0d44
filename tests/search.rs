//! What is found, how, and what is no longer found.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Client, Import, Server, World, children_of, eventually, sample, tiny, world};

const MODES: [&str; 3] = ["TEXT", "SEMANTIC", "HYBRID"];

/// Three talks; "meadow" is in each of them.
async fn talks(client: &Client) {
    let talks = [
        (
            "Harbour",
            "COACHING",
            Some("2026-01-10T09:00:00Z"),
            &["Boats"][..],
            "Mara: The keeper painted the harbour wall green, beyond the meadow.\nTobias: A wall by the harbour, who would have thought.\n",
        ),
        (
            "Garden",
            "MEETING",
            Some("2026-03-10T09:00:00Z"),
            &["plants", "boats"],
            "Hana: We water the tomatoes before the harbour opens.\nLuis: And the meadow is mown on Monday.\n",
        ),
        (
            "Kitchen",
            "INTERVIEW",
            None,
            &[],
            "Priya: The oven was cold, so the bread stayed flat.\nTobias: Then I walked across the meadow instead.\n",
        ),
    ];
    for (title, kind, occurred_at, tags, text) in talks {
        let import =
            Import { title: Some(title), kind: Some(kind), occurred_at, tags, text, ..Import::default() };
        let id = client.imported(import).await;
        client.ready(&id).await;
    }
}

fn sorted(mut titles: Vec<String>) -> Vec<String> {
    titles.sort();
    titles
}

#[tokio::test]
async fn words_are_found_in_all_three_modes_and_the_hit_says_why() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    talks(&client).await;
    for mode in MODES {
        let hits = client.search(&format!("query: \"cold oven, flat bread\", mode: {mode}")).await;
        let best = &hits[0];
        assert_eq!(best["conversation"]["title"], "Kitchen", "{mode}");
        assert_eq!(!best["textMatch"].is_null(), mode != "SEMANTIC", "{mode}: {best:#?}");
        assert_eq!(!best["semanticMatch"].is_null(), mode != "TEXT", "{mode}: {best:#?}");
        let place = if mode == "SEMANTIC" { &best["semanticMatch"] } else { &best["textMatch"] };
        assert_eq!(place["rank"], 1);
        assert_eq!(best["passage"]["embeddingModel"].as_str().map(str::is_empty), Some(false));
        assert_eq!(best["passage"]["speakers"], json!(["Priya", "Tobias"]));
        let text = best["passage"]["text"].as_str().unwrap();
        for hit in &hits {
            let fragments = hit["fragments"].as_array().unwrap();
            let joined: String = fragments.iter().map(|piece| piece["text"].as_str().unwrap()).collect();
            assert_eq!(joined, hit["passage"]["text"].as_str().unwrap(), "fragments join to the text");
        }
        let marked: Vec<_> =
            best["fragments"].as_array().unwrap().iter().filter(|piece| piece["isMatch"] == true).collect();
        assert!(marked.iter().any(|piece| piece["text"] == "oven"), "{mode}: {marked:?}");
        let segments: Vec<_> =
            best["segments"].as_array().unwrap().iter().map(|of| of["text"].as_str().unwrap()).collect();
        assert_eq!(segments.join("\n"), text, "the segments are the passage's");
        let scores: Vec<f64> = hits.iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b), "best first: {scores:?}");
    }
    assert_eq!(client.titles("query: \"painting\", mode: TEXT").await, ["Harbour"], "any form of a word");
}

#[tokio::test]
async fn quotes_must_stand_there_and_a_minus_must_not() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    talks(&client).await;
    for mode in MODES {
        let find = async |query: &str| {
            let query = serde_json::to_string(query).unwrap();
            sorted(client.titles(&format!("query: {query}, mode: {mode}")).await)
        };
        assert_eq!(find("\"harbour wall\"").await, ["Harbour"], "{mode}");
        assert_eq!(find("\"wall harbour\"").await, [""; 0], "{mode}: the order counts");
        assert_eq!(find("\"harbour opens\" \"mown on Monday\"").await, ["Garden"], "{mode}");
        assert_eq!(find("meadow -tomatoes -\"so the cold bread\"").await, ["Harbour", "Kitchen"], "{mode}");
        assert_eq!(find("meadow -tomatoes -\"flat\"").await, ["Harbour"], "{mode}");
        assert_eq!(find("\"unheard-of words\"").await, [""; 0], "{mode}");
        assert_eq!(find("meadow tomatoes OR \"bread stayed\"").await, ["Garden", "Kitchen"], "{mode}");
        assert_eq!(find("unheard OR \"harbour wall\" -tomatoes").await, ["Harbour"], "{mode}");
    }
    for (query, code) in
        [("-only", "EMPTY_QUERY"), ("  ", "EMPTY_QUERY"), (&*"x".repeat(1_001), "QUERY_TOO_LONG")]
    {
        let answer = client
            .ask("query($q: String!) { search(query: $q) { edges { cursor } } }", json!({ "q": query }))
            .await;
        assert_eq!(answer.code(), code, "{query:.10}");
    }
    for arguments in ["first: 0", "first: 101", "after: \"x\"", "after: \"5000\""] {
        let query = format!("{{ search(query: \"meadow\", {arguments}) {{ edges {{ cursor }} }} }}");
        let answer = client.ask(&query, json!({})).await;
        assert!(["BAD_USER_INPUT", "PAGE_OUT_OF_RANGE"].contains(&answer.code()), "{arguments}: {answer:#?}");
    }
}

#[tokio::test]
async fn filters_narrow_each_for_itself_and_together() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    talks(&client).await;
    let ids = client.data("{ conversations { edges { node { id title } } } }", json!({})).await;
    let id = ids["conversations"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .find(|edge| edge["node"]["title"] == "Garden");
    let id = id.unwrap()["node"]["id"].clone();
    let cases: [(String, &[&str]); 14] = [
        ("{}".into(), &["Garden", "Harbour", "Kitchen"]),
        ("{ kinds: [COACHING] }".into(), &["Harbour"]),
        ("{ kinds: [COACHING, INTERVIEW] }".into(), &["Harbour", "Kitchen"]),
        ("{ tags: [\"boats\"] }".into(), &["Garden", "Harbour"]),
        ("{ tags: [\"PLANTS\", \"none\"] }".into(), &["Garden"]),
        ("{ speakers: [\"tobias\"] }".into(), &["Harbour", "Kitchen"]),
        ("{ occurredFrom: \"2026-01-10T09:00:00Z\" }".into(), &["Garden", "Harbour"]),
        ("{ occurredFrom: \"2026-01-10T09:00:01Z\" }".into(), &["Garden"]),
        ("{ occurredBefore: \"2026-03-10T09:00:00Z\" }".into(), &["Harbour"]),
        (format!("{{ conversationIds: [{id}] }}"), &["Garden"]),
        ("{ tags: [\"boats\"], kinds: [MEETING] }".into(), &["Garden"]),
        (
            "{ tags: [\"boats\"], speakers: [\"Tobias\"], occurredFrom: \"2026-01-01T00:00:00Z\" }".into(),
            &["Harbour"],
        ),
        ("{ tags: [\"plants\"], speakers: [\"Tobias\"] }".into(), &[]),
        ("{ kinds: [ADVICE] }".into(), &[]),
    ];
    for mode in MODES {
        for (filter, expected) in &cases {
            let found = client.titles(&format!("query: \"meadow\", mode: {mode}, filter: {filter}")).await;
            assert_eq!(sorted(found), *expected, "{mode} {filter}");
        }
    }
}

#[tokio::test]
async fn fields_in_the_query_narrow_as_filters_do_and_together_with_them() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    talks(&client).await;
    let cases: [(&str, &str, &[&str]); 8] = [
        ("meadow tag:boats", "{}", &["Garden", "Harbour"]),
        ("tag:boats meadow kind:meeting", "{}", &["Garden"]),
        ("meadow speaker:\"tobias\" after:2026-01-01", "{}", &["Harbour"]),
        ("meadow before:2026-03-10", "{}", &["Harbour"]),
        ("meadow kind:coaching kind:interview", "{}", &["Harbour", "Kitchen"]),
        ("meadow kind:coaching kind:interview", "{ kinds: [INTERVIEW, MEETING] }", &["Kitchen"]),
        ("meadow tag:boats", "{ tags: [\"plants\"] }", &[]),
        ("meadow after:2026-02-01", "{ occurredFrom: \"2026-01-01T00:00:00Z\" }", &["Garden"]),
    ];
    for mode in MODES {
        for (query, filter, expected) in cases {
            let text = serde_json::to_string(query).unwrap();
            let found = client.titles(&format!("query: {text}, mode: {mode}, filter: {filter}")).await;
            assert_eq!(sorted(found), expected, "{mode} {query} {filter}");
        }
    }
    let query = "query($q: String!) { search(query: $q) { edges { cursor } } }";
    for (text, code, character) in [
        ("meadow after:soon", "INVALID_FIELD", 14),
        ("meadow lang:german", "INVALID_FIELD", 13),
        ("meadow OR", "MISPLACED_OR", 8),
        ("meadow -kind:meeting", "FIELD_NOT_NEGATABLE", 8),
    ] {
        let answer = client.ask(query, json!({ "q": text })).await;
        let error = &answer.body["errors"][0];
        assert_eq!(error["extensions"]["code"], code, "{text}: {error}");
        assert_eq!(error["extensions"]["character"], character, "{text}: {error}");
        assert!(error["message"].as_str().unwrap().ends_with(&format!("(character {character})")), "{error}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat_and_neighbours_are_the_turns_around() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let turn = |n: usize| {
        format!("{}: In the meadow of number {n} {}\n", ["Ada", "Ben"][n % 2], "grass ".repeat(30 + n % 7))
    };
    let text: String = (0..120).map(turn).collect();
    let id = client.imported(Import { text: &text, ..Import::default() }).await;
    client.ready(&id).await;
    for mode in MODES {
        let whole = client.search(&format!("query: \"meadow grass\", mode: {mode}, first: 100")).await;
        let whole: Vec<Value> = whole.into_iter().map(|hit| hit["passage"]["id"].clone()).collect();
        assert!(whole.len() > 20, "{mode}: {}", whole.len());
        let (mut paged, mut after) = (Vec::new(), Value::Null);
        loop {
            let query = format!(
                "query($after: String) {{ search(query: \"meadow grass\", mode: {mode}, first: 7, after: $after) {{
                    edges {{ node {{ passage {{ id }} }} }} pageInfo {{ endCursor hasNextPage }} }} }}"
            );
            let page = client.data(&query, json!({ "after": after })).await["search"].clone();
            paged.extend(
                page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["passage"]["id"].clone()),
            );
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            assert!(paged.len() <= whole.len(), "{mode} goes on for ever");
        }
        assert_eq!(paged, whole, "{mode}");
    }

    let query = "{ search(query: \"\\\"number 60\\\"\", mode: TEXT) { edges { node { plain: segments { sequence } around: segments(neighbours: 3) { sequence text } } } } }";
    let hit = client.data(query, json!({})).await["search"]["edges"][0]["node"].clone();
    let sequences = |of: &Value| -> Vec<i64> {
        of.as_array().unwrap().iter().map(|segment| segment["sequence"].as_i64().unwrap()).collect()
    };
    let (plain, around) = (sequences(&hit["plain"]), sequences(&hit["around"]));
    assert!(plain.contains(&60));
    let (first, last) = (plain[0], plain[plain.len() - 1]);
    assert_eq!(around, (first - 3..=last + 3).collect::<Vec<_>>());
    let too_far = client
        .ask(
            "{ search(query: \"meadow\") { edges { node { segments(neighbours: 11) { sequence } } } } }",
            json!({}),
        )
        .await;
    assert_eq!(too_far.body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_change_of_tags_kind_or_time_is_seen_by_filters() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    talks(&client).await;
    let hits = client.search("query: \"oven\", mode: TEXT").await;
    let id = hits[0]["conversation"]["id"].clone();
    let found = async |mode: &str, filter: &str| {
        let titles = client.titles(&format!("query: \"meadow\", mode: {mode}, filter: {filter}")).await;
        titles.iter().any(|title| title == "Kitchen")
    };
    client.change("tagConversation", "", json!({ "id": id, "tags": ["bakery"] })).await;
    let update = json!({ "id": id, "kind": "ADVICE", "occurredAt": "2026-05-01T00:00:00Z" });
    client.change("updateConversation", "", update).await;
    let filters =
        ["{ tags: [\"bakery\"] }", "{ kinds: [ADVICE] }", "{ occurredFrom: \"2026-05-01T00:00:00Z\" }"];
    for mode in MODES {
        for filter in filters {
            eventually("a filter sees the change", async || found(mode, filter).await.then_some(())).await;
        }
    }
    // What no longer holds is gone at once: PostgreSQL has the last word.
    client.change("untagConversation", "", json!({ "id": id, "tags": ["bakery"] })).await;
    client
        .change("updateConversation", "", json!({ "id": id, "kind": "INTERVIEW", "occurredAt": null }))
        .await;
    for mode in MODES {
        for filter in filters {
            assert!(!found(mode, filter).await, "{mode} {filter}");
        }
    }
}

#[tokio::test]
async fn text_of_an_earlier_revision_is_never_a_hit_though_the_index_holds_it_still() {
    let world = world!();
    let mut server = world.standalone().await;
    let client = server.owner();
    talks(&client).await;
    client.idle().await;
    // What a new revision leaves in PostgreSQL until its index jobs have run: another text is another passage.
    let revised = "WITH revised AS (UPDATE conversations SET revision = 2, version = version + 1
            WHERE title = 'Kitchen' RETURNING id, organization_id),
        made AS (INSERT INTO revisions (conversation_id, number, organization_id, reason, created_at)
            SELECT id, 2, organization_id, 'EDITED', now() FROM revised)
        UPDATE passages SET revision = 2, id = gen_random_uuid(), text_hash = '\\x00',
            text = 'The dough was warm, beyond the meadow.' FROM revised WHERE conversation_id = revised.id";
    assert_eq!(world.sql().await.execute(revised, &[]).await.unwrap(), 1);
    for mode in MODES {
        let found = client.titles(&format!("query: \"meadow oven, flat bread\", mode: {mode}")).await;
        assert_eq!(sorted(found), ["Garden", "Harbour"], "{mode}");
    }

    server.process.signal(Signal::SIGTERM);
    server.process.ended().await;
    fs::remove_dir_all(world.data().join("index")).unwrap();
    server = world.standalone().await;
    for mode in MODES {
        eventually("the new text is found", async || {
            let hits = server.owner().search(&format!("query: \"warm dough\", mode: {mode}")).await;
            hits.iter().any(|hit| hit["conversation"]["title"] == "Kitchen").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_deleted_conversation_is_gone_at_once_and_for_good() {
    let world = world!();
    let mut server = world.standalone().await;
    let client = server.owner();
    talks(&client).await;
    let hits = client.search("query: \"oven\", mode: TEXT").await;
    client.change("deleteConversation", "", json!({ "id": hits[0]["conversation"]["id"] })).await;
    let others = ["Garden", "Harbour"];
    for mode in MODES {
        assert_eq!(
            sorted(client.titles(&format!("query: \"meadow oven\", mode: {mode}")).await),
            others,
            "{mode}"
        );
    }
    client.idle().await;
    restart(&world, &mut server, Signal::SIGTERM).await;
    for mode in MODES {
        let titles = server.owner().titles(&format!("query: \"meadow oven\", mode: {mode}")).await;
        assert_eq!(sorted(titles), others, "{mode}");
    }
}

async fn restart(world: &World, server: &mut Server, signal: Signal) {
    server.process.signal(signal);
    server.process.ended().await;
    assert_eq!(children_of(server.process.pid()), [0; 0]);
    *server = world.standalone().await;
}

#[tokio::test]
async fn a_restart_keeps_the_index_and_a_lost_or_damaged_one_is_built_again_without_embedding() {
    let world = world!();
    let mut server = world.standalone().await;
    talks(&server.owner()).await;
    server.owner().idle().await;
    let vectors = world.number("SELECT count(*) FROM vectors").await;
    assert_eq!(vectors, 3);
    let jobs = world.number("SELECT count(*) FROM jobs").await;
    let all_there = async |server: &Server| {
        for mode in MODES {
            let query = format!("query: \"meadow\", mode: {mode}");
            eventually("everything is found", async || {
                (server.owner().search(&query).await.len() == 3).then_some(())
            })
            .await;
        }
    };

    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        restart(&world, &mut server, signal).await;
        all_there(&server).await;
        assert_eq!(world.number("SELECT count(*) FROM jobs").await, jobs, "{signal}: nothing is built again");
    }

    type Harm = fn(&std::path::Path);
    let harms: [(&str, Harm); 4] = [
        ("lost", |index| fs::remove_dir_all(index).unwrap()),
        ("truncated", |index| {
            each_file(index, |file| fs::File::options().write(true).open(file).unwrap().set_len(100).unwrap())
        }),
        ("scribbled on", |index| each_file(index, |file| fs::write(file, b"rubbish".repeat(50)).unwrap())),
        ("half lost", |index| {
            let folder = fs::read_dir(index).unwrap().flatten().find(|entry| entry.path().is_dir());
            fs::remove_dir_all(folder.expect("a folder of an engine").path()).unwrap();
        }),
    ];
    for (harm, harms) in harms {
        server.process.signal(Signal::SIGTERM);
        server.process.ended().await;
        harms(&world.data().join("index"));
        server = world.standalone().await;
        all_there(&server).await;
        server.owner().idle().await;
        assert_eq!(world.number("SELECT count(*) FROM vectors").await, vectors, "{harm}");
        assert_eq!(
            server.metric("colloquy_passages_embedded_total", &[]).await,
            0.0,
            "{harm}: no text is embedded anew"
        );
    }
}

fn each_file(folder: &std::path::Path, harm: impl Fn(&std::path::Path) + Copy) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() { each_file(&path, harm) } else { harm(&path) }
    }
}

#[tokio::test]
async fn a_kill_in_the_middle_of_indexing_loses_nothing() {
    let mut world = world!();
    world.set("COLLOQUY_WORKER_LEASE_MS", "2000");
    let mut server = world.standalone().await;
    for number in 0..60 {
        server.owner().imported(Import { text: &tiny(number), ..Import::default() }).await;
    }
    server.process.kill();
    let unfinished = world.number("SELECT count(*) FROM jobs WHERE state <> 'DONE'").await;
    assert!(unfinished > 0, "it was killed too late to tell anything");
    server = world.standalone().await;
    let client = server.owner();
    client.idle().await;
    for mode in ["TEXT", "SEMANTIC"] {
        assert_eq!(
            client.search(&format!("query: \"talk number\", mode: {mode}, first: 100")).await.len(),
            60,
            "{mode}"
        );
    }
    assert_eq!(world.number("SELECT count(*) FROM jobs WHERE state <> 'DONE'").await, 0);
}

#[tokio::test]
async fn an_api_without_engines_says_that_it_cannot_search() {
    let world = world!();
    let standalone = world.standalone().await;
    talks(&standalone.owner()).await;
    let api = world.api().await;
    let client = api.with(&standalone.token);
    for mode in MODES {
        let answer = client
            .ask(
                &format!("{{ search(query: \"meadow\", mode: {mode}) {{ edges {{ cursor }} }} }}"),
                json!({}),
            )
            .await;
        assert_eq!(answer.code(), "UNAVAILABLE", "{mode}");
        assert_eq!(answer.body["errors"][0]["extensions"]["retryable"], true);
    }
    assert!(api.process.log().contains("UNAVAILABLE"), "it warns at the start");
}

#[tokio::test]
async fn without_a_model_words_are_found_and_hybrid_says_what_it_lacks() {
    let mut world = world!();
    world.set("COLLOQUY_EMBEDDING_MODEL", "none");
    let server = world.standalone().await;
    let client = server.owner();
    let id = client.imported(Import { text: &sample("career-advice.txt"), ..Import::default() }).await;
    eventually("it is found by word", async || {
        (!client.search("query: \"permutation\", mode: TEXT").await.is_empty()).then_some(())
    })
    .await;
    let hybrid = client
        .data(
            "{ search(query: \"permutation\") { degraded edges { node { conversation { id } } } } }",
            json!({}),
        )
        .await;
    assert!(
        hybrid["search"]["degraded"].as_str().is_some_and(|lacks| lacks.contains("semantic")),
        "{hybrid:#?}"
    );
    assert_eq!(hybrid["search"]["edges"][0]["node"]["conversation"]["id"], id.as_str());
    let semantic = client
        .ask("{ search(query: \"permutation\", mode: SEMANTIC) { edges { cursor } } }", json!({}))
        .await;
    assert_eq!(semantic.code(), "UNAVAILABLE");
}
