//! Uploads by the GraphQL multipart request specification: `operations`, `map`, then the files, in this order.
//!
//! Files are held in memory until the request is done, within a budget for the whole process: an upload takes its
//! share before a byte is read, and waits where there is none. The total, each part and the number of files are
//! bounded; a part that nobody announced, and one that never comes, refuse the request.

use std::{collections::BTreeMap, sync::Arc};

use async_graphql::{Executor, UploadValue, Value, Variables};
use axum::body::Body;
use http::HeaderMap;
use multer::{Constraints, Field, Multipart, SizeLimit};
use tokio::sync::OwnedSemaphorePermit;

use super::body;
use crate::{
    fault::Fault,
    params::{self, Params},
    server::Server,
    settings::HttpSettings,
};

/// Bytes of the part `map`: a few dozen names and paths.
const MAX_MAP_BYTES: u64 = 16 << 10;

/// Places in the variables that all files together may stand in.
const MAX_PLACES: usize = 100;

pub(crate) struct Upload {
    pub(crate) params: Params,
    pub(crate) files: Vec<UploadValue>,
    /// The share of memory, to be kept as long as the files are.
    pub(crate) memory: OwnedSemaphorePermit,
}

pub(crate) async fn read<E: Executor>(
    server: &Arc<Server<E>>,
    headers: &HeaderMap,
    body: Body,
    boundary: String,
) -> Result<Upload, Fault> {
    let settings = &server.settings;
    let limit = settings.max_upload_bytes;
    body::refuse_long(headers, "an upload", limit)?;
    let share = body::content_length(headers).unwrap_or(limit).div_ceil(1024);
    let reading = async {
        let memory = Arc::clone(&server.upload_memory);
        let share = u32::try_from(share).unwrap_or(u32::MAX);
        let Ok(memory) = memory.acquire_many_owned(share).await else {
            return Err(Fault::busy("uploads are not taken any more"));
        };
        let (params, files) = parts(body, boundary, settings).await?;
        Ok(Upload { params, files, memory })
    };
    tokio::time::timeout(settings.upload_timeout(), Box::pin(reading))
        .await
        .unwrap_or_else(|_elapsed| Err(body::too_slow()))
}

async fn parts(
    body: Body,
    boundary: String,
    settings: &HttpSettings,
) -> Result<(Params, Vec<UploadValue>), Fault> {
    let sizes = SizeLimit::new()
        .whole_stream(settings.max_upload_bytes)
        .for_field("operations", settings.max_body_bytes)
        .for_field("map", MAX_MAP_BYTES);
    let constraints = Constraints::new().size_limit(sizes);
    let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);

    let operations = text(&mut form, "operations").await?;
    let mut params = Params::from_json(&operations)?;
    let map = text(&mut form, "map").await?;
    let mut map: BTreeMap<String, Vec<String>> = params::parse("the part \"map\"", &map)?;
    if map.len() > settings.max_upload_files {
        let limit = settings.max_upload_files;
        return Err(Fault::bad_request(format!("an upload may have {limit} files at most")));
    }
    if map.values().map(Vec::len).sum::<usize>() > MAX_PLACES {
        return Err(Fault::bad_request(format!("files may stand in {MAX_PLACES} variables at most")));
    }

    let mut files = Vec::with_capacity(map.len());
    while let Some(field) = form.next_field().await.map_err(fault)? {
        let name = field.name().unwrap_or_default().to_owned();
        let Some(places) = map.remove(&name) else {
            return Err(Fault::bad_request(format!("the part {name:?} is not in \"map\", or comes twice")));
        };
        for place in &places {
            put(&mut params.variables, place, files.len())?;
        }
        files.push(file(field).await?);
    }
    match map.keys().next() {
        Some(missing) => {
            Err(Fault::bad_request(format!("\"map\" names the file {missing:?}, which does not come")))
        }
        None => Ok((params, files)),
    }
}

async fn text(form: &mut Multipart<'_>, name: &str) -> Result<bytes::Bytes, Fault> {
    match form.next_field().await.map_err(fault)? {
        Some(field) if field.name() == Some(name) => field.bytes().await.map_err(fault),
        _ => Err(Fault::bad_request(format!(
            "the parts must be \"operations\", \"map\", then the files; {name:?} is missing"
        ))),
    }
}

async fn file(field: Field<'_>) -> Result<UploadValue, Fault> {
    let filename = field.file_name().unwrap_or_default().to_owned();
    let content_type = field.content_type().map(ToString::to_string);
    Ok(UploadValue { filename, content_type, content: field.bytes().await.map_err(fault)? })
}

/// Puts the file's mark, which async-graphql's `Upload` reads, where `null` stands now.
fn put(variables: &mut Variables, place: &str, file: usize) -> Result<(), Fault> {
    let mut steps = place.split('.');
    let root = (steps.next() == Some("variables")).then(|| steps.next()).flatten();
    let start = root.and_then(|name| variables.get_mut(name));
    let slot = steps.try_fold(start, |at, step| match at? {
        Value::List(items) => Some(step.parse::<usize>().ok().and_then(|n| items.get_mut(n))),
        Value::Object(fields) => Some(fields.get_mut(step)),
        _ => None,
    });
    match slot.flatten() {
        Some(value) if *value == Value::Null => {
            *value = Value::String(params::file_mark(file));
            Ok(())
        }
        _ => Err(Fault::bad_request(format!("{place:?} in \"map\" is no variable that is null"))),
    }
}

fn fault(error: multer::Error) -> Fault {
    match error {
        multer::Error::FieldSizeExceeded { limit, .. } => Fault::too_large("this part of an upload", limit),
        multer::Error::StreamSizeExceeded { limit } => Fault::too_large("an upload", limit),
        multer::Error::StreamReadFailed(_) => Fault::bad_request("the upload broke off"),
        other => Fault::bad_request(format!("the upload is not multipart/form-data: {other}")),
    }
}
