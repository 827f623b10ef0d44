//! Pages of hits: how they follow each other, and whose cursors are taken.

use std::collections::HashSet;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Client, Import, Redis, world};

/// One conversation of so many turns, a passage each.
async fn meadow(client: &Client, turns: usize) {
    let turn = |n: usize| {
        format!("{}: In the meadow of number {n} {}\n", ["Ada", "Ben"][n % 2], "grass ".repeat(110 + n % 7))
    };
    let text: String = (0..turns).map(turn).collect();
    let id = client.imported(Import { text: &text, ..Import::default() }).await;
    client.ready(&id).await;
}

async fn page(client: &Client, arguments: &str, after: &Value) -> Value {
    let query = format!(
        "query($after: String) {{ search({arguments}, after: $after) {{ degraded
            edges {{ node {{ passage {{ id }} }} }} pageInfo {{ endCursor hasNextPage }}
            explanation {{ kept ranked engines {{ leg outcome hits tookMs }} }} }} }}"
    );
    client.data(&query, json!({ "after": after })).await["search"].clone()
}

fn ids(page: &Value) -> Vec<String> {
    let edges = page["edges"].as_array().expect("a list").iter();
    edges.map(|edge| edge["node"]["passage"]["id"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn text_is_paged_beyond_a_thousand_hits() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    meadow(&client, 1_150).await;
    let all = world.number("SELECT count(*) FROM passages").await as usize;
    assert!(all >= 1_150);
    let (mut seen, mut read, mut after) = (HashSet::new(), 0, Value::Null);
    loop {
        let page = page(&client, "query: \"meadow grass\", mode: TEXT, first: 100", &after).await;
        assert_eq!(page["explanation"]["ranked"], Value::Null);
        read += ids(&page).len();
        seen.extend(ids(&page));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        assert!(read <= all, "it goes on for ever");
    }
    assert_eq!((seen.len(), read), (all, all), "each once");
}

#[tokio::test]
async fn a_ranking_is_kept_for_its_pages_and_made_anew_where_it_is_lost_or_redis_is_away() {
    let mut world = world!();
    let mut redis = Redis::start(&[]).expect("Redis was found");
    world.set("COLLOQUY_REDIS_URL", &redis.url());
    let server = world.standalone().await;
    let client = server.owner();
    meadow(&client, 40).await;
    for arguments in [
        "query: \"meadow grass\", mode: SEMANTIC, first: 7",
        "query: \"meadow grass\", mode: HYBRID, first: 7",
        "query: \"meadow grass\", mode: TEXT, diversity: 0.5, first: 7",
    ] {
        let whole = ids(&page(&client, &arguments.replace("first: 7", "first: 100"), &Value::Null).await);
        assert_eq!(whole.len(), 40, "{arguments}");
        let (mut paged, mut after) = (Vec::new(), Value::Null);
        for round in 0.. {
            // The third page finds its ranking lost, and the fourth the one that was made instead.
            if round == 2 {
                assert_eq!(redis.ask("FLUSHALL").as_deref(), Some("+OK"));
            }
            let page = page(&client, arguments, &after).await;
            assert_eq!(page["explanation"]["kept"], ![0, 2].contains(&round), "{arguments} {round}");
            paged.extend(ids(&page));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            assert!(round < 10, "{arguments} goes on for ever");
        }
        assert_eq!(paged, whole, "{arguments}");
    }

    let arguments = "query: \"meadow grass\", mode: HYBRID, first: 15";
    let first = page(&client, arguments, &Value::Null).await;
    redis.stop();
    let second = page(&client, arguments, &first["pageInfo"]["endCursor"]).await;
    assert_eq!(second["explanation"]["kept"], false);
    assert_eq!(second["degraded"], Value::Null);
    let third = page(&client, arguments, &second["pageInfo"]["endCursor"]).await;
    let seen: HashSet<String> = [&first, &second, &third].into_iter().flat_map(ids).collect();
    assert_eq!(seen.len(), 40);
    redis.run();
}

#[tokio::test]
async fn a_cursor_is_refused_by_every_search_but_its_own() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    meadow(&client, 12).await;
    let own = "query: \"meadow grass\", mode: HYBRID, filter: { speakers: [\"Ada\", \"Ben\"] }";
    let first = page(&client, &format!("{own}, first: 3"), &Value::Null).await;
    let cursor = first["pageInfo"]["endCursor"].as_str().expect("a text").to_owned();
    assert!(!page(&client, &format!("{own}, first: 5"), &json!(cursor)).await["edges"][4].is_null());
    let others = [
        own.replace("grass", "green"),
        own.replace("HYBRID", "SEMANTIC"),
        own.replace("HYBRID", "TEXT"),
        own.replace("\"Ben\"", "\"Bo\""),
        format!("{own}, groupBy: CONVERSATION"),
        format!("{own}, collapseDuplicates: true"),
        format!("{own}, diversity: 0.1"),
    ];
    let refused = async |client: &Client, arguments: &str, after: &str| {
        let query = format!("{{ search({arguments}, after: \"{after}\") {{ edges {{ cursor }} }} }}");
        client.ask(&query, json!({})).await.code().to_owned()
    };
    for other in &others {
        assert_eq!(refused(&client, other, &cursor).await, "CURSOR_OF_ANOTHER_QUERY", "{other}");
    }
    for strange in ["5", "AQ", &cursor[1..], &cursor[..20], &"A".repeat(5_000)] {
        assert_eq!(refused(&client, own, strange).await, "BAD_USER_INPUT", "{strange:.20}");
    }
    let account = json!({ "email": "eve@example.com", "password": "correct horse eve", "name": "Eve",
        "organizationName": "Eve" });
    let payload = server.anonymous().change("signUp", "session { accessToken }", account).await;
    let stranger = server.with(payload["session"]["accessToken"].as_str().expect("a text"));
    assert_eq!(refused(&stranger, own, &cursor).await, "CURSOR_OF_ANOTHER_QUERY");
    for (arguments, code) in [
        ("query: \"meadow\", diversity: 1.5", "DIVERSITY_OUT_OF_RANGE"),
        ("query: \"meadow\", diversity: -0.1", "DIVERSITY_OUT_OF_RANGE"),
        ("query: \"meadow\", first: 101", "BAD_USER_INPUT"),
        ("query: \"meadow\", first: 0", "PAGE_OUT_OF_RANGE"),
    ] {
        let answer =
            client.ask(&format!("{{ search({arguments}) {{ edges {{ cursor }} }} }}"), json!({})).await;
        assert_eq!(answer.code(), code, "{arguments}");
    }
}

#[tokio::test]
async fn hybrid_does_not_wait_longer_than_its_deadline_for_an_engine() {
    let mut world = world!();
    let mut server = world.standalone().await;
    let text = "Mara: The keeper painted the harbour wall green,\nMara: beyond the meadow.\n";
    let id = server.owner().imported(Import { text, ..Import::default() }).await;
    server.owner().ready(&id).await;
    server.process.signal(Signal::SIGTERM);
    server.process.ended().await;
    // From now on words are on a server that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("it is there");
    world.set("COLLOQUY_ELASTICSEARCH_URL", &format!("http://{}", silent.local_addr().expect("it is there")));
    world.set("COLLOQUY_SEARCH_HYBRID_DEADLINE_MS", "400");
    let server = world.standalone().await;
    let client = server.owner();
    let begun = std::time::Instant::now();
    let found = page(&client, "query: \"harbour wall\"", &Value::Null).await;
    let took = begun.elapsed().as_millis();
    assert!((400..2_000).contains(&took), "{took} ms");
    assert_eq!(ids(&found).len(), 1);
    assert!(found["degraded"].as_str().is_some_and(|lacks| lacks.contains("the text engine")), "{found:#?}");
    let engines = found["explanation"]["engines"].as_array().expect("a list");
    let outcomes: Vec<_> = engines.iter().map(|of| (of["leg"].as_str(), of["outcome"].as_str())).collect();
    assert_eq!(outcomes, [(Some("TEXT"), Some("LATE")), (Some("SEMANTIC"), Some("ANSWERED"))]);
    let facets = "{ search(query: \"harbour\") { edges { cursor }
        facets { matching degraded kinds { value } tags { value } histogram { interval } } } }";
    let facets = client.data(facets, json!({})).await["search"]["facets"].clone();
    assert!(facets["degraded"].as_str().is_some_and(|why| why.contains("no counts")), "{facets:#?}");
    assert_eq!((&facets["matching"], &facets["kinds"]), (&json!(0), &json!([])));
}
