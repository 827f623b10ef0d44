//! Administrators and background work: by filter, by queue, and what the audit log says of it.

use serde_json::{Value, json};

use crate::support::{Client, Import, LINES, Server, World, eventually, world};

async fn owner(server: &Server, name: &str) -> (Client, String) {
    let input = json!({ "email": format!("{name}@example.com"), "password": format!("correct horse {name}"),
        "name": name, "organizationName": name });
    let select = "session { accessToken viewer { organization { id } } }";
    let session = server.anonymous().change("signUp", select, input).await["session"].clone();
    (server.with(session["accessToken"].as_str().expect("a token")), name.to_owned())
}

/// Jobs of an organization that no worker takes, as SQL writes them.
async fn jobs(world: &World, organization: &str, count: usize, columns: &str, values: &str) {
    let sql = format!(
        "INSERT INTO jobs (id, organization_id, queue, payload, max_attempts, {columns})
        SELECT gen_random_uuid(), (SELECT id FROM organizations WHERE name = '{organization}'), 'default', '{{}}', 5, {values}
        FROM generate_series(1, {count})"
    );
    // Ids are by time, as the product draws them.
    let dated =
        "UPDATE jobs SET id = (lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0') || '7'
        || substr(id::text, 16))::uuid WHERE substr(id::text, 15, 1) = '4'";
    world.sql().await.batch_execute(&format!("{sql}; {dated}")).await.expect("jobs are written");
}

const REFUSED: &str =
    r#"'[{"attempt": 5, "at": "2026-03-01T10:00:00Z", "message": "connection refused by smtp"}]'"#;

async fn audit(client: &Client, arguments: &str) -> Vec<Value> {
    let query = format!(
        "{{ auditLog{arguments} {{ edges {{ cursor node {{ id action subject detail outcome userId apiKeyId
            user {{ email }} remoteAddress requestId at }} }} pageInfo {{ hasNextPage }} }} }}"
    );
    let data = client.data(&query, json!({})).await;
    data["auditLog"]["edges"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn jobs_are_mended_by_filter_over_all_that_fit_and_a_dry_run_changes_nothing() {
    let world = world!();
    let server = world.api().await;
    let ((ada, org), (eve, theirs)) = (owner(&server, "ada").await, owner(&server, "eve").await);
    let dead = "kind, state, attempts, errors, finished_at";
    jobs(&world, &org, 3, dead, &format!("'send_email', 'DEAD', 5, {REFUSED}, now()")).await;
    jobs(&world, &org, 2_345, dead, "'probe', 'DEAD', 5, '[]', now()").await;
    jobs(&world, &org, 2, dead, "'probe', 'CANCELLED', 0, '[]', now()").await;
    jobs(&world, &theirs, 4, dead, &format!("'send_email', 'DEAD', 5, {REFUSED}, now()")).await;
    let lease = "kind, state, claim_token, worker, deadline, started_at";
    let held = "'probe', 'RUNNING', gen_random_uuid(), 'w', now() + interval '1 hour', now()";
    jobs(&world, &org, 1, lease, held).await;
    jobs(&world, &org, 2, "kind, state, waits_for", "'probe', 'WAITING', 1").await;
    let in_state =
        async |state: &str| world.number(&format!("SELECT count(*) FROM jobs WHERE state = '{state}'")).await;

    // Everything must be said to be meant, and an empty list of ids says nothing.
    for mutation in ["retryJobs", "cancelJobs", "discardJobs"] {
        for filter in [json!({}), json!({ "filter": {} }), json!({ "filter": { "ids": [] }, "dryRun": true })]
        {
            assert_eq!(ada.refused(mutation, filter).await, "ALL_JOBS_MEANT");
        }
        assert_eq!(ada.refused(mutation, json!({ "filter": { "kinds": ["nonsense"] } })).await, "NOT_FOUND");
    }

    let by_error = json!({ "filter": { "error": "refused by", "kinds": ["send_email"] }, "dryRun": true });
    let counted = ada.change("retryJobs", "matched retried", by_error.clone()).await;
    assert_eq!((&counted["matched"], &counted["retried"]), (&json!(3), &json!(3)));
    assert_eq!(in_state("DEAD").await, 3 + 2_345 + 4, "it was a dry run");
    let mut wet = by_error;
    wet["dryRun"] = json!(false);
    assert_eq!(ada.change("retryJobs", "retried", wet).await["retried"], 3);
    assert_eq!(in_state("DEAD").await, 2_345 + 4);

    // What runs fits no retry; what was cancelled does when it is named.
    let ids = async |state: &str| {
        let query = format!("{{ jobs(filter: {{ states: [{state}] }}) {{ edges {{ node {{ id }} }} }} }}");
        let data = ada.data(&query, json!({})).await;
        let edges = data["jobs"]["edges"].as_array().expect("a list").clone();
        edges.iter().map(|edge| edge["node"]["id"].clone()).collect::<Vec<_>>()
    };
    let running = json!({ "filter": { "ids": ids("RUNNING").await } });
    assert_eq!(ada.change("retryJobs", "matched", running.clone()).await["matched"], 0);
    assert_eq!(ada.change("discardJobs", "matched", running.clone()).await["matched"], 0);
    let kinds = json!({ "filter": { "kinds": ["probe"] }, "dryRun": true });
    assert_eq!(ada.change("retryJobs", "matched", kinds).await["matched"], 2_345, "the dead alone");
    let named = json!({ "filter": { "ids": ids("CANCELLED").await } });
    assert_eq!(ada.change("retryJobs", "retried", named).await["retried"], 2);

    // Another organization's ids fit nothing.
    let foreign = eve.data("{ jobs { edges { node { id } } } }", json!({})).await;
    let foreign: Vec<_> =
        foreign["jobs"]["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["id"].clone()).collect();
    assert_eq!(foreign.len(), 4);
    for mutation in ["retryJobs", "cancelJobs", "discardJobs"] {
        for dry_run in [true, false] {
            let input = json!({ "filter": { "ids": foreign }, "dryRun": dry_run });
            assert_eq!(ada.change(mutation, "matched", input).await["matched"], 0);
        }
    }

    // Over more than one page of the ledger.
    let all = json!({ "all": true });
    let discarded = ada.change("discardJobs", "matched discarded cancelled", all.clone()).await;
    assert_eq!(
        (&discarded["matched"], &discarded["discarded"], &discarded["cancelled"]),
        (&json!(2_345), &json!(2_345), &json!(0))
    );
    assert_eq!(in_state("DEAD").await, 4, "the other organization's");
    let pages = audit(&ada, "(filter: { actions: [\"jobs.discard\"], outcome: DONE }, first: 3)").await;
    let done: Vec<_> = pages.iter().map(|edge| edge["node"]["detail"]["done"]["discarded"].clone()).collect();
    assert_eq!(done, [345, 1_000, 1_000], "each transaction has its entry");

    let dry =
        ada.change("cancelJobs", "matched cancelled asked", json!({ "all": true, "dryRun": true })).await;
    let wet = ada.change("cancelJobs", "matched cancelled asked", all).await;
    assert_eq!(dry, wet);
    assert_eq!((&wet["matched"], &wet["cancelled"], &wet["asked"]), (&json!(8), &json!(7), &json!(1)));
    let query = "{ jobs(filter: { states: [RUNNING] }) { edges { node { cancelRequestedAt priority waitsFor payload traceId } } } }";
    let job = ada.data(query, json!({})).await["jobs"]["edges"][0]["node"].clone();
    assert!(job["cancelRequestedAt"].is_string(), "{job}");
    assert_eq!((&job["payload"], &job["priority"], &job["waitsFor"]), (&json!({}), &json!(0), &json!(0)));
    assert!(audit(&eve, "").await.is_empty(), "nothing of this is the other organization's");
}

#[tokio::test]
async fn a_retry_says_how_many_it_leaves_to_the_batch_that_pays_for_them() {
    let mut world = world!();
    let server = world.api().await;
    let (ada, org) = owner(&server, "ada").await;
    let columns = "kind, state, attempts, batch_id, reserved, finished_at";
    jobs(&world, &org, 2, columns, "'reanalyze_conversation', 'DEAD', 5, gen_random_uuid(), 7, now()").await;
    jobs(&world, &org, 1, columns, "'probe', 'DEAD', 5, NULL, 0, now()").await;
    let select = "matched retried leftToBatches";
    for dry_run in [true, false] {
        let told = ada.change("retryJobs", select, json!({ "all": true, "dryRun": dry_run })).await;
        let numbers = (&told["matched"], &told["retried"], &told["leftToBatches"]);
        assert_eq!(numbers, (&json!(3), &json!(1), &json!(2)), "dry run: {dry_run}");
    }
    let noted = audit(&ada, "(filter: { actions: [\"jobs.retry\"] }, first: 1)").await.remove(0);
    assert_eq!(noted["node"]["detail"]["done"]["leftToBatches"], 2, "{noted}");
    world.set("COLLOQUY_TOKEN", ada.token());
    let told = world.run(&["jobs", "retry", "--all", "--server", &server.url]).await.well();
    assert!(told.contains("0 jobs retried, 2 jobs left to the batch"), "{told}");
}

#[tokio::test]
async fn words_of_an_error_are_found_in_their_order_and_over_every_page() {
    let world = world!();
    let server = world.api().await;
    let (ada, org) = owner(&server, "ada").await;
    let dead = "kind, state, attempts, errors, finished_at";
    let turned = REFUSED.replace("connection refused by smtp", "smtp refused connection by accident");
    jobs(&world, &org, 2_345, dead, &format!("'send_email', 'DEAD', 5, {REFUSED}, now()")).await;
    jobs(&world, &org, 7, dead, &format!("'send_email', 'DEAD', 5, {turned}, now()")).await;

    let list = "query ($filter: JobFilter!, $first: Int, $after: String) {
        jobs(filter: $filter, first: $first, after: $after) { nodes { id } pageInfo { endCursor } }
    }";
    let page = async |filter: &Value, after: &Value| {
        let variables = json!({ "filter": filter, "first": 100, "after": after });
        ada.data(list, variables).await["jobs"].clone()
    };
    let newest_first = async |filter: Value| {
        let first = page(&filter, &Value::Null).await;
        let next = page(&filter, &first["pageInfo"]["endCursor"]).await;
        let both = [first, next].map(|page| page["nodes"].as_array().expect("a list").clone());
        both.concat()
    };
    let by_error = newest_first(json!({ "error": "refused by" })).await;
    let sql = "SELECT string_agg(translate(rtrim(encode('j'::bytea || uuid_send(id), 'base64'), '='), '+/', '-_'), ' ')
        FROM (SELECT id FROM jobs WHERE errors::text LIKE '%refused by%' ORDER BY id DESC LIMIT 200) AS j";
    let expected: String = world.sql().await.query_one(sql, &[]).await.expect("they are there").get(0);
    let listed: Vec<_> = by_error.iter().filter_map(|node| node["id"].as_str()).collect();
    assert_eq!(listed, expected.split(' ').collect::<Vec<_>>());
    assert_eq!(
        page(&json!({ "error": "connection by" }), &Value::Null).await["nodes"].as_array().unwrap().len(),
        7
    );

    let mut input = json!({ "filter": { "error": "refused by" }, "dryRun": true });
    let dry = ada.change("discardJobs", "matched discarded", input.clone()).await;
    input["dryRun"] = json!(false);
    let wet = ada.change("discardJobs", "matched discarded", input.clone()).await;
    assert_eq!(wet, dry);
    assert_eq!((&wet["matched"], &wet["discarded"]), (&json!(2_345), &json!(2_345)));
    let left = "SELECT count(*) FROM jobs WHERE state = 'DEAD'";
    assert_eq!(world.number(left).await, 7, "the words stand in another order there");
    assert_eq!(ada.change("discardJobs", "matched", input).await["matched"], 0);
    let entries = audit(&ada, "(filter: { actions: [\"jobs.discard\"], outcome: DONE })").await;
    let done: Vec<_> =
        entries.iter().map(|edge| edge["node"]["detail"]["done"]["discarded"].clone()).collect();
    assert_eq!(done, [0, 345, 1_000, 1_000], "each transaction has its entry, and so has what finds nothing");
}

#[tokio::test]
async fn a_time_is_when_jobs_were_made_also_by_a_clock_that_is_minutes_off() {
    let world = world!();
    let server = world.api().await;
    let (ada, _) = owner(&server, "ada").await;
    // Ids are drawn by clocks of other machines: here 40 minutes before and behind PostgreSQL's.
    let sql = "INSERT INTO jobs (id, organization_id, queue, kind, payload, max_attempts, state, finished_at, created_at, batch_id)
        SELECT (lpad(to_hex((extract(epoch FROM at + off * interval '40 minutes') * 1000)::bigint), 12, '0') || '7'
            || substr(gen_random_uuid()::text, 16))::uuid,
            (SELECT id FROM organizations), 'default', 'probe', '{}', 1, 'DONE', at, at, md5('batch')::uuid
        FROM generate_series(timestamptz '2026-03-01 00:00Z', '2026-03-03 23:00Z', interval '1 hour') AS at,
            generate_series(-1, 1) AS off";
    world.sql().await.batch_execute(sql).await.expect("jobs are written");
    let batch = "SELECT translate(rtrim(encode('b'::bytea || uuid_send(md5('batch')::uuid), 'base64'), '='), '+/', '-_')";
    let batch: String = world.sql().await.query_one(batch, &[]).await.expect("an id").get(0);
    let found = async |filter: Value| {
        let query =
            "query ($filter: JobFilter!) { jobs(filter: $filter, first: 100) { nodes { createdAt } } }";
        ada.data(query, json!({ "filter": filter })).await["jobs"]["nodes"].as_array().expect("a list").len()
    };
    for batch_id in [Value::Null, json!(batch)] {
        let day = |from: Value, before: Value| json!({ "createdFrom": from, "createdBefore": before, "batchId": batch_id });
        let (second, third) = (json!("2026-03-02T00:00:00Z"), json!("2026-03-03T00:00:00Z"));
        assert_eq!(found(day(second.clone(), third.clone())).await, 24 * 3);
        assert_eq!(found(day(Value::Null, second)).await, 24 * 3);
        assert_eq!(found(day(third, Value::Null)).await, 24 * 3);
        assert_eq!(found(day(json!("2026-03-05T00:00:00Z"), Value::Null)).await, 0);
    }
}

#[tokio::test]
async fn the_audit_log_says_who_did_what_from_where_and_who_was_refused() {
    let mut world = world!();
    world.set("COLLOQUY_HTTP_TRUSTED_PROXIES", "1");
    let server = world.api().await;
    let (ada, org) = owner(&server, "ada").await;
    let key =
        ada.change("createApiKey", "apiKey { id } secret", json!({ "name": "eyes", "role": "VIEWER" })).await;
    let viewer = server.with(key["secret"].as_str().expect("a secret"));
    jobs(&world, &org, 1, "kind, state, waits_for", "'probe', 'WAITING', 1").await;

    for (mutation, input) in [
        ("cancelJobs(input: { all: true }) { matched }", "jobs.cancel"),
        ("retryJobs(input: { all: true, dryRun: true }) { matched }", "jobs.retry"),
        ("discardJobs(input: { all: true }) { matched }", "jobs.discard"),
        ("pauseQueue(input: { queue: MAIL }) { changed }", "queues.pause"),
        ("resumeQueue(input: { queue: MAIL }) { changed }", "queues.resume"),
    ] {
        let answer = viewer.ask(&format!("mutation {{ {mutation} }}"), json!({})).await;
        assert_eq!(answer.code(), "FORBIDDEN");
        let newest = audit(&ada, "(first: 1)").await.remove(0)["node"].clone();
        assert_eq!(
            (&newest["action"], &newest["outcome"]),
            (&json!(input), &json!("REFUSED")),
            "{newest:#?}"
        );
        assert_eq!(
            (&newest["apiKeyId"], &newest["detail"]["code"]),
            (&key["apiKey"]["id"], &json!("FORBIDDEN"))
        );
        assert_eq!(newest["requestId"], answer.body["errors"][0]["extensions"]["requestId"]);
    }
    assert_eq!(world.number("SELECT count(*) FROM jobs WHERE state = 'WAITING'").await, 1);
    let watched = viewer.subscribe("subscription { queueStats { ready } }", json!({})).await.refusal().await;
    assert_eq!(watched, "FORBIDDEN");
    assert_eq!(viewer.ask("{ auditLog { edges { cursor } } }", json!({})).await.code(), "FORBIDDEN");
    let nobody =
        server.anonymous().ask("mutation { cancelJobs(input: { all: true }) { matched } }", json!({})).await;
    assert_eq!(nobody.code(), "UNAUTHENTICATED");

    let body = json!({ "query": "mutation { cancelJobs(input: { filter: { error: \"a secret of Mara's\" }, all: true }) { matched } pauseQueue(input: { queue: MAIL }) { changed } }" });
    let request = ada.post().header("x-request-id", "r-17").header("x-forwarded-for", "6.6.6.6, 192.0.2.9");
    ada.send(request.json(&body)).await.data();
    let entries = audit(&ada, "(filter: { outcome: DONE })").await;
    let [pause, cancel] = [&entries[0]["node"], &entries[1]["node"]];
    assert_eq!((&pause["action"], &pause["subject"]), (&json!("queues.pause"), &json!("mail")));
    for entry in [pause, cancel] {
        assert_eq!((&entry["remoteAddress"], &entry["requestId"]), (&json!("192.0.2.9"), &json!("r-17")));
        assert_eq!((&entry["user"]["email"], &entry["apiKeyId"]), (&json!("ada@example.com"), &json!(null)));
    }
    assert_eq!(cancel["detail"]["byError"], true);
    assert!(!cancel.to_string().contains("Mara"), "no words: {cancel}");

    // Page by page, each entry once.
    let all: Vec<_> = audit(&ada, "").await;
    assert_eq!(all.len(), 8);
    let mut paged = audit(&ada, "(first: 4)").await;
    let cursor = paged[3]["cursor"].as_str().expect("a cursor").to_owned();
    paged.extend(audit(&ada, &format!("(first: 4, after: \"{cursor}\")")).await);
    assert_eq!(paged, all);
    let by_me = format!("(filter: {{ userId: {} }})", pause["userId"]);
    assert_eq!(audit(&ada, &by_me).await.len(), 8, "the key is hers");
}

#[tokio::test]
async fn a_queue_is_paused_for_ones_own_organization_and_watched() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let (eve, _) = owner(&server, "eve").await;
    let pause = json!({ "queue": "INGEST" });
    let select = "changed queue { name isPausedHere isPaused }";
    for changed in [true, false] {
        let payload = client.change("pauseQueue", select, pause.clone()).await;
        assert_eq!(payload["changed"], changed);
        assert_eq!(payload["queue"], json!({ "name": "INGEST", "isPausedHere": true, "isPaused": false }));
    }
    let query = "subscription($every: Int!) { queueStats(intervalMs: $every) { name ready isPausedHere isPaused waiting rateIn rateOut drainSeconds } }";
    for every in [999, 60_001] {
        assert_eq!(
            client.subscribe(query, json!({ "every": every })).await.refusal().await,
            "BAD_USER_INPUT"
        );
    }
    let ingest = |stats: &Value| stats.as_array().expect("a list")[0].clone();
    let mut watched = client.subscribe(query, json!({ "every": 1000 })).await;
    let first = watched.event().await;
    assert_eq!(first.as_array().expect("a list").len(), 7, "every queue");
    assert_eq!((&ingest(&first)["name"], &ingest(&first)["isPausedHere"]), (&json!("INGEST"), &json!(true)));
    let elsewhere = eve.subscribe(query, json!({ "every": 1000 })).await.event().await;
    assert_eq!(ingest(&elsewhere)["isPausedHere"], false);

    let held = client.imported(Import { text: LINES, ..Import::default() }).await;
    let free = eve.imported(Import { text: LINES, ..Import::default() }).await;
    eve.ready(&free).await;
    let query = "query($id: ID!) { conversation(id: $id) { progress { stage } } }";
    let reached = client.data(query, json!({ "id": held })).await["conversation"]["progress"].clone();
    assert_eq!(reached, json!([{ "stage": "IMPORTED" }]), "it waits while others' go on");
    loop {
        let told = ingest(&watched.event().await);
        assert_eq!(told["isPausedHere"], true);
        if told["ready"] == 1 {
            break;
        }
    }
    for changed in [true, false] {
        let payload = client.change("resumeQueue", "changed queue { isPausedHere }", pause.clone()).await;
        assert_eq!(
            (&payload["changed"], &payload["queue"]["isPausedHere"]),
            (&json!(changed), &json!(false))
        );
    }
    client.ready(&held).await;
    loop {
        let told = ingest(&watched.event().await);
        if told["isPausedHere"] == false && told["ready"] == 0 {
            break;
        }
    }
    eventually("rates are known", async || {
        let data = client.data("{ queues { name rateIn rateOut drainSeconds } }", json!({})).await;
        data["queues"][0]["rateOut"].is_number().then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_shell_lists_shows_mends_and_pauses() {
    let world = world!();
    let server = world.standalone().await;
    let local: String =
        world.sql().await.query_one("SELECT name FROM organizations", &[]).await.unwrap().get(0);
    let dead = "kind, state, attempts, errors, created_at, finished_at";
    jobs(&world, &local, 2, dead, &format!("'probe', 'DEAD', 5, {REFUSED}, '2026-03-01 09:00Z', now()"))
        .await;
    jobs(&world, &local, 1, dead, "'send_email', 'DEAD', 9, '[]', '2026-04-01 09:00Z', now()").await;
    jobs(&world, &local, 3, "kind, state, waits_for", "'probe', 'WAITING', 1").await;

    let listed =
        world.run(&["jobs", "list", "--state", "dead", "--error", "connection refused"]).await.well();
    let found = world.run(&["jobs", "list", "--json", "--before", "2026-03-15", "--state", "dead"]).await;
    let found = found.json()[0].as_array().expect("a list").clone();
    assert_eq!(found.len(), 2);
    let hidden =
        found.iter().filter_map(|job| job["id"].as_str()).fold(listed, |text, id| text.replace(id, "[id]"));
    insta::assert_snapshot!(hidden, @r"
    STATE      KIND   TRIES  CREATED               ID
    dead       probe    5/5  2026-03-01 09:00:00Z  [id]
               connection refused by smtp
    dead       probe    5/5  2026-03-01 09:00:00Z  [id]
               connection refused by smtp
    2 jobs
    ");
    let id = found[0]["id"].as_str().expect("an id");
    let one = world.run(&["jobs", "show", id]).await.well();
    for part in ["probe  dead", "connection refused by smtp", "2026-03-01 09:00:00Z", "5 of 5"] {
        assert!(one.contains(part), "{part}: {one}");
    }
    assert_eq!(world.run(&["jobs", "show", "--json", id]).await.json()[0]["id"], id);
    let none = world.run(&["jobs", "show", "nonsense"]).await;
    assert!(none.code == Some(1) && none.stderr.contains("no job nonsense"), "{none:#?}");

    let refused = world.run(&["jobs", "retry"]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("ALL_JOBS_MEANT"), "{refused:#?}");
    let dry = world.run(&["jobs", "retry", "--all", "--dry-run", "--since", "2026-03-15"]).await.well();
    assert_eq!(dry, "1 job would be retried\n");
    let retried = world.run(&["jobs", "retry", "--json", "--id", id]).await.json();
    assert_eq!(retried, [json!({ "matched": 1, "retried": 1, "leftToBatches": 0, "dryRun": false })]);
    eventually("the retried job runs", async || {
        let job = world.run(&["jobs", "show", "--json", id]).await.json().remove(0);
        (job["state"] == "DONE").then_some(())
    })
    .await;
    let cancelled =
        world.run(&["jobs", "cancel", "--state", "waiting", "--queue", "default", "--yes"]).await.well();
    assert_eq!(cancelled, "3 jobs cancelled\n");
    let discarded = world.run(&["jobs", "discard", "--kind", "send_email"]).await.well();
    assert_eq!(discarded, "1 job discarded\n", "nobody is asked where no terminal is");
    assert_eq!(
        world.run(&["jobs", "discard", "--kind", "send_email"]).await.well(),
        "no job fits that this could be done to\n"
    );

    assert_eq!(
        world.run(&["jobs", "pause", "mail"]).await.well(),
        "mail is paused for your organization; what runs ends\n"
    );
    let everywhere = world.run(&["jobs", "pause", "mail", "--everywhere", "--json"]).await.json();
    assert_eq!(everywhere, [json!({ "queue": "mail", "paused": true, "everywhere": true, "changed": true })]);
    let queues = world.run(&["jobs", "queues"]).await.well();
    assert!(queues.contains("paused for every organization"), "{queues}");
    let mail = server.owner().data("{ queues { name isPaused isPausedHere } }", json!({})).await["queues"][4]
        .clone();
    assert_eq!(mail, json!({ "name": "MAIL", "isPaused": true, "isPausedHere": true }));
    let again = world.run(&["jobs", "resume", "mail", "--everywhere"]).await.well();
    assert_eq!(again, "mail goes on for every organization\n");
    assert_eq!(world.run(&["jobs", "resume", "mail"]).await.well(), "mail goes on for your organization\n");
    let strange =
        world.run(&["jobs", "pause", "mail", "--everywhere", "--server", "https://a.example"]).await;
    assert_eq!(strange.code, Some(2), "{strange:#?}");

    let mut watch = world.start(&["jobs", "queues", "--watch", "--every", "1", "--json"]);
    watch.says("the queues", |line| (line[0]["name"] == "INGEST").then_some(())).await;
    watch.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(watch.ended().await.code(), Some(130));
}

#[tokio::test]
async fn on_a_terminal_the_shell_asks_before_it_cancels_or_discards() {
    let world = world!();
    let _server = world.standalone().await;
    let local: String =
        world.sql().await.query_one("SELECT name FROM organizations", &[]).await.unwrap().get(0);
    jobs(&world, &local, 2, "kind, state, waits_for", "'probe', 'WAITING', 1").await;
    let waiting = "SELECT count(*) FROM jobs WHERE state = 'WAITING'";
    for (answer, code, left) in [("n\n", 1, 2), ("\n", 1, 2), ("y\n", 0, 0)] {
        let ended = world.on_terminal(&["jobs", "cancel", "--all"], answer).await;
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        assert!(ended.stdout.contains("2 jobs would be cancelled. Go on? [y/N]"), "{ended:#?}");
        assert_eq!(world.number(waiting).await, left);
    }
    let nothing = world.on_terminal(&["jobs", "cancel", "--all"], "").await;
    assert!(nothing.code == Some(0) && !nothing.stdout.contains("Go on?"), "{nothing:#?}");
}
