//! What the server holds: collections of points, and aliases before them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use qdrant_client::qdrant::{
    CreateCollection, PointId, Value, VectorParams, point_id::PointIdOptions, vectors_config,
};
use tonic::Status;
use uuid::Uuid;

#[derive(Default)]
pub(crate) struct Engine {
    pub(crate) collections: BTreeMap<String, Collection>,
    pub(crate) aliases: BTreeMap<String, String>,
    pub(crate) operations: u64,
}

pub(crate) struct Collection {
    pub(crate) made_by: CreateCollection,
    pub(crate) metadata: HashMap<String, Value>,
    pub(crate) vectors: HashMap<String, VectorParams>,
    /// Those that may be filtered by.
    pub(crate) indexed: BTreeSet<String>,
    pub(crate) points: BTreeMap<Uuid, Point>,
}

#[derive(Clone)]
pub(crate) struct Point {
    pub(crate) payload: HashMap<String, Value>,
    /// By name, of unit length.
    pub(crate) vectors: HashMap<String, Vec<f32>>,
}

impl Engine {
    /// By its own name or by an alias.
    pub(crate) fn find(&mut self, name: &str) -> Result<&mut Collection, Status> {
        let name = self.aliases.get(name).map_or(name, String::as_str).to_owned();
        let missing = || Status::not_found(format!("Collection `{name}` doesn't exist!"));
        self.collections.get_mut(&name).ok_or_else(missing)
    }
}

impl Collection {
    pub(crate) fn new(made_by: CreateCollection) -> Result<Self, Status> {
        let config = made_by.vectors_config.as_ref().and_then(|config| config.config.as_ref());
        let Some(vectors_config::Config::ParamsMap(vectors)) = config else {
            return Err(Status::unimplemented("the stand-in has named vectors only"));
        };
        Ok(Self {
            vectors: vectors.map.clone(),
            metadata: made_by.metadata.clone(),
            indexed: BTreeSet::new(),
            points: BTreeMap::new(),
            made_by,
        })
    }
}

pub(crate) fn key(id: Option<PointId>) -> Result<Uuid, Status> {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Uuid(text)) => {
            Uuid::parse_str(&text).map_err(|error| Status::invalid_argument(error.to_string()))
        }
        _ => Err(Status::unimplemented("the stand-in has ids that are UUIDs only")),
    }
}

pub(crate) fn unit(vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    match length > f32::EPSILON {
        true => vector.into_iter().map(|x| x / length).collect(),
        false => vector,
    }
}
