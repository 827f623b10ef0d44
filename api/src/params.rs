//! The parameters of a GraphQL request, however they come: as a JSON body, in a query string, in an upload, in a
//! WebSocket message.

use async_graphql::{Value, Variables};
use axum::extract::Query;
use http::Uri;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::error::Category;

use crate::{
    fault::Fault,
    persisted::{Document, PersistedQuery},
};

/// What async-graphql puts into a variable in the place of a file. A client must not write it: it would name
/// another file of its request, or one that is not there.
const FILE_MARK: &str = "#__graphql_file__:";

pub(crate) fn file_mark(file: usize) -> String {
    format!("{FILE_MARK}{file}")
}

#[derive(Debug, Default)]
pub(crate) struct Params {
    pub(crate) document: Document,
    pub(crate) operation_name: Option<String>,
    pub(crate) variables: Variables,
}

/// As they stand in JSON. Other keys are ignored, as the specification wants.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Variables,
    #[serde(default)]
    extensions: Option<Extensions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    #[serde(default)]
    persisted_query: Option<PersistedQuery>,
}

/// As they stand in a query string: what is a map is JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

impl Params {
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, Fault> {
        let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
        match start {
            None => return Err(Fault::bad_request("the request has no body")),
            Some(b'[') => {
                return Err(Fault::bad_request("send one request at a time: batches are not taken"));
            }
            Some(_) => {}
        }
        Self::new(parse("the body", body)?)
    }

    pub(crate) fn from_query(uri: &Uri) -> Result<Self, Fault> {
        let Ok(Query(text)) = Query::<Text>::try_from_uri(uri) else {
            return Err(Fault::bad_request("the query string gives a parameter twice or is not UTF-8"));
        };
        fn map<T: DeserializeOwned>(name: &str, text: Option<String>) -> Result<Option<T>, Fault> {
            text.filter(|text| !text.is_empty()).map(|text| parse(name, text.as_bytes())).transpose()
        }
        Self::new(Json {
            query: text.query,
            operation_name: text.operation_name.filter(|name| !name.is_empty()),
            variables: map("variables", text.variables)?.unwrap_or_default(),
            extensions: map("extensions", text.extensions)?,
        })
    }

    fn new(json: Json) -> Result<Self, Fault> {
        let persisted = json.extensions.and_then(|extensions| extensions.persisted_query);
        let hash = persisted.map(|persisted| persisted.hash()).transpose()?;
        let document = match (json.query, hash) {
            (Some(query), None) => Document::Whole(query),
            (Some(query), Some(hash)) if hash.is_of(&query) => Document::Registered(query, hash),
            (Some(_), Some(_)) => {
                return Err(Fault::bad_request(
                    "extensions.persistedQuery.sha256Hash is not that of the query",
                ));
            }
            (None, Some(hash)) => Document::Known(hash),
            (None, None) => return Err(Fault::bad_request("the request has no query")),
        };
        if json.variables.values().any(names_a_file) {
            return Err(Fault::bad_request("a variable names a file that was not uploaded with it"));
        }
        Ok(Self { document, operation_name: json.operation_name, variables: json.variables })
    }
}

fn names_a_file(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with(FILE_MARK),
        Value::List(items) => items.iter().any(names_a_file),
        Value::Object(fields) => fields.values().any(names_a_file),
        Value::Null | Value::Number(_) | Value::Boolean(_) | Value::Binary(_) | Value::Enum(_) => false,
    }
}

/// The parser's words are about the client's own text: they may go back to it.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(text).map_err(|error| match error.classify() {
        Category::Data => Fault::bad_request(format!("{what}: {error}")),
        _ => Fault::bad_request(format!("{what} is not JSON: {error}")),
    })
}
