//! Documents by their hash: asked for when they are not known, checked, remembered, and forgotten in time.

use futures::{SinkExt, StreamExt};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::support::{TestServer, answer, code};

fn extensions(document: &str) -> Value {
    let hash = Sha256::digest(document.as_bytes());
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hex::encode(hash) } })
}

fn post(server: &TestServer, body: &Value) -> reqwest::RequestBuilder {
    server.client.post(server.url("/graphql")).header("accept", "application/json").json(body)
}

async fn by_hash(server: &TestServer, document: &str) -> Value {
    let (status, body) = answer(post(server, &json!({ "extensions": extensions(document) }))).await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn register(server: &TestServer, document: &str) {
    let request = post(server, &json!({ "query": document, "extensions": extensions(document) }));
    let (status, body) = answer(request).await;
    assert!(status == 200 && body["errors"].is_null(), "{body}");
}

#[tokio::test]
async fn a_document_is_sent_once_and_then_named() {
    let server = TestServer::start().await;
    let document = "query($t: String!) { echo(text: $t) }";
    let unknown = by_hash(&server, document).await;
    // Apollo's clients go by the message, others by the code.
    assert_eq!(unknown["errors"][0]["message"], "PersistedQueryNotFound");
    assert_eq!(code(&unknown), "PERSISTED_QUERY_NOT_FOUND");
    assert!(unknown.get("data").is_none());

    let whole =
        json!({ "query": document, "extensions": extensions(document), "variables": { "t": "first" } });
    assert_eq!(answer(post(&server, &whole)).await.1["data"]["echo"], "first");
    let named = json!({ "extensions": extensions(document), "variables": { "t": "second" } });
    assert_eq!(answer(post(&server, &named)).await.1["data"]["echo"], "second");
    // In capitals it is the same number.
    let hash = extensions(document)["persistedQuery"]["sha256Hash"].as_str().expect("a hash").to_uppercase();
    let named = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } }, "variables": { "t": "third" } });
    assert_eq!(answer(post(&server, &named)).await.1["data"]["echo"], "third");
}

#[tokio::test]
async fn a_document_is_named_by_get_too_also_where_a_page_would_be_shown() {
    let server = TestServer::start().await;
    let get = |parameters: &[(&str, String)]| {
        let url = Url::parse_with_params(&server.url("/graphql"), parameters).expect("an address");
        let request = server.client.get(url);
        request.header("apollo-require-preflight", "1").header("accept", "text/html, application/json")
    };
    let extensions = ("extensions", extensions("{hello}").to_string());
    let (_, body) = answer(get(std::slice::from_ref(&extensions))).await;
    assert_eq!(code(&body), "PERSISTED_QUERY_NOT_FOUND");
    let (_, body) = answer(get(&[("query", "{hello}".to_owned()), extensions.clone()])).await;
    assert_eq!(body["data"]["hello"], "world");
    let (_, body) = answer(get(&[extensions])).await;
    assert_eq!(body["data"]["hello"], "world");
    // What one transport was told, the others know.
    assert_eq!(by_hash(&server, "{hello}").await["data"]["hello"], "world");
}

#[tokio::test]
async fn a_mutation_that_is_named_still_needs_a_post() {
    let server = TestServer::start().await;
    let document = "mutation { slow(ms: 0) }";
    register(&server, document).await;
    let parameters = [("extensions", extensions(document).to_string())];
    let url = Url::parse_with_params(&server.url("/graphql"), parameters).expect("an address");
    let get = server.client.get(url);
    let (status, body) = answer(get.header("apollo-require-preflight", "1")).await;
    assert_eq!((status, code(&body)), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(by_hash(&server, document).await["data"]["slow"], 0);
}

#[tokio::test]
async fn a_hash_of_another_document_is_refused_and_nothing_is_remembered() {
    let server = TestServer::start().await;
    let (status, body) =
        answer(post(&server, &json!({ "query": "{hello}", "extensions": extensions("{role}") }))).await;
    assert_eq!((status, code(&body)), (400, "BAD_REQUEST"));
    assert_eq!(code(&by_hash(&server, "{role}").await), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(code(&by_hash(&server, "{hello}").await), "PERSISTED_QUERY_NOT_FOUND");
    // Nor is what is no document, or costs too much.
    let deep = format!("{}hello{}", "{again".repeat(60), "}".repeat(60));
    for document in ["{", &deep] {
        let (_, body) =
            answer(post(&server, &json!({ "query": document, "extensions": extensions(document) }))).await;
        assert!(body["errors"].is_array(), "{body}");
        assert_eq!(code(&by_hash(&server, document).await), "PERSISTED_QUERY_NOT_FOUND");
    }
}

#[tokio::test]
async fn the_oldest_are_forgotten_and_none_are_kept_where_that_is_switched_off() {
    let server = TestServer::with(|settings| settings.persisted_documents = 2).await;
    for document in ["{hello}", "{role}"] {
        register(&server, document).await;
    }
    // Whoever is asked for stays.
    assert_eq!(by_hash(&server, "{hello}").await["data"]["hello"], "world");
    register(&server, "{again{hello}}").await;
    assert_eq!(code(&by_hash(&server, "{role}").await), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(by_hash(&server, "{hello}").await["data"]["hello"], "world");

    let without = TestServer::with(|settings| settings.persisted_documents = 0).await;
    register(&without, "{hello}").await;
    let body = by_hash(&without, "{hello}").await;
    assert_eq!(body["errors"][0]["message"], "PersistedQueryNotSupported");
    assert_eq!(code(&body), "PERSISTED_QUERY_NOT_SUPPORTED");
}

#[tokio::test]
async fn a_web_socket_names_documents_too() {
    let server = TestServer::start().await;
    let document = "subscription { count(to: 1) }";
    let mut request =
        server.url("/graphql/ws").replacen("http", "ws", 1).into_client_request().expect("an address");
    let protocol = "graphql-transport-ws".parse().expect("a header");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("a WebSocket");
    let named = json!({ "extensions": extensions(document) });
    let whole = json!({ "query": document, "extensions": extensions(document) });
    let mut hear = async |message: Value, answers: usize| {
        socket.send(Message::text(message.to_string())).await.expect("it is sent");
        let mut heard = Vec::new();
        while heard.len() < answers {
            if let Message::Text(text) = socket.next().await.expect("open").expect("a message") {
                heard.push(serde_json::from_str::<Value>(&text).expect("JSON"));
            }
        }
        heard
    };
    hear(json!({ "type": "connection_init" }), 1).await;
    let unknown = hear(json!({ "type": "subscribe", "id": "1", "payload": named }), 1).await;
    assert_eq!(unknown[0]["payload"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND", "{unknown:?}");
    for (id, payload) in [("2", whole), ("3", named)] {
        let heard = hear(json!({ "type": "subscribe", "id": id, "payload": payload }), 2).await;
        assert_eq!(heard[0]["payload"]["data"]["count"], 1, "{heard:?}");
        assert_eq!(heard[1], json!({ "type": "complete", "id": id }));
    }
}
