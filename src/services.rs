//! PostgreSQL and Redis as private children of a standalone, for whoever gives no URL of their own: free ports
//! on loopback, a random password, data below the data folder, an unprivileged user where this process is
//! root. They end with this process however it ends, and nothing that they leave blocks the next start.

mod child;
mod owner;
mod postgres;
mod programs;
mod redis;

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

pub(crate) use programs::find_program;

/// What stands in `services.json`, for other commands on the same data folder.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Addresses {
    pub database_url: Option<String>,
    pub redis_url: Option<String>,
}

/// The running children, if any.
pub(crate) struct Services {
    postgres: Option<child::Child>,
    redis: Option<child::Child>,
    addresses: Addresses,
    file: PathBuf,
}

impl Services {
    /// Starts what has no URL and waits until it answers.
    pub(crate) async fn start(
        data: &Path,
        database_url: Option<String>,
        redis_url: Option<String>,
    ) -> Result<Self> {
        let file = data.join("services.json");
        let owner = owner::Owner::choose()?;
        let (postgres, redis) = tokio::try_join!(
            async {
                match &database_url {
                    Some(_) => Ok(None),
                    None => postgres::start(&data.join("postgres"), &owner).await.map(Some),
                }
            },
            async {
                match &redis_url {
                    Some(_) => Ok(None),
                    None => redis::start(&data.join("redis"), &owner).await.map(Some),
                }
            },
        )?;
        let (postgres, own_database) = postgres.unzip();
        let (redis, own_redis) = redis.unzip();
        let addresses =
            Addresses { database_url: database_url.or(own_database), redis_url: redis_url.or(own_redis) };
        write_private(&file, &serde_json::to_vec(&addresses)?)?;
        Ok(Self { postgres, redis, addresses, file })
    }

    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Ends the children and waits for them.
    pub(crate) async fn stop(self) {
        if let Err(error) = std::fs::remove_file(&self.file) {
            tracing::debug!(%error, "services.json was not there any more");
        }
        let stop = async |child: Option<child::Child>| {
            if let Some(child) = child {
                child.stop().await;
            }
        };
        tokio::join!(stop(self.postgres), stop(self.redis));
    }
}

/// The addresses that a standalone on this data folder left, whether or not it still runs.
pub(crate) fn known_addresses(data: &Path) -> Option<Addresses> {
    serde_json::from_slice(&std::fs::read(data.join("services.json")).ok()?).ok()
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("could not find a free port")?;
    Ok(listener.local_addr()?.port())
}

/// A password of 32 hexadecimal digits, made at the first call and kept beside the data.
fn password(file: &Path) -> Result<String> {
    match std::fs::read_to_string(file) {
        Ok(kept) => Ok(kept),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let password = hex::encode(crate::wiring::random_bytes::<16>());
            write_private(file, password.as_bytes())?;
            Ok(password)
        }
        Err(error) => Err(error).with_context(|| format!("could not read {}", file.display())),
    }
}

/// Replaces the file by one that only its owner can read.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let doing = || format!("could not write {}", file.display());
    let partial = file.with_extension("partial");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut handle = options.open(&partial).with_context(doing)?;
    handle.write_all(bytes).with_context(doing)?;
    handle.sync_all().with_context(doing)?;
    std::fs::rename(&partial, file).with_context(doing)
}
