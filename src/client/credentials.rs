//! The keys that `login` keeps: one file by server, which only its owner can read and which is replaced
//! whole, so that a crash leaves the old one or the new one.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::PathBuf,
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use url::Url;

use crate::environment;

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Credential {
    /// An API key.
    pub(crate) token: String,
    /// To revoke it by; none for a key that was made elsewhere.
    pub(crate) key_id: Option<String>,
    /// Whose it is, for people to read.
    pub(crate) user: Option<String>,
}

/// By server's address.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    servers: BTreeMap<Url, Credential>,
}

pub(crate) struct Credentials {
    path: PathBuf,
    kept: Kept,
}

impl Credentials {
    pub(crate) fn load() -> Result<Self> {
        Self::load_from(environment::user_config().join("credentials.json"))
    }

    fn load_from(path: PathBuf) -> Result<Self> {
        let doing = || format!("could not read {}", path.display());
        let kept = match fs::read(&path) {
            Ok(bytes) => {
                let mode = fs::metadata(&path).with_context(doing)?.permissions().mode();
                if mode & 0o077 != 0 {
                    bail!(
                        "others than you may read {0}; run `chmod 600 {0}`, and think of the keys in it as known",
                        path.display()
                    );
                }
                serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is damaged; delete it and log in again", path.display()))?
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(error).with_context(doing),
        };
        Ok(Self { path, kept })
    }

    pub(crate) fn find(&self, server: &Url) -> Option<&Credential> {
        self.kept.servers.get(server)
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = &Url> {
        self.kept.servers.keys()
    }

    /// Gives back the one that stood there.
    pub(crate) fn put(&mut self, server: Url, credential: Credential) -> Result<Option<Credential>> {
        let before = self.kept.servers.insert(server, credential);
        self.save()?;
        Ok(before)
    }

    pub(crate) fn remove(&mut self, server: &Url) -> Result<Option<Credential>> {
        let removed = self.kept.servers.remove(server);
        self.save()?;
        Ok(removed)
    }

    pub(crate) fn place(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    fn save(&self) -> Result<()> {
        let doing = || format!("could not write {}", self.path.display());
        let folder = self.path.parent().with_context(doing)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(doing)?;
        let mut file = NamedTempFile::new_in(folder).with_context(doing)?;
        file.as_file().set_permissions(Permissions::from_mode(0o600)).with_context(doing)?;
        file.write_all(&serde_json::to_vec_pretty(&self.kept)?).with_context(doing)?;
        file.as_file().sync_all().with_context(doing)?;
        file.persist(&self.path).with_context(doing)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(token: &str) -> Credential {
        Credential { token: token.to_owned(), key_id: Some("k1".to_owned()), user: None }
    }

    #[test]
    fn keys_are_kept_by_server_in_a_file_that_only_the_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/credentials.json");
        let (a, b): (Url, Url) = ("https://a.example".parse().unwrap(), "https://b.example".parse().unwrap());

        let mut credentials = Credentials::load_from(path.clone()).unwrap();
        assert!(credentials.find(&a).is_none());
        assert!(credentials.put(a.clone(), key("one")).unwrap().is_none());
        credentials.put(b.clone(), key("two")).unwrap();
        assert_eq!(credentials.put(a.clone(), key("three")).unwrap().unwrap().token, "one");

        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        let mut again = Credentials::load_from(path.clone()).unwrap();
        assert_eq!(again.find(&a).unwrap().token, "three");
        assert_eq!(again.remove(&b).unwrap().unwrap().token, "two");
        assert_eq!(Credentials::load_from(path.clone()).unwrap().servers().collect::<Vec<_>>(), [&a]);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no leftovers");
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        fs::write(&path, "{").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let error = Credentials::load_from(path.clone()).err().unwrap();
        assert!(error.to_string().contains("chmod 600"), "{error}");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let error = Credentials::load_from(path).err().unwrap();
        assert!(error.to_string().contains("damaged"), "{error}");
    }
}
