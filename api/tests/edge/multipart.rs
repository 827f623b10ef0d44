//! Uploads: the multipart request specification, its order and its bounds.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{TestServer, answer, code};

const ONE: &str = r#"{"query":"mutation($f:Upload!){upload(file:$f)}","variables":{"f":null}}"#;
const MAP: &str = r#"{"0":["variables.f"]}"#;

fn file(bytes: &'static [u8]) -> Part {
    Part::bytes(bytes).file_name("talk.vtt").mime_str("text/vtt").expect("a media type")
}

fn form(operations: &'static str, map: &'static str) -> Form {
    Form::new().text("operations", operations).text("map", map)
}

async fn send(server: &TestServer, form: Form) -> (u16, Value) {
    let request = server.client.post(server.url("/graphql")).multipart(form);
    answer(request.header("graphql-require-preflight", "1").bearer_auth("good")).await
}

#[tokio::test]
async fn a_file_reaches_the_resolver_with_its_name_and_type() {
    let server = TestServer::start().await;
    let (status, body) = send(&server, form(ONE, MAP).part("0", file(b"WEBVTT"))).await;
    assert_eq!((status, &body["data"]["upload"]), (200, &json!("talk.vtt text/vtt 6")), "{body}");
}

#[tokio::test]
async fn several_files_may_stand_in_a_list_and_one_in_several_places() {
    let server = TestServer::start().await;
    let operations =
        r#"{"query":"mutation($f:[Upload!]!){uploadAll(files:$f)}","variables":{"f":[null,null,null]}}"#;
    let map = r#"{"a":["variables.f.0","variables.f.2"],"b":["variables.f.1"]}"#;
    let form = form(operations, map).part("a", file(b"one")).part("b", file(b"two"));
    let (_, body) = send(&server, form).await;
    assert_eq!(body["data"]["uploadAll"], json!(["one", "two", "one"]), "{body}");
}

#[tokio::test]
async fn uploads_that_do_not_keep_to_the_specification_are_refused() {
    let server = TestServer::start().await;
    let lists = r#"{"query":"{hello}","variables":{"f":[null]}}"#;
    let forged =
        r##"{"query":"mutation($f:Upload!){upload(file:$f)}","variables":{"f":"#__graphql_file__:0"}}"##;
    let cases = [
        ("no parts", Form::new()),
        ("files first", Form::new().part("0", file(b"x")).text("operations", ONE).text("map", MAP)),
        ("no map", Form::new().text("operations", ONE)),
        ("a map that is no JSON", form(ONE, "{").part("0", file(b"x"))),
        ("a batch", form("[]", MAP).part("0", file(b"x"))),
        ("a file that does not come", form(ONE, MAP)),
        ("a file that nobody announced", form(ONE, MAP).part("0", file(b"x")).part("1", file(b"x"))),
        ("a file twice", form(ONE, MAP).part("0", file(b"x")).part("0", file(b"x"))),
        ("a place that is not there", form(ONE, r#"{"0":["variables.g"]}"#).part("0", file(b"x"))),
        ("a place outside the variables", form(ONE, r#"{"0":["query"]}"#).part("0", file(b"x"))),
        ("a place in a list too far", form(lists, r#"{"0":["variables.f.1"]}"#).part("0", file(b"x"))),
        ("a place twice", form(ONE, r#"{"0":["variables.f","variables.f"]}"#).part("0", file(b"x"))),
        ("a variable that names a file itself", form(forged, "{}")),
    ];
    for (name, form) in cases {
        let (status, body) = send(&server, form).await;
        assert_eq!((status, code(&body)), (400, "BAD_REQUEST"), "{name}: {body}");
    }
}

#[tokio::test]
async fn uploads_are_bounded_in_bytes_and_files() {
    let server = TestServer::with(|settings| {
        settings.max_upload_bytes = 4096;
        settings.max_body_bytes = 1024;
        settings.max_upload_files = 1;
    })
    .await;
    let (status, body) = send(&server, form(ONE, MAP).part("0", file(&[b'x'; 3000]))).await;
    assert_eq!(status, 200, "{body}");

    // Announced by Content-Length, and found out on the way.
    let (status, body) = send(&server, form(ONE, MAP).part("0", file(&[b'x'; 5000]))).await;
    assert_eq!((status, code(&body)), (413, "PAYLOAD_TOO_LARGE"), "{body}");
    let pieces = futures::stream::iter((0..10).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1000])));
    let endless = Part::stream(reqwest::Body::wrap_stream(pieces)).file_name("x");
    let (status, body) = send(&server, form(ONE, MAP).part("0", endless)).await;
    assert_eq!((status, code(&body)), (413, "PAYLOAD_TOO_LARGE"), "{body}");

    let long = format!(r#"{{"query":"{{hello}} #{}"}}"#, "x".repeat(2000));
    let (status, body) = send(&server, Form::new().text("operations", long).text("map", "{}")).await;
    assert_eq!((status, code(&body)), (413, "PAYLOAD_TOO_LARGE"), "{body}");

    let two = r#"{"0":["variables.f"],"1":["variables.f"]}"#;
    let (status, body) = send(&server, form(ONE, two).part("0", file(b"x")).part("1", file(b"x"))).await;
    assert_eq!((status, code(&body)), (400, "BAD_REQUEST"), "{body}");
}

#[tokio::test]
async fn uploads_wait_for_memory_and_give_it_back() {
    let server = TestServer::with(|settings| {
        settings.max_upload_bytes = 4096;
        settings.upload_memory_bytes = 4096;
    })
    .await;
    let sends = (0..20).map(|_| send(&server, form(ONE, MAP).part("0", file(&[b'x'; 2500]))));
    for (status, body) in futures::future::join_all(sends).await {
        assert_eq!(status, 200, "{body}");
    }
}

#[tokio::test]
async fn strangers_and_forged_forms_upload_nothing() {
    let server = TestServer::start().await;
    let upload =
        || server.client.post(server.url("/graphql")).multipart(form(ONE, MAP).part("0", file(b"x")));
    let (status, body) = answer(upload().header("graphql-require-preflight", "1")).await;
    assert_eq!((status, code(&body)), (401, "UNAUTHENTICATED"));
    let (status, body) = answer(upload().bearer_auth("good")).await;
    assert_eq!((status, code(&body)), (400, "PREFLIGHT_REQUIRED"));
}
