//! The local object store on a real folder.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use bytes::Bytes;
use colloquy_domain::ports::objects::ObjectStore;
use colloquy_objects::LocalObjects;

fn store() -> (tempfile::TempDir, LocalObjects) {
    let folder = tempfile::tempdir().unwrap();
    let objects = LocalObjects::open(folder.path().join("objects")).unwrap();
    (folder, objects)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn what_was_put_is_got_until_it_is_deleted() {
    let (_folder, objects) = store();
    assert_eq!(objects.get("a/b/c").await.unwrap(), None);
    objects.put("a/b/c", Bytes::from_static(b"one")).await.unwrap();
    objects.put("a/b/c", Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(objects.get("a/b/c").await.unwrap().unwrap(), "two");
    objects.put("a/empty", Bytes::new()).await.unwrap();
    assert_eq!(objects.get("a/empty").await.unwrap().unwrap(), "");
    objects.delete("a/b/c").await.unwrap();
    objects.delete("a/b/c").await.unwrap();
    objects.delete("never/was").await.unwrap();
    assert_eq!(objects.get("a/b/c").await.unwrap(), None);
}

#[tokio::test]
async fn only_the_owner_can_read_and_nothing_unfinished_stays() {
    let (folder, objects) = store();
    objects.put("conversations/org/one", Bytes::from_static(b"text")).await.unwrap();
    let root = folder.path().join("objects");
    assert_eq!(mode(&root), 0o700);
    assert_eq!(mode(&root.join("conversations")), 0o700);
    assert_eq!(mode(&root.join("conversations/org/one")), 0o600);
    let names: Vec<_> = fs::read_dir(root.join("conversations/org")).unwrap().collect();
    assert_eq!(names.len(), 1);
}

#[tokio::test]
async fn a_delete_prunes_folders_that_it_empties_and_no_others() {
    let (folder, objects) = store();
    let root = folder.path().join("objects");
    objects.put("a/b/one", Bytes::from_static(b"1")).await.unwrap();
    objects.put("a/two", Bytes::from_static(b"2")).await.unwrap();
    objects.delete("a/b/one").await.unwrap();
    assert!(!root.join("a/b").exists() && root.join("a/two").exists());
    objects.delete("a/two").await.unwrap();
    assert!(!root.join("a").exists() && root.exists());
}

#[tokio::test]
async fn what_stands_below_a_key_goes_at_once_and_nothing_beside_it() {
    let (folder, objects) = store();
    for key in ["a/b/one", "a/b/two", "a/b/c/three", "a/bc/four"] {
        objects.put(key, Bytes::from_static(b"x")).await.unwrap();
    }
    for folder in ["a/b", "a/b", "never/was", "a/bc/four"] {
        objects.delete_below(folder).await.unwrap();
    }
    assert_eq!(objects.list(Duration::ZERO, None, 10).await.unwrap(), ["a/bc/four"]);
    assert!(!folder.path().join("objects/a/b").exists());
    assert!(objects.delete_below("../objects").await.is_err());
}

#[tokio::test]
async fn keys_that_leave_the_folder_are_refused() {
    let (folder, objects) = store();
    fs::write(folder.path().join("secret"), "s").unwrap();
    for key in ["../secret", "a/../../secret", "/etc/passwd", ""] {
        assert!(objects.get(key).await.is_err(), "{key}");
        assert!(objects.put(key, Bytes::new()).await.is_err(), "{key}");
        assert!(objects.delete(key).await.is_err(), "{key}");
    }
    assert!(folder.path().join("secret").exists());
}

#[tokio::test]
async fn listing_goes_by_key_in_pages_and_leaves_out_what_is_young() {
    let (_folder, objects) = store();
    let mut keys = vec!["a", "a.b/x", "a/1", "a/2", "a0", "b/c/d", "b/c/e", "b/d", "c"];
    keys.sort_unstable();
    // `a` cannot be an object and a folder at once.
    keys.retain(|key| *key != "a");
    for key in &keys {
        objects.put(key, Bytes::from_static(b"x")).await.unwrap();
    }
    for page in 1..=keys.len() {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let after = seen.last().cloned();
            let some = objects.list(Duration::ZERO, after.as_deref(), page).await.unwrap();
            if some.is_empty() {
                break;
            }
            assert!(some.len() <= page);
            seen.extend(some);
        }
        assert_eq!(seen, keys, "pages of {page}");
    }
    assert!(objects.list(Duration::from_secs(3600), None, 100).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn puts_and_deletes_in_one_folder_do_not_trip_over_each_other() {
    let (_folder, objects) = store();
    let work = (0..8).map(|number| {
        let objects = objects.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                let key = format!("shared/deep/{number}");
                objects.put(&key, Bytes::from_static(b"x")).await.unwrap();
                assert!(objects.get(&key).await.unwrap().is_some());
                objects.delete(&key).await.unwrap();
            }
        })
    });
    for task in work.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert!(objects.list(Duration::ZERO, None, 10).await.unwrap().is_empty());
}
