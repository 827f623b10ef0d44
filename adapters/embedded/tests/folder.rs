//! The folder: one owner, nothing acknowledged is lost, what cannot be used is made anew.

#![allow(clippy::unwrap_used, reason = "a test ends where something is amiss")]

use std::{
    fs::{self, File},
    io::{BufRead, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use colloquy_domain::{
    Error,
    accounts::Tenant,
    conversations::ConversationKind,
    ids::{ConversationId, OrganizationId, PassageId},
    ports::search::{ConversationFacets, Held, PassageDocument, Standing},
    search::query::{SearchFilter, TextQuery},
};
use colloquy_embedded::{EmbeddedIndex, EmbeddedSettings, Identity, Opened};
use tempfile::TempDir;
use uuid::Uuid;

const TENANT: Tenant = Tenant(OrganizationId(Uuid::from_u128(1)));
const DIMENSIONS: usize = 4;

fn settings(dir: &Path) -> EmbeddedSettings {
    EmbeddedSettings { vector_map_bytes: 1 << 30, ..EmbeddedSettings::new(dir, DIMENSIONS) }
}

fn identity() -> Identity {
    Identity { generation: 1, log_id: Uuid::from_u128(7), model: "test".into() }
}

async fn open(dir: &Path) -> Opened {
    EmbeddedIndex::open(settings(dir), identity()).await.unwrap()
}

/// A complete index with one conversation, and the folder it is in.
async fn complete() -> (EmbeddedIndex, TempDir) {
    let dir = TempDir::new().unwrap();
    let Opened::Rebuilt(index) = open(dir.path()).await else { panic!("there was nothing") };
    index.mark_complete().await.unwrap();
    put(&index, 0).await.unwrap();
    (index, dir)
}

fn conversation(n: u32) -> ConversationFacets {
    ConversationFacets {
        conversation_id: ConversationId(Uuid::from_u128(100 + u128::from(n))),
        revision: 1,
        kind: ConversationKind::Advice,
        tags: Vec::new(),
        occurred_at: None,
        language: None,
    }
}

fn passage(n: u32, ordinal: u32) -> PassageDocument {
    let id = PassageId::of(conversation(n).conversation_id, &[0; 32], ordinal);
    PassageDocument { id, text: "something acknowledged".into(), speakers: Vec::new(), people: Vec::new() }
}

async fn put(index: &EmbeddedIndex, n: u32) -> Result<(), Error> {
    index.text().replace(TENANT, 1, conversation(n), vec![passage(n, 0)]).await?;
    put_vectors(index, n, 1).await
}

async fn put_vectors(index: &EmbeddedIndex, n: u32, count: u32) -> Result<(), Error> {
    let vector = |i: u32| vec![1.0, i as f32 / 1e6, n as f32 / 1e6, 0.5];
    let passages = (0..count).map(|i| (passage(n, i), vector(i))).collect();
    index.vectors().replace(TENANT, 1, conversation(n), passages).await
}

async fn found(index: &EmbeddedIndex) -> (usize, usize) {
    let query = TextQuery::parse("acknowledged").unwrap();
    let filter = SearchFilter::default();
    let text = index.text().search(TENANT, &query, &filter, 10_000).await.unwrap().hits;
    let vectors = index.vectors().search(TENANT, &[1.0, 0.0, 0.0, 0.5], &filter, 10_000).await.unwrap();
    (text.len(), vectors.len())
}

/// Opens again as soon as the last owner's threads have ended.
async fn reopen(dir: &Path, identity: Identity) -> Opened {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match EmbeddedIndex::open(settings(dir), identity.clone()).await {
            Err(error) if error.code() == "INDEX_IN_USE" && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            opened => return opened.unwrap(),
        }
    }
}

async fn in_step(dir: &Path) -> Option<EmbeddedIndex> {
    match reopen(dir, identity()).await {
        Opened::InStep(index) => Some(index),
        Opened::Lapsed(_) => panic!("the model is the same"),
        Opened::Rebuilt(index) => {
            assert_eq!(found(&index).await, (0, 0), "what is made anew is empty");
            put(&index, 5).await.unwrap();
            assert_eq!(found(&index).await, (1, 1), "and can be written to");
            None
        }
    }
}

#[tokio::test]
async fn a_second_owner_is_turned_away_at_once() {
    let (index, dir) = complete().await;
    let refused = EmbeddedIndex::open(settings(dir.path()), identity()).await.expect_err("in use");
    assert_eq!(refused.code(), "INDEX_IN_USE");
    let text = refused.to_string();
    let pid = format!("(pid {})", std::process::id());
    assert!(text.contains(&pid) && text.contains(&dir.path().display().to_string()), "{text}");
    index.close().await;
    assert_eq!(found(&in_step(dir.path()).await.expect("in step")).await, (1, 1));
}

#[tokio::test]
async fn an_index_that_is_dropped_has_kept_what_it_acknowledged() {
    let (index, dir) = complete().await;
    for n in 1..5 {
        put(&index, n).await.unwrap();
    }
    drop(index);
    assert_eq!(found(&in_step(dir.path()).await.expect("in step")).await, (5, 5));
}

#[tokio::test]
async fn handles_outlive_the_index_for_reading_only() {
    let (index, dir) = complete().await;
    let text = index.text();
    index.close().await;
    let query = TextQuery::parse("acknowledged").unwrap();
    assert_eq!(text.search(TENANT, &query, &SearchFilter::default(), 10).await.unwrap().hits.len(), 1);
    let refused = text.remove(TENANT, conversation(0).conversation_id).await.unwrap_err();
    assert!(refused.retryable(), "{refused}");
    drop(text);
    assert!(in_step(dir.path()).await.is_some());
}

#[tokio::test]
async fn another_identity_begins_anew() {
    let others =
        [Identity { generation: 2, ..identity() }, Identity { log_id: Uuid::from_u128(8), ..identity() }];
    for other in others {
        let (index, dir) = complete().await;
        index.close().await;
        let Opened::Rebuilt(index) = reopen(dir.path(), other.clone()).await else {
            panic!("{other:?} differs")
        };
        assert_eq!(found(&index).await, (0, 0));
        index.mark_complete().await.unwrap();
        index.close().await;
        assert!(matches!(reopen(dir.path(), other).await, Opened::InStep(_)));
    }
    let (index, dir) = complete().await;
    index.close().await;
    let longer = EmbeddedSettings { dimensions: DIMENSIONS + 1, ..settings(dir.path()) };
    assert!(matches!(EmbeddedIndex::open(longer, identity()).await.unwrap(), Opened::Rebuilt(_)));
}

#[tokio::test]
async fn vectors_of_another_model_are_not_searched_and_not_trusted_again_while_words_are_found() {
    let (index, dir) = complete().await;
    index.close().await;
    let other = Identity { model: "another".into(), ..identity() };
    let Opened::Lapsed(index) = reopen(dir.path(), other).await else { panic!("another model's") };
    put(&index, 1).await.unwrap();
    let (query, filter) = (TextQuery::parse("acknowledged").unwrap(), SearchFilter::default());
    assert_eq!(index.text().search(TENANT, &query, &filter, 10).await.unwrap().hits.len(), 2);
    let refused = index.vectors().search(TENANT, &[1.0, 0.0, 0.0, 0.5], &filter, 10).await.unwrap_err();
    assert_eq!(refused.code(), "UNAVAILABLE", "{refused}");
    assert!(refused.chain().contains("embeds by another"), "{}", refused.chain());
    index.vectors().remove(TENANT, conversation(1).conversation_id).await.unwrap();
    index.close().await;
    // What came in under the other model has no vector of the first one.
    let Opened::Lapsed(index) = reopen(dir.path(), identity()).await else { panic!("it has lapsed") };
    assert!(index.generations().only(1).expect("it is live").lapsed);
    let refused = index.vectors().search(TENANT, &[1.0, 0.0, 0.0, 0.5], &filter, 10).await.unwrap_err();
    assert!(refused.chain().contains("lack what came in"), "{}", refused.chain());
}

fn standing(change: i64, live: i64, building: Option<i64>, previous: Option<i64>) -> Standing {
    Standing { change, live, building, previous }
}

async fn held(index: &EmbeddedIndex, number: i64, n: u32) -> Held {
    let of = vec![(TENANT, conversation(n).conversation_id)];
    index.generations().held(number, of).await.unwrap()[0]
}

const WHOLE: Held = Held { text: Some(1), passages: 1, vectors: Some(1) };

#[tokio::test]
async fn a_generation_is_built_beside_the_live_one_switched_to_at_once_and_gone_back_from() {
    let (index, dir) = complete().await;
    let generations = index.generations();
    let align = async |to: Standing| generations.align(to, None).await.unwrap();
    align(standing(1, 1, None, None)).await;
    assert!(generations.only(2).is_none());
    align(standing(2, 1, Some(2), None)).await;
    put(&index, 1).await.unwrap();
    assert_eq!(found(&index).await, (2, 2), "searches read the live one");
    assert_eq!([held(&index, 2, 0).await, held(&index, 2, 1).await], [Held::default(), WHOLE]);
    let built = generations.only(2).unwrap();
    assert_eq!(built.model, "test");
    built.text.unwrap().replace(TENANT, 1, conversation(2), vec![passage(2, 0)]).await.unwrap();
    assert_eq!(found(&index).await, (2, 2), "what goes into one goes into that alone");

    let (text, vectors) = (index.text(), index.vectors());
    align(standing(3, 2, None, Some(1))).await;
    assert_eq!(found(&index).await, (2, 1), "one and two by word, one by meaning");
    // Whoever held them before reads the new one, too; and who knew less changes nothing.
    align(standing(2, 1, Some(2), None)).await;
    let (query, filter) = (TextQuery::parse("acknowledged").unwrap(), SearchFilter::default());
    assert_eq!(text.search(TENANT, &query, &filter, 10).await.unwrap().hits.len(), 2);
    vectors.remove(TENANT, conversation(1).conversation_id).await.unwrap();
    put(&index, 3).await.unwrap();
    assert_eq!(found(&index).await, (3, 1));
    assert_eq!(held(&index, 1, 3).await, WHOLE, "the way back has every change");

    align(standing(4, 1, None, Some(2))).await;
    assert_eq!(found(&index).await, (3, 2));
    align(standing(5, 1, None, None)).await;
    assert!(!dir.path().join("2").exists() && generations.only(2).is_none());
    put(&index, 4).await.unwrap();
    assert_eq!(found(&index).await, (4, 3));
}

#[tokio::test]
async fn what_was_written_into_a_generation_is_there_after_a_restart_and_a_way_back_that_is_lost_is_told() {
    let (index, dir) = complete().await;
    index.generations().align(standing(1, 1, Some(2), None), None).await.unwrap();
    put(&index, 1).await.unwrap();
    index.close().await;
    fs::create_dir(dir.path().join("9")).unwrap();
    let index = in_step(dir.path()).await.expect("in step");
    index.generations().align(standing(1, 1, Some(2), None), None).await.unwrap();
    assert_eq!([held(&index, 2, 0).await, held(&index, 2, 1).await], [Held::default(), WHOLE]);
    assert!(!dir.path().join("9").exists(), "nobody knows it");
    let lost = index.generations().align(standing(2, 2, None, Some(7)), None).await.unwrap_err();
    assert_eq!(lost.code(), "GENERATION_LOST");
    assert_eq!(found(&index).await, (2, 2), "and nothing has changed");
    index.generations().align(standing(3, 2, None, None), None).await.unwrap();
    assert_eq!(found(&index).await, (1, 1));
    index.close().await;
    assert!(!dir.path().join("1").exists());
}

#[tokio::test]
async fn a_rebuild_that_was_not_completed_begins_again() {
    let dir = TempDir::new().unwrap();
    for _ in 0..2 {
        let Opened::Rebuilt(index) = reopen(dir.path(), identity()).await else { panic!("never completed") };
        assert_eq!(found(&index).await, (0, 0));
        put(&index, 0).await.unwrap();
    }
}

#[tokio::test]
async fn half_of_another_folder_is_found_out() {
    let (mine, here) = complete().await;
    mine.close().await;
    let there = TempDir::new().unwrap();
    let other = Identity { log_id: Uuid::from_u128(9), ..identity() };
    let index = reopen(there.path(), other).await.into_index();
    index.mark_complete().await.unwrap();
    index.close().await;
    for half in ["text", "vectors"] {
        fs::remove_dir_all(here.path().join("1").join(half)).unwrap();
        fs::rename(there.path().join("1").join(half), here.path().join("1").join(half)).unwrap();
        assert!(in_step(here.path()).await.is_none(), "{half} is another's");
        let index = reopen(here.path(), identity()).await.into_index();
        index.mark_complete().await.unwrap();
        index.close().await;
    }
}

fn largest(folder: PathBuf, extension: &str) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|e| e == extension));
    files.max_by_key(|path| path.metadata().unwrap().len()).expect("a file with that extension")
}

fn overwrite(path: &Path, from: usize, bytes: usize) {
    let mut content = fs::read(path).unwrap();
    let end = content.len().min(from.saturating_add(bytes));
    content[from..end].fill(0xa5);
    fs::write(path, content).unwrap();
}

fn cut(path: &Path, keep: u64) {
    File::options().write(true).open(path).unwrap().set_len(keep).unwrap();
}

#[tokio::test]
async fn damage_is_found_out_and_made_anew() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 9] = [
        ("text meta overwritten", |dir| overwrite(&dir.join("1/text/meta.json"), 0, usize::MAX)),
        ("text meta cut", |dir| cut(&dir.join("1/text/meta.json"), 40)),
        ("a byte of a segment flipped", |dir| overwrite(&largest(dir.join("1/text"), "idx"), 3, 1)),
        ("a segment cut", |dir| cut(&largest(dir.join("1/text"), "fast"), 10)),
        ("text gone", |dir| fs::remove_dir_all(dir.join("1/text")).unwrap()),
        ("vectors overwritten", |dir| overwrite(&dir.join("1/vectors/data.mdb"), 0, usize::MAX)),
        ("vectors' head overwritten", |dir| overwrite(&dir.join("1/vectors/data.mdb"), 0, 8192)),
        ("vectors cut", |dir| cut(&dir.join("1/vectors/data.mdb"), 3 * 4096)),
        ("vectors gone", |dir| fs::remove_dir_all(dir.join("1/vectors")).unwrap()),
    ];
    for (what, damage) in damages {
        let (index, dir) = complete().await;
        for n in 1..4 {
            put(&index, n).await.unwrap();
        }
        index.close().await;
        damage(dir.path());
        assert!(in_step(dir.path()).await.is_none(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_wait_are_committed_together() {
    let (index, _dir) = complete().await;
    let index = Arc::new(index);
    let before = index.stats().await.unwrap();
    let writers: Vec<_> = (1..=200)
        .map(|n| {
            let index = index.clone();
            tokio::spawn(async move { put(&index, n).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(found(&index).await, (201, 201));
    let after = index.stats().await.unwrap();
    let commits = (after.text_commits - before.text_commits, after.vector_commits - before.vector_commits);
    assert!(commits.0 <= 20 && commits.1 <= 20, "{commits:?} commits for 200 writes");
    assert_eq!((after.documents, after.vectors), (201, 201));
    assert!(after.bytes_on_disk > 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_does_not_take_its_neighbours_with_it() {
    let dir = TempDir::new().unwrap();
    let small = EmbeddedSettings { vector_map_bytes: 2 << 20, ..settings(dir.path()) };
    let index = Arc::new(EmbeddedIndex::open(small, identity()).await.unwrap().into_index());
    let writers: Vec<_> = (0..24)
        .map(|n| {
            let index = index.clone();
            let count = if n == 11 { 40_000 } else { 2 };
            tokio::spawn(async move { (n, put_vectors(&index, n, count).await) })
        })
        .collect();
    for writer in writers {
        match writer.await.unwrap() {
            (11, outcome) => {
                assert_eq!(outcome.unwrap_err().code(), "UNAVAILABLE", "there is no room for it")
            }
            (_, outcome) => outcome.unwrap(),
        }
    }
    assert_eq!(found(&index).await.1, 23 * 2);
}

/// The other process of the tests below: writes conversations until it is killed, and notes each that was
/// acknowledged in a file.
#[tokio::test]
#[ignore = "run by other tests as a process of its own, with a folder's name on its standard input"]
async fn child_that_writes_until_it_is_killed() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let dir = Path::new(line.trim_end());
    if line.is_empty() {
        return;
    }
    let index = open(dir).await.into_index();
    index.mark_complete().await.unwrap();
    let mut acknowledged = File::create(dir.join("acknowledged")).unwrap();
    for n in 0.. {
        put(&index, n).await.unwrap();
        acknowledged.write_all(b".").unwrap();
    }
}

struct Killed(Child);

impl Killed {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "child_that_writes_until_it_is_killed"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{}", dir.display()).unwrap();
        Self(child)
    }

    async fn wait_for(&self, dir: &Path, writes: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while acknowledged(dir) < writes {
            assert!(Instant::now() < deadline, "the other process does not write");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn acknowledged(dir: &Path) -> usize {
    fs::metadata(dir.join("acknowledged")).map_or(0, |meta| meta.len() as usize)
}

#[tokio::test]
async fn a_process_that_is_killed_has_lost_nothing_and_blocks_nobody() {
    let dir = TempDir::new().unwrap();
    for round in 1..=3 {
        fs::remove_file(dir.path().join("acknowledged")).ok();
        let child = Killed::start(dir.path());
        child.wait_for(dir.path(), 7 * round).await;
        let refused = EmbeddedIndex::open(settings(dir.path()), identity()).await.expect_err("in use");
        assert!(refused.to_string().contains(&format!("(pid {})", child.0.id())), "{refused}");
        drop(child);
        let kept = acknowledged(dir.path());
        let Opened::InStep(index) = open(dir.path()).await else { panic!("round {round}: was complete") };
        let (text, vectors) = found(&index).await;
        assert!(
            text >= kept && vectors >= kept,
            "round {round}: {kept} acknowledged, {text} and {vectors} found"
        );
        index.close().await;
    }
}
