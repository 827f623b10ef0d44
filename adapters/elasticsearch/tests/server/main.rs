//! The suite that every full-text engine runs, on a real OpenSearch and a real Elasticsearch, and what is peculiar to
//! servers: generations, an index that goes, answers that come late or not at all.

#![allow(clippy::unwrap_used, reason = "a test ends where something is amiss")]

mod faults;
mod generations;
mod servers;

use std::sync::Arc;

use colloquy_domain::ports::search::TextIndex;
use colloquy_elasticsearch::{ElasticsearchIndex, ElasticsearchSettings, Identity};
use uuid::Uuid;

use servers::Product;

const LOG: Uuid = Uuid::from_u128(7);

fn first() -> Identity {
    Identity { generation: 1, log_id: LOG }
}

async fn open(settings: &ElasticsearchSettings) -> ElasticsearchIndex {
    ElasticsearchIndex::open(settings, first()).await.unwrap().into_index()
}

/// An index of the test's own: scores hang on what else stands in it.
async fn open_on(product: Product, test: &str) -> Option<(Arc<dyn TextIndex>, ElasticsearchIndex)> {
    let index = open(&servers::settings(product, test)?).await;
    Some((index.text(), index))
}

macro_rules! on {
    ($server:ident, $product:expr) => {
        mod $server {
            use super::*;

            mod text {
                use super::*;

                async fn open(test: &str) -> Option<(Arc<dyn TextIndex>, ElasticsearchIndex)> {
                    open_on($product, test).await
                }

                colloquy_conformance::text_suite!(open);
            }

            macro_rules! tests {
                ($name:ident) => {
                    #[tokio::test]
                    async fn $name() {
                        let Some(settings) = servers::settings($product, stringify!($name)) else { return };
                        generations::$name(&settings).await;
                    }
                };
            }

            tests!(generations_stand_beside_each_other_until_one_is_dropped);
            tests!(an_index_is_in_step_once_it_is_complete);
            tests!(another_databases_index_is_not_touched);
            tests!(an_earlier_releases_index_makes_way);
            tests!(a_write_makes_no_index_by_itself);
            tests!(late_news_of_what_stands_undoes_nothing);
            tests!(a_long_conversation_is_written_and_shortened_whole);
        }
    };
}

/// The tests above that need each server.
fn left_out() -> String {
    format!("{} tests", colloquy_conformance::TEXT_TESTS + 7)
}

on!(opensearch, Product::OpenSearch);
on!(elasticsearch, Product::Elasticsearch);
