//! Listing in the order of keys without reading the whole tree: folders that come before `after` are skipped.

use std::{
    fs::{self, DirEntry},
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use crate::{ABANDONED, is_unfinished, key::is_part};

struct Walk<'a> {
    now: SystemTime,
    age: Duration,
    after: Option<&'a str>,
    limit: usize,
    found: Vec<String>,
}

pub(crate) fn list(root: &Path, age: Duration, after: Option<&str>, limit: usize) -> io::Result<Vec<String>> {
    #[expect(clippy::disallowed_methods, reason = "the age of a file is told by the clock that stamped it")]
    let now = SystemTime::now();
    let mut walk = Walk { now, age, after, limit, found: Vec::new() };
    walk.folder(root, "")?;
    Ok(walk.found)
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        let mut entries: Vec<(String, DirEntry)> = Vec::new();
        let listing = match fs::read_dir(folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in listing {
            let entry = entry?;
            let name = entry.file_name();
            if is_unfinished(&name) {
                self.clear_away(&entry);
            }
            let Some(name) = name.to_str().filter(|name| is_part(name)) else {
                continue;
            };
            // A folder sorts where its keys do: with the slash.
            let is_folder = entry.file_type()?.is_dir();
            entries.push((format!("{prefix}{name}{}", if is_folder { "/" } else { "" }), entry));
        }
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (key, entry) in entries {
            if self.found.len() >= self.limit {
                break;
            }
            if key.ends_with('/') {
                if !self.is_before(&key) {
                    self.folder(&entry.path(), &key)?;
                }
            } else if self.after.is_none_or(|after| key.as_str() > after) && self.is_old(&entry, self.age) {
                self.found.push(key);
            }
        }
        Ok(())
    }

    /// Whether every key in the folder comes before `after`.
    fn is_before(&self, folder: &str) -> bool {
        self.after.is_some_and(|after| folder < after && !after.starts_with(folder))
    }

    fn is_old(&self, entry: &DirEntry, age: Duration) -> bool {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        modified.is_ok_and(|at| self.now.duration_since(at).unwrap_or_default() >= age)
    }

    fn clear_away(&self, entry: &DirEntry) {
        if self.is_old(entry, ABANDONED)
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::debug!(error = %error, "an unfinished object could not be removed");
        }
    }
}
