//! One generation as a collection of the server: its fields, how it is made and told from others, and the alias behind
//! which the live one stands.

use std::{collections::HashMap, sync::Arc};

use colloquy_domain::{Error, Result};
use qdrant_client::qdrant::{
    AliasOperations, ChangeAliases, CollectionInfo, CreateAlias, CreateCollection,
    CreateFieldIndexCollection, DeleteAlias, DeleteCollection, Distance, FieldType, GetCollectionInfoRequest,
    HealthCheckRequest, HnswConfigDiff, KeywordIndexParams, ListAliasesRequest, ListCollectionsRequest,
    PayloadIndexParams, QuantizationConfig, QuantizationType, ScalarQuantization, UpdateCollection,
    UuidIndexParams, Value, VectorParams, VectorParamsMap, VectorsConfig, alias_operations::Action,
    payload_index_params::IndexParams, quantization_config, vectors_config,
};
use tonic::Code;
use uuid::Uuid;

use crate::{
    client::Client,
    fault::{refused, senseless},
    payload::{
        self, CONVERSATION, KIND, LANGUAGE, MARKER, OCCURRED, ORGANIZATION, PEOPLE, SPEAKERS, TAGS, VERSION,
    },
    settings::{QdrantSettings, Quantization},
};

/// Grows with every change of what is stored that [`Ground::index_fields`] cannot catch up with.
const FORMAT: i64 = 1;
/// The name of the one vector that a passage has. Markers have none.
pub(crate) const VECTOR: &str = "passage";
/// Links of a point among those of its organization. There are none across organizations.
const LINKS: u64 = 16;
const MAKING: &str = "make a vector collection";
const LOOKING: &str = "look at a vector collection";
/// Conditional writes came with the version before.
const OLDEST: (u32, u32) = (1, 17);

/// The server of one installation.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) client: Arc<Client>,
    pub(crate) settings: QdrantSettings,
    /// The life of the event log: a restored database has another.
    pub(crate) log_id: Uuid,
    /// What makes the vectors of this process.
    pub(crate) model: String,
    pub(crate) dimensions: usize,
}

/// What a collection says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) complete: bool,
    pub(crate) model: String,
    pub(crate) dimensions: usize,
    pub(crate) lapsed: bool,
}

impl Ground {
    /// The server's version, which must be one that has what is asked of it.
    pub(crate) async fn check_server(&self) -> Result<String> {
        const DOING: &str = "ask the vector server for its version";
        let client = &self.client;
        let ask = || {
            let mut server = client.server();
            async move { server.health_check(HealthCheckRequest {}).await }
        };
        let version = client.expect(DOING, ask).await?.version;
        let mut parts = version.split(['.', '-']).map(str::parse::<u32>);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST => Ok(version),
            _ => {
                let (major, minor) = OLDEST;
                Err(Error::unavailable(
                    DOING,
                    format!("it is {version:?}, and {major}.{minor} is the oldest that serves"),
                ))
            }
        }
    }

    async fn info(&self, collection: &str) -> Result<Option<CollectionInfo>> {
        let client = &self.client;
        let ask = || {
            let (mut collections, collection_name) = (client.collections(), collection.to_owned());
            async move { collections.get(GetCollectionInfoRequest { collection_name }).await }
        };
        match client.ask(LOOKING, ask).await? {
            Ok(answer) => Ok(answer.result),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(refused(LOOKING, status)),
        }
    }

    /// `None` where there is none. One of another database is not touched.
    pub(crate) async fn find(&self, generation: i64) -> Result<Option<Mark>> {
        let collection = self.settings.collection(generation);
        let Some(info) = self.info(&collection).await? else { return Ok(None) };
        let meta = info.config.map(|config| config.metadata).unwrap_or_default();
        let log_id = self.log_id.to_string();
        let same = payload::number(&meta, "format") == Some(FORMAT)
            && payload::number(&meta, "generation") == Some(generation)
            && payload::string(&meta, "log_id") == Some(log_id.as_str());
        if !same {
            let message = format!(
                "the collection {collection} is of another database, of this one before it was restored, or of another release: delete it, or set another qdrant.collection_prefix"
            );
            return Err(Error::conflict("INDEX_OF_ANOTHER", message));
        }
        let dimensions = payload::number(&meta, "dimensions").and_then(|n| usize::try_from(n).ok());
        Ok(Some(Mark {
            complete: payload::is_true(&meta, "complete"),
            model: payload::string(&meta, "model").unwrap_or_default().to_owned(),
            dimensions: dimensions.ok_or_else(|| senseless(LOOKING, "it does not say its dimensions"))?,
            lapsed: payload::is_true(&meta, "lapsed"),
        }))
    }

    /// An empty one, unless somebody was quicker.
    pub(crate) async fn create(&self, generation: i64) -> Result<()> {
        let request = self.definition(generation);
        let client = &self.client;
        let ask = || {
            let (mut collections, request) = (client.collections(), request.clone());
            async move { collections.create(request).await }
        };
        match client.ask(MAKING, ask).await? {
            Ok(_) => {
                tracing::info!(generation, collection = request.collection_name, "vector collection made")
            }
            // A refusal because it is there has no code of its own; whoever was quicker may still be at its fields.
            Err(status) if self.info(&request.collection_name).await?.is_none() => {
                return Err(refused(MAKING, status));
            }
            Err(_there) => {}
        }
        self.index_fields(generation).await
    }

    /// Those that the collection does not index yet: an earlier release may have made it.
    pub(crate) async fn index_fields(&self, generation: i64) -> Result<()> {
        let (collection, client) = (self.settings.collection(generation), &self.client);
        let known = self.info(&collection).await?.map(|info| info.payload_schema).unwrap_or_default();
        for (field, kind, parameters) in
            fields().into_iter().filter(|(field, ..)| !known.contains_key(*field))
        {
            let request = CreateFieldIndexCollection {
                collection_name: collection.clone(),
                wait: Some(true),
                field_name: field.to_owned(),
                field_type: Some(kind.into()),
                field_index_params: parameters.map(|index| PayloadIndexParams { index_params: Some(index) }),
                ..CreateFieldIndexCollection::default()
            };
            let ask = || {
                let (mut points, request) = (client.points(), request.clone());
                async move { points.create_field_index(request).await }
            };
            client.expect(MAKING, ask).await?;
        }
        Ok(())
    }

    #[expect(deprecated, reason = "the name that came after it is unknown to servers before 1.20")]
    fn definition(&self, generation: i64) -> CreateCollection {
        let vector = VectorParams {
            size: self.dimensions as u64,
            distance: Distance::Cosine.into(),
            ..VectorParams::default()
        };
        let map = HashMap::from([(VECTOR.to_owned(), vector)]);
        let scalar = ScalarQuantization {
            r#type: QuantizationType::Int8.into(),
            always_ram: Some(true),
            ..ScalarQuantization::default()
        };
        let quantization = quantization_config::Quantization::Scalar(scalar);
        CreateCollection {
            collection_name: self.settings.collection(generation),
            hnsw_config: Some(HnswConfigDiff {
                m: Some(0),
                payload_m: Some(LINKS),
                ..HnswConfigDiff::default()
            }),
            vectors_config: Some(VectorsConfig {
                config: Some(vectors_config::Config::ParamsMap(VectorParamsMap { map })),
            }),
            quantization_config: (self.settings.quantization == Quantization::Scalar)
                .then_some(QuantizationConfig { quantization: Some(quantization) }),
            metadata: HashMap::from([
                ("format".to_owned(), Value::from(FORMAT)),
                ("generation".to_owned(), Value::from(generation)),
                ("log_id".to_owned(), Value::from(self.log_id.to_string())),
                ("model".to_owned(), Value::from(self.model.clone())),
                ("dimensions".to_owned(), Value::from(self.dimensions as i64)),
            ]),
            timeout: Some(self.client.patience()),
            ..CreateCollection::default()
        }
    }

    /// From now on it is used as it stands.
    pub(crate) async fn mark_complete(&self, generation: i64) -> Result<()> {
        self.note(generation, "complete").await
    }

    /// It misses vectors from now on, since another model makes them.
    pub(crate) async fn mark_lapsed(&self, generation: i64) -> Result<()> {
        self.note(generation, "lapsed").await
    }

    async fn note(&self, generation: i64, what: &str) -> Result<()> {
        const DOING: &str = "mark a vector collection";
        let request = UpdateCollection {
            collection_name: self.settings.collection(generation),
            metadata: HashMap::from([(what.to_owned(), Value::from(true))]),
            timeout: Some(self.client.patience()),
            ..UpdateCollection::default()
        };
        let client = &self.client;
        let ask = || {
            let (mut collections, request) = (client.collections(), request.clone());
            async move { collections.update(request).await }
        };
        client.expect(DOING, ask).await.map(drop)
    }

    pub(crate) async fn delete(&self, collection: &str) -> Result<()> {
        const DOING: &str = "drop a vector collection";
        let (client, timeout) = (&self.client, Some(self.client.patience()));
        let ask = || {
            let (mut collections, collection_name) = (client.collections(), collection.to_owned());
            async move { collections.delete(DeleteCollection { collection_name, timeout }).await }
        };
        match client.ask(DOING, ask).await? {
            Err(status) if status.code() != Code::NotFound => Err(refused(DOING, status)),
            _ => Ok(()),
        }
    }

    /// Generations of this prefix that are there, whosever.
    pub(crate) async fn generations(&self) -> Result<Vec<i64>> {
        let (stem, client) = (format!("{}-", self.settings.alias()), &self.client);
        let ask = || {
            let mut collections = client.collections();
            async move { collections.list(ListCollectionsRequest {}).await }
        };
        let found = client.expect(LOOKING, ask).await?.collections;
        Ok(found.iter().filter_map(|one| one.name.strip_prefix(&stem)?.parse().ok()).collect())
    }

    /// The collection behind the alias.
    pub(crate) async fn behind_alias(&self) -> Result<Option<String>> {
        let (alias, client) = (self.settings.alias(), &self.client);
        let ask = || {
            let mut collections = client.collections();
            async move { collections.list_aliases(ListAliasesRequest {}).await }
        };
        let found = client.expect(LOOKING, ask).await?.aliases;
        Ok(found.into_iter().find(|one| one.alias_name == alias).map(|one| one.collection_name))
    }

    /// All searches read this generation from one moment on.
    pub(crate) async fn point_alias(&self, generation: i64) -> Result<()> {
        let (alias_name, collection_name) = (self.settings.alias(), self.settings.collection(generation));
        let before = self.behind_alias().await?;
        if before.as_ref() == Some(&collection_name) {
            return Ok(());
        }
        let gone = before.map(|_| Action::DeleteAlias(DeleteAlias { alias_name: alias_name.clone() }));
        let come = Action::CreateAlias(CreateAlias { collection_name, alias_name });
        let actions = gone.into_iter().chain([come]).map(|action| AliasOperations { action: Some(action) });
        let request = ChangeAliases { actions: actions.collect(), timeout: Some(self.client.patience()) };
        let client = &self.client;
        let ask = || {
            let (mut collections, request) = (client.collections(), request.clone());
            async move { collections.update_aliases(request).await }
        };
        client.expect("switch the vector collection", ask).await.map(drop)
    }
}

/// What filters and writes look at. Links are made within organizations alone: a filter beside the organization's walks
/// those, or goes through what the field's index has where that is little.
fn fields() -> Vec<(&'static str, FieldType, Option<IndexParams>)> {
    let label = || {
        IndexParams::KeywordIndexParams(KeywordIndexParams {
            enable_hnsw: Some(false),
            ..KeywordIndexParams::default()
        })
    };
    let id = |is_tenant: bool| {
        IndexParams::UuidIndexParams(UuidIndexParams {
            is_tenant: Some(is_tenant),
            enable_hnsw: Some(is_tenant),
            ..UuidIndexParams::default()
        })
    };
    vec![
        (ORGANIZATION, FieldType::Uuid, Some(id(true))),
        (CONVERSATION, FieldType::Uuid, Some(id(false))),
        (KIND, FieldType::Keyword, Some(label())),
        (LANGUAGE, FieldType::Keyword, Some(label())),
        (TAGS, FieldType::Keyword, Some(label())),
        (SPEAKERS, FieldType::Keyword, Some(label())),
        (PEOPLE, FieldType::Uuid, Some(id(false))),
        (OCCURRED, FieldType::Datetime, None),
        (VERSION, FieldType::Integer, None),
        (MARKER, FieldType::Bool, None),
    ]
}
