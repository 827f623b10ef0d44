//! The suite that every search engine runs, on the embedded ones.

#![allow(clippy::unwrap_used, reason = "a test ends where something is amiss")]

use std::sync::Arc;

use colloquy_conformance::fixtures::{DIMENSIONS, World};
use colloquy_domain::ports::search::{TextIndex, VectorIndex};
use colloquy_embedded::{EmbeddedIndex, EmbeddedSettings, Identity};
use tempfile::TempDir;
use uuid::Uuid;

type Kept = (EmbeddedIndex, TempDir);

async fn open(change: impl FnOnce(&mut EmbeddedSettings)) -> Kept {
    let dir = TempDir::new().unwrap();
    let mut settings = EmbeddedSettings::new(dir.path(), DIMENSIONS);
    settings.vector_map_bytes = 4 << 30;
    change(&mut settings);
    let identity = Identity { generation: 1, log_id: Uuid::nil(), model: "test".into() };
    let index = EmbeddedIndex::open(settings, identity).await.unwrap().into_index();
    (index, dir)
}

async fn open_text(_test: &str) -> Option<(Arc<dyn TextIndex>, Kept)> {
    let kept = open(|_defaults| {}).await;
    Some((kept.0.text(), kept))
}

async fn open_vectors(_test: &str) -> Option<(Arc<dyn VectorIndex>, Kept)> {
    let kept = open(|_defaults| {}).await;
    Some((kept.0.vectors(), kept))
}

mod embedded {
    use super::{World, open};

    mod text {
        colloquy_conformance::text_suite!(crate::open_text);
    }

    mod vectors {
        colloquy_conformance::vector_suite!(crate::open_vectors);
    }

    /// The same, with the graph in play where few vectors would be compared one by one.
    #[tokio::test]
    async fn the_graph_finds_what_brute_force_finds() {
        let (index, _dir) = open(|settings| settings.graph_step_cost = 0).await;
        let world = World::new("graph");
        colloquy_conformance::vectors::filters_are_exact_against_brute_force(&*index.vectors(), &world).await;
    }

    #[tokio::test]
    async fn the_graph_stays_good_while_conversations_come_and_go() {
        let (index, _dir) = open(|settings| settings.graph_step_cost = 0).await;
        colloquy_conformance::vectors::recall_survives_churn(&*index.vectors(), &World::new("churn")).await;
    }
}
