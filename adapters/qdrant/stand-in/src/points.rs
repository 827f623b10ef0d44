//! Points: written on conditions, found by nearness, counted and read.

use std::collections::HashMap;

use ::qdrant_client::qdrant::{
    points_selector::PointsSelectorOneOf, points_server::Points, vectors::VectorsOptions,
    with_payload_selector::SelectorOptions, *,
};
use tonic::{Request, Status};

use crate::{
    Answer, Shared,
    engine::{Collection, Engine, Point, key, unit},
    filter,
};

#[tonic::async_trait]
impl Points for Shared {
    async fn upsert(&self, request: Request<UpsertPoints>) -> Answer<PointsOperationResponse> {
        self.answer(request, |engine, asked| {
            let collection = engine.find(&asked.collection_name)?;
            let condition = asked.update_filter.unwrap_or_default();
            filter::check(collection, &condition)?;
            let read = |given: PointStruct| point(collection, given);
            let points: Vec<_> = asked.points.into_iter().map(read).collect::<Result<_, _>>()?;
            for (id, point) in points {
                let there = collection.points.get(&id);
                if there.is_none_or(|there| filter::lets_through(&condition, there)) {
                    collection.points.insert(id, point);
                }
            }
            Ok(written(engine, asked.wait))
        })
    }

    async fn delete(&self, request: Request<DeletePoints>) -> Answer<PointsOperationResponse> {
        self.answer(request, |engine, asked| {
            let collection = engine.find(&asked.collection_name)?;
            match asked.points.and_then(|points| points.points_selector_one_of) {
                Some(PointsSelectorOneOf::Filter(filter)) => {
                    filter::check(collection, &filter)?;
                    collection.points.retain(|_, point| !filter::lets_through(&filter, point));
                }
                Some(PointsSelectorOneOf::Points(list)) => {
                    for id in list.ids {
                        collection.points.remove(&key(Some(id))?);
                    }
                }
                None => return Err(Status::invalid_argument("Malformed delete request")),
            }
            Ok(written(engine, asked.wait))
        })
    }

    async fn get(&self, request: Request<GetPoints>) -> Answer<GetResponse> {
        self.answer(request, |engine, asked| {
            let collection = engine.find(&asked.collection_name)?;
            let mut result = Vec::new();
            for id in asked.ids {
                if let Some(point) = collection.points.get(&key(Some(id.clone()))?) {
                    result.push(retrieved(
                        id,
                        point,
                        asked.with_payload.as_ref(),
                        asked.with_vectors.as_ref(),
                    ));
                }
            }
            Ok(GetResponse { result, ..GetResponse::default() })
        })
    }

    async fn scroll(&self, request: Request<ScrollPoints>) -> Answer<ScrollResponse> {
        self.answer(request, |engine, asked| {
            let collection = engine.find(&asked.collection_name)?;
            let wanted = asked.filter.unwrap_or_default();
            filter::check(collection, &wanted)?;
            let from = asked.offset.map(|id| key(Some(id))).transpose()?.unwrap_or_default();
            let mut found =
                collection.points.range(from..).filter(|(_, point)| filter::lets_through(&wanted, point));
            let page = found.by_ref().take(asked.limit.unwrap_or(10) as usize);
            let result = page.map(|(id, point)| {
                retrieved(
                    PointId::from(id.to_string()),
                    point,
                    asked.with_payload.as_ref(),
                    asked.with_vectors.as_ref(),
                )
            });
            let result = result.collect();
            let next_page_offset = found.next().map(|(id, _)| PointId::from(id.to_string()));
            Ok(ScrollResponse { result, next_page_offset, ..ScrollResponse::default() })
        })
    }

    async fn count(&self, request: Request<CountPoints>) -> Answer<CountResponse> {
        self.answer(request, |engine, asked| {
            let collection = engine.find(&asked.collection_name)?;
            let wanted = asked.filter.unwrap_or_default();
            filter::check(collection, &wanted)?;
            let count =
                collection.points.values().filter(|point| filter::lets_through(&wanted, point)).count();
            Ok(CountResponse {
                result: Some(CountResult { count: count as u64 }),
                ..CountResponse::default()
            })
        })
    }

    async fn query(&self, request: Request<QueryPoints>) -> Answer<QueryResponse> {
        self.answer(request, |engine, asked| {
            let collection = engine.find(&asked.collection_name)?;
            let result = nearest(collection, asked)?;
            Ok(QueryResponse { result, ..QueryResponse::default() })
        })
    }

    async fn create_field_index(
        &self,
        request: Request<CreateFieldIndexCollection>,
    ) -> Answer<PointsOperationResponse> {
        self.answer(request, |engine, asked| {
            engine.find(&asked.collection_name)?.indexed.insert(asked.field_name);
            Ok(written(engine, asked.wait))
        })
    }

    answer_unimplemented! {
        update_vectors(UpdatePointVectors) -> PointsOperationResponse,
        delete_vectors(DeletePointVectors) -> PointsOperationResponse,
        set_payload(SetPayloadPoints) -> PointsOperationResponse,
        overwrite_payload(SetPayloadPoints) -> PointsOperationResponse,
        delete_payload(DeletePayloadPoints) -> PointsOperationResponse,
        clear_payload(ClearPayloadPoints) -> PointsOperationResponse,
        delete_field_index(DeleteFieldIndexCollection) -> PointsOperationResponse,
        create_vector_name(CreateVectorNameRequest) -> PointsOperationResponse,
        delete_vector_name(DeleteVectorNameRequest) -> PointsOperationResponse,
        search(SearchPoints) -> SearchResponse,
        search_batch(SearchBatchPoints) -> SearchBatchResponse,
        search_groups(SearchPointGroups) -> SearchGroupsResponse,
        recommend(RecommendPoints) -> RecommendResponse,
        recommend_batch(RecommendBatchPoints) -> RecommendBatchResponse,
        recommend_groups(RecommendPointGroups) -> RecommendGroupsResponse,
        discover(DiscoverPoints) -> DiscoverResponse,
        discover_batch(DiscoverBatchPoints) -> DiscoverBatchResponse,
        update_batch(UpdateBatchPoints) -> UpdateBatchResponse,
        query_batch(QueryBatchPoints) -> QueryBatchResponse,
        query_groups(QueryPointGroups) -> QueryGroupsResponse,
        facet(FacetCounts) -> FacetResponse,
        search_matrix_pairs(SearchMatrixPoints) -> SearchMatrixPairsResponse,
        search_matrix_offsets(SearchMatrixPoints) -> SearchMatrixOffsetsResponse,
    }
}

fn written(engine: &mut Engine, wait: Option<bool>) -> PointsOperationResponse {
    engine.operations += 1;
    let status = if wait == Some(true) { UpdateStatus::Completed } else { UpdateStatus::Acknowledged };
    let result = UpdateResult { operation_id: Some(engine.operations), status: status.into() };
    PointsOperationResponse { result: Some(result), ..PointsOperationResponse::default() }
}

fn point(collection: &Collection, given: PointStruct) -> Result<(uuid::Uuid, Point), Status> {
    let Some(VectorsOptions::Vectors(named)) = given.vectors.and_then(|vectors| vectors.vectors_options)
    else {
        return Err(Status::unimplemented("the stand-in has named vectors only"));
    };
    let mut vectors = HashMap::new();
    for (name, vector) in named.vectors {
        let Some(vector::Vector::Dense(dense)) = vector.vector else {
            return Err(Status::unimplemented("the stand-in has dense vectors only"));
        };
        check_length(collection, &name, &dense.data)?;
        vectors.insert(name, unit(dense.data));
    }
    Ok((key(given.id)?, Point { payload: given.payload, vectors }))
}

fn check_length(collection: &Collection, name: &str, vector: &[f32]) -> Result<(), Status> {
    let unknown = || Status::invalid_argument(format!("Not existing vector name error: {name}"));
    let size = collection.vectors.get(name).ok_or_else(unknown)?.size;
    match vector.len() as u64 == size {
        true => Ok(()),
        false => Err(Status::invalid_argument(format!("Vector dimension error: expected dim: {size}"))),
    }
}

fn nearest(collection: &Collection, asked: QueryPoints) -> Result<Vec<ScoredPoint>, Status> {
    let wanted = asked.filter.unwrap_or_default();
    filter::check(collection, &wanted)?;
    let input = match asked.query.and_then(|query| query.variant) {
        Some(query::Variant::Nearest(VectorInput { variant: Some(vector_input::Variant::Dense(dense)) })) => {
            dense.data
        }
        _ => return Err(Status::unimplemented("the stand-in finds what is nearest to a vector")),
    };
    let name = asked.using.unwrap_or_default();
    check_length(collection, &name, &input)?;
    let input = unit(input);
    let mut found: Vec<(f32, &uuid::Uuid, &Point)> = collection
        .points
        .iter()
        .filter(|(_, point)| filter::lets_through(&wanted, point))
        .filter_map(|(id, point)| {
            let vector = point.vectors.get(&name)?;
            Some((vector.iter().zip(&input).map(|(a, b)| a * b).sum(), id, point))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let page = found.into_iter().take(asked.limit.unwrap_or(10) as usize);
    let scored = page.map(|(score, id, point)| ScoredPoint {
        id: Some(PointId::from(id.to_string())),
        payload: payload(point, asked.with_payload.as_ref()),
        score,
        ..ScoredPoint::default()
    });
    Ok(scored.collect())
}

fn retrieved(
    id: PointId,
    point: &Point,
    with_payload: Option<&WithPayloadSelector>,
    with_vectors: Option<&WithVectorsSelector>,
) -> RetrievedPoint {
    let wants = with_vectors.is_some_and(|with| {
        matches!(with.selector_options, Some(with_vectors_selector::SelectorOptions::Enable(true)))
    });
    let vectors = wants.then(|| {
        let dense = |vector: &Vec<f32>| VectorOutput {
            vector: Some(vector_output::Vector::Dense(DenseVector { data: vector.clone() })),
            ..VectorOutput::default()
        };
        let vectors = point.vectors.iter().map(|(name, vector)| (name.clone(), dense(vector))).collect();
        let named = vectors_output::VectorsOptions::Vectors(NamedVectorsOutput { vectors });
        VectorsOutput { vectors_options: Some(named) }
    });
    RetrievedPoint {
        id: Some(id),
        payload: payload(point, with_payload),
        vectors,
        ..RetrievedPoint::default()
    }
}

fn payload(point: &Point, with: Option<&WithPayloadSelector>) -> HashMap<String, Value> {
    match with.and_then(|with| with.selector_options.as_ref()) {
        Some(SelectorOptions::Enable(true)) => point.payload.clone(),
        Some(SelectorOptions::Include(only)) => {
            let kept = point.payload.iter().filter(|(name, _)| only.fields.contains(name));
            kept.map(|(name, value)| (name.clone(), value.clone())).collect()
        }
        _ => HashMap::new(),
    }
}
