//! Two tenants on one server: nothing of one is there for the other, by whatever id or cursor.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    archives::{IMPORT_ARCHIVE, zip},
    support::{Client, Import, Server, forge, parts, world},
};

/// Every argument and input field that takes an id: where it stands, and a request that uses it, with `$id`
/// for the id that is another tenant's. A list of the root fields that lead there is not needed: an input
/// object is named once.
const TABLE: &[(&str, &str, &str)] = &[
    ("Query.node.id", "*", "query($id: ID!) { found: node(id: $id) { id } }"),
    ("Query.nodes.ids", "*", "query($id: ID!) { found: nodes(ids: [$id]) { id } }"),
    ("Query.conversation.id", "c", "query($id: ID!) { found: conversation(id: $id) { id title } }"),
    ("Query.analysis.id", "a", "query($id: ID!) { found: analysis(id: $id) { id } }"),
    ("Query.batch.id", "b", "query($id: ID!) { found: batch(id: $id) { id state } }"),
    (
        "Query.archiveImport.id",
        "z",
        "query($id: ID!) { found: archiveImport(id: $id) { id fileName entries { edges { node { name } } } } }",
    ),
    (
        "CancelArchiveImportInput.id",
        "z",
        "mutation($id: ID!) { found: cancelArchiveImport(input: { id: $id }) { archiveImport { id } userErrors { code } } }",
    ),
    ("Query.job.id", "j", "query($id: ID!) { found: job(id: $id) { id kind } }"),
    (
        "SearchFilter.conversationIds",
        "c",
        "query($id: ID!) { found: search(query: \"talk\", filter: { conversationIds: [$id] }) { edges { cursor } } }",
    ),
    (
        "Query.similar.conversationId",
        "c",
        "query($id: ID!) { found: similar(conversationId: $id) { byWords } }",
    ),
    (
        "SearchFilter.personIds",
        "h",
        "query($id: ID!) { found: search(query: \"talk\", filter: { personIds: [$id] }) { edges { cursor } } }",
    ),
    (
        "ConversationFilter.personIds",
        "h",
        "query($id: ID!) { found: conversations(filter: { personIds: [$id] }) { edges { cursor } } }",
    ),
    (
        "BatchFilter.personIds",
        "h",
        "mutation($id: ID!) { found: planBatch(input: { kind: PURGE, filter: { personIds: [$id] } }) { batch { id } userErrors { code } } }",
    ),
    ("Query.person.id", "h", "query($id: ID!) { found: person(id: $id) { id name } }"),
    (
        "UpdatePersonInput.id",
        "h",
        "mutation($id: ID!) { found: updatePerson(input: { id: $id, name: \"mine\" }) { person { id } userErrors { code } } }",
    ),
    (
        "DeletePersonInput.id",
        "h",
        "mutation($id: ID!) { found: deletePerson(input: { id: $id }) { deletedId userErrors { code } } }",
    ),
    (
        "ErasePersonInput.personId",
        "h",
        "mutation($id: ID!) { found: erasePerson(input: { personId: $id }) { erasure { id } userErrors { code } } }",
    ),
    ("Query.erasure.id", "d", "query($id: ID!) { found: erasure(id: $id) { id kind } }"),
    (
        "SetParticipantPersonInput.participantId",
        "p",
        "mutation($id: ID!) { found: setParticipantPerson(input: { participantId: $id, expectedRevision: 1 }) { participant { id } userErrors { code } } }",
    ),
    (
        "SetParticipantPersonInput.personId",
        "h",
        "mutation($id: ID!, $own: ID!) { found: setParticipantPerson(input: { participantId: $own, personId: $id, expectedRevision: 1 }) { participant { id } userErrors { code } } }",
    ),
    (
        "Query.compareRevisions.conversationId",
        "c",
        "query($id: ID!) { found: compareRevisions(conversationId: $id, from: 1, to: 1) { to } }",
    ),
    (
        "EditSegmentInput.conversationId",
        "c",
        "mutation($id: ID!, $ownSegment: ID!) { found: editSegment(input: { conversationId: $id, segmentId: $ownSegment, text: \"x\", expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "EditSegmentInput.segmentId",
        "s",
        "mutation($id: ID!, $ownTalk: ID!) { found: editSegment(input: { conversationId: $ownTalk, segmentId: $id, text: \"x\", expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "RemoveSegmentsInput.conversationId",
        "c",
        "mutation($id: ID!, $ownSegment: ID!) { found: removeSegments(input: { conversationId: $id, segmentIds: [$ownSegment], expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "RemoveSegmentsInput.segmentIds",
        "s",
        "mutation($id: ID!, $ownTalk: ID!) { found: removeSegments(input: { conversationId: $ownTalk, segmentIds: [$id], expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "RenameParticipantInput.conversationId",
        "c",
        "mutation($id: ID!, $own: ID!) { found: renameParticipant(input: { conversationId: $id, participantId: $own, label: \"x\", expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "RenameParticipantInput.participantId",
        "p",
        "mutation($id: ID!, $ownTalk: ID!) { found: renameParticipant(input: { conversationId: $ownTalk, participantId: $id, label: \"x\", expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "MergeParticipantsInput.conversationId",
        "c",
        "mutation($id: ID!, $own: ID!, $ownOther: ID!) { found: mergeParticipants(input: { conversationId: $id, participantIds: [$ownOther], intoParticipantId: $own, expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "MergeParticipantsInput.participantIds",
        "p",
        "mutation($id: ID!, $own: ID!, $ownTalk: ID!) { found: mergeParticipants(input: { conversationId: $ownTalk, participantIds: [$id], intoParticipantId: $own, expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "MergeParticipantsInput.intoParticipantId",
        "p",
        "mutation($id: ID!, $own: ID!, $ownTalk: ID!) { found: mergeParticipants(input: { conversationId: $ownTalk, participantIds: [$own], intoParticipantId: $id, expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "SplitParticipantInput.conversationId",
        "c",
        "mutation($id: ID!, $own: ID!, $ownSegment: ID!) { found: splitParticipant(input: { conversationId: $id, participantId: $own, segmentIds: [$ownSegment], label: \"x\", expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "SplitParticipantInput.participantId",
        "p",
        "mutation($id: ID!, $ownTalk: ID!, $ownSegment: ID!) { found: splitParticipant(input: { conversationId: $ownTalk, participantId: $id, segmentIds: [$ownSegment], label: \"x\", expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "SplitParticipantInput.segmentIds",
        "s",
        "mutation($id: ID!, $own: ID!, $ownTalk: ID!) { found: splitParticipant(input: { conversationId: $ownTalk, participantId: $own, segmentIds: [$id], label: \"x\", expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "ReassignSegmentsInput.conversationId",
        "c",
        "mutation($id: ID!, $ownSegment: ID!) { found: reassignSegments(input: { conversationId: $id, segmentIds: [$ownSegment], expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "ReassignSegmentsInput.segmentIds",
        "s",
        "mutation($id: ID!, $ownTalk: ID!) { found: reassignSegments(input: { conversationId: $ownTalk, segmentIds: [$id], expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "ReassignSegmentsInput.participantId",
        "p",
        "mutation($id: ID!, $ownTalk: ID!, $ownSegment: ID!) { found: reassignSegments(input: { conversationId: $ownTalk, segmentIds: [$ownSegment], participantId: $id, expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    (
        "RevertConversationInput.conversationId",
        "c",
        "mutation($id: ID!) { found: revertConversation(input: { conversationId: $id, revision: 1, expectedRevision: 1 }) { conversation { id } userErrors { code } } }",
    ),
    ("Query.similar.passageId", "q", "query($id: ID!) { found: similar(passageId: $id) { byWords } }"),
    (
        "JobFilter.ids",
        "j",
        "query($id: ID!) { found: jobs(filter: { ids: [$id] }) { edges { node { id } } } }",
    ),
    (
        "JobFilter.conversationId",
        "c",
        "query($id: ID!) { found: jobs(filter: { conversationId: $id }) { edges { node { id } } } }",
    ),
    (
        "JobFilter.ids",
        "j",
        "query($id: ID!) { found: jobs(filter: { ids: [$id] }) { edges { node { id } } } }",
    ),
    (
        "JobFilter.ids",
        "j",
        "mutation($id: ID!) { found: retryJobs(input: { filter: { ids: [$id] } }) { matched } }",
    ),
    (
        "JobFilter.ids",
        "j",
        "mutation($id: ID!) { found: cancelJobs(input: { filter: { ids: [$id] } }) { matched } }",
    ),
    (
        "JobFilter.ids",
        "j",
        "mutation($id: ID!) { found: discardJobs(input: { filter: { ids: [$id] } }) { matched } }",
    ),
    (
        "JobFilter.conversationId",
        "c",
        "mutation($id: ID!) { found: cancelJobs(input: { filter: { conversationId: $id } }) { matched } }",
    ),
    (
        "JobFilter.batchId",
        "b",
        "query($id: ID!) { found: jobs(filter: { batchId: $id }) { edges { node { id } } } }",
    ),
    (
        "JobFilter.batchId",
        "b",
        "mutation($id: ID!) { found: cancelJobs(input: { filter: { batchId: $id } }) { matched } }",
    ),
    ("Query.schedule.id", "r", "query($id: ID!) { found: schedule(id: $id) { id name } }"),
    (
        "UpdateScheduleInput.id",
        "r",
        "mutation($id: ID!) { found: updateSchedule(input: { id: $id, isEnabled: false }) { schedule { id } userErrors { code } } }",
    ),
    (
        "DeleteScheduleInput.id",
        "r",
        "mutation($id: ID!) { found: deleteSchedule(input: { id: $id }) { deletedId userErrors { code } } }",
    ),
    (
        "RunScheduleInput.id",
        "r",
        "mutation($id: ID!) { found: runSchedule(input: { id: $id }) { schedule { id } userErrors { code } } }",
    ),
    ("Query.savedSearch.id", "v", "query($id: ID!) { found: savedSearch(id: $id) { id name } }"),
    (
        "UpdateSavedSearchInput.id",
        "v",
        "mutation($id: ID!) { found: updateSavedSearch(input: { id: $id, name: \"mine\" }) { savedSearch { id } userErrors { code } } }",
    ),
    (
        "DeleteSavedSearchInput.id",
        "v",
        "mutation($id: ID!) { found: deleteSavedSearch(input: { id: $id }) { deletedId userErrors { code } } }",
    ),
    (
        "Subscription.searchMatched.savedSearchId",
        "v",
        "subscription($id: ID!) { searchMatched(savedSearchId: $id) { __typename } }",
    ),
    (
        "AuditFilter.userId",
        "u",
        "query($id: ID!) { found: auditLog(filter: { userId: $id }) { edges { node { id } } } }",
    ),
    (
        "LogInInput.organizationId",
        "o",
        "mutation($id: ID!) { found: logIn(input: { email: \"ada@example.com\", password: \"correct horse ada\", organizationId: $id }) { session { accessToken } userErrors { code } } }",
    ),
    (
        "RevokeApiKeyInput.id",
        "k",
        "mutation($id: ID!) { found: revokeApiKey(input: { id: $id }) { apiKey { id } userErrors { code } } }",
    ),
    (
        "SetMemberRoleInput.userId",
        "u",
        "mutation($id: ID!) { found: setMemberRole(input: { userId: $id, role: VIEWER }) { member { role } userErrors { code } } }",
    ),
    (
        "UpdateConversationInput.id",
        "c",
        "mutation($id: ID!) { found: updateConversation(input: { id: $id, title: \"mine\" }) { conversation { id } userErrors { code } } }",
    ),
    (
        "TagConversationInput.id",
        "c",
        "mutation($id: ID!) { found: tagConversation(input: { id: $id, tags: [\"mine\"] }) { conversation { id } userErrors { code } } }",
    ),
    (
        "TagConversationInput.id",
        "c",
        "mutation($id: ID!) { found: untagConversation(input: { id: $id, tags: [\"theirs\"] }) { conversation { id } userErrors { code } } }",
    ),
    (
        "DeleteConversationInput.id",
        "c",
        "mutation($id: ID!) { found: deleteConversation(input: { id: $id }) { deletedId userErrors { code } } }",
    ),
    (
        "BatchFilter.conversationIds",
        "c",
        "mutation($id: ID!) { found: planBatch(input: { kind: PURGE, filter: { conversationIds: [$id] } }) { batch { id } userErrors { code } } }",
    ),
    (
        "StartBatchInput.batchId",
        "b",
        "mutation($id: ID!) { found: startBatch(input: { batchId: $id }) { batch { id } userErrors { code } } }",
    ),
    (
        "PauseBatchInput.batchId",
        "b",
        "mutation($id: ID!) { found: pauseBatch(input: { batchId: $id }) { batch { id } userErrors { code } } }",
    ),
    (
        "ResumeBatchInput.batchId",
        "b",
        "mutation($id: ID!) { found: resumeBatch(input: { batchId: $id }) { batch { id } userErrors { code } } }",
    ),
    (
        "CancelBatchInput.batchId",
        "b",
        "mutation($id: ID!) { found: cancelBatch(input: { batchId: $id }) { batch { id } userErrors { code } } }",
    ),
    (
        "RetryBatchFailuresInput.batchId",
        "b",
        "mutation($id: ID!) { found: retryBatchFailures(input: { batchId: $id }) { batch { id } userErrors { code } } }",
    ),
    (
        "Subscription.batchProgress.batchId",
        "b",
        "subscription($id: ID!) { batchProgress(batchId: $id) { __typename } }",
    ),
    (
        "Subscription.conversationProgress.conversationId",
        "c",
        "subscription($id: ID!) { conversationProgress(conversationId: $id) { __typename } }",
    ),
    ("Subscription.jobChanged.id", "j", "subscription($id: ID!) { jobChanged(id: $id) { __typename } }"),
];

const SECRET: &str = "zwitscherkasten";

async fn tenant(server: &Server, name: &str) -> (Client, Value) {
    let input = json!({ "email": format!("{name}@example.com"), "password": format!("correct horse {name}"),
        "name": name, "organizationName": name });
    let select = "session { accessToken viewer { user { id } organization { id } } }";
    let session = server.anonymous().change("signUp", select, input).await["session"].clone();
    (server.with(session["accessToken"].as_str().expect("a token")), session["viewer"].clone())
}

/// A conversation of the tenant, ready, and everything that has an id there.
async fn belongings(client: &Client, viewer: &Value) -> Vec<String> {
    let text =
        format!("Eve: The {SECRET} is a talk of its own.\nFay: I will send you the {SECRET} by Friday.\n");
    let import = Import { text: &text, title: Some(SECRET), tags: &["theirs", SECRET], ..Import::default() };
    let payload = client.import(import).await;
    let id = payload["conversation"]["id"].as_str().expect("an id").to_owned();
    client.ready(&id).await;
    let key =
        client.change("createApiKey", "apiKey { id }", json!({ "name": SECRET, "role": "VIEWER" })).await;
    let plan = json!({ "kind": "EXPORT", "all": true });
    let planned = client.change("planBatch", "batch { id }", plan.clone()).await;
    let schedule = json!({ "name": SECRET, "cron": "@yearly", "batch": plan });
    let schedule = client.change("createSchedule", "schedule { id }", schedule).await;
    let person = client.change("createPerson", "person { id }", json!({ "name": SECRET })).await;
    let search = json!({ "name": SECRET, "query": SECRET });
    let search = client.change("saveSearch", "savedSearch { id }", search).await;
    let archive = zip(&[(format!("{SECRET}.txt").as_str(), text.as_bytes())]);
    let archive = client.upload_to(IMPORT_ARCHIVE, &format!("{SECRET}.zip"), archive, json!({})).await.data();
    let query = format!(
        "query($id: ID!) {{ conversation(id: $id) {{ participants {{ id }} tags {{ id }} segments {{ edges {{ node {{ id }} }} }}
            analysis {{ id insights {{ id }} }} }}
        search(query: \"{SECRET}\") {{ edges {{ node {{ passage {{ id }} }} }} }} jobs {{ edges {{ node {{ id }} }} }} }}"
    );
    let data = client.data(&query, json!({ "id": id })).await;
    let tied = json!({ "participantId": data["conversation"]["participants"][0]["id"], "personId": person["person"]["id"],
        "expectedRevision": 1 });
    client.change("setParticipantPerson", "", tied).await;
    let deleted =
        client.imported(Import { text: "Eve: To be gone.\nFay: So be it.\n", ..Import::default() }).await;
    let deleted = client.change("deleteConversation", "erasure { id }", json!({ "id": deleted })).await;
    client.idle().await;
    let mut ids = vec![id];
    collect(
        &json!([data, deleted, person, key, planned, schedule, search, archive, viewer, payload]),
        &mut ids,
    );
    ids
}

/// The values of all fields named `id`.
fn collect(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(id) if name == "id" => ids.push(id.clone()),
                    value => collect(value, ids),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, ids)),
        _ => {}
    }
}

/// The letter inside an id says of what it is.
fn letter(id: &str) -> String {
    (parts(id)[0] as char).to_string()
}

#[tokio::test]
async fn no_id_of_another_tenant_opens_anything() {
    let world = world!();
    let server = world.standalone().await;
    let (ada, _) = tenant(&server, "ada").await;
    let (eve, viewer) = tenant(&server, "eve").await;
    let own = ada.imported(Import { text: "Ada: My talk.\nBen: Our talk.\n", ..Import::default() }).await;
    ada.ready(&own).await;
    let search = json!({ "name": "All", "query": SECRET });
    let search = ada.change("saveSearch", "savedSearch { id }", search).await["savedSearch"].clone();
    let mut ids = belongings(&eve, &viewer).await;
    ids.sort();
    ids.dedup();
    let letters: BTreeSet<String> = ids.iter().map(|id| letter(id)).collect();
    let all = ["a", "b", "c", "d", "h", "i", "j", "k", "o", "p", "q", "r", "s", "t", "u", "v", "z"]
        .map(str::to_owned);
    assert_eq!(letters, BTreeSet::from(all), "an id of every kind is tried");
    let dump = "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM (
        SELECT c::text FROM conversations c UNION ALL SELECT m::text FROM memberships m
        UNION ALL SELECT (id, revoked_at)::text FROM api_keys UNION ALL SELECT b::text FROM batches b UNION ALL SELECT s::text FROM schedules s UNION ALL SELECT v::text FROM saved_searches v UNION ALL SELECT ct::text FROM conversation_tags ct UNION ALL SELECT p::text FROM people p UNION ALL SELECT p::text FROM participants p UNION ALL SELECT s::text FROM segments s) t";
    let parts = "query($id: ID!) { conversation(id: $id) { participants { id } segments { edges { node { id } } } } }";
    let parts = ada.data(parts, json!({ "id": own })).await["conversation"].clone();
    let owned = [
        ("own", parts["participants"][0]["id"].clone()),
        ("ownOther", parts["participants"][1]["id"].clone()),
        ("ownSegment", parts["segments"]["edges"][0]["node"]["id"].clone()),
        ("ownTalk", json!(own)),
    ];
    let sql = world.sql().await;
    let before: String = sql.query_one(dump, &[]).await.unwrap().get(0);
    for (path, of, query) in TABLE {
        let of_kind = ids.iter().filter(|id| *of == "*" || letter(id) == *of).collect::<Vec<_>>();
        assert!(!of_kind.is_empty(), "{path}");
        for id in of_kind {
            let mut variables = json!({ "id": id });
            for (name, id) in owned.iter().filter(|(name, _)| query.contains(&format!("${name}:"))) {
                variables[*name] = id.clone();
            }
            if query.starts_with("subscription") {
                assert_eq!(ada.subscribe(query, variables).await.refusal().await, "NOT_FOUND", "{path}");
                continue;
            }
            let answer = ada.ask(query, variables).await;
            let found = &answer.body["data"]["found"];
            let nothing = [
                json!(null),
                json!([null]),
                json!({ "edges": [] }),
                json!({ "matched": 0 }),
                json!({ "session": null, "userErrors": [{ "code": "NOT_A_MEMBER" }] }),
                json!({ "apiKey": null, "userErrors": [{ "code": "NOT_FOUND" }] }),
                json!({ "member": null, "userErrors": [{ "code": "NOT_FOUND" }] }),
                json!({ "conversation": null, "userErrors": [{ "code": "NOT_FOUND" }] }),
                json!({ "batch": null, "userErrors": [{ "code": "NOT_FOUND" }] }),
                json!({ "schedule": null, "userErrors": [{ "code": "NOT_FOUND" }] }),
                json!({ "savedSearch": null, "userErrors": [{ "code": "NOT_FOUND" }] }),
                json!({ "erasure": null, "userErrors": [{ "code": "NOT_FOUND" }] }),
                json!({ "person": null, "userErrors": [{ "code": "NOT_FOUND" }] }),
                json!({ "archiveImport": null, "userErrors": [{ "code": "NOT_FOUND" }] }),
                json!({ "participant": null, "userErrors": [{ "code": "NOT_FOUND" }] }),
                json!({ "batch": null, "userErrors": [{ "code": "NOTHING_TO_DO" }] }),
                json!({ "deletedId": null, "userErrors": [{ "code": "NOT_FOUND" }] }),
            ];
            assert!(answer.body["errors"].is_null() && nothing.contains(found), "{path}: {answer:#?}");
            assert!(!answer.body.to_string().contains(SECRET), "{path}: {answer:#?}");
        }
    }
    let after: String = sql.query_one(dump, &[]).await.unwrap().get(0);
    assert_eq!(before, after, "nothing of anybody's has changed");
    let matched = "query($id: ID!) { savedSearch(id: $id) { matches { edges { cursor } } } }";
    let matched = ada.data(matched, json!({ "id": search["id"] })).await;
    assert_eq!(matched["savedSearch"]["matches"]["edges"], json!([]));
    // Nor does a name; another's of the same name is nobody of one's own.
    let named = format!("query: \"talk person:{SECRET}\", mode: TEXT");
    assert_eq!(ada.titles(&named).await, [""; 0]);
    let people = "{ people { edges { node { id } } } }";
    assert_eq!(ada.data(people, json!({})).await["people"]["edges"], json!([]));
    // Nor does the text lead there; meaning finds what is least unlike among one's own.
    for mode in ["TEXT", "SEMANTIC", "HYBRID"] {
        let hits = ada.search(&format!("query: \"{SECRET} talk\", mode: {mode}, filter: {{}}")).await;
        let own = hits.iter().filter(|hit| hit["conversation"]["id"] == own.as_str()).count();
        assert_eq!(own, hits.len(), "{mode}: {hits:#?}");
    }
    let data = ada
        .data(
            "{ tags { edges { node { tag { name } } } } conversations { edges { node { id } } } }",
            json!({}),
        )
        .await;
    let archives = "{ archiveImports { edges { node { id } } } }";
    assert_eq!(ada.data(archives, json!({})).await["archiveImports"]["edges"], json!([]));
    assert_eq!(data["tags"]["edges"], json!([]));
    assert_eq!(data["conversations"]["edges"], json!([{ "node": { "id": own } }]));
}

#[tokio::test]
async fn the_table_of_ids_leaves_no_argument_out() {
    let world = world!();
    let server = world.api().await;
    const TYPE: &str = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
    let query = format!(
        "{{ __schema {{ types {{ name kind inputFields {{ name type {{ {TYPE} }} }}
            fields {{ name args {{ name type {{ {TYPE} }} }} }} }} }} }}"
    );
    let schema = server.anonymous().data(&query, json!({})).await;
    let is_id = |of: &Value| {
        let mut at = &of["type"];
        while !at["ofType"].is_null() {
            at = &at["ofType"];
        }
        at["name"] == "ID"
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let mut there = BTreeSet::new();
    for of in list(&schema["__schema"]["types"]) {
        let name = text(&of);
        there.extend(
            list(&of["inputFields"])
                .iter()
                .filter(|field| is_id(field))
                .map(|field| format!("{name}.{}", text(field))),
        );
        for field in list(&of["fields"]) {
            let args = list(&field["args"]);
            there.extend(
                args.iter()
                    .filter(|arg| is_id(arg))
                    .map(|arg| format!("{name}.{}.{}", text(&field), text(arg))),
            );
        }
    }
    let covered: BTreeSet<String> = TABLE.iter().map(|(path, ..)| (*path).to_owned()).collect();
    assert_eq!(there, covered);
}

#[tokio::test]
async fn a_cursor_of_another_tenant_shows_ones_own_things_alone() {
    let world = world!();
    let server = world.standalone().await;
    let (ada, _) = tenant(&server, "ada").await;
    let (eve, viewer) = tenant(&server, "eve").await;
    let own = ada.imported(Import { text: "Ada: My talk.\nBen: Our talk.\n", ..Import::default() }).await;
    ada.ready(&own).await;
    ada.idle().await;
    belongings(&eve, &viewer).await;
    eve.idle().await;
    let theirs = eve
        .data(
            "{ conversations { pageInfo { startCursor } } jobs { pageInfo { startCursor endCursor } } }",
            json!({}),
        )
        .await;
    let lists = [
        ("conversations", &theirs["conversations"]["pageInfo"]["startCursor"]),
        ("jobs", &theirs["jobs"]["pageInfo"]["startCursor"]),
        ("jobs", &theirs["jobs"]["pageInfo"]["endCursor"]),
    ];
    let own_jobs =
        ada.data("{ found: jobs { edges { node { id } } } }", json!({})).await["found"]["edges"].clone();
    for (list, cursor) in lists {
        let query = format!(
            "query($after: String) {{ found: {list}(after: $after) {{ edges {{ node {{ id }} }} }} }}"
        );
        let data = ada.data(&query, json!({ "after": cursor })).await;
        for edge in data["found"]["edges"].as_array().unwrap() {
            let is_own = edge["node"]["id"] == own.as_str() || own_jobs.as_array().unwrap().contains(edge);
            assert!(is_own, "{list}: {edge}");
        }
    }

    // A place in the log is no secret, but what is told from there is one's own.
    let payload =
        eve.import(Import { text: "Eve: One more talk.\nFay: Why not.\n", ..Import::default() }).await;
    let (id, cursor) = (payload["conversation"]["id"].as_str().unwrap(), payload["cursor"].as_str().unwrap());
    eve.ready(id).await;
    let query = "subscription($after: Cursor) { jobChanged(after: $after) { ... on JobChange { id kind } } }";
    let mut watched = ada.subscribe(query, json!({ "after": cursor })).await;
    let mine = ada.import(Import { text: "Ada: Another talk.\nBen: Yes.\n", ..Import::default() }).await;
    let first = watched.event().await;
    assert_eq!(first["id"], mine["jobs"][0]["id"], "the first that is told is one's own");

    // A cursor beyond the end, or of a list of another kind, is refused and tells nothing.
    let mut beyond = parts(cursor);
    let end = beyond.len();
    beyond[end - 8..].copy_from_slice(&(1_u64 << 40).to_be_bytes());
    let mut refused = ada.subscribe(query, json!({ "after": forge(&beyond) })).await;
    assert_eq!(refused.refusal().await, "CURSOR_EXPIRED");
}
