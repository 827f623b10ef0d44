//! Signing up and in, sessions, invitations, members and API keys.

use serde_json::{Value, json};

use crate::support::{Client, Import, LINES, Server, World, eventually, world};

const SESSION: &str = "session { accessToken refreshToken accessExpiresAt
    viewer { role isApiKey user { id email name } organization { id name } } }";
const WHO: &str =
    "{ viewer { role isApiKey user { id email } organization { id name members { edges { node { role user { email } } } } }
    apiKeys { edges { node { id name role revokedAt } } } } }";

fn person(name: &str) -> Value {
    let password = format!("correct horse {name}");
    json!({ "email": format!("{name}@example.com"), "password": password, "name": name })
}

fn credentials(name: &str) -> Value {
    let person = person(name);
    json!({ "email": person["email"], "password": person["password"] })
}

/// Who makes an organization of their own; the session.
async fn founder(server: &Server, name: &str) -> Value {
    let mut input = person(name);
    input["organizationName"] = format!("{name} and company").into();
    server.anonymous().change("signUp", SESSION, input).await["session"].clone()
}

/// Who joins the inviter's organization in a role; the session.
async fn joined(server: &Server, inviter: &Client, name: &str, role: &str) -> Value {
    let input = json!({ "email": person(name)["email"], "role": role });
    let token = inviter.change("inviteMember", "token", input).await["token"].clone();
    let mut input = person(name);
    input["invitationToken"] = token;
    server.anonymous().change("signUp", SESSION, input).await["session"].clone()
}

fn client(server: &Server, session: &Value) -> Client {
    server.with(session["accessToken"].as_str().expect("a token"))
}

#[tokio::test]
async fn a_sign_up_makes_an_organization_with_its_owner() {
    let world = world!();
    let server = world.api().await;
    let session = founder(&server, "Ada").await;
    assert_eq!(session["viewer"]["role"], "OWNER");
    let viewer = client(&server, &session).data(WHO, json!({})).await["viewer"].clone();
    assert_eq!(viewer["user"]["email"], "Ada@example.com");
    assert_eq!(viewer["isApiKey"], false);
    assert_eq!(viewer["organization"]["name"], "Ada and company");
    assert_eq!(
        viewer["organization"]["members"]["edges"],
        json!([{ "node": { "role": "OWNER", "user": { "email": "Ada@example.com" } } }])
    );
    assert_eq!(server.anonymous().data(WHO, json!({})).await["viewer"], Value::Null);

    let mut again = person("Ada");
    again["email"] = "ADA@example.com".into();
    again["organizationName"] = "Another".into();
    let anonymous = server.anonymous();
    assert_eq!(anonymous.refused("signUp", again.clone()).await, "EMAIL_TAKEN");
    again["email"] = "bob@example.com".into();
    for (field, value, code) in [
        ("password", "too short", "WEAK_PASSWORD"),
        ("password", "aaaaaaaaaaaa", "WEAK_PASSWORD"),
        ("email", "bob", "INVALID_EMAIL"),
        ("email", "owner@localhost", "EMAIL_RESERVED"),
        ("email", " Owner@LocalHost ", "EMAIL_RESERVED"),
        ("organizationName", "", "INVALID_NAME"),
        ("invitationToken", "rubbish", "INVITATION_INVALID"),
    ] {
        let mut input = again.clone();
        input[field] = value.into();
        assert_eq!(anonymous.refused("signUp", input).await, code, "{field}");
    }
    let kept = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM organizations)";
    assert_eq!(world.number(kept).await, 2, "what is refused leaves nothing");
    let hash: String =
        world.sql().await.query_one("SELECT password_hash FROM users", &[]).await.unwrap().get(0);
    assert!(hash.starts_with("$argon2id$"), "{hash}");
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_second_showing_ends_its_session() {
    let world = world!();
    let server = world.api().await;
    let first = founder(&server, "Ada").await;
    let anonymous = server.anonymous();
    let refresh = async |token: &Value| {
        anonymous.change("refreshToken", SESSION, json!({ "refreshToken": token })).await["session"].clone()
    };
    let second = refresh(&first["refreshToken"]).await;
    assert_ne!(second["refreshToken"], first["refreshToken"]);
    let third = refresh(&second["refreshToken"]).await;
    assert_eq!(client(&server, &third).data(WHO, json!({})).await["viewer"]["role"], "OWNER");

    // A thief shows an old one: everybody is out.
    let stolen = json!({ "refreshToken": first["refreshToken"] });
    assert_eq!(anonymous.refused("refreshToken", stolen).await, "REFRESH_TOKEN_REUSED");
    let newest = json!({ "refreshToken": third["refreshToken"] });
    assert_eq!(anonymous.refused("refreshToken", newest).await, "REFRESH_TOKEN_INVALID");
    let answer = client(&server, &third).ask(WHO, json!({})).await;
    assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED"));
    // Another session of the same user stands.
    let other = anonymous.change("logIn", SESSION, credentials("Ada")).await["session"].clone();
    assert_eq!(client(&server, &other).data(WHO, json!({})).await["viewer"]["role"], "OWNER");
}

#[tokio::test]
async fn of_two_who_show_one_refresh_token_at_once_only_one_goes_on() {
    let world = world!();
    let server = world.api().await;
    let session = founder(&server, "Ada").await;
    let query = "mutation($t: String!) { refreshToken(input: { refreshToken: $t }) { session { accessToken } userErrors { code } } }";
    let client = server.anonymous();
    let tries = (0..8).map(|_| client.data(query, json!({ "t": session["refreshToken"] })));
    let answers = futures::future::join_all(tries).await;
    let went = answers.iter().filter(|data| !data["refreshToken"]["session"].is_null()).count();
    assert!(went <= 1, "{answers:#?}");
    let live = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL";
    assert_eq!(world.number(live).await, 0, "the session has ended");
}

#[tokio::test]
async fn a_log_out_counts_from_the_next_request_on() {
    let world = world!();
    let server = world.api().await;
    let session = founder(&server, "Ada").await;
    let ada = client(&server, &session);
    let data = ada.data("mutation { logOut { userErrors { code } } }", json!({})).await;
    assert_eq!(data["logOut"]["userErrors"], json!([]));
    assert_eq!(ada.ask(WHO, json!({})).await.status, 401);
    let refresh = json!({ "refreshToken": session["refreshToken"] });
    assert_eq!(server.anonymous().refused("refreshToken", refresh).await, "REFRESH_TOKEN_INVALID");
    for strange in ["", "rubbish", "cq_rubbish", session["refreshToken"].as_str().unwrap()] {
        let answer = server.with(strange).ask(WHO, json!({})).await;
        assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED"), "{strange}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_alike_and_guessing_is_slowed() {
    let world = world!();
    let server = world.api().await;
    founder(&server, "Ada").await;
    let anonymous = server.anonymous();
    let query = "mutation($input: LogInInput!) { logIn(input: $input) { session { accessToken } userErrors { code message field } } }";
    let wrong = json!({ "email": "Ada@example.com", "password": "correct horse Eve" });
    let unknown = json!({ "email": "eve@example.com", "password": "correct horse Eve" });
    let of_known = anonymous.data(query, json!({ "input": wrong })).await;
    let of_unknown = anonymous.data(query, json!({ "input": unknown })).await;
    assert_eq!(of_known, of_unknown);
    assert_eq!(of_known["logIn"]["userErrors"][0]["code"], "WRONG_CREDENTIALS");
    anonymous.change("logIn", SESSION, credentials("Ada")).await;
    for _ in 0..8 {
        assert_eq!(anonymous.refused("logIn", wrong.clone()).await, "WRONG_CREDENTIALS");
    }
    // Also with the right password: the throttle is asked first.
    assert_eq!(anonymous.refused("logIn", credentials("Ada")).await, "TOO_MANY_ATTEMPTS");
    assert_eq!(anonymous.refused("logIn", unknown).await, "WRONG_CREDENTIALS", "others are not slowed");
}

#[tokio::test]
async fn a_closed_server_lets_in_the_invited_alone() {
    let mut world = world!();
    world.set("COLLOQUY_AUTH_SIGN_UP", "closed");
    let server = world.standalone().await;
    let (owner, anonymous) = (server.owner(), server.anonymous());
    let mut input = person("Ada");
    input["organizationName"] = "Ada and company".into();
    assert_eq!(anonymous.refused("signUp", input).await, "SIGN_UP_CLOSED");

    let invite = json!({ "email": "ada@example.com", "role": "MEMBER" });
    let first = owner.change("inviteMember", "token invitation { email role }", invite.clone()).await;
    assert_eq!(first["invitation"], json!({ "email": "ada@example.com", "role": "MEMBER" }));
    let second = owner.change("inviteMember", "token", invite.clone()).await;
    let join = |name: &str, token: &Value| {
        let mut input = person(name);
        input["invitationToken"] = token.clone();
        input
    };
    let replaced = join("Ada", &first["token"]);
    assert_eq!(anonymous.refused("signUp", replaced).await, "INVITATION_INVALID", "the second replaced it");
    let other = join("Eve", &second["token"]);
    assert_eq!(anonymous.refused("signUp", other).await, "INVITATION_FOR_ANOTHER");
    let session = anonymous.change("signUp", SESSION, join("Ada", &second["token"])).await["session"].clone();
    assert_eq!(session["viewer"]["role"], "MEMBER");
    assert_eq!(session["viewer"]["organization"]["name"], "Local");
    let again = join("Ada", &second["token"]);
    assert_eq!(anonymous.refused("signUp", again).await, "INVITATION_INVALID", "it is used up");
    assert_eq!(owner.refused("inviteMember", invite).await, "ALREADY_A_MEMBER");

    // The invitation was also sent: the mailer without a server leaves it in a file.
    let input = json!({ "email": "ben@example.com", "role": "VIEWER" });
    let token = owner.change("inviteMember", "token", input).await["token"].as_str().unwrap().to_owned();
    eventually("the mail is sent", async || {
        let mails = std::fs::read_dir(world.data().join("mail")).ok()?;
        let mut mails = mails.flatten().filter_map(|mail| std::fs::read_to_string(mail.path()).ok());
        mails.any(|mail| mail.contains("To: ben@example.com") && mail.contains(&token)).then_some(())
    })
    .await;
    assert!(!server.process.log().contains(&token), "a token is no matter for the log");
}

#[tokio::test]
async fn an_invitation_brings_a_user_into_a_second_organization() {
    let world = world!();
    let server = world.api().await;
    let (ada, ben) = (founder(&server, "Ada").await, founder(&server, "Ben").await);
    let input = json!({ "email": "Ben@example.com", "role": "ADMIN" });
    let ada = client(&server, &ada);
    let token = ada.change("inviteMember", "token", input).await["token"].clone();
    let mut join = person("Ben");
    join["invitationToken"] = token;
    join["password"] = "not the password of Ben".into();
    let anonymous = server.anonymous();
    assert_eq!(anonymous.refused("signUp", join.clone()).await, "WRONG_PASSWORD");
    join["password"] = person("Ben")["password"].clone();
    let joined = anonymous.change("signUp", SESSION, join).await["session"]["viewer"].clone();
    assert_eq!((&joined["role"], &joined["user"]["id"]), (&json!("ADMIN"), &ben["viewer"]["user"]["id"]));

    // Logging in: the organization joined first, or the one that is asked for.
    let first = anonymous.change("logIn", SESSION, credentials("Ben")).await["session"]["viewer"].clone();
    assert_eq!(first["organization"]["name"], "Ben and company");
    let mut input = credentials("Ben");
    input["organizationId"] = joined["organization"]["id"].clone();
    let second = anonymous.change("logIn", SESSION, input).await["session"]["viewer"].clone();
    assert_eq!(
        (&second["organization"]["name"], &second["role"]),
        (&json!("Ada and company"), &json!("ADMIN"))
    );
}

#[tokio::test]
async fn an_api_key_may_never_more_than_its_role_nor_than_its_maker() {
    let world = world!();
    let server = world.api().await;
    let owner = client(&server, &founder(&server, "Ada").await);
    let ben = joined(&server, &owner, "Ben", "ADMIN").await;
    let ben_id = ben["viewer"]["user"]["id"].clone();
    let ben = client(&server, &ben);

    let above = json!({ "name": "robot", "role": "OWNER" });
    assert_eq!(ben.refused("createApiKey", above).await, "ROLE_ABOVE_YOURS");
    let past = json!({ "name": "robot", "role": "VIEWER", "expiresAt": "2020-01-01T00:00:00Z" });
    assert_eq!(ben.refused("createApiKey", past).await, "EXPIRES_IN_THE_PAST");

    let make = async |role: &str| {
        let input = json!({ "name": "robot", "role": role });
        let made = ben.change("createApiKey", "secret apiKey { id role createdBy { email } }", input).await;
        assert_eq!(made["apiKey"]["createdBy"]["email"], "Ben@example.com");
        (made["apiKey"]["id"].clone(), server.with(made["secret"].as_str().expect("a secret")))
    };
    let (viewer_id, viewer) = make("VIEWER").await;
    let (_, admin) = make("ADMIN").await;
    let role = async |client: &Client| client.data(WHO, json!({})).await["viewer"]["role"].clone();
    assert_eq!((role(&viewer).await, role(&admin).await), (json!("VIEWER"), json!("ADMIN")));
    let import = json!({ "input": { "text": LINES } });
    const MUTATION: &str = "mutation($input: ImportConversationInput!) { importConversation(input: $input) { created userErrors { code } } }";
    assert_eq!(viewer.ask(MUTATION, import.clone()).await.code(), "FORBIDDEN");
    assert_eq!(admin.data(MUTATION, import).await["importConversation"]["created"], true);
    assert_eq!(
        admin.data("mutation { logOut { userErrors { code } } }", json!({})).await["logOut"]["userErrors"][0]
            ["code"],
        "NOT_A_SESSION"
    );

    // The maker falls, and the key with him.
    owner.change("setMemberRole", "member { role }", json!({ "userId": ben_id, "role": "MEMBER" })).await;
    assert_eq!(role(&admin).await, "MEMBER");
    assert_eq!(role(&ben).await, "MEMBER", "a changed role counts at once");
    let seen = ben.data(WHO, json!({})).await["viewer"]["apiKeys"]["edges"].clone();
    assert_eq!(seen.as_array().unwrap().len(), 2);
    assert!(!seen.to_string().contains("cq_"), "a key is shown once");
    let others = owner.data(WHO, json!({})).await["viewer"]["apiKeys"]["edges"].clone();
    assert_eq!(others.as_array().unwrap().len(), 2, "an owner sees everybody's");

    ben.change("revokeApiKey", "apiKey { revokedAt }", json!({ "id": viewer_id })).await;
    assert_eq!(viewer.ask(WHO, json!({})).await.status, 401);
    ben.change("revokeApiKey", "apiKey { revokedAt }", json!({ "id": viewer_id })).await;
}

#[tokio::test]
async fn an_api_key_expires() {
    let world = world!();
    let server = world.api().await;
    let ada = client(&server, &founder(&server, "Ada").await);
    let expires_at = now(&world).await + chrono::TimeDelta::milliseconds(1500);
    let input = json!({ "name": "robot", "role": "VIEWER", "expiresAt": expires_at.to_rfc3339() });
    let secret = ada.change("createApiKey", "secret", input).await["secret"].as_str().unwrap().to_owned();
    let key = server.with(&secret);
    assert_eq!(key.ask(WHO, json!({})).await.status, 200);
    eventually("the key expires", async || (key.ask(WHO, json!({})).await.status == 401).then_some(())).await;
    assert!(now(&world).await >= expires_at, "not before its time");
}

/// By the database's clock, which decides.
async fn now(world: &World) -> chrono::DateTime<chrono::Utc> {
    let micros = world.number("SELECT (extract(epoch FROM now()) * 1e6)::bigint").await;
    chrono::DateTime::from_timestamp_micros(micros).expect("a time")
}

#[tokio::test]
async fn an_organization_keeps_an_owner_and_only_owners_touch_owners() {
    let world = world!();
    let server = world.api().await;
    let ada = founder(&server, "Ada").await;
    let owner = client(&server, &ada);
    let ben = joined(&server, &owner, "Ben", "ADMIN").await;
    let (ada_id, ben_id) = (&ada["viewer"]["user"]["id"], &ben["viewer"]["user"]["id"]);
    let admin = client(&server, &ben);
    let role = |id: &Value, role: &str| json!({ "userId": id, "role": role });
    assert_eq!(owner.refused("setMemberRole", role(ada_id, "ADMIN")).await, "LAST_OWNER");
    const SET: &str =
        "mutation($input: SetMemberRoleInput!) { setMemberRole(input: $input) { userErrors { code } } }";
    let forbidden = async |client: &Client, input: Value| {
        assert_eq!(client.ask(SET, json!({ "input": input })).await.code(), "FORBIDDEN");
    };
    forbidden(&admin, role(ada_id, "MEMBER")).await;
    forbidden(&admin, role(ben_id, "OWNER")).await;
    owner.change("setMemberRole", "", role(ben_id, "OWNER")).await;
    admin.change("setMemberRole", "", role(ada_id, "VIEWER")).await;
    forbidden(&owner, role(ben_id, "VIEWER")).await;

    // Whoever is invited again keeps what they are.
    let invite = json!({ "email": "Ada@example.com", "role": "OWNER" });
    assert_eq!(admin.refused("inviteMember", invite).await, "ALREADY_A_MEMBER");
}

#[tokio::test]
async fn two_owners_who_demote_each_other_at_once_leave_one() {
    let world = world!();
    let server = world.api().await;
    let ada = founder(&server, "Ada").await;
    let owner = client(&server, &ada);
    let ben = joined(&server, &owner, "Ben", "OWNER").await;
    let other = client(&server, &ben);
    let set =
        "mutation($id: ID!) { setMemberRole(input: { userId: $id, role: VIEWER }) { userErrors { code } } }";
    let (_, _) = tokio::join!(
        owner.ask(set, json!({ "id": ben["viewer"]["user"]["id"] })),
        other.ask(set, json!({ "id": ada["viewer"]["user"]["id"] })),
    );
    assert_eq!(world.number("SELECT count(*) FROM memberships WHERE role = 'OWNER'").await, 1);
}

#[tokio::test]
async fn a_standalone_keeps_its_key_and_its_organization_over_a_restart() {
    let world = world!();
    let mut server = world.standalone().await;
    let key = server.token.clone();
    let id = server.owner().imported(Import { text: LINES, ..Import::default() }).await;
    server.process.signal(nix::sys::signal::Signal::SIGTERM);
    server.process.ended().await;
    let server = world.standalone().await;
    assert_eq!(server.token, key);
    let data =
        server.owner().data("query($id: ID!) { conversation(id: $id) { id } }", json!({ "id": id })).await;
    assert_eq!(data["conversation"]["id"], id.as_str());
    assert_eq!(world.number("SELECT count(*) FROM organizations").await, 1);
    let mode =
        std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(world.data().join("server.json")).unwrap());
    assert_eq!(mode & 0o077, 0, "only its owner reads the key");
}

/// Every cursor of a list, page by page, and how many pages it took.
async fn walk(client: &Client, list: &str, first: usize) -> (Vec<Value>, usize) {
    let (mut nodes, mut pages, mut after) = (Vec::new(), 0, Value::Null);
    loop {
        let selection = "{ pageInfo { hasNextPage endCursor } edges { node %node% } }";
        let (before, node, behind) = match list {
            "members" => ("viewer { organization { members", "{ user { id } }", "} }"),
            "apiKeys" => ("viewer { apiKeys", "{ id }", "}"),
            _ => ("tags", "{ tag { name } }", ""),
        };
        let selection = selection.replace("%node%", node);
        let query = format!(
            "query($after: String) {{ {before}(first: {first}, after: $after) {selection} {behind} }}"
        );
        let data = client.data(&query, json!({ "after": after })).await;
        let page = match list {
            "members" => &data["viewer"]["organization"]["members"],
            "apiKeys" => &data["viewer"]["apiKeys"],
            _ => &data["tags"],
        };
        pages += 1;
        nodes.extend(page["edges"].as_array().expect("edges").iter().map(|edge| edge["node"].clone()));
        if page["pageInfo"]["hasNextPage"] == false {
            return (nodes, pages);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test]
async fn members_keys_and_tags_are_paged_without_gap_or_repeat() {
    let world = world!();
    let server = world.api().await;
    let ada = client(&server, &founder(&server, "Ada").await);
    // Some at the same moment, so that the moment alone is no place in the list.
    world
        .sql()
        .await
        .batch_execute(
            "INSERT INTO users (id, email, name, password_hash, created_at)
            SELECT gen_random_uuid(), 'm' || n || '@example.com', 'M', 'x', now() FROM generate_series(1, 24) AS n;
            INSERT INTO memberships (organization_id, user_id, role, created_at)
            SELECT o.id, u.id, 'VIEWER', now() + interval '1 minute' * (length(u.email) % 2)
            FROM organizations o, users u WHERE u.password_hash = 'x';
            INSERT INTO api_keys (id, organization_id, user_id, name, role, hash, created_at)
            SELECT gen_random_uuid(), m.organization_id, m.user_id, 'k', 'VIEWER', sha256(n::text::bytea), now()
            FROM memberships m, generate_series(1, 25) AS n WHERE m.role = 'OWNER';
            INSERT INTO tags (id, organization_id, name)
            SELECT gen_random_uuid(), id, CASE WHEN n % 2 = 0 THEN 'Tag ' ELSE 'tag ' END || n
            FROM organizations, generate_series(1, 25) AS n",
        )
        .await
        .unwrap();
    for list in ["members", "apiKeys", "tags"] {
        let (whole, pages) = walk(&ada, list, 100).await;
        assert_eq!((whole.len(), pages), (25, 1), "{list}");
        for (first, expected) in [(10, 3), (25, 1), (1, 25)] {
            assert_eq!(walk(&ada, list, first).await, (whole.clone(), expected), "{list} by {first}");
        }
        let distinct: std::collections::BTreeSet<String> = whole.iter().map(Value::to_string).collect();
        assert_eq!(distinct.len(), 25, "{list}");
    }
    for query in [
        "{ viewer { apiKeys(first: 101) { edges { cursor } } } }",
        "{ viewer { organization { members(first: -1) { edges { cursor } } } } }",
        "{ tags(after: \"rubbish\") { edges { cursor } } }",
    ] {
        assert_eq!(ada.ask(query, json!({})).await.code(), "BAD_USER_INPUT", "{query}");
    }
    // Without `first` a page has its usual length.
    let data = ada.data("{ tags { edges { node { conversations } } } }", json!({})).await;
    assert_eq!(data["tags"]["edges"].as_array().unwrap().len(), 20);
}
