//! What the audit log says of members, keys, batches and search indexes. What it says of jobs and queues is in
//! `manage.rs`, of schedules in `schedules.rs`.

use serde_json::{Value, json};

use crate::support::{Client, Import, Server, tiny, world};

const SESSION: &str = "session { accessToken viewer { user { id } } }";

fn person(name: &str) -> Value {
    json!({ "email": format!("{name}@example.com"), "password": format!("correct horse {name}"), "name": name })
}

/// Who has just signed up.
async fn signed_up(server: &Server, input: Value) -> (Client, Value) {
    let session = server.anonymous().change("signUp", SESSION, input).await["session"].clone();
    let client = server.with(session["accessToken"].as_str().expect("a token"));
    (client, session["viewer"]["user"]["id"].clone())
}

async fn founder(server: &Server, name: &str) -> (Client, Value) {
    let mut input = person(name);
    input["organizationName"] = name.into();
    signed_up(server, input).await
}

async fn log(client: &Client, arguments: &str) -> Vec<Value> {
    let query = format!(
        "{{ auditLog{arguments} {{ edges {{ node {{ action subject detail outcome userId apiKeyId requestId }} }} }} }}"
    );
    let data = client.data(&query, json!({})).await;
    data["auditLog"]["edges"].as_array().expect("a list").iter().map(|edge| edge["node"].clone()).collect()
}

/// The last entry is this.
async fn noted(client: &Client, action: &str, outcome: &str, detail: Value) -> Value {
    let newest = log(client, "(first: 1)").await.remove(0);
    let found = (&newest["action"], &newest["outcome"], &newest["detail"]);
    assert_eq!(found, (&json!(action), &json!(outcome), &detail));
    newest
}

async fn forbidden(client: &Client, mutation: &str, input: &str) {
    let query = format!("mutation {{ {mutation}(input: {{ {input} }}) {{ userErrors {{ code }} }} }}");
    assert_eq!(client.ask(&query, json!({})).await.code(), "FORBIDDEN", "{query}");
}

#[tokio::test]
async fn members_invitations_and_keys_are_in_the_log_and_none_of_their_words() {
    let world = world!();
    let server = world.api().await;
    let (ada, ada_id) = founder(&server, "ada").await;
    let (eve, _) = founder(&server, "eve").await;
    assert!(log(&ada, "").await.is_empty());

    let invite = json!({ "email": "ben@example.com", "role": "ADMIN" });
    let token = ada.change("inviteMember", "token", invite.clone()).await["token"].clone();
    let invited = noted(&ada, "invitations.create", "DONE", json!({ "role": "ADMIN" })).await;
    assert_eq!(invited["userId"], ada_id);
    let mut stranger = person("mallory");
    stranger["invitationToken"] = token.clone();
    assert_eq!(server.anonymous().refused("signUp", stranger).await, "INVITATION_FOR_ANOTHER");
    let refused = json!({ "role": "ADMIN", "code": "INVITATION_FOR_ANOTHER" });
    let refused = noted(&ada, "invitations.accept", "REFUSED", refused).await;
    assert_eq!((&refused["userId"], &refused["subject"]), (&Value::Null, &invited["subject"]));
    let mut ben = person("ben");
    ben["invitationToken"] = token.clone();
    let (ben, ben_id) = signed_up(&server, ben).await;
    let accepted = noted(&ada, "invitations.accept", "DONE", json!({ "role": "ADMIN" })).await;
    assert_eq!((&accepted["userId"], &accepted["subject"]), (&ben_id, &invited["subject"]));
    assert_eq!(ada.refused("inviteMember", invite).await, "ALREADY_A_MEMBER");
    let refused = json!({ "role": "ADMIN", "code": "ALREADY_A_MEMBER" });
    noted(&ada, "invitations.create", "REFUSED", refused).await;

    let role = |id: &Value, role: &str| json!({ "userId": id, "role": role });
    let input = format!("userId: {ada_id}, role: VIEWER");
    forbidden(&ben, "setMemberRole", &input).await;
    let refused = json!({ "role": "VIEWER", "code": "FORBIDDEN" });
    assert_eq!(noted(&ada, "members.setRole", "REFUSED", refused).await["userId"], ben_id);
    assert_eq!(ada.refused("setMemberRole", role(&ada_id, "ADMIN")).await, "LAST_OWNER");
    noted(&ada, "members.setRole", "REFUSED", json!({ "role": "ADMIN", "code": "LAST_OWNER" })).await;
    for (before, changed) in [("ADMIN", true), ("VIEWER", false)] {
        ada.change("setMemberRole", "", role(&ben_id, "VIEWER")).await;
        let detail = json!({ "role": "VIEWER", "before": before, "changed": changed });
        noted(&ada, "members.setRole", "DONE", detail).await;
    }

    forbidden(&ben, "createApiKey", "name: \"of Ben's\", role: VIEWER").await;
    noted(&ada, "apiKeys.create", "REFUSED", json!({ "role": "VIEWER", "code": "FORBIDDEN" })).await;
    let input = json!({ "name": "robot of Ada's", "role": "MEMBER", "expiresAt": "2999-01-01T00:00:00Z" });
    let made = ada.change("createApiKey", "apiKey { id } secret", input).await;
    let detail = json!({ "role": "MEMBER", "expiresAt": "2999-01-01T00:00:00Z" });
    let key = noted(&ada, "apiKeys.create", "DONE", detail).await;
    let id = format!("id: {}", made["apiKey"]["id"]);
    forbidden(&ben, "revokeApiKey", &id).await;
    noted(&ada, "apiKeys.revoke", "REFUSED", json!({ "code": "FORBIDDEN" })).await;
    for changed in [true, false] {
        ada.change("revokeApiKey", "", json!({ "id": made["apiKey"]["id"] })).await;
        let revoked = noted(&ada, "apiKeys.revoke", "DONE", json!({ "changed": changed })).await;
        assert_eq!(revoked["subject"], key["subject"]);
    }

    assert_eq!(ben.ask("{ auditLog { edges { cursor } } }", json!({})).await.code(), "FORBIDDEN");
    assert!(log(&eve, "").await.is_empty(), "nothing of this is the other organization's");
    let all = json!(log(&ada, "(first: 100)").await).to_string().to_lowercase();
    let secrets = [&token, &made["secret"]].map(|secret| secret.as_str().expect("a secret").to_lowercase());
    for word in ["@", "robot", "horse", "mallory", &secrets[0], &secrets[1]] {
        assert!(!all.contains(word), "{word}: {all}");
    }
}

#[tokio::test]
async fn each_step_of_a_batch_is_in_the_log_and_so_is_who_was_refused() {
    let world = world!();
    let server = world.api().await;
    let (ada, _) = founder(&server, "ada").await;
    let key =
        ada.change("createApiKey", "apiKey { id } secret", json!({ "name": "eyes", "role": "MEMBER" })).await;
    let member = server.with(key["secret"].as_str().expect("a secret"));
    // Nobody works on jobs here, so the batch stays as it is steered.
    ada.imported(Import { text: &tiny(1), ..Import::default() }).await;
    let before = log(&ada, "").await;
    let input = json!({ "kind": "EXPORT", "all": true });
    let batch = ada.change("planBatch", "batch { id }", input).await["batch"]["id"].clone();
    assert_eq!(log(&ada, "").await, before, "a plan changes nothing");

    for (mutation, action) in [
        ("startBatch", "batches.start"),
        ("pauseBatch", "batches.pause"),
        ("resumeBatch", "batches.resume"),
        ("cancelBatch", "batches.cancel"),
        ("retryBatchFailures", "batches.retryFailures"),
    ] {
        forbidden(&member, mutation, &format!("batchId: {batch}")).await;
        let entry = noted(&ada, action, "REFUSED", json!({ "code": "FORBIDDEN" })).await;
        assert_eq!(entry["apiKeyId"], key["apiKey"]["id"]);
    }
    forbidden(&ada, "rollBackSearchIndex", "toGeneration: 1").await;
    let refused = json!({ "toGeneration": 1, "code": "FORBIDDEN" });
    noted(&ada, "searchIndex.rollBack", "REFUSED", refused).await;
    let of_batch = |more: Value| {
        let mut input = json!({ "batchId": batch });
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    assert_eq!(ada.refused("startBatch", of_batch(json!({ "perMinute": 0 }))).await, "INVALID_RATE");
    noted(&ada, "batches.start", "REFUSED", json!({ "perMinute": 0, "code": "INVALID_RATE" })).await;
    assert_eq!(ada.refused("pauseBatch", of_batch(json!({}))).await, "BATCH_STATE");
    noted(&ada, "batches.pause", "REFUSED", json!({ "code": "BATCH_STATE" })).await;

    let steps = [
        ("startBatch", json!({ "cap": 500, "perMinute": 60 }), "batches.start"),
        ("pauseBatch", json!({}), "batches.pause"),
        ("resumeBatch", json!({ "cap": 700 }), "batches.resume"),
        ("cancelBatch", json!({}), "batches.cancel"),
    ];
    let mut subjects = Vec::new();
    for (mutation, input, action) in steps {
        for changed in [true, false] {
            ada.change(mutation, "", of_batch(input.clone())).await;
            let mut detail = input.clone();
            detail["changed"] = changed.into();
            subjects.push(noted(&ada, action, "DONE", detail).await["subject"].clone());
        }
        if mutation == "resumeBatch" {
            // It runs, and would not take another cap.
            assert_eq!(ada.refused(mutation, of_batch(json!({ "cap": 900 }))).await, "CAP_STANDS");
            noted(&ada, action, "REFUSED", json!({ "cap": 900, "code": "CAP_STANDS" })).await;
        }
    }
    assert!(subjects.iter().all(|subject| subject.is_string() && *subject == subjects[0]), "{subjects:?}");
    // Nothing of it has failed.
    ada.change("retryBatchFailures", "", of_batch(json!({}))).await;
    noted(&ada, "batches.retryFailures", "DONE", json!({ "changed": false })).await;
}

#[tokio::test]
async fn what_is_done_for_the_whole_installation_is_listed_by_whoever_has_its_settings() {
    let world = world!();
    let server = world.standalone().await;
    let owner = server.owner();
    world.run(&["jobs", "pause", "mail", "--everywhere"]).await.well();
    world.run(&["jobs", "resume", "mail", "--everywhere"]).await.well();
    world.run(&["jobs", "pause", "embed"]).await.well();
    let told = world.run(&["audit", "--everywhere", "--json"]).await.json().remove(0);
    let told = told.as_array().expect("a list");
    let of = |entry: &Value| json!([entry["action"], entry["subject"], entry["outcome"], entry["detail"]]);
    assert_eq!(
        told.iter().map(of).collect::<Vec<_>>(),
        [
            json!(["queues.resume", "mail", "DONE", { "changed": true }]),
            json!(["queues.pause", "mail", "DONE", { "changed": true }])
        ]
    );
    let one = world.run(&["audit", "--everywhere", "-n", "1"]).await.well();
    assert!(one.contains("queues.resume") && !one.contains("queues.pause"), "{one}");
    let strange = world.run(&["audit", "--everywhere", "--server", "https://a.example"]).await;
    assert_eq!(strange.code, Some(2), "{strange:#?}");

    // The organization's own log has the key that the standalone made, and what it did itself.
    let own = world.run(&["audit", "--json"]).await.json().remove(0);
    let actions: Vec<_> =
        own.as_array().expect("a list").iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["queues.pause", "apiKeys.create"]);
    assert_eq!(own[0]["subject"], "embed");
    let through_the_api = log(&owner, "").await;
    assert_eq!(through_the_api.len(), 2, "{through_the_api:#?}");
    let table = world.run(&["audit"]).await.well();
    assert!(table.contains("queues.pause") && table.contains("owner@localhost"), "{table}");
}
