//! Erasure: whoever is erased is in no store any more, by bytes, and a restored database does not bring them back.

use serde_json::{Value, json};

use crate::{
    servers::fleet,
    support::{Client, Import, Server, World, eventually, parts, world},
};

const CANARY: &str = "Quillonbrax";
const OTHER: &str = "Vexmorillo";

fn talk(name: &str) -> String {
    let upper = name.to_uppercase();
    format!(
        "{name}: I have told nobody about the debts of my sister.\n\
        Ben: Welcome, {upper}. The harbour wall is frozen today.\n\
        {name}: I will send you the papers by Friday.\n\
        Ben: What do {name}'s parents say? We decided to go on.\n"
    )
}

async fn import(client: &Client, name: &str) -> String {
    let (title, file, tag) = (format!("With {name}"), format!("{name}_call.txt"), format!("about {name}"));
    let external = format!("crm/{name}/1");
    let text = talk(name);
    let import = Import {
        text: &text,
        title: Some(&title),
        file_name: Some(&file),
        tags: &[&tag, "harbour"],
        external_id: Some(&external),
        ..Import::default()
    };
    let id = client.imported(import).await;
    client.ready(&id).await;
    id
}

/// Makes a person of whoever has this label.
async fn tie(client: &Client, conversation: &str, name: &str) -> String {
    let person = client.change("createPerson", "person { id }", json!({ "name": name })).await;
    let person = person["person"]["id"].as_str().expect("an id").to_owned();
    const QUERY: &str = "query($id: ID!) { conversation(id: $id) { participants { id label } } }";
    let data = client.data(QUERY, json!({ "id": conversation })).await;
    let participants = data["conversation"]["participants"].as_array().expect("a list").clone();
    let participant = participants.iter().find(|one| one["label"] == name).expect("a speaker")["id"].clone();
    let expected = client.revision(conversation).await;
    let input = json!({ "participantId": participant, "personId": person, "expectedRevision": expected });
    client.change("setParticipantPerson", "", input).await;
    client.idle().await;
    person
}

/// Their first words are others.
async fn edit(client: &Client, conversation: &str, name: &str) {
    const QUERY: &str =
        "query($id: ID!) { conversation(id: $id) { revision segments(first: 1) { edges { node { id } } } } }";
    let data = client.data(QUERY, json!({ "id": conversation })).await["conversation"].clone();
    let input = json!({ "conversationId": conversation, "expectedRevision": data["revision"],
        "segmentId": data["segments"]["edges"][0]["node"]["id"],
        "text": format!("I, {name}, have debts, and so has my sister."), "reason": format!("{name} said so") });
    client.change("editSegment", "revision { number }", input).await;
    client.idle().await;
}

/// An edit, an export, a state of before, and a dead job.
async fn spread(world: &World, client: &Client, conversation: &str, name: &str) {
    edit(client, conversation, name).await;
    let planned = json!({ "kind": "EXPORT", "all": true });
    let planned = client.change("planBatch", "batch { id }", planned).await["batch"].clone();
    client.change("startBatch", "batch { id }", json!({ "batchId": planned["id"] })).await;
    let query = "query($id: ID!) { batch(id: $id) { state } }";
    eventually("everything is exported", async || {
        let batch = client.data(query, json!({ "id": planned["id"] })).await;
        (batch["batch"]["state"] == "DONE").then_some(())
    })
    .await;
    client.idle().await;
    let id = uuid(conversation);
    let sql = world.sql().await;
    let past = format!(
        "INSERT INTO segments (id, organization_id, conversation_id, participant_id, sequence, text, valid_from, valid_to)
        SELECT id, organization_id, conversation_id, participant_id, sequence, 'Before: {name} ' || text, 0, 1
        FROM segments WHERE conversation_id = '{id}' AND valid_to IS NULL;
        INSERT INTO participant_history (participant_id, organization_id, conversation_id, label, person_id, valid_from, valid_to)
        SELECT id, organization_id, conversation_id, 'Old ' || label, person_id, 0, 1 FROM participants
        WHERE conversation_id = '{id}';
        UPDATE jobs SET state = 'DEAD', errors = '[{{\"attempt\": 1, \"at\": \"2026-01-01T00:00:00Z\", \"message\": \"what {name} said\"}}]'
        WHERE id = (SELECT id FROM jobs WHERE conversation_id = '{id}' LIMIT 1)"
    );
    sql.batch_execute(&past).await.expect("rows");
}

fn uuid(id: &str) -> String {
    let hex: String = parts(id)[1..].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Where the name stands, in any case, in any store.
async fn places(world: &World, name: &str) -> Vec<String> {
    let small = name.to_lowercase();
    let mut places = Vec::new();
    let sql = world.sql().await;
    let tables = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind = 'r'";
    for row in sql.query(tables, &[]).await.expect("tables") {
        let table: String = row.get(0);
        let hex: Vec<String> = [name, &small].iter().map(|word| hex(word)).collect();
        let holds = format!(
            "SELECT count(*) FROM {table} t WHERE lower(t::text) LIKE '%{small}%'
                OR t::text LIKE '%{}%' OR t::text LIKE '%{}%'",
            hex[0], hex[1]
        );
        let rows: i64 = sql.query_one(&holds, &[]).await.expect("rows").get(0);
        if rows > 0 {
            places.push(format!("table {table}: {rows}"));
        }
    }
    for path in world.files() {
        // A file may go while it is looked at.
        let bytes = std::fs::read(&path).unwrap_or_default().to_ascii_lowercase();
        if bytes.windows(small.len()).any(|part| part == small.as_bytes()) {
            places.push(path.display().to_string());
        }
    }
    let found = world.redis(&format!("EVAL \"{REDIS}\" 0 {small}"));
    if found != "+none" {
        places.push(found);
    }
    places
}

fn hex(word: &str) -> String {
    word.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The first key that holds a word, or is one.
const REDIS: &str = "for _, k in ipairs(redis.call('KEYS', '*')) do \
    local t = redis.call('TYPE', k).ok local v = {} \
    if t == 'string' then v = {redis.call('GET', k)} end \
    if t == 'list' then v = redis.call('LRANGE', k, 0, -1) end \
    if t == 'hash' then v = redis.call('HGETALL', k) end \
    if t == 'set' then v = redis.call('SMEMBERS', k) end \
    if t == 'zset' then v = redis.call('ZRANGE', k, 0, -1) end \
    table.insert(v, k) \
    for _, s in ipairs(v) do if string.find(string.lower(s), ARGV[1], 1, true) then return {ok = k} end end \
    end return {ok = 'none'}";

const ERASURE: &str = "erasure { id kind state subjectId report { conversations segments labels texts passages jobs settings } }";

/// The erasure once it was swept, for the last time too.
async fn swept(world: &World, client: &Client, id: &Value) -> Value {
    let query = format!(
        "query($id: ID!) {{ erasure(id: $id) {{ state sweeps finishedAt {} }} }}",
        "report { conversations segments cameBack }"
    );
    let ask = async || client.data(&query, json!({ "id": id })).await["erasure"].clone();
    eventually("it was swept", async || (ask().await["sweeps"] == 1).then_some(())).await;
    let later =
        "UPDATE erasures SET redacted_at = now() - interval '1 day', due_at = now() WHERE state = 'SWEEPING'";
    world.sql().await.execute(later, &[]).await.expect("an erasure");
    eventually("it is done", async || {
        let erasure = ask().await;
        (erasure["state"] == "DONE").then_some(erasure)
    })
    .await
}

async fn stranger(server: &Server) -> Client {
    let input = json!({ "email": "eve@example.com", "password": "correct horse eve", "name": "Eve",
        "organizationName": "Eve" });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    server.with(session["session"]["accessToken"].as_str().expect("a token"))
}

#[tokio::test]
async fn whoever_is_erased_is_in_no_store_and_a_restore_does_not_bring_them_back() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    for (name, query) in [("Debts", "debts".to_owned()), ("Named", format!("\"{CANARY}\""))] {
        client.change("saveSearch", "", json!({ "name": name, "query": query })).await;
    }
    let id = import(&client, CANARY).await;
    let person = tie(&client, &id, CANARY).await;
    spread(&world, &client, &id, CANARY).await;
    let before = places(&world, CANARY).await;
    for place in [
        "table segments",
        "table jobs",
        "table saved_searches",
        "objects/exports/",
        "objects/conversations/",
        "/index/",
    ] {
        assert!(before.iter().any(|one| one.contains(place)), "{place}: {before:#?}");
    }
    drop(server);
    world.back_up().await;
    let kept: Vec<_> =
        world.objects().into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect();
    assert_eq!(kept.len(), 2, "the original bytes and an export");

    let server = world.standalone().await;
    let client = server.owner();
    let input = json!({ "personId": person, "reason": format!("{CANARY} asked for it") });
    let erasure = client.change("erasePerson", ERASURE, input).await["erasure"].clone();
    assert_eq!((&erasure["kind"], &erasure["subjectId"]), (&json!("PERSON"), &json!(person)));
    let people = client.data("{ people { edges { node { name } } } }", json!({})).await;
    assert_eq!(people["people"]["edges"], json!([]), "they are out of sight at once");
    let done = swept(&world, &client, &erasure["id"]).await;
    assert_eq!((&done["report"]["conversations"], &done["report"]["segments"]), (&json!(1), &json!(5)));
    assert_eq!(places(&world, CANARY).await, [""; 0]);
    assert_eq!(
        places(&world, "debts").await.iter().filter(|place| !place.contains("saved_searches")).count(),
        0
    );
    let found = client.search("query: \"harbour frozen\", mode: TEXT").await;
    assert_eq!(found[0]["conversation"]["title"], "With [erased]");
    assert_eq!(found[0]["passage"]["speakers"], json!(["[erased]", "Ben"]));
    assert!(found[0]["passage"]["text"].as_str().unwrap().contains("Welcome, [erased]. The harbour wall"));
    client.ready(&id).await;
    let same = client.import(Import { text: &talk(CANARY), ..Import::default() }).await;
    assert_eq!(same["conversation"]["id"], id.as_str(), "their bytes are known, and are not imported anew");
    assert_eq!(places(&world, CANARY).await, [""; 0]);
    let log = "{ auditLog(filter: { actions: [\"people.erase\"] }) { edges { node { subject outcome } } } }";
    let log = client.data(log, json!({})).await;
    assert_eq!(log["auditLog"]["edges"][0]["node"]["outcome"], "DONE");
    assert_eq!(client.refused("erasePerson", json!({ "personId": person })).await, "NOT_FOUND");

    // Another organization's stays, and a deleted conversation goes like a person.
    let eve = stranger(&server).await;
    let theirs = import(&eve, CANARY).await;
    let gone = import(&client, OTHER).await;
    spread(&world, &client, &gone, OTHER).await;
    assert!(places(&world, OTHER).await.len() > 5);
    let deleted =
        client.change("deleteConversation", &format!("deletedId {ERASURE}"), json!({ "id": gone })).await;
    assert_eq!((&deleted["deletedId"], &deleted["erasure"]["kind"]), (&json!(gone), &json!("CONVERSATION")));
    swept(&world, &client, &deleted["erasure"]["id"]).await;
    assert_eq!(places(&world, OTHER).await, [""; 0]);
    assert_eq!(eve.search(&format!("query: \"{CANARY}\", mode: TEXT")).await.len(), 1);
    eve.change("deleteConversation", "", json!({ "id": theirs })).await;
    let erasures = client.data("{ erasures { edges { node { kind } } } }", json!({})).await;
    assert_eq!(erasures["erasures"]["edges"].as_array().map(Vec::len), Some(2));

    // Database and objects of before, with all of them, and without a word of their erasure.
    drop(server);
    world.restore().await;
    for (bytes, path) in kept {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    assert!(places(&world, CANARY).await.iter().any(|place| place.starts_with("table people")));
    let server = world.standalone().await;
    let client = server.owner();
    let erased = "{ erasures { edges { node { id requestedById } } } }";
    let again = eventually("they are erased again", async || {
        let data = client.data(erased, json!({})).await;
        data["erasures"]["edges"].get(0).map(|edge| edge["node"].clone())
    })
    .await;
    assert_eq!(again["requestedById"], Value::Null);
    swept(&world, &client, &again["id"]).await;
    assert_eq!(places(&world, CANARY).await, [""; 0]);
}

#[tokio::test]
async fn whoever_is_erased_is_in_no_document_of_a_search_server() {
    let fleet = fleet!();
    let id = import(&fleet.client, CANARY).await;
    let person = tie(&fleet.client, &id, CANARY).await;
    let documents = async || {
        let all = format!("{}/colloquy-passages/_search?size=1000", fleet.words.url());
        let answer = reqwest::get(all).await.expect("an answer");
        answer.text().await.expect("documents").to_lowercase()
    };
    assert!(documents().await.contains("quillonbrax"));
    let erasure =
        fleet.client.change("erasePerson", ERASURE, json!({ "personId": person })).await["erasure"].clone();
    swept(&fleet.world, &fleet.client, &erasure["id"]).await;
    let left = documents().await;
    assert!(left.contains("harbour") && !left.contains("quillonbrax"), "{left}");
    assert_eq!(places(&fleet.world, CANARY).await, [""; 0]);
}
