//! TLS, against a server that has a certificate of a CA which the test makes.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use colloquy_domain::ports::jobs::{Leaders, Office, Signal, Signals};
use colloquy_postgres::{DatabaseSettings, Postgres};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_postgres::Client;

use crate::support::{connect, server};

/// A server for the host name `localhost`, and the files of CAs.
struct World {
    _server: server::Server,
    port: u16,
    /// By its socket file, where TLS has no part.
    sql: Client,
    ca: PathBuf,
    other_ca: PathBuf,
    _folder: tempfile::TempDir,
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

impl World {
    async fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (ca, other_ca) = (folder.path().join("ca.pem"), folder.path().join("other.pem"));
        let authority_of_server = authority("the server's CA");
        fs::write(&ca, authority_of_server.pem()).unwrap();
        fs::write(&other_ca, authority("somebody else").pem()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = server::own(|folder| certify(folder, &authority_of_server, port));
        let Some(server) = server else {
            assert!(!server::strict(), "PostgreSQL was not found, and no test may be left out");
            return None;
        };
        // The name of a socket file holds the port.
        let sql = connect(&server.url.replace("/postgres", &format!(":{port}/postgres"))).await;
        Some(Self { _server: server, port, sql, ca, other_ca, _folder: folder })
    }

    fn settings(&self, host: &str, mode: &str, ca: Option<&Path>) -> DatabaseSettings {
        let url = format!("postgres://colloquy@{host}:{}/postgres?hostaddr=127.0.0.1&{mode}", self.port);
        DatabaseSettings { url: Some(url), ca_file: ca.map(Path::to_owned), ..DatabaseSettings::default() }
    }

    async fn connect(&self, host: &str, mode: &str, ca: Option<&Path>) -> colloquy_domain::Result<Postgres> {
        Postgres::connect(&self.settings(host, mode, ca)).await
    }

    /// What the operator reads.
    async fn refusal(&self, host: &str, mode: &str, ca: Option<&Path>) -> String {
        match self.connect(host, mode, ca).await {
            Ok(_) => panic!("{host} {mode} {ca:?} was to be refused"),
            Err(error) => error.chain(),
        }
    }

    /// Our connections, with TLS and without.
    async fn connections(&self, encrypted: bool) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
            WHERE application_name = 'colloquy' AND ssl = $1";
        self.sql.query_one(sql, &[&encrypted]).await.unwrap().get(0)
    }

    async fn until(&self, what: &str, is: impl AsyncFn() -> bool) {
        let begun = std::time::Instant::now();
        while !is().await {
            assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Key and certificate where the server reads them, and the options that say so.
fn certify(folder: &Path, issuer: &CertifiedIssuer<'_, KeyPair>, port: u16) -> io::Result<Vec<String>> {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let (key_file, certificate_file) = (folder.join("server.key"), folder.join("server.pem"));
    fs::write(&certificate_file, certificate.pem())?;
    fs::write(&key_file, key.serialize_pem())?;
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600))?;
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("ssl_cert_file={}", certificate_file.display()),
        format!("ssl_key_file={}", key_file.display()),
    ];
    // Not among the options, so that a test can switch it off.
    let mut own = fs::OpenOptions::new().append(true).open(folder.join("data/postgresql.conf"))?;
    io::Write::write_all(&mut own, b"ssl = on\n")?;
    Ok(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect())
}

#[tokio::test]
async fn every_connection_is_as_the_mode_wants_it() {
    let Some(world) = World::new().await else { return };
    let ca = Some(world.ca.as_path());
    for (host, mode, ca, encrypted) in [
        ("localhost", "sslmode=disable", None, false),
        ("localhost", "", None, true),
        ("localhost", "sslmode=prefer", None, true),
        ("elsewhere", "sslmode=require", None, true),
        ("elsewhere", "sslmode=require", ca, true),
        ("elsewhere", "sslmode=verify-ca", ca, true),
        ("localhost", "sslmode=verify-full", ca, true),
    ] {
        let store = world.connect(host, mode, ca).await.unwrap();
        // The pool, the one that listens, and the one that leads.
        store.ping().await.unwrap();
        let _signals = store.subscribe(Signal::Jobs);
        let leading = store.try_lead(Office::Steward).await.unwrap();
        assert!(leading.is_some(), "nobody else leads");
        world.until("all connections are there", async || world.connections(encrypted).await >= 3).await;
        assert_eq!(world.connections(!encrypted).await, 0, "{host} {mode}");
        drop((leading, store));
        world.until("they are gone", async || world.connections(encrypted).await == 0).await;
    }
}

#[tokio::test]
async fn a_server_that_proves_too_little_is_refused_with_what_to_do() {
    let Some(world) = World::new().await else { return };
    let (ca, other) = (Some(world.ca.as_path()), Some(world.other_ca.as_path()));
    for (host, mode, ca, part) in [
        ("localhost", "sslmode=verify-full", other, "nobody who is trusted here issued"),
        ("localhost", "sslmode=verify-ca", other, "nobody who is trusted here issued"),
        // As libpq has it: whoever names a CA means it.
        ("localhost", "sslmode=require", other, "nobody who is trusted here issued"),
        // No machine trusts a CA that a test has made.
        ("localhost", "sslmode=verify-full", None, "database.ca_file"),
        ("elsewhere", "sslmode=verify-full", ca, "for another host name"),
        ("localhost", "sslmode=verify-everything", ca, "verify-full"),
        ("localhost", "sslmode=verify-full", Some(Path::new("/nowhere.pem")), "/nowhere.pem"),
    ] {
        let said = world.refusal(host, mode, ca).await;
        assert!(said.contains(part), "{host} {mode} {ca:?}: {said}");
    }
    let empty = world.ca.with_file_name("empty.pem");
    fs::write(&empty, "nothing\n").unwrap();
    let said = world.refusal("localhost", "sslmode=verify-full", Some(&empty)).await;
    assert!(said.contains("empty.pem") && said.contains("there is none"), "{said}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required_and_taken_where_it_is_not() {
    let Some(world) = World::new().await else { return };
    world.sql.batch_execute("ALTER SYSTEM SET ssl = off").await.unwrap();
    world.sql.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    world
        .until("the server has no TLS any more", async || {
            let shown: String = world.sql.query_one("SHOW ssl", &[]).await.unwrap().get(0);
            shown == "off" && world.connect("localhost", "sslmode=require", None).await.is_err()
        })
        .await;
    for mode in ["sslmode=require", "sslmode=verify-full"] {
        let said = world.refusal("localhost", mode, Some(&world.ca)).await;
        assert!(said.contains("server does not support TLS") && said.contains("sslmode"), "{said}");
    }
    for mode in ["", "sslmode=prefer", "sslmode=disable"] {
        world.connect("localhost", mode, None).await.unwrap().ping().await.unwrap();
    }
}
