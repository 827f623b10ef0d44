//! GraphQL over HTTP, statement by statement: what is sent, and what must come back.

use crate::support::TestServer;

const JSON: &str = "application/json; charset=utf-8";
const GRAPHQL: &str = "application/graphql-response+json; charset=utf-8";
const HELLO: &str = r#"{"query":"{hello}"}"#;
const WORLD: Want = Want::Data(r#"{"hello":"world"}"#);

/// What the body of the answer holds.
enum Want {
    /// No errors, and these data.
    Data(&'static str),
    /// An error with this code, and no `data` at all.
    Refused(&'static str),
    /// An error with this code beside `data: null`.
    Failed(&'static str),
}

struct Case {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    status: u16,
    media: &'static str,
    want: Want,
}

type Headers = &'static [(&'static str, &'static str)];

const TYPE: Headers = &[("content-type", "application/json")];
const AS_JSON: Headers = &[("content-type", "application/json"), ("accept", "application/json")];
const AS_GRAPHQL: Headers =
    &[("content-type", "application/json"), ("accept", "application/graphql-response+json")];
const GET: Headers = &[("graphql-require-preflight", "1")];

const fn post(
    name: &'static str,
    headers: Headers,
    body: &'static str,
    status: u16,
    media: &'static str,
    want: Want,
) -> Case {
    Case { name, method: "POST", path: "/graphql", headers, body, status, media, want }
}

const fn get(name: &'static str, path: &'static str, status: u16, media: &'static str, want: Want) -> Case {
    Case { name, method: "GET", path, headers: GET, body: "", status, media, want }
}

macro_rules! accept {
    ($accept:literal) => {
        &[("content-type", "application/json"), ("accept", $accept)]
    };
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Media types of the answer.
    post("no Accept gives the preferred type", TYPE, HELLO, 200, GRAPHQL, WORLD),
    post("*/* gives the preferred type", accept!("*/*"), HELLO, 200, GRAPHQL, WORLD),
    post("application/* gives the preferred type", accept!("application/*"), HELLO, 200, GRAPHQL, WORLD),
    post("application/json is honoured", AS_JSON, HELLO, 200, JSON, WORLD),
    post("application/graphql-response+json is honoured", AS_GRAPHQL, HELLO, 200, GRAPHQL, WORLD),
    post("the recommended Accept gives the preferred type", accept!("application/graphql-response+json, application/json;q=0.9"), HELLO, 200, GRAPHQL, WORLD),
    post("a higher quality wins", accept!("application/graphql-response+json;q=0.5, application/json"), HELLO, 200, JSON, WORLD),
    post("the more exact range has the say", accept!("*/*, application/graphql-response+json;q=0"), HELLO, 200, JSON, WORLD),
    post("case and charset do not matter", accept!("Application/JSON; Charset=UTF-8"), HELLO, 200, JSON, WORLD),
    post("a type that we have not is refused", accept!("text/html"), HELLO, 406, JSON, Want::Refused("NOT_ACCEPTABLE")),
    post("another character set is refused", accept!("application/json; charset=latin1"), HELLO, 406, JSON, Want::Refused("NOT_ACCEPTABLE")),
    post("what the client excludes is refused", accept!("*/*;q=0"), HELLO, 406, JSON, Want::Refused("NOT_ACCEPTABLE")),
    // Media types of the request.
    post("no content type is refused", &[], HELLO, 415, GRAPHQL, Want::Refused("UNSUPPORTED_MEDIA_TYPE")),
    post("text is refused", &[("content-type", "text/plain")], HELLO, 415, GRAPHQL, Want::Refused("UNSUPPORTED_MEDIA_TYPE")),
    post("forms are refused", &[("content-type", "application/x-www-form-urlencoded")], "query={hello}", 415, GRAPHQL, Want::Refused("UNSUPPORTED_MEDIA_TYPE")),
    post("a bare document is refused", &[("content-type", "application/graphql")], "{hello}", 415, GRAPHQL, Want::Refused("UNSUPPORTED_MEDIA_TYPE")),
    post("a body that says UTF-8 is read", &[("content-type", "application/json; charset=utf-8")], HELLO, 200, GRAPHQL, WORLD),
    post("a body of another character set is refused", &[("content-type", "application/json; charset=utf-16")], HELLO, 415, GRAPHQL, Want::Refused("UNSUPPORTED_MEDIA_TYPE")),
    // The body.
    post("no body is refused", AS_JSON, "", 400, JSON, Want::Refused("BAD_REQUEST")),
    post("what is no JSON is refused", AS_JSON, "{", 400, JSON, Want::Refused("BAD_REQUEST")),
    post("what is no JSON is refused (graphql)", AS_GRAPHQL, "nonsense", 400, GRAPHQL, Want::Refused("BAD_REQUEST")),
    post("a string is refused", AS_JSON, "\"{hello}\"", 400, JSON, Want::Refused("BAD_REQUEST")),
    post("a batch is refused", AS_JSON, r#"[{"query":"{hello}"}]"#, 400, JSON, Want::Refused("BAD_REQUEST")),
    post("no query is refused", AS_JSON, "{}", 400, JSON, Want::Refused("BAD_REQUEST")),
    post("a null query is refused", AS_JSON, r#"{"query":null}"#, 400, JSON, Want::Refused("BAD_REQUEST")),
    post("a query that is an object is refused", AS_JSON, r#"{"query":{}}"#, 400, JSON, Want::Refused("BAD_REQUEST")),
    post("a query that is a number is refused", AS_GRAPHQL, r#"{"query":1}"#, 400, GRAPHQL, Want::Refused("BAD_REQUEST")),
    post("an operation name that is a list is refused", AS_JSON, r#"{"query":"{hello}","operationName":[]}"#, 400, JSON, Want::Refused("BAD_REQUEST")),
    post("variables that are text are refused", AS_JSON, r#"{"query":"{hello}","variables":"x"}"#, 400, JSON, Want::Refused("BAD_REQUEST")),
    post("variables that are a list are refused", AS_JSON, r#"{"query":"{hello}","variables":[]}"#, 400, JSON, Want::Refused("BAD_REQUEST")),
    post("extensions that are a number are refused", AS_JSON, r#"{"query":"{hello}","extensions":1}"#, 400, JSON, Want::Refused("BAD_REQUEST")),
    post("nulls are as nothing", AS_JSON, r#"{"query":"{hello}","operationName":null,"variables":null,"extensions":null}"#, 200, JSON, WORLD),
    post("other keys are ignored", AS_JSON, r#"{"query":"{hello}","id":7,"extensions":{"x":1}}"#, 200, JSON, WORLD),
    post("a hash that is none is refused", AS_JSON, r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}"#, 400, JSON, Want::Refused("BAD_REQUEST")),
    post("a hash of another kind is refused", AS_JSON, r#"{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"b8b68f1ed2abb5b4fcdb5a0e4a3e5f0d1a2c3b4d5e6f708192a3b4c5d6e7f809"}}}"#, 400, JSON, Want::Refused("BAD_REQUEST")),
    post("variables reach the query", AS_JSON, r#"{"query":"query($t:String!){echo(text:$t)}","variables":{"t":"é😀"}}"#, 200, JSON, Want::Data(r#"{"echo":"é😀"}"#)),
    post("the operation is chosen by name", AS_JSON, r#"{"query":"query A{hello} query B{again{hello}}","operationName":"A"}"#, 200, JSON, WORLD),
    // Request errors: the status tells them apart only where the media type allows.
    post("a syntax error is 400", AS_GRAPHQL, r#"{"query":"{"}"#, 400, GRAPHQL, Want::Refused("GRAPHQL_PARSE_FAILED")),
    post("a syntax error is 200 in JSON", AS_JSON, r#"{"query":"{"}"#, 200, JSON, Want::Refused("GRAPHQL_PARSE_FAILED")),
    post("an empty document is a syntax error", AS_GRAPHQL, r#"{"query":""}"#, 400, GRAPHQL, Want::Refused("GRAPHQL_PARSE_FAILED")),
    post("an unknown field is 400", AS_GRAPHQL, r#"{"query":"{nothing}"}"#, 400, GRAPHQL, Want::Refused("GRAPHQL_VALIDATION_FAILED")),
    post("an unknown field is 200 in JSON", AS_JSON, r#"{"query":"{nothing}"}"#, 200, JSON, Want::Refused("GRAPHQL_VALIDATION_FAILED")),
    post("an unknown fragment is 400", AS_GRAPHQL, r#"{"query":"{...F}"}"#, 400, GRAPHQL, Want::Refused("GRAPHQL_VALIDATION_FAILED")),
    post("a missing variable is 400", AS_GRAPHQL, r#"{"query":"query($t:String!){echo(text:$t)}"}"#, 400, GRAPHQL, Want::Refused("BAD_USER_INPUT")),
    post("a null where none may be is 400", AS_GRAPHQL, r#"{"query":"query($t:String!=\"x\"){echo(text:$t)}","variables":{"t":null}}"#, 400, GRAPHQL, Want::Refused("BAD_USER_INPUT")),
    post("a default stands in for a variable", AS_GRAPHQL, r#"{"query":"query($t:String!=\"x\"){echo(text:$t)}"}"#, 200, GRAPHQL, Want::Data(r#"{"echo":"x"}"#)),
    post("a variable of the wrong type is 400", AS_GRAPHQL, r#"{"query":"query($t:String!){echo(text:$t)}","variables":{"t":1}}"#, 400, GRAPHQL, Want::Refused("GRAPHQL_VALIDATION_FAILED")),
    post("an unknown operation is 400", AS_GRAPHQL, r#"{"query":"query A{hello}","operationName":"B"}"#, 400, GRAPHQL, Want::Refused("OPERATION_RESOLUTION_FAILED")),
    post("an operation that nobody chose is 400", AS_GRAPHQL, r#"{"query":"query A{hello} query B{hello}"}"#, 400, GRAPHQL, Want::Refused("OPERATION_RESOLUTION_FAILED")),
    post("a fragment that spreads itself is 400", AS_GRAPHQL, r#"{"query":"{...A} fragment A on Query{again{...A}}"}"#, 400, GRAPHQL, Want::Refused("GRAPHQL_VALIDATION_FAILED")),
    post("a subscription does not fit in one answer", AS_JSON, r#"{"query":"subscription{count(to:1)}"}"#, 406, JSON, Want::Refused("NOT_ACCEPTABLE")),
    // Field errors are results.
    post("a field error is 200", AS_GRAPHQL, r#"{"query":"{coded}"}"#, 200, GRAPHQL, Want::Failed("NOT_FOUND")),
    post("a field error is 200 in JSON", AS_JSON, r#"{"query":"{coded}"}"#, 200, JSON, Want::Failed("NOT_FOUND")),
    // GET.
    get("GET executes queries", "/graphql?query=%7Bhello%7D", 200, GRAPHQL, WORLD),
    get("GET takes variables and an operation name", "/graphql?query=query%20A(%24t:String!)%7Becho(text:%24t)%7D%20query%20B%7Bhello%7D&variables=%7B%22t%22:%22a%2Bb%22%7D&operationName=A", 200, GRAPHQL, Want::Data(r#"{"echo":"a+b"}"#)),
    get("GET takes empty parameters for none", "/graphql?query=%7Bhello%7D&variables=&operationName=&extensions=", 200, GRAPHQL, WORLD),
    get("GET without a query is refused", "/graphql", 400, GRAPHQL, Want::Refused("BAD_REQUEST")),
    get("GET with a parameter twice is refused", "/graphql?query=%7Bhello%7D&query=%7Bhello%7D", 400, GRAPHQL, Want::Refused("BAD_REQUEST")),
    get("GET with variables that are no JSON is refused", "/graphql?query=%7Bhello%7D&variables=%7B", 400, GRAPHQL, Want::Refused("BAD_REQUEST")),
    get("GET never executes mutations", "/graphql?query=mutation%7Bslow(ms:0)%7D", 405, GRAPHQL, Want::Refused("METHOD_NOT_ALLOWED")),
    get("GET never subscribes", "/graphql?query=subscription%7Bcount(to:1)%7D", 405, GRAPHQL, Want::Refused("METHOD_NOT_ALLOWED")),
    Case { name: "GET honours application/json", method: "GET", path: "/graphql?query=%7Bnothing%7D", headers: &[("apollo-require-preflight", "1"), ("accept", "application/json")], body: "", status: 200, media: JSON, want: Want::Refused("GRAPHQL_VALIDATION_FAILED") },
    // Other methods.
    Case { name: "PUT is refused", method: "PUT", path: "/graphql", headers: TYPE, body: HELLO, status: 405, media: JSON, want: Want::Refused("METHOD_NOT_ALLOWED") },
    Case { name: "DELETE is refused", method: "DELETE", path: "/graphql", headers: TYPE, body: HELLO, status: 405, media: JSON, want: Want::Refused("METHOD_NOT_ALLOWED") },
    Case { name: "PATCH is refused", method: "PATCH", path: "/graphql/stream", headers: TYPE, body: HELLO, status: 405, media: JSON, want: Want::Refused("METHOD_NOT_ALLOWED") },
    Case { name: "another path has nothing", method: "POST", path: "/graphq", headers: TYPE, body: HELLO, status: 404, media: JSON, want: Want::Refused("NOT_FOUND") },
];

#[tokio::test]
async fn every_statement_of_the_specification_holds() {
    let server = TestServer::start().await;
    assert!(CASES.len() >= 40);
    let mut wrong = Vec::new();
    for case in CASES {
        if let Err(problem) = run(&server, case).await {
            wrong.push(format!("{}: {problem}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

async fn run(server: &TestServer, case: &Case) -> Result<(), String> {
    let method = case.method.parse().expect("a method");
    let mut request = server.client.request(method, server.url(case.path));
    for (name, value) in case.headers {
        request = request.header(*name, *value);
    }
    if !case.body.is_empty() {
        request = request.body(case.body);
    }
    let response = request.send().await.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let header = |name| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned()
    };
    let (media, allow, id) = (header("content-type"), header("allow"), header("x-request-id"));
    let text = response.text().await.map_err(|error| error.to_string())?;
    let body: serde_json::Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;

    let ensure = |holds: bool, what: String| {
        if holds { Ok(()) } else { Err(format!("{what}; {status} {text}")) }
    };
    ensure(status == case.status, format!("status {}", case.status))?;
    ensure(media == case.media, format!("media type {media}"))?;
    ensure(status != 405 || allow.contains("POST"), format!("Allow: {allow}"))?;
    let error = &body["errors"][0];
    let coded =
        |code: &str| error["extensions"]["code"] == code && error["extensions"]["requestId"] == id.as_str();
    match case.want {
        Want::Data(data) => {
            let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
            ensure(body["data"] == data && error.is_null(), "data".to_owned())
        }
        Want::Refused(code) => ensure(coded(code) && body.get("data").is_none(), format!("refusal {code}")),
        Want::Failed(code) => ensure(
            coded(code) && body.get("data").is_some_and(|data| data.is_null()),
            format!("error {code}"),
        ),
    }
}
