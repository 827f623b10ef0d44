//! Collections: made, marked, listed and dropped, with aliases before them.

use ::qdrant_client::qdrant::{alias_operations::Action, collections_server::Collections, *};
use tonic::{Request, Status};

use crate::{
    Answer, Shared,
    engine::{Collection, Engine},
};

const DONE: CollectionOperationResponse = CollectionOperationResponse { result: true, time: 0.0 };

#[tonic::async_trait]
impl Collections for Shared {
    async fn get(&self, request: Request<GetCollectionInfoRequest>) -> Answer<GetCollectionInfoResponse> {
        self.answer(request, |engine, asked| {
            let collection = engine.find(&asked.collection_name)?;
            Ok(GetCollectionInfoResponse { result: Some(info(collection)), time: 0.0 })
        })
    }

    async fn list(&self, request: Request<ListCollectionsRequest>) -> Answer<ListCollectionsResponse> {
        self.answer(request, |engine, _| {
            let names = engine.collections.keys().cloned();
            let collections = names.map(|name| CollectionDescription { name }).collect();
            Ok(ListCollectionsResponse { collections, time: 0.0 })
        })
    }

    async fn create(&self, request: Request<CreateCollection>) -> Answer<CollectionOperationResponse> {
        self.answer(request, |engine, asked| {
            let name = asked.collection_name.clone();
            if engine.collections.contains_key(&name) {
                return Err(Status::already_exists(format!("Collection `{name}` already exists!")));
            }
            engine.collections.insert(name, Collection::new(asked)?);
            Ok(DONE)
        })
    }

    async fn update(&self, request: Request<UpdateCollection>) -> Answer<CollectionOperationResponse> {
        self.answer(request, |engine, asked| {
            engine.find(&asked.collection_name)?.metadata.extend(asked.metadata);
            Ok(DONE)
        })
    }

    async fn delete(&self, request: Request<DeleteCollection>) -> Answer<CollectionOperationResponse> {
        self.answer(request, |engine, asked| {
            let result = engine.collections.remove(&asked.collection_name).is_some();
            engine.aliases.retain(|_, name| *name != asked.collection_name);
            Ok(CollectionOperationResponse { result, time: 0.0 })
        })
    }

    async fn update_aliases(&self, request: Request<ChangeAliases>) -> Answer<CollectionOperationResponse> {
        self.answer(request, |engine, asked| {
            for action in asked.actions {
                change(engine, action.action)?;
            }
            Ok(DONE)
        })
    }

    async fn list_aliases(&self, request: Request<ListAliasesRequest>) -> Answer<ListAliasesResponse> {
        self.answer(request, |engine, _| {
            let one = |(alias, name): (&String, &String)| AliasDescription {
                alias_name: alias.clone(),
                collection_name: name.clone(),
            };
            Ok(ListAliasesResponse { aliases: engine.aliases.iter().map(one).collect(), time: 0.0 })
        })
    }

    answer_unimplemented! {
        list_collection_aliases(ListCollectionAliasesRequest) -> ListAliasesResponse,
        collection_cluster_info(CollectionClusterInfoRequest) -> CollectionClusterInfoResponse,
        collection_exists(CollectionExistsRequest) -> CollectionExistsResponse,
        update_collection_cluster_setup(UpdateCollectionClusterSetupRequest) -> UpdateCollectionClusterSetupResponse,
        create_shard_key(CreateShardKeyRequest) -> CreateShardKeyResponse,
        delete_shard_key(DeleteShardKeyRequest) -> DeleteShardKeyResponse,
        list_shard_keys(ListShardKeysRequest) -> ListShardKeysResponse,
    }
}

fn change(engine: &mut Engine, action: Option<Action>) -> Result<(), Status> {
    match action {
        Some(Action::CreateAlias(CreateAlias { collection_name, alias_name })) => {
            if !engine.collections.contains_key(&collection_name) {
                return Err(Status::not_found(format!("Collection `{collection_name}` doesn't exist!")));
            }
            engine.aliases.insert(alias_name, collection_name);
        }
        Some(Action::DeleteAlias(DeleteAlias { alias_name })) => {
            engine.aliases.remove(&alias_name);
        }
        _ => return Err(Status::unimplemented("the stand-in makes and drops aliases")),
    }
    Ok(())
}

fn info(collection: &Collection) -> CollectionInfo {
    CollectionInfo {
        status: CollectionStatus::Green.into(),
        points_count: Some(collection.points.len() as u64),
        config: Some(CollectionConfig {
            params: Some(CollectionParams {
                vectors_config: collection.made_by.vectors_config.clone(),
                ..CollectionParams::default()
            }),
            hnsw_config: collection.made_by.hnsw_config,
            quantization_config: collection.made_by.quantization_config,
            metadata: collection.metadata.clone(),
            ..CollectionConfig::default()
        }),
        payload_schema: collection
            .indexed
            .iter()
            .map(|field| (field.clone(), PayloadSchemaInfo::default()))
            .collect(),
        ..CollectionInfo::default()
    }
}
