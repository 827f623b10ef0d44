//! Schedules: batches that come back, once a run, whatever happens meanwhile. Nobody waits for a minute here: what is
//! to be due is set back in the database.

use serde_json::{Value, json};

use crate::support::{Client, Import, Server, World, eventually, tiny, world};

const SCHEDULE: &str = "id name cron timeZone missedRuns isEnabled nextRunAt nextRuns(first: 2)
    batch { kind all createdWithinDays createdOlderThanDays analyzer cap acceptPartial perMinute filter { tags } }
    lastRun { at outcome reason job { kind state } } lastBatch { id state total done schedule { id } }";

fn export(name: &str) -> Value {
    json!({ "name": name, "cron": "@yearly", "batch": { "kind": "EXPORT", "all": true } })
}

/// `input` with another value at `field`.
fn with(mut input: Value, field: &str, value: Value) -> Value {
    input[field] = value;
    input
}

async fn create(client: &Client, input: Value) -> Value {
    let select = format!("schedule {{ {SCHEDULE} }} nextRuns");
    client.change("createSchedule", &select, input).await["schedule"].clone()
}

async fn schedule(client: &Client, id: &Value) -> Value {
    let query = format!("query($id: ID!) {{ schedule(id: $id) {{ {SCHEDULE} }} }}");
    client.data(&query, json!({ "id": id })).await["schedule"].clone()
}

/// The schedule, once its last run came to this.
async fn until(client: &Client, id: &Value, outcome: &str) -> Value {
    eventually(&format!("a run is {outcome}"), async || {
        let schedule = schedule(client, id).await;
        (schedule["lastRun"]["outcome"] == outcome).then_some(schedule)
    })
    .await
}

/// So long ago, in PostgreSQL's words, every schedule became due.
async fn due(world: &World, since: &str) {
    let set = format!("UPDATE schedules SET next_run_at = date_trunc('minute', now()) - interval '{since}'");
    world.sql().await.batch_execute(&set).await.expect("they are due");
}

async fn owner(server: &Server) -> Client {
    let input = json!({ "email": "ada@example.com", "password": "correct horse", "name": "Ada", "organizationName": "Ada" });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    server.with(session["session"]["accessToken"].as_str().expect("a token"))
}

#[tokio::test]
async fn what_cannot_be_a_schedule_is_refused_in_words_and_nothing_of_it_is_kept() {
    let mut world = world!();
    world.set("COLLOQUY_ANALYSIS_TEST_ANALYZER_PRICE", "1000");
    let server = world.api().await;
    let client = owner(&server).await;
    let priced = json!({ "kind": "REANALYZE", "all": true, "options": { "analyzer": "TEST_PRICED" } });
    let batch = |field: &str, value: Value| {
        with(export("x"), "batch", with(json!({ "kind": "EXPORT" }), field, value))
    };
    let refused = [
        (with(export("x"), "cron", json!("0 0 30 2 *")), "CRON_NEVER_FIRES", "never fires"),
        (with(export("x"), "cron", json!("* * * * * *")), "CRON_TOO_OFTEN", "once a minute at most"),
        (with(export("x"), "cron", json!("61 * * * *")), "CRON_INVALID", "61"),
        (with(export("x"), "cron", json!("now and then")), "CRON_INVALID", "five fields"),
        (with(export("x"), "timeZone", json!("Middle/Earth")), "TIME_ZONE_UNKNOWN", "Europe/Berlin"),
        (export(" "), "INVALID_NAME", "name"),
        (export(&"x".repeat(201)), "INVALID_NAME", "200"),
        (with(export("x"), "batch", json!({ "kind": "EXPORT" })), "EVERYTHING_IS_MEANT", "all: true"),
        (with(export("x"), "batch", priced), "CAP_MISSING", "cap"),
        (batch("createdWithinDays", json!(0)), "INVALID_DAYS", "36500"),
        (batch("filter", json!({ "tags": [""] })), "INVALID_TAG", "tag"),
        (batch("filter", json!({ "conversationIds": ["nonsense"] })), "NOT_FOUND", "nonsense"),
    ];
    let mutation = "mutation($input: CreateScheduleInput!) { createSchedule(input: $input) {
        schedule { id } nextRuns userErrors { code message field } } }";
    for dry_run in [true, false] {
        for (input, code, words) in &refused {
            let input = with(input.clone(), "dryRun", json!(dry_run));
            let payload = client.data(mutation, json!({ "input": input })).await["createSchedule"].clone();
            let error = &payload["userErrors"][0];
            assert_eq!(error["code"], *code, "{payload:#?}");
            assert!(error["message"].as_str().expect("words").contains(words), "{error}");
            assert_eq!((&payload["schedule"], &payload["nextRuns"]), (&json!(null), &json!([])));
        }
    }
    let errors = client.data(mutation, json!({ "input": batch("createdWithinDays", json!(0)) })).await;
    assert_eq!(
        errors["createSchedule"]["userErrors"][0]["field"],
        json!(["input", "batch", "createdWithinDays"])
    );

    // A dry run tells the times, and keeps nothing either.
    let trial = with(with(export("trial"), "cron", json!("30 2 * * *")), "dryRun", json!(true));
    let trial = client.change("createSchedule", "schedule { id } nextRuns", trial).await;
    assert_eq!((&trial["schedule"], trial["nextRuns"].as_array().map(Vec::len)), (&json!(null), Some(5)));
    assert_eq!(world.number("SELECT count(*) FROM schedules").await, 0);
    assert_eq!(world.number("SELECT count(*) FROM jobs").await, 0);
    let kept = "SELECT count(*) FROM audit_entries WHERE action = 'schedules.create' AND outcome = 'DONE'";
    assert_eq!(world.number(kept).await, 0);
    let noted = "SELECT count(*) FROM audit_entries WHERE action = 'schedules.create' AND outcome = 'REFUSED' AND detail->>'code' = 'CRON_NEVER_FIRES'";
    assert_eq!(world.number(noted).await, 2);

    // As many as may be, and no name twice.
    create(&client, export("Nightly")).await;
    assert_eq!(client.refused("createSchedule", export("nightly")).await, "NAME_TAKEN");
    let fill = "INSERT INTO schedules (id, organization_id, name, cron, time_zone, missed, enabled, work)
        SELECT gen_random_uuid(), organization_id, 'another ' || n, cron, time_zone, missed, false, work
        FROM schedules, generate_series(1, 99) AS n";
    world.sql().await.batch_execute(fill).await.expect("ninety-nine more");
    assert_eq!(client.refused("createSchedule", export("too many")).await, "TOO_MANY_SCHEDULES");
    let page = client
        .data("{ schedules(first: 100) { edges { node { name nextRuns(first: 20) } } } }", json!({}))
        .await;
    assert_eq!(page["schedules"]["edges"].as_array().map(Vec::len), Some(100));
    let asked =
        client.ask("{ schedules(first: 1) { edges { node { nextRuns(first: 21) } } } }", json!({})).await;
    assert_eq!(asked.code(), "BAD_USER_INPUT", "times are bounded");
}

#[tokio::test]
async fn what_is_due_starts_one_batch_and_goes_on_to_its_next_time() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    for number in 0..3 {
        client.imported(Import { text: &tiny(number), ..Import::default() }).await;
    }
    client.idle().await;
    let made = create(&client, with(export("nightly"), "timeZone", json!("Europe/Berlin"))).await;
    let id = &made["id"];
    assert!(made["nextRunAt"].as_str().expect("a time").contains("-12-31T23:00:00"), "{made:#?}");
    assert_eq!((&made["nextRunAt"], &made["lastRun"]), (&made["nextRuns"][0], &Value::Null));

    due(&world, "10 seconds").await;
    let ran = until(&client, id, "STARTED").await;
    assert_eq!(ran["nextRunAt"], made["nextRunAt"], "it goes on to the time that it had");
    assert_eq!(ran["lastBatch"]["schedule"]["id"], *id);
    assert_eq!(ran["lastRun"]["job"]["kind"], "start_batch");
    eventually("its batch is done", async || {
        let batch = schedule(&client, id).await["lastBatch"].clone();
        (batch["state"] == "DONE" && batch["done"] == 3).then_some(())
    })
    .await;
    assert_eq!(world.number("SELECT count(*) FROM jobs WHERE kind = 'start_batch'").await, 1);
    assert_eq!(world.number("SELECT count(*) FROM batches").await, 1);

    // Jobs are found by their batch.
    let query = "query($id: ID!) { jobs(filter: { batchId: $id }) { edges { node { kind } } } }";
    let found = client.data(query, json!({ "id": ran["lastBatch"]["id"] })).await;
    assert_eq!(found["jobs"]["edges"].as_array().map(Vec::len), Some(3), "{found}");

    // Asked for, it runs once more; it is not run twice at once.
    let select = "schedule { lastRun { outcome } nextRunAt }";
    let asked = client.change("runSchedule", select, json!({ "id": id })).await;
    assert_eq!(asked["schedule"]["nextRunAt"], made["nextRunAt"]);
    eventually("another batch is done", async || {
        (world.number("SELECT count(*) FROM batches WHERE state = 'DONE' AND done = 3").await == 2)
            .then_some(())
    })
    .await;

    // Nothing to do is no batch; what cannot be started says why, and the next run may.
    let none = with(export("none"), "batch", json!({ "kind": "EXPORT", "createdOlderThanDays": 30 }));
    let none = create(&client, none).await;
    client.change("runSchedule", "schedule { id }", json!({ "id": none["id"] })).await;
    until(&client, &none["id"], "NOTHING_TO_DO").await;
    assert_eq!(world.number("SELECT count(*) FROM batches").await, 2);
    let broken = "UPDATE schedules SET work = jsonb_set(work, '{options,analyzer}', '\"TEST_PRICED\"'), cron = '0 0 31 4 *' WHERE name = 'none'";
    world.sql().await.batch_execute(broken).await.expect("it was made by other rules");
    client.change("runSchedule", "schedule { id }", json!({ "id": none["id"] })).await;
    let refused = until(&client, &none["id"], "REFUSED").await;
    assert!(refused["lastRun"]["reason"].as_str().expect("why").contains("switched off"), "{refused:#?}");
    due(&world, "1 second").await;
    let stopped = eventually("a line that cannot be read any more is told", async || {
        let told = schedule(&client, &none["id"]).await;
        told["lastRun"]["reason"].as_str().is_some_and(|why| why.contains("never fires")).then_some(told)
    })
    .await;
    assert_eq!((&stopped["nextRunAt"], &stopped["lastRun"]["outcome"]), (&json!(null), &json!("REFUSED")));
}

#[tokio::test]
async fn missed_runs_become_none_one_or_all_and_none_begins_beside_the_one_before() {
    let world = world!();
    let mut server = world.standalone().await;
    let client = server.owner();
    client.imported(Import { text: &tiny(0), ..Import::default() }).await;
    client.idle().await;
    let mut ids = Vec::new();
    for missed in ["SKIP", "RUN_ONCE", "RUN_ALL"] {
        let input = with(with(export(missed), "missedRuns", json!(missed)), "cron", json!("@monthly"));
        ids.push(create(&client, input).await["id"].clone());
    }
    // Nothing runs for three months and a bit; then four runs are due.
    server.process.kill();
    let set = "UPDATE schedules SET
        next_run_at = (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '3 months') AT TIME ZONE 'UTC'";
    world.sql().await.batch_execute(set).await.expect("they were due");
    let server = world.standalone().await;
    let client = server.with(client.token());
    let batches = async |name: &str| {
        let sql = format!(
            "SELECT count(*) FROM batches b JOIN schedules s ON s.id = b.schedule_id WHERE s.name = '{name}' AND b.state = 'DONE'"
        );
        world.number(&sql).await
    };
    eventually("all are made up for", async || (batches("RUN_ALL").await == 4).then_some(())).await;
    eventually("one is run", async || (batches("RUN_ONCE").await == 1).then_some(())).await;
    let skipped = until(&client, &ids[0], "MISSED").await;
    assert_eq!(batches("SKIP").await, 0);
    assert!(
        skipped["lastRun"]["reason"].as_str().expect("why").starts_with("nothing ran from"),
        "{skipped:#?}"
    );
    assert_eq!(world.number("SELECT count(*) FROM schedules WHERE next_run_at > now()").await, 3);
    let alone =
        "SELECT count(*) FROM batches b JOIN batches o ON o.schedule_id = b.schedule_id AND o.id > b.id
        WHERE o.started_at < b.finished_at";
    assert_eq!(world.number(alone).await, 0, "one after another");
    assert_eq!(
        world.number("SELECT count(*) FROM jobs WHERE kind = 'start_batch' AND state <> 'DONE'").await,
        0
    );

    // While a batch is paused, nothing begins beside it.
    let pause = "UPDATE batches SET state = 'PAUSED'";
    world.sql().await.batch_execute(pause).await.expect("they are paused");
    let busy = client.refused("runSchedule", json!({ "id": ids[1] })).await;
    assert_eq!(busy, "SCHEDULE_BUSY");
    due(&world, "1 second").await;
    let skipped = until(&client, &ids[1], "SKIPPED").await;
    assert!(skipped["lastRun"]["reason"].as_str().expect("why").contains("still going"), "{skipped:#?}");
    let waits = schedule(&client, &ids[2]).await;
    assert_eq!(waits["lastRun"]["outcome"], "STARTED", "the one that makes all up waits");
    world.sql().await.batch_execute("UPDATE batches SET state = 'DONE'").await.expect("they are over");
    eventually("it goes on", async || (batches("RUN_ALL").await == 5).then_some(())).await;
}

#[tokio::test]
async fn a_schedule_is_changed_rests_and_goes_and_the_audit_log_tells_of_it() {
    let world = world!();
    let server = world.api().await;
    let client = owner(&server).await;
    let id = &create(&client, export("Mara's exports")).await["id"];
    let change = async |input: Value| {
        let select = format!("schedule {{ {SCHEDULE} }} nextRuns");
        client.change("updateSchedule", &select, with(input, "id", id.clone())).await
    };
    let trial = change(json!({ "cron": "0 3 * * *", "dryRun": true })).await;
    assert_eq!(
        (&trial["schedule"]["cron"], trial["nextRuns"].as_array().map(Vec::len)),
        (&json!("0 3 * * *"), Some(5))
    );
    assert_eq!(schedule(&client, id).await["cron"], "@yearly", "nothing has changed");
    let changed = change(json!({ "cron": "0 3 * * *", "batch": { "kind": "PURGE", "createdOlderThanDays": 90 }, "missedRuns": "SKIP" })).await["schedule"].clone();
    assert_eq!(changed["nextRunAt"], trial["nextRuns"][0]);
    let batch = &changed["batch"];
    assert_eq!(
        (&batch["kind"], &batch["all"], &batch["createdOlderThanDays"]),
        (&json!("PURGE"), &json!(false), &json!(90))
    );
    let rests = change(json!({ "isEnabled": false })).await;
    assert_eq!((&rests["schedule"]["nextRunAt"], &rests["schedule"]["nextRuns"]), (&json!(null), &json!([])));
    assert_eq!(rests["nextRuns"].as_array().map(Vec::len), Some(5));
    let goes = change(json!({ "isEnabled": true, "name": "other" })).await["schedule"].clone();
    assert_eq!(
        (&goes["nextRunAt"], &goes["cron"], &goes["missedRuns"]),
        (&changed["nextRunAt"], &json!("0 3 * * *"), &json!("SKIP"))
    );
    let refused = with(json!({ "cron": "0 0 31 4 *" }), "id", id.clone());
    assert_eq!(client.refused("updateSchedule", refused).await, "CRON_NEVER_FIRES");
    assert_eq!(schedule(&client, id).await["cron"], "0 3 * * *");
    let node = client
        .data("query($id: ID!) { node(id: $id) { ... on Schedule { name } } }", json!({ "id": id }))
        .await;
    assert_eq!(node["node"]["name"], "other");
    client.change("runSchedule", "schedule { id }", json!({ "id": id })).await;
    let gone = client.change("deleteSchedule", "deletedId", json!({ "id": id })).await;
    assert_eq!(gone["deletedId"], *id);
    assert_eq!(client.refused("deleteSchedule", json!({ "id": id })).await, "NOT_FOUND");
    assert_eq!(schedule(&client, id).await, Value::Null);

    let query = "{ auditLog(first: 50) { edges { node { action outcome subject detail } } } }";
    let log = client.data(query, json!({})).await["auditLog"]["edges"].as_array().expect("a list").clone();
    let told: Vec<_> = log
        .iter()
        .rev()
        .map(|edge| {
            let node = &edge["node"];
            format!(
                "{} {}",
                node["action"].as_str().expect("an action"),
                node["outcome"].as_str().expect("an outcome")
            )
        })
        .filter(|told| told.starts_with("schedules."))
        .collect();
    assert_eq!(
        told,
        [
            "schedules.create DONE",
            "schedules.update DONE",
            "schedules.update DONE",
            "schedules.update DONE",
            "schedules.update REFUSED",
            "schedules.run DONE",
            "schedules.delete DONE",
            "schedules.delete REFUSED"
        ]
    );
    assert!(!json!(log).to_string().contains("Mara"), "no words of theirs");
    let entry = log.iter().find(|edge| edge["node"]["detail"]["kind"] == "PURGE").expect("an entry");
    assert_eq!(entry["node"]["detail"]["createdOlderThanDays"], 90);

    let key = client.change("createApiKey", "secret", json!({ "name": "x", "role": "MEMBER" })).await;
    let member = server.with(key["secret"].as_str().expect("a secret"));
    let mutation =
        "mutation($input: CreateScheduleInput!) { createSchedule(input: $input) { userErrors { code } } }";
    assert_eq!(member.ask(mutation, json!({ "input": export("mine") })).await.code(), "FORBIDDEN");
    assert_eq!(world.number("SELECT count(*) FROM schedules").await, 0);
}

#[tokio::test]
async fn schedules_are_made_shown_and_steered_from_the_shell() {
    let world = world!();
    let _server = world.standalone().await;
    let refused = world.run(&["schedule", "create", "never", "0 0 30 2 *", "export", "--all"]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("never fires"), "{refused:#?}");
    let dry = [
        "schedule",
        "create",
        "nightly",
        "30 2 * * *",
        "export",
        "--all",
        "--time-zone",
        "Asia/Kolkata",
        "--dry-run",
    ];
    let trial = world.run(&dry).await.well();
    assert!(trial.contains("nothing was changed") && trial.matches("21:00 UTC").count() == 5, "{trial}");
    let made = [
        "schedule",
        "create",
        "nightly",
        "30 2 * * *",
        "purge",
        "--older-than-days",
        "365",
        "--missed",
        "skip",
        "--json",
    ];
    let made = world.run(&made).await.json().remove(0);
    assert_eq!(
        (&made["missedRuns"], &made["batch"]["createdOlderThanDays"], &made["timeZone"]),
        (&json!("SKIP"), &json!(365), &json!("UTC"))
    );
    let id = made["id"].as_str().expect("an id");
    let listed = world.run(&["schedule", "list"]).await.well();
    assert!(listed.contains(id) && listed.contains("nightly") && listed.contains("02:30 UTC"), "{listed}");
    let rests = world.run(&["schedule", "disable", id]).await.well();
    assert!(rests.contains("disabled") && !rests.contains("02:30 UTC"), "{rests}");
    let goes = world.run(&["schedule", "enable", id]).await.well();
    assert!(goes.contains("enabled") && goes.matches("02:30 UTC").count() == 5, "{goes}");
    let moved = world.run(&["schedule", "update", id, "--cron", "@weekly", "--json"]).await.json().remove(0);
    assert_eq!((&moved["cron"], &moved["name"]), (&json!("@weekly"), &json!("nightly")));
    world.run(&["schedule", "run", id]).await.well();
    eventually("it ran", async || {
        let shown = world.run(&["schedule", "show", id]).await.well();
        shown.contains("nothing to do").then_some(())
    })
    .await;
    assert_eq!(world.run(&["schedule", "delete", id]).await.well(), "the schedule is deleted\n");
    let gone = world.run(&["schedule", "show", id]).await;
    assert!(gone.code == Some(1) && gone.stderr.contains("there is no schedule"), "{gone:#?}");
    assert_eq!(world.run(&["schedule", "list"]).await.well(), "no schedules\n");
}
