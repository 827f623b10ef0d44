//! The private Redis. It keeps nothing on disk: what it carries is told again by the ledger.

use std::{fs, net::Ipv4Addr, path::Path, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{child::Child, find_program, free_port, owner::Owner, password, write_private};

const START: Duration = Duration::from_secs(30);

/// The running server and its URL.
pub(super) async fn start(folder: &Path, owner: &Owner) -> Result<(Child, String)> {
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    owner.give(&folder)?;
    let (config, log) = (folder.join("redis.conf"), folder.join("redis.log"));
    let password = password(&folder.join("password"))?;
    let port = free_port()?;
    // In a file and not among the arguments, which everybody on the machine can read.
    let settings = format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave \"\"\nappendonly no\nmaxmemory-policy noeviction\n"
    );
    write_private(&config, settings.as_bytes())?;
    owner.give(&config)?;
    let args = [config.display().to_string()];
    let mut child = Child::start("Redis", owner, "TERM", &find_program("redis-server")?, &args, &log)?;
    child.wait_until(START, &log, async || pong(port, &password).await.unwrap_or(false)).await?;
    Ok((child, format!("redis://:{password}@127.0.0.1:{port}/0")))
}

async fn pong(port: u16, password: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(format!("AUTH {password}\r\nPING\r\n").as_bytes()).await?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await?;
    Ok(&answer == b"+OK\r\n+PONG\r\n")
}
