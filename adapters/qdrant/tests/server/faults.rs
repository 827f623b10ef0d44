//! A server that is busy, slow, away, too old, or says no.

use std::time::{Duration, Instant};

use colloquy_conformance::fixtures::{World, axis};
use colloquy_domain::search::query::SearchFilter;
use colloquy_qdrant::{QdrantIndex, QdrantSettings, Secret, report};
use colloquy_qdrant_stand_in::StandIn;
use tokio::net::TcpListener;
use tonic::Code;

use crate::{of, open};

fn soon(url: &str) -> QdrantSettings {
    QdrantSettings { timeout_ms: 1_500, ..of(url, "faults") }
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let server = StandIn::start();
    server.refuse(&[Code::ResourceExhausted, Code::Unavailable]);
    let found = report(&soon(&server.url())).await.unwrap();
    assert_eq!(
        (found.version.as_str(), found.passages, found.generation()),
        (colloquy_qdrant_stand_in::VERSION, 0, None)
    );
    assert_eq!(server.refusals_left(), 0);
}

#[tokio::test]
async fn a_server_that_stays_busy_is_unavailable_in_time() {
    let server = StandIn::start();
    server.refuse(&[Code::ResourceExhausted; 1_000]);
    let begun = Instant::now();
    let error = report(&soon(&server.url())).await.unwrap_err();
    assert_eq!(error.code(), "UNAVAILABLE");
    assert!(begun.elapsed() < Duration::from_secs(3) && server.refusals_left() < 998);
    let told = error.chain();
    assert!(told.contains("ResourceExhausted") && !told.contains("as the test wants"), "{told}");
}

#[tokio::test]
async fn a_silent_server_and_none_at_all_are_unavailable_in_time() {
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for address in [silent.local_addr().unwrap(), gone] {
        let begun = Instant::now();
        let error = report(&soon(&format!("http://{address}"))).await.unwrap_err();
        assert_eq!(error.code(), "UNAVAILABLE");
        assert!(error.retryable() && begun.elapsed() < Duration::from_secs(3), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let world = World::new("back");
    let mut server = StandIn::start();
    let index = open(&soon(&server.url())).await;
    let put = async || {
        let passages = vec![(world.passage(0, 0, "", &[]), axis(0, 1, 0.0))];
        index.vectors().replace(world.tenant(0), 1, world.facets(0), passages).await
    };
    put().await.unwrap();
    server.stop();
    assert_eq!(put().await.unwrap_err().code(), "UNAVAILABLE");
    server.go_on();
    put().await.unwrap();
    let search = index.vectors();
    let hits = search.search(world.tenant(0), &axis(0, 1, 0.0), &SearchFilter::default(), 5).await.unwrap();
    assert_eq!(hits.len(), 1);
}

#[tokio::test]
async fn a_collection_that_is_gone_is_unavailable_and_not_made_by_a_write() {
    let world = World::new("gone");
    let server = StandIn::start();
    let index = open(&soon(&server.url())).await;
    server.lose("faults-passages-1");
    let passages = vec![(world.passage(0, 0, "", &[]), axis(0, 1, 0.0))];
    let vectors = index.vectors();
    let written = vectors.replace(world.tenant(0), 1, world.facets(0), passages).await;
    assert_eq!(written.unwrap_err().code(), "UNAVAILABLE");
    let removed = vectors.remove(world.tenant(0), world.conversation(0)).await;
    assert_eq!(removed.unwrap_err().code(), "UNAVAILABLE");
    let searched = vectors.search(world.tenant(0), &axis(0, 1, 0.0), &SearchFilter::default(), 5).await;
    assert_eq!(searched.unwrap_err().code(), "UNAVAILABLE");
    assert_eq!(server.collections(), [""; 0]);
}

#[tokio::test]
async fn the_key_is_sent_and_never_told() {
    let server = StandIn::start();
    let settings = QdrantSettings { api_key: Some(Secret::new("hunter2")), ..soon(&server.url()) };
    server.refuse(&[Code::Unauthenticated]);
    let error = report(&settings).await.unwrap_err();
    assert_eq!(server.last_key().as_deref(), Some("hunter2"));
    assert_eq!(error.code(), "UNAVAILABLE");
    assert!(!format!("{} {error:?}", error.chain()).contains("hunter2"));
}

#[tokio::test]
async fn an_address_that_no_server_has_is_refused() {
    for url in ["http://ann:hunter2@127.0.0.1:9", "ftp://127.0.0.1", "127.0.0.1:6334", ""] {
        let error = report(&soon(url)).await.unwrap_err();
        assert_eq!(error.code(), "INTERNAL", "{url}");
        assert!(!error.chain().contains("hunter2"));
    }
}

#[tokio::test]
async fn a_file_of_certificates_that_is_not_there_is_told_by_name() {
    let settings = QdrantSettings { ca_file: Some("/nowhere/ca.pem".into()), ..soon("https://127.0.0.1:9") };
    let error = report(&settings).await.unwrap_err();
    assert!(error.chain().contains("qdrant.ca_file /nowhere/ca.pem"), "{}", error.chain());
}

#[tokio::test]
async fn a_field_that_came_with_a_later_release_is_indexed_when_the_collection_is_opened() {
    let (server, world) = (StandIn::start(), World::new("later"));
    let settings = of(&server.url(), "later");
    let index = open(&settings).await;
    index.mark_complete().await.unwrap();
    server.forget_field("people");
    let filter = SearchFilter { person_ids: vec![world.person(0)], ..SearchFilter::default() };
    let search = async |index: QdrantIndex| {
        index.vectors().search(world.tenant(0), &axis(0, 1, 0.0), &filter, 10).await
    };
    assert!(search(index).await.is_err());
    assert_eq!(search(open(&settings).await).await.unwrap(), []);
}
