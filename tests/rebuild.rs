//! Search indexes are built anew beside the live ones: while they are searched, written to, killed and cancelled.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Client, Import, Server, World, eventually, tiny, world};

const BATCH: &str = "id kind state everywhere total fed done failed skipped cancelled reason
    plan { conversations impossible { reason conversations } }";
const INDEX: &str = "live building buildingBatchId previous";
/// Conversations a minute: slow enough for a test to do something in the middle.
const PACE: u32 = 900;

async fn import(client: &Client, numbers: std::ops::Range<usize>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in numbers {
        let title = format!("Talk {number}");
        let talk = Import { text: &tiny(number), title: Some(&title), ..Import::default() };
        ids.push(client.imported(talk).await);
    }
    client.idle().await;
    ids
}

async fn plan(client: &Client, input: Value) -> Value {
    client.change("planBatch", &format!("batch {{ {BATCH} }}"), input).await["batch"].clone()
}

async fn start(client: &Client, planned: &Value, per_minute: Option<u32>) -> Value {
    let input = json!({ "batchId": planned["id"], "perMinute": per_minute });
    client.change("startBatch", &format!("batch {{ {BATCH} }}"), input).await["batch"].clone()
}

/// Planned and started.
async fn begin(client: &Client, kind: &str, per_minute: Option<u32>) -> Value {
    let planned = plan(client, json!({ "kind": kind, "everywhere": true })).await;
    assert_eq!(planned["plan"]["impossible"], json!([]), "{planned:#?}");
    start(client, &planned, per_minute).await
}

async fn batch(client: &Client, id: &Value) -> Value {
    let query = format!("query($id: ID!) {{ batch(id: $id) {{ {BATCH} }} }}");
    client.data(&query, json!({ "id": id })).await["batch"].clone()
}

async fn until(client: &Client, batch_of: &Value, state: &str) -> Value {
    eventually(&format!("a rebuild is {state}"), async || {
        let batch = batch(client, &batch_of["id"]).await;
        let over = ["DONE", "CANCELLED", "STOPPED"].contains(&batch["state"].as_str().expect("a state"));
        assert!(!over || batch["state"] == state, "{batch:#?}");
        (batch["state"] == state).then_some(batch)
    })
    .await
}

async fn done(client: &Client, batch_of: &Value, at_least: u64) {
    eventually("a part of a rebuild is done", async || {
        (batch(client, &batch_of["id"]).await["done"].as_u64() >= Some(at_least)).then_some(())
    })
    .await;
}

async fn index(client: &Client) -> Value {
    client.data(&format!("{{ searchIndex {{ {INDEX} }} }}"), json!({})).await["searchIndex"].clone()
}

async fn standing(client: &Client, live: i64, building: Option<i64>, previous: Option<i64>) {
    let found = index(client).await;
    let found = (&found["live"], &found["building"], &found["previous"]);
    assert_eq!(found, (&json!(live), &json!(building), &json!(previous)));
}

/// Titles by word and by meaning, which must be the same conversations.
async fn found(client: &Client, query: &str) -> Vec<String> {
    let mut by = Vec::new();
    for mode in ["TEXT", "SEMANTIC"] {
        let mut titles = client.titles(&format!("query: \"{query}\", mode: {mode}, first: 100")).await;
        titles.sort();
        by.push(titles);
    }
    assert_eq!(by[0], by[1], "by word and by meaning");
    by.remove(0)
}

fn titles(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    let mut titles: Vec<_> = numbers.into_iter().map(|number| format!("Talk {number}")).collect();
    titles.sort();
    titles
}

fn has_folder(world: &World, number: i64) -> bool {
    world.data().join("index").join(number.to_string()).is_dir()
}

async fn folder_goes(world: &World, number: i64) {
    eventually("the folder of a generation goes", async || (!has_folder(world, number)).then_some(())).await;
}

/// Somebody who searches all the time; how often is told in the end.
struct Searcher {
    stop: Arc<AtomicBool>,
    searches: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Searcher {
    fn begin(client: &Client) -> Self {
        let (stop, searches) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (client, stopped, counted) = (client.clone(), stop.clone(), searches.clone());
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                for mode in ["TEXT", "SEMANTIC", "HYBRID"] {
                    let query = format!(
                        "{{ search(query: \"notes talk\", mode: {mode}, first: 50) {{ degraded edges {{ node {{ score }} }} }} }}"
                    );
                    let data = client.data(&query, json!({})).await;
                    let hits = data["search"]["edges"].as_array().expect("a list").len();
                    assert!(hits >= 30 && data["search"]["degraded"].is_null(), "{mode}: {data:#?}");
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { stop, searches, task }
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("no search failed");
        self.searches.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_disturbs_no_search_takes_in_what_changes_meanwhile_and_leaves_a_way_back() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let ids = import(&client, 0..60).await;
    standing(&client, 1, None, None).await;
    let searcher = Searcher::begin(&client);

    let rebuild = begin(&client, "REINDEX", Some(PACE)).await;
    assert_eq!((&rebuild["everywhere"], &rebuild["plan"]["conversations"]), (&json!(true), &json!(60)));
    standing(&client, 1, Some(2), None).await;
    assert_eq!(index(&client).await["buildingBatchId"], rebuild["id"]);
    assert_eq!(start(&client, &rebuild, None).await["id"], rebuild["id"], "started twice it is the same");
    let other = plan(&client, json!({ "kind": "REEMBED", "everywhere": true })).await;
    assert_eq!(client.refused("startBatch", json!({ "batchId": other["id"] })).await, "REBUILD_RUNNING");
    assert_eq!(batch(&client, &other["id"]).await["state"], "PLANNED", "and may be started later");

    done(&client, &rebuild, 10).await;
    // Of what is written already one goes and one is sorted anew; something comes in.
    client.change("deleteConversation", "", json!({ "id": ids[0] })).await;
    client.change("tagConversation", "", json!({ "id": ids[1], "tags": ["kept"] })).await;
    client.change("tagConversation", "", json!({ "id": ids[59], "tags": ["kept"] })).await;
    import(&client, 60..61).await;
    let expected = titles(1..61);
    assert_eq!(found(&client, "notes talk").await, expected);
    let before = batch(&client, &rebuild["id"]).await;
    assert_eq!(before["state"], "RUNNING", "all that was in the middle: {before:#?}");

    let ended = until(&client, &rebuild, "DONE").await;
    let all = ended["done"].as_u64().unwrap() + ended["skipped"].as_u64().unwrap();
    assert!(ended["failed"] == 0 && (60..=61).contains(&all), "{ended:#?}");
    standing(&client, 2, None, Some(1)).await;
    assert!(has_folder(&world, 1) && has_folder(&world, 2));
    assert_eq!(found(&client, "notes talk").await, expected);
    let tagged = client.titles("query: \"talk\", mode: TEXT, filter: { tags: [\"kept\"] }").await;
    assert_eq!(tagged.len(), 2, "{tagged:?}");
    import(&client, 61..62).await;
    let expected = titles(1..62);
    assert_eq!(found(&client, "notes talk").await, expected);

    // Back, and what came in after the switch is there, too.
    let back = |number: i64| json!({ "toGeneration": number });
    assert_eq!(client.refused("rollBackSearchIndex", back(7)).await, "NO_SUCH_GENERATION");
    let select = format!("searchIndex {{ {INDEX} }}");
    for _twice in 0..2 {
        let payload = client.change("rollBackSearchIndex", &select, back(1)).await;
        assert_eq!(
            (&payload["searchIndex"]["live"], &payload["searchIndex"]["previous"]),
            (&json!(1), &json!(2))
        );
        assert_eq!(found(&client, "notes talk").await, expected);
    }
    let query =
        "{ auditLog(filter: { actions: [\"searchIndex.rollBack\"] }) { edges { node { outcome detail } } } }";
    let told = client.data(query, json!({})).await["auditLog"]["edges"].as_array().expect("a list").clone();
    let told: Vec<_> = told.iter().map(|entry| &entry["node"]).collect();
    assert_eq!(
        told,
        [
            &json!({ "outcome": "DONE", "detail": { "toGeneration": 1, "changed": false } }),
            &json!({ "outcome": "DONE", "detail": { "toGeneration": 1, "changed": true } }),
            &json!({ "outcome": "REFUSED", "detail": { "toGeneration": 7, "code": "NO_SUCH_GENERATION" } }),
        ]
    );
    let searches = searcher.end().await;
    assert!(searches > 30, "{searches} searches");

    // It survives a restart, and the next rebuild leaves one way back.
    let mut server = server;
    server.process.signal(Signal::SIGTERM);
    assert!(server.process.ended().await.success());
    let server = world.standalone().await;
    let client = server.owner();
    standing(&client, 1, None, Some(2)).await;
    assert_eq!(found(&client, "notes talk").await, expected);
    let rebuild = begin(&client, "REINDEX", None).await;
    until(&client, &rebuild, "DONE").await;
    standing(&client, 3, None, Some(1)).await;
    assert_eq!(found(&client, "notes talk").await, expected);
    folder_goes(&world, 2).await;
    let told = world.run(&["doctor", "--json"]).await.json();
    let checks = told[0].as_array().expect("a list");
    let check = checks.iter().find(|check| check["name"] == "search index").expect("a check");
    let detail = check["detail"].as_str().expect("a text");
    assert!(detail.starts_with("generation 3,") && detail.contains("generation 1 is kept"), "{detail}");
}

#[tokio::test]
async fn a_rebuild_goes_on_after_a_kill_and_is_whole() {
    let mut world = world!();
    world.set("COLLOQUY_WORKER_LEASE_MS", "1500");
    world.set("COLLOQUY_STEWARD_DISPATCH_DEADLINE_MS", "1000");
    let mut server = world.standalone().await;
    let client = server.owner();
    import(&client, 0..50).await;
    let rebuild = begin(&client, "REINDEX", Some(PACE)).await;
    for part in [10, 25] {
        done(&client_of(&server), &rebuild, part).await;
        server.process.kill();
        server = world.standalone().await;
        standing(&client_of(&server), 1, Some(2), None).await;
    }
    let client = client_of(&server);
    import(&client, 50..51).await;
    let ended = until(&client, &rebuild, "DONE").await;
    assert_eq!((&ended["failed"], &ended["cancelled"]), (&json!(0), &json!(0)), "{ended:#?}");
    standing(&client, 2, None, Some(1)).await;
    assert_eq!(found(&client, "notes talk").await, titles(0..51));
    // Killed after the switch it opens what it has switched to.
    server.process.kill();
    let server = world.standalone().await;
    standing(&server.owner(), 2, None, Some(1)).await;
    assert_eq!(found(&server.owner(), "notes talk").await, titles(0..51));
}

fn client_of(server: &Server) -> Client {
    server.owner()
}

#[tokio::test]
async fn what_was_built_goes_when_its_batch_is_cancelled_or_does_not_hold() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    import(&client, 0..40).await;
    let rebuild = begin(&client, "REINDEX", Some(PACE)).await;
    done(&client, &rebuild, 5).await;
    assert!(has_folder(&world, 2));
    client.change("cancelBatch", "", json!({ "batchId": rebuild["id"] })).await;
    let cancelled = until(&client, &rebuild, "CANCELLED").await;
    assert!(cancelled["done"].as_u64() < Some(40), "{cancelled:#?}");
    standing(&client, 1, None, None).await;
    folder_goes(&world, 2).await;
    assert_eq!(found(&client, "notes talk").await, titles(0..40));

    // A change that no job brings to the indexes: what is built is not what PostgreSQL has.
    let rebuild = begin(&client, "REINDEX", Some(PACE)).await;
    standing(&client, 1, Some(3), None).await;
    done(&client, &rebuild, 5).await;
    let first = "(SELECT id FROM conversations ORDER BY id LIMIT 1)";
    let sql = world.sql().await;
    sql.batch_execute(&format!("UPDATE conversations SET version = version + 1 WHERE id = {first}"))
        .await
        .expect("an update");
    let dropped = until(&client, &rebuild, "CANCELLED").await;
    let reason = dropped["reason"].as_str().expect("a reason");
    assert!(reason.contains("generation 3") && reason.contains("it lacks 1 of 40"), "{reason}");
    standing(&client, 1, None, None).await;
    folder_goes(&world, 3).await;
    assert_eq!(found(&client, "notes talk").await, titles(0..40));

    // The next one reads it as it is.
    let rebuild = begin(&client, "REINDEX", None).await;
    until(&client, &rebuild, "DONE").await;
    standing(&client, 4, None, Some(1)).await;
    assert_eq!(found(&client, "notes talk").await, titles(0..40));
}

/// So that what fails for good does so soon.
fn give_up_soon(world: &mut World, kind: &str) {
    for (setting, value) in [("ATTEMPTS", "2"), ("BACKOFF_FIRST_MS", "10"), ("BACKOFF_LONGEST_MS", "20")] {
        world.set(&format!("COLLOQUY_JOBS_KINDS_{kind}_{setting}"), value);
    }
}

#[tokio::test]
async fn a_rebuild_whose_check_dies_is_cancelled_says_why_and_drops_what_it_built() {
    let mut world = world!();
    give_up_soon(&mut world, "SWITCH_GENERATION");
    let server = world.standalone().await;
    let client = server.owner();
    import(&client, 0..5).await;
    let sql = world.sql().await;
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no switch today'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON search_generation FOR EACH ROW
            WHEN (NEW.switched_batch IS DISTINCT FROM OLD.switched_batch) EXECUTE FUNCTION refuse()";
    sql.batch_execute(refuse).await.expect("a trigger");
    let rebuild = begin(&client, "REINDEX", None).await;
    let ended = until(&client, &rebuild, "CANCELLED").await;
    let reason = ended["reason"].as_str().expect("a reason");
    assert!(reason.contains("died after 2 attempts") && reason.contains("no switch today"), "{reason}");
    assert_eq!((&ended["done"], &ended["failed"]), (&json!(5), &json!(0)));
    standing(&client, 1, None, None).await;
    folder_goes(&world, 2).await;
    assert_eq!(found(&client, "notes talk").await, titles(0..5));
    let checks = "SELECT count(*) FROM jobs WHERE kind = 'switch_generation'";
    // One may have died between the feeder's look and its write; the other then finds nothing to do.
    assert!(world.number(checks).await <= 2, "and so on without end");

    // The dead job of that batch does not end the next one.
    sql.batch_execute("DROP TRIGGER refuse ON search_generation").await.expect("no trigger");
    let rebuild = begin(&client, "REINDEX", None).await;
    until(&client, &rebuild, "DONE").await;
    standing(&client, 3, None, Some(1)).await;
    assert_eq!(found(&client, "notes talk").await, titles(0..5));
}

#[tokio::test]
async fn a_rebuild_with_a_failure_is_stopped_and_a_retry_finishes_and_switches() {
    let mut world = world!();
    give_up_soon(&mut world, "REINDEX_CONVERSATION");
    let server = world.standalone().await;
    let client = server.owner();
    import(&client, 0..8).await;
    let sql = world.sql().await;
    // The vector of one passage is cut short: no index takes it.
    let spoil = "CREATE TABLE well AS SELECT * FROM vectors ORDER BY text_hash LIMIT 1;
        UPDATE vectors v SET vector = substr(v.vector, 1, 8) FROM well w WHERE w.text_hash = v.text_hash";
    sql.batch_execute(spoil).await.expect("a vector is spoilt");
    let rebuild = begin(&client, "REINDEX", None).await;
    let stopped = until(&client, &rebuild, "STOPPED").await;
    assert_eq!((&stopped["done"], &stopped["failed"]), (&json!(7), &json!(1)), "{stopped:#?}");
    let reason = stopped["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("1 conversation could not be written") && reason.contains("retry the failures"),
        "{reason}"
    );
    let query = "query($id: ID!) { batch(id: $id) { report { failures { message conversations } } } }";
    let data = client.data(query, json!({ "id": rebuild["id"] })).await;
    let failures = data["batch"]["report"]["failures"].as_array().expect("a list").clone();
    assert_eq!((failures.len(), &failures[0]["conversations"]), (1, &json!(1)), "{failures:#?}");

    // What it built waits; searches go on over the live one, which takes in what comes.
    standing(&client, 1, Some(2), None).await;
    assert!(has_folder(&world, 2));
    assert_eq!(found(&client, "notes talk").await, titles(0..8));
    import(&client, 8..9).await;
    assert_eq!(found(&client, "notes talk").await, titles(0..9));

    // As long as the cause is there a retry comes to the same.
    let retry = json!({ "batchId": rebuild["id"] });
    client.change("retryBatchFailures", "batch { id }", retry.clone()).await;
    eventually("it has failed again", async || {
        let again = batch(&client, &rebuild["id"]).await;
        (again["state"] == "STOPPED").then_some(again)
    })
    .await;
    standing(&client, 1, Some(2), None).await;
    let mend = "UPDATE vectors v SET vector = w.vector FROM well w WHERE w.text_hash = v.text_hash";
    sql.batch_execute(mend).await.expect("it is mended");
    client.change("retryBatchFailures", "batch { id }", retry).await;
    let ended = eventually("it is done", async || {
        let batch = batch(&client, &rebuild["id"]).await;
        (batch["state"] == "DONE").then_some(batch)
    })
    .await;
    assert_eq!((&ended["done"], &ended["failed"], &ended["reason"]), (&json!(8), &json!(0), &Value::Null));
    standing(&client, 2, None, Some(1)).await;
    assert_eq!(found(&client, "notes talk").await, titles(0..9));
}

#[tokio::test]
async fn a_reembed_makes_every_vector_anew_in_place_or_beside_and_a_reindex_takes_those_that_are_kept() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let ids = import(&client, 0..10).await;
    let sql = world.sql().await;
    sql.batch_execute("CREATE TABLE well AS SELECT * FROM vectors").await.expect("a copy");
    const ODD: &str = "SELECT count(*) FROM vectors JOIN well USING (organization_id, model, text_hash)
        WHERE vectors.vector <> well.vector";
    // All point the same way: by meaning none is told from another.
    const SPOIL: &str = "UPDATE vectors SET vector =
        decode('0000803f' || repeat('00', octet_length(vector) - 4), 'hex')";
    sql.batch_execute(SPOIL).await.expect("vectors are spoilt");
    let spoilt = world.number(ODD).await;
    assert_eq!(spoilt, world.number("SELECT count(*) FROM well").await);

    let best = async |number: usize| {
        let query = format!("query: \"This is talk number {number}\", mode: SEMANTIC, first: 1");
        client.titles(&query).await
    };
    assert_eq!(best(4).await, titles([4]));
    let named = json!({ "kind": "REINDEX", "filter": { "conversationIds": ids } });
    let planned = plan(&client, named).await;
    start(&client, &planned, None).await;
    assert_eq!(until(&client, &planned, "DONE").await["done"], 10);
    assert_eq!(world.number(ODD).await, spoilt, "a reindex embeds nothing");
    standing(&client, 1, None, None).await;

    let planned =
        plan(&client, json!({ "kind": "REEMBED", "filter": { "conversationIds": [ids[4]] } })).await;
    start(&client, &planned, None).await;
    assert_eq!(until(&client, &planned, "DONE").await["done"], 1);
    assert!(world.number(ODD).await < spoilt, "one is well");
    assert_eq!(best(4).await, titles([4]));

    let rebuild = begin(&client, "REEMBED", None).await;
    assert_eq!(until(&client, &rebuild, "DONE").await["done"], 10);
    assert_eq!(world.number(ODD).await, 0, "all are well");
    standing(&client, 2, None, Some(1)).await;
    for number in 0..10 {
        assert_eq!(best(number).await, titles([number]));
    }
}

#[tokio::test]
async fn another_model_is_followed_by_a_rebuild_while_words_are_found() {
    let mut world = world!();
    let mut server = world.standalone().await;
    import(&server.owner(), 0..10).await;
    for (model, live) in [("none", 2), ("hashing", 3)] {
        server.process.signal(Signal::SIGTERM);
        assert!(server.process.ended().await.success());
        world.set("COLLOQUY_EMBEDDING_MODEL", model);
        server = world.standalone().await;
        let client = server.owner();
        let by_word = client.titles("query: \"notes talk\", mode: TEXT, first: 50").await;
        assert_eq!(by_word.len(), 10, "{model}");
        eventually("the indexes are of the new model", async || {
            (index(&client).await["live"] == live).then_some(())
        })
        .await;
        // Vectors of the one before would miss what comes in now.
        assert_eq!(index(&client).await["previous"], Value::Null);
        let query = "{ batches(first: 1) { edges { node { kind everywhere state } } } }";
        let newest = client.data(query, json!({})).await["batches"]["edges"][0]["node"].clone();
        assert_eq!((&newest["kind"], &newest["everywhere"]), (&json!("REINDEX"), &json!(true)));
        folder_goes(&world, live - 1).await;
    }
    let client = server.owner();
    assert_eq!(found(&client, "notes talk").await, titles(0..10));
    assert_eq!(world.number("SELECT count(*) FROM batches").await, 2, "one a change");
}

#[tokio::test]
async fn vectors_that_another_model_has_left_gaps_in_are_no_way_back() {
    let mut world = world!();
    let mut server = world.standalone().await;
    import(&server.owner(), 0..3).await;
    server.owner().change("pauseQueue", "", json!({ "queue": "BATCH" })).await;
    for model in ["none", "hashing"] {
        server.process.signal(Signal::SIGTERM);
        assert!(server.process.ended().await.success());
        world.set("COLLOQUY_EMBEDDING_MODEL", model);
        server = world.standalone().await;
    }
    let client = server.owner();
    // What the other model's batch had built may or may not have been begun.
    let building = index(&client).await["building"].as_i64().expect("one is built");
    standing(&client, 1, Some(building), None).await;
    // The model is that of the live vectors, and yet they are not all there.
    let query = "{ search(query: \"notes talk\", mode: SEMANTIC, first: 5) { edges { cursor } } }";
    assert_eq!(client.ask(query, json!({})).await.code(), "UNAVAILABLE");
    client.change("resumeQueue", "", json!({ "queue": "BATCH" })).await;
    eventually("the vectors are whole", async || (index(&client).await["live"] == building).then_some(()))
        .await;
    standing(&client, building, None, None).await;
    assert_eq!(found(&client, "notes talk").await, titles(0..3));
}

#[tokio::test]
async fn a_rebuild_is_for_the_owner_of_the_installation_and_others_write_their_own_in_place() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let ada = json!({ "email": "ada@example.com", "password": "correct horse", "name": "Ada", "organizationName": "Ada" });
    let session = server.anonymous().change("signUp", "session { accessToken }", ada).await;
    let ada = server.with(session["session"]["accessToken"].as_str().expect("a token"));
    import(&client, 0..3).await;
    import(&ada, 3..8).await;
    let key = client.change("createApiKey", "secret", json!({ "name": "ops", "role": "ADMIN" })).await;
    let admin = server.with(key["secret"].as_str().expect("a secret"));
    let everywhere = "mutation { planBatch(input: { kind: REINDEX, everywhere: true }) { batch { id } } }";
    let back = "mutation { rollBackSearchIndex(input: { toGeneration: 1 }) { searchIndex { live } } }";
    for (who, query) in [
        (&ada, everywhere),
        (&ada, back),
        (&ada, "{ searchIndex { live } }"),
        (&admin, everywhere),
        (&admin, back),
    ] {
        assert_eq!(who.ask(query, json!({})).await.code(), "FORBIDDEN", "{query}");
    }
    standing(&admin, 1, None, None).await;
    // Where the local owner is a member besides moves nothing.
    let elsewhere =
        "INSERT INTO memberships SELECT o.id, u.id, 'OWNER', 'epoch' FROM organizations o, users u
        WHERE o.name = 'Ada' AND u.email = 'owner@localhost'";
    world.sql().await.execute(elsewhere, &[]).await.expect("a membership");
    assert_eq!(ada.ask(everywhere, json!({})).await.code(), "FORBIDDEN");
    let exports = json!({ "kind": "EXPORT", "everywhere": true });
    assert_eq!(client.refused("planBatch", exports).await, "NOT_EVERYWHERE");
    let both = json!({ "kind": "REINDEX", "everywhere": true, "all": true });
    assert_eq!(client.refused("planBatch", both).await, "FILTER_AND_ALL");

    let planned = plan(&ada, json!({ "kind": "REINDEX", "all": true })).await;
    assert_eq!((&planned["everywhere"], &planned["plan"]["conversations"]), (&json!(false), &json!(5)));
    start(&ada, &planned, None).await;
    until(&ada, &planned, "DONE").await;
    standing(&client, 1, None, None).await;

    // Of every organization, and each still finds its own alone.
    let rebuild = begin(&client, "REINDEX", Some(PACE)).await;
    assert_eq!(rebuild["plan"]["conversations"], 8);
    let query = "mutation($id: ID!) { cancelBatch(input: { batchId: $id }) { batch { id } } }";
    assert_eq!(admin.ask(query, json!({ "id": rebuild["id"] })).await.code(), "FORBIDDEN");
    until(&client, &rebuild, "DONE").await;
    standing(&client, 2, None, Some(1)).await;
    assert_eq!(found(&client, "notes talk").await, titles(0..3));
    assert_eq!(found(&ada, "notes talk").await, titles(3..8));
    let jobs =
        "{ jobs(first: 100, filter: { kinds: [\"reindex_conversation\"] }) { edges { node { kind } } } }";
    let of_ada = ada.data(jobs, json!({})).await["jobs"]["edges"].as_array().expect("a list").len();
    assert_eq!(of_ada, 5, "her own batch's, and none of the installation's");
}

#[tokio::test]
async fn an_index_of_before_generations_had_folders_is_taken_over() {
    let world = world!();
    let mut server = world.standalone().await;
    import(&server.owner(), 0..5).await;
    server.process.signal(Signal::SIGTERM);
    assert!(server.process.ended().await.success());
    let root = world.data().join("index");
    for name in ["text", "vectors", "identity.json"] {
        std::fs::rename(root.join("1").join(name), root.join(name)).expect("it is moved");
    }
    std::fs::remove_dir(root.join("1")).expect("it is empty");
    let jobs = "SELECT count(*) FROM jobs";
    let before = world.number(jobs).await;
    let server = world.standalone().await;
    assert_eq!(found(&server.owner(), "notes talk").await, titles(0..5));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.number(jobs).await, before, "nothing was to be built");
}
