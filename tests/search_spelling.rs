//! What may have been meant where a query is misspelt.

use serde_json::{Value, json};

use crate::support::{Client, Import, eventually, tiny, world};

const TALKS: [(&str, &str, &[&str]); 2] = [
    (
        "Orchard",
        "Oona Lee: The orchard needs pruning before the autumn, and the notice period for the lease ends in March.\n\
         Ben: Then we negotiate the lease of the orchard with the village.\n",
        &["trees"],
    ),
    (
        "Harbour",
        "Mara: The harbour is full of noise; no budget for it this winter.\nBen: A bugle every morning.\n",
        &[],
    ),
];

async fn import(client: &Client) {
    for (title, text, tags) in TALKS {
        let id = client.imported(Import { title: Some(title), text, tags, ..Import::default() }).await;
        client.ready(&id).await;
    }
}

async fn ask(client: &Client, query: &str, more: &str) -> Value {
    let document = format!(
        "query($query: String!) {{ search(query: $query, {more}) {{
            didYouMean {{ query corrections {{ word correction from to }} }} }} }}"
    );
    client.data(&document, json!({ "query": query })).await["search"]["didYouMean"].clone()
}

/// A search for words is told what was meant, if not at once: who searches does not wait for it.
async fn told(client: &Client, query: &str, meant: &str) {
    eventually(&format!("{query} is told as {meant}"), async || {
        (ask(client, query, "mode: TEXT").await["query"] == meant).then_some(())
    })
    .await;
}

async fn told_nothing(client: &Client, query: &str) {
    assert_eq!(ask(client, query, "mode: TEXT").await, Value::Null, "{query}");
}

#[tokio::test]
async fn a_misspelt_query_is_told_as_it_may_have_been_meant() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    import(&client).await;

    let misspelt = "the Orchrad of \"notise period\"";
    let found = eventually("a query is corrected", async || {
        let found = ask(&client, misspelt, "mode: HYBRID").await;
        (!found.is_null()).then_some(found)
    })
    .await;
    let correction = |word: &str, correction: &str, from: u32, to: u32| json!({ "word": word, "correction": correction, "from": from, "to": to });
    assert_eq!(found["query"], "the orchard of \"notice period\"");
    let corrections = [correction("Orchrad", "orchard", 4, 11), correction("notise", "notice", 16, 22)];
    assert_eq!(found["corrections"], json!(corrections));
    assert_eq!(ask(&client, misspelt, "mode: SEMANTIC").await, Value::Null);

    // What is near stands there, and it is that which finds something: by itself "noise" is as near to "noice".
    told(&client, "\"noice period\"", "\"notice period\"").await;
    // All but the words stays as it was typed.
    for (query, meant) in [
        ("orchrad -harbuor speaker:\"Oona Lee\"", "orchard -harbuor speaker:\"Oona Lee\""),
        ("prunning OR budgte tag:trees", "pruning OR budget tag:trees"),
        ("vorchard, leese?", "orchard, lease?"),
        ("negocite", "negotiate"),
    ] {
        told(&client, query, meant).await;
        let asked = json!({ "query": meant });
        let hits =
            "query($query: String!) { search(query: $query, mode: TEXT) { edges { node { score } } } }";
        let hits = client.data(hits, asked).await["search"]["edges"].clone();
        assert_ne!(hits, json!([]), "what is told finds something: {meant}");
    }
    for as_it_is in [
        // Known, in another form, or by half of the query.
        "orchard",
        "orchards pruned",
        "negotiating",
        // Nothing is near, or it is no word.
        "xylophone",
        "b2dget 12:30 orchrad.example.com",
        "pur",
        // What is near would find nothing there.
        "orchrad tag:nowhere",
        "orchrad -orchard",
        "\"orchrad village\"",
    ] {
        told_nothing(&client, as_it_is).await;
    }
    let narrowed = "mode: TEXT, filter: { tags: [\"trees\"] }";
    assert_eq!(ask(&client, "budgte", narrowed).await, Value::Null);
}

#[tokio::test]
async fn nobody_is_told_a_word_of_anothers_and_what_has_a_synonym_is_known() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    import(&client).await;
    let person = json!({ "email": "eve@example.com", "password": "correct horse eve", "name": "Eve", "organizationName": "Eve" });
    let session =
        server.anonymous().change("signUp", "session { accessToken }", person).await["session"].clone();
    let eve = server.with(session["accessToken"].as_str().unwrap());
    let text = "Eve: Quixotry, and orchids all over.\nAdam: Quixotry once more.\n";
    let id = eve.imported(Import { title: Some("Secret"), text, ..Import::default() }).await;
    eve.ready(&id).await;

    told(&eve, "quixotrt", "quixotry").await;
    told_nothing(&client, "quixotrt").await;
    told(&client, "orchrad", "orchard").await;
    told_nothing(&eve, "orchrad").await;

    client.change("setSynonyms", "groups", json!({ "groups": [["orchrad", "fruit garden"]] })).await;
    told_nothing(&client, "orchrad").await;
    told(&client, "harbuor orchrad", "harbour orchrad").await;
}

#[tokio::test]
async fn a_slip_that_was_written_down_gives_way_to_what_stands_in_many_passages() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let slip = "Ada: The numbre is on the gate.\nBen: Which gate?\n";
    client.imported(Import { text: slip, ..Import::default() }).await;
    let talks = async |numbers: std::ops::Range<usize>| {
        for number in numbers {
            client.imported(Import { text: &tiny(number), ..Import::default() }).await;
        }
        client.idle().await;
    };
    talks(0..19).await;
    told_nothing(&client, "numbre").await;
    talks(19..20).await;
    told(&client, "numbre", "number").await;
    told_nothing(&client, "gate").await;
}
