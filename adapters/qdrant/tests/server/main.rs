//! The suite that every vector engine runs, on the stand-in and, where `QDRANT_URL` names one, on a real Qdrant; and what
//! is peculiar to servers: generations, a collection that goes, answers that come late or not at all.

#![allow(clippy::unwrap_used, reason = "a test ends where something is amiss")]

mod faults;
mod generations;

use std::{io::Write, sync::Arc};

use colloquy_conformance::fixtures::DIMENSIONS;
use colloquy_domain::ports::search::VectorIndex;
use colloquy_qdrant::{Identity, QdrantIndex, QdrantSettings, Quantization, Secret};
use colloquy_qdrant_stand_in::StandIn;
use tokio::sync::OnceCell;
use uuid::Uuid;

const LOG: Uuid = Uuid::from_u128(7);

fn first() -> Identity {
    Identity { generation: 1, log_id: LOG, model: "a model".to_owned(), dimensions: DIMENSIONS }
}

fn of(url: &str, test: &str) -> QdrantSettings {
    QdrantSettings {
        url: Some(url.to_owned()),
        collection_prefix: test.to_owned(),
        timeout_ms: 20_000,
        ..QdrantSettings::default()
    }
}

async fn open(settings: &QdrantSettings) -> QdrantIndex {
    QdrantIndex::open(settings, first()).await.unwrap().into_index()
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment which server there is")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What a run of this process calls its collections on a server that lives on.
async fn real(test: &str) -> Option<QdrantSettings> {
    static TOLD: OnceCell<()> = OnceCell::const_new();
    let Some(url) = variable("QDRANT_URL") else {
        // There is nowhere to have one from, so that this is no failure in CI.
        TOLD.get_or_init(|| async {
            let _ = writeln!(std::io::stderr(), "left out: {TESTS} tests (QDRANT_URL names no Qdrant)");
        })
        .await;
        return None;
    };
    let mut settings = of(&url, &format!("test-{}-{test}", std::process::id()));
    settings.api_key = variable("QDRANT_API_KEY").map(Secret::new);
    Some(settings)
}

async fn open_real(test: &str) -> Option<(Arc<dyn VectorIndex>, QdrantIndex)> {
    let index = open(&real(test).await?).await;
    Some((index.vectors(), index))
}

async fn open_quantized(test: &str) -> Option<(Arc<dyn VectorIndex>, QdrantIndex)> {
    let settings = real(&format!("quantized-{test}")).await?;
    let index = open(&QdrantSettings { quantization: Quantization::Scalar, ..settings }).await;
    Some((index.vectors(), index))
}

/// A server of the test's own.
async fn open_stand_in(test: &str) -> Option<(Arc<dyn VectorIndex>, (QdrantIndex, StandIn))> {
    let server = StandIn::start();
    let index = open(&of(&server.url(), test)).await;
    Some((index.vectors(), (index, server)))
}

mod stand_in {
    use super::*;

    colloquy_conformance::vector_suite!(open_stand_in);
}

mod qdrant {
    use super::*;

    colloquy_conformance::vector_suite!(open_real);

    mod quantized {
        use super::*;

        colloquy_conformance::vector_suite!(open_quantized);
    }
}

/// Where a test leaves nothing behind.
async fn dropped(settings: &QdrantSettings) {
    let index = open(settings).await;
    index.drop_all().await.unwrap();
}

macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod stand_in_generations {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let server = StandIn::start();
                    generations::$name(&of(&server.url(), stringify!($name))).await;
                }
            )+
        }

        mod qdrant_generations {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let Some(settings) = real(stringify!($name)).await else { return };
                    generations::$name(&settings).await;
                }
            )+
        }
    };
}

on_both!(
    generations_stand_beside_each_other_until_one_is_dropped,
    a_collection_is_in_step_once_it_is_complete,
    another_databases_collection_is_not_touched,
    late_news_of_what_stands_undoes_nothing,
    a_long_conversation_is_written_and_shortened_whole,
    another_models_vectors_are_not_searched_and_lapse_when_they_miss_some,
    writers_that_race_leave_the_latest,
);

/// How many tests above need a real server.
const TESTS: usize = 2 * colloquy_conformance::VECTOR_TESTS + 7;
