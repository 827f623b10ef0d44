//! The four roles against everything that can be asked.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, Import, LINES, Server, forge, world};

const ROLES: [&str; 4] = ["VIEWER", "MEMBER", "ADMIN", "OWNER"];

/// What is asked, with `$id` for a conversation and other names for what is not there, and the least role that may; `None` for everybody, also
/// those who have not signed in.
const TABLE: &[(&str, &str, Option<&str>)] = &[
    ("viewer", "{ viewer { role } }", None),
    ("node", "query($id: ID!) { node(id: $id) { id } }", Some("VIEWER")),
    ("nodes", "query($id: ID!) { nodes(ids: [$id]) { id } }", Some("VIEWER")),
    ("conversation", "query($id: ID!) { conversation(id: $id) { title } }", Some("VIEWER")),
    ("conversations", "{ conversations { edges { node { id } } } }", Some("VIEWER")),
    ("search", "{ search(query: \"numbers\", mode: TEXT) { edges { cursor } } }", Some("VIEWER")),
    ("similar", "query($id: ID!) { similar(conversationId: $id) { hits { score } } }", Some("VIEWER")),
    ("searchSuggestions", "{ searchSuggestions(prefix: \"num\") { degraded } }", Some("VIEWER")),
    ("synonyms", "{ synonyms }", Some("VIEWER")),
    (
        "setSynonyms",
        "mutation { setSynonyms(input: { groups: [[\"pay\", \"salary\"]] }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    ("savedSearch", "query($saved: ID!) { savedSearch(id: $saved) { name } }", Some("VIEWER")),
    ("savedSearches", "{ savedSearches { edges { cursor } } }", Some("VIEWER")),
    (
        "saveSearch",
        "mutation { saveSearch(input: { name: \"x\", query: \"pay\" }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "updateSavedSearch",
        "mutation($saved: ID!) { updateSavedSearch(input: { id: $saved, name: \"y\" }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "deleteSavedSearch",
        "mutation($saved: ID!) { deleteSavedSearch(input: { id: $saved }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    ("person", "query($person: ID!) { person(id: $person) { name } }", Some("VIEWER")),
    ("people", "{ people { edges { cursor } } }", Some("VIEWER")),
    (
        "createPerson",
        "mutation { createPerson(input: { name: \"Ana\" }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "updatePerson",
        "mutation($person: ID!) { updatePerson(input: { id: $person, name: \"Ana\" }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "deletePerson",
        "mutation($person: ID!) { deletePerson(input: { id: $person }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "erasePerson",
        "mutation($person: ID!) { erasePerson(input: { personId: $person }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    ("erasure", "query($id: ID!) { erasure(id: $id) { id } }", Some("ADMIN")),
    ("erasures", "{ erasures { edges { cursor } } }", Some("ADMIN")),
    (
        "setParticipantPerson",
        "mutation($participant: ID!) { setParticipantPerson(input: { participantId: $participant, expectedRevision: 1 }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "editSegment",
        "mutation($id: ID!, $segment: ID!) { editSegment(input: { conversationId: $id, segmentId: $segment, text: \"x\", expectedRevision: 1 }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "removeSegments",
        "mutation($id: ID!, $segment: ID!) { removeSegments(input: { conversationId: $id, segmentIds: [$segment], expectedRevision: 1 }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "renameParticipant",
        "mutation($id: ID!, $participant: ID!) { renameParticipant(input: { conversationId: $id, participantId: $participant, label: \"x\", expectedRevision: 1 }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "mergeParticipants",
        "mutation($id: ID!, $participant: ID!, $other: ID!) { mergeParticipants(input: { conversationId: $id, participantIds: [$other], intoParticipantId: $participant, expectedRevision: 1 }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "splitParticipant",
        "mutation($id: ID!, $segment: ID!, $participant: ID!) { splitParticipant(input: { conversationId: $id, participantId: $participant, segmentIds: [$segment], label: \"x\", expectedRevision: 1 }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "reassignSegments",
        "mutation($id: ID!, $segment: ID!) { reassignSegments(input: { conversationId: $id, segmentIds: [$segment], expectedRevision: 1 }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "revertConversation",
        "mutation($id: ID!) { revertConversation(input: { conversationId: $id, revision: 1, expectedRevision: 1 }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "compareRevisions",
        "query($id: ID!) { compareRevisions(conversationId: $id, from: 1, to: 1) { to } }",
        Some("VIEWER"),
    ),
    ("tags", "{ tags { edges { cursor } } }", Some("VIEWER")),
    ("analysis", "query($id: ID!) { analysis(id: $id) { id } }", Some("VIEWER")),
    ("job", "query($id: ID!) { job(id: $id) { id } }", Some("VIEWER")),
    ("jobs", "{ jobs { edges { node { id } } } }", Some("ADMIN")),
    ("queues", "{ queues { ready } }", Some("ADMIN")),
    ("auditLog", "{ auditLog { edges { cursor } } }", Some("ADMIN")),
    (
        "signUp",
        "mutation { signUp(input: { email: \"x\", password: \"x\", name: \"x\" }) { userErrors { code } } }",
        None,
    ),
    ("logIn", "mutation { logIn(input: { email: \"x\", password: \"x\" }) { userErrors { code } } }", None),
    (
        "refreshToken",
        "mutation { refreshToken(input: { refreshToken: \"x\" }) { userErrors { code } } }",
        None,
    ),
    ("logOut", "mutation { logOut { userErrors { code } } }", Some("VIEWER")),
    (
        "createApiKey",
        "mutation { createApiKey(input: { name: \"x\", role: VIEWER }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "revokeApiKey",
        "mutation($key: ID!) { revokeApiKey(input: { id: $key }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "inviteMember",
        "mutation { inviteMember(input: { email: \"new@example.com\", role: VIEWER }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "setMemberRole",
        "mutation($user: ID!) { setMemberRole(input: { userId: $user, role: VIEWER }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "importConversation",
        "mutation { importConversation(input: { text: \"A: a\\nB: b\", dryRun: true }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "importArchive",
        "mutation($input: ImportArchiveInput!) { importArchive(input: $input) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "cancelArchiveImport",
        "mutation($archive: ID!) { cancelArchiveImport(input: { id: $archive }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    ("archiveImport", "query($archive: ID!) { archiveImport(id: $archive) { id } }", Some("VIEWER")),
    ("archiveImports", "{ archiveImports(first: 1) { edges { cursor } } }", Some("VIEWER")),
    (
        "updateConversation",
        "mutation($id: ID!) { updateConversation(input: { id: $id, title: \"x\" }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "tagConversation",
        "mutation($id: ID!) { tagConversation(input: { id: $id, tags: [\"x\"] }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "untagConversation",
        "mutation($id: ID!) { untagConversation(input: { id: $id, tags: [\"x\"] }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "deleteConversation",
        "mutation($gone: ID!) { deleteConversation(input: { id: $gone }) { userErrors { code } } }",
        Some("MEMBER"),
    ),
    (
        "retryJobs",
        "mutation { retryJobs(input: { all: true, dryRun: true }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "cancelJobs",
        "mutation { cancelJobs(input: { all: true, dryRun: true }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "discardJobs",
        "mutation { discardJobs(input: { all: true, dryRun: true }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    ("pauseQueue", "mutation { pauseQueue(input: { queue: MAIL }) { userErrors { code } } }", Some("ADMIN")),
    (
        "resumeQueue",
        "mutation { resumeQueue(input: { queue: MAIL }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    ("schedule", "query($schedule: ID!) { schedule(id: $schedule) { id } }", Some("ADMIN")),
    ("schedules", "{ schedules(first: 1) { edges { cursor } } }", Some("ADMIN")),
    (
        "createSchedule",
        "mutation { createSchedule(input: { name: \"x\", cron: \"@daily\", dryRun: true, batch: { kind: EXPORT, all: true } }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "updateSchedule",
        "mutation($schedule: ID!) { updateSchedule(input: { id: $schedule }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "deleteSchedule",
        "mutation($schedule: ID!) { deleteSchedule(input: { id: $schedule }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "runSchedule",
        "mutation($schedule: ID!) { runSchedule(input: { id: $schedule }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    ("searchIndex", "{ searchIndex { live } }", Some("ADMIN")),
    (
        "rollBackSearchIndex",
        "mutation { rollBackSearchIndex(input: { toGeneration: 9 }) { userErrors { code } } }",
        Some("OWNER"),
    ),
    ("verifyIndex", "mutation { verifyIndex(input: { first: 1 }) { userErrors { code } } }", Some("ADMIN")),
    ("batch", "query($batch: ID!) { batch(id: $batch) { id } }", Some("ADMIN")),
    ("batches", "{ batches(first: 1) { edges { cursor } } }", Some("ADMIN")),
    (
        "planBatch",
        "mutation { planBatch(input: { kind: EXPORT, all: true }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "startBatch",
        "mutation($batch: ID!) { startBatch(input: { batchId: $batch }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "pauseBatch",
        "mutation($batch: ID!) { pauseBatch(input: { batchId: $batch }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "resumeBatch",
        "mutation($batch: ID!) { resumeBatch(input: { batchId: $batch }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "cancelBatch",
        "mutation($batch: ID!) { cancelBatch(input: { batchId: $batch }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
    (
        "retryBatchFailures",
        "mutation($batch: ID!) { retryBatchFailures(input: { batchId: $batch }) { userErrors { code } } }",
        Some("ADMIN"),
    ),
];

/// An id of a kind that names nothing.
fn nobody(letter: u8) -> String {
    forge(&[&[letter][..], &[7; 16]].concat())
}

/// Of each role an API key: a session would not outlive `logOut`.
async fn keys(server: &Server) -> Vec<(&'static str, Client)> {
    let owner = server.owner();
    let mut keys = Vec::new();
    for role in ROLES {
        let made = owner.change("createApiKey", "secret", json!({ "name": role, "role": role })).await;
        keys.push((role, server.with(made["secret"].as_str().expect("a secret"))));
    }
    keys
}

#[tokio::test]
async fn each_role_may_what_the_table_says_and_no_more() {
    let world = world!();
    let server = world.standalone().await;
    let id = server.owner().imported(Import { text: LINES, ..Import::default() }).await;
    let keys = keys(&server).await;
    let code = async |client: &Client, query: &str| {
        let known = [
            ("id", id.clone()),
            ("key", nobody(b'k')),
            ("user", nobody(b'u')),
            ("gone", nobody(b'c')),
            ("batch", nobody(b'b')),
            ("schedule", nobody(b'r')),
            ("saved", nobody(b'v')),
            ("person", nobody(b'h')),
            ("participant", nobody(b'p')),
            ("other", nobody(b'p')),
            ("segment", nobody(b's')),
            ("archive", nobody(b'z')),
        ];
        let used = known.into_iter().filter(|(name, _)| query.contains(&format!("${name}:")));
        let variables =
            used.map(|(name, id)| (name.to_owned(), id.into())).collect::<serde_json::Map<_, _>>().into();
        let answer = if query.contains("$input:") {
            client.upload_to(query, "none.zip", LINES.into(), json!({})).await
        } else {
            let answer = client.ask(query, variables).await;
            assert_eq!(answer.status, 200, "{query}: {answer:#?}");
            answer
        };
        answer.body["errors"][0]["extensions"]["code"].as_str().map(str::to_owned)
    };
    for (field, query, least) in TABLE {
        let of_nobody = code(&server.anonymous(), query).await;
        assert_eq!(of_nobody.as_deref(), least.map(|_| "UNAUTHENTICATED"), "{field} for nobody");
        for (at, (role, client)) in keys.iter().enumerate() {
            let allowed = least.is_none_or(|least| ROLES.iter().position(|role| *role == least) <= Some(at));
            let expected = if allowed { None } else { Some("FORBIDDEN") };
            assert_eq!(code(client, query).await.as_deref(), expected, "{field} for {role}");
        }
    }
}

#[tokio::test]
async fn the_table_of_roles_leaves_nothing_out() {
    let world = world!();
    let server = world.api().await;
    let query = "{ __schema { queryType { fields { name } } mutationType { fields { name } } } }";
    let schema = server.anonymous().data(query, json!({})).await["__schema"].clone();
    let names = |of: &Value| -> BTreeSet<String> {
        let fields = of["fields"].as_array().expect("fields").iter();
        fields.map(|field| field["name"].as_str().expect("a name").to_owned()).collect()
    };
    let mut there = names(&schema["queryType"]);
    there.extend(names(&schema["mutationType"]));
    let covered = TABLE.iter().map(|(field, ..)| (*field).to_owned()).collect();
    assert_eq!(there, covered);
}

#[tokio::test]
async fn what_administrators_alone_see_stays_theirs_within_a_shared_object() {
    let world = world!();
    let server = world.standalone().await;
    let owner = server.owner();
    let payload = owner.import(Import { text: LINES, ..Import::default() }).await;
    let job = &payload["jobs"][0]["id"];
    for (role, client) in keys(&server).await {
        let expected = if ["ADMIN", "OWNER"].contains(&role) { None } else { Some("FORBIDDEN") };
        for field in ["errors { message }", "payload"] {
            let query = format!("query($id: ID!) {{ job(id: $id) {{ kind {field} }} }}");
            let answer = client.ask(&query, json!({ "id": job })).await;
            let code = answer.body["errors"][0]["extensions"]["code"].as_str();
            assert_eq!(code, expected, "{role}: {answer:#?}");
        }
        // All jobs of the organization are for administrators; one's own import is for whoever knows its id.
        let mut all = client.subscribe("subscription { jobChanged { __typename } }", json!({})).await;
        if expected.is_some() {
            assert_eq!(all.refusal().await, "FORBIDDEN");
        }
    }
    let mut nobody =
        server.anonymous().subscribe("subscription { jobChanged { __typename } }", json!({})).await;
    assert_eq!(nobody.refusal().await, "UNAUTHENTICATED");
}
