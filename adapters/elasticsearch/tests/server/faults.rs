//! A server that is busy, slow, away, or says no, played by a few lines that answer as they are told.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use colloquy_elasticsearch::{ElasticsearchSettings, Secret, report};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

type Script = Arc<dyn Fn(usize, &str) -> Option<(u16, String)> + Send + Sync>;

struct Played {
    url: String,
    asked: Arc<AtomicUsize>,
    /// The header of the last request.
    authorization: Arc<Mutex<Option<String>>>,
}

/// The script is given the number of the request and its path, and gives status and body; none is no answer.
async fn play(script: impl Fn(usize, &str) -> Option<(u16, String)> + Send + Sync + 'static) -> Played {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let played = Played {
        url: format!("http://{}", listener.local_addr().unwrap()),
        asked: Arc::default(),
        authorization: Arc::default(),
    };
    let script: Script = Arc::new(script);
    let (asked, seen) = (played.asked.clone(), played.authorization.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, script.clone(), asked.clone(), seen.clone()));
        }
    });
    played
}

/// One request a connection.
async fn answer(
    stream: TcpStream,
    script: Script,
    asked: Arc<AtomicUsize>,
    seen: Arc<Mutex<Option<String>>>,
) {
    let mut stream = BufReader::new(stream);
    let (mut path, mut line) = (String::new(), String::new());
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            *seen.lock().unwrap() = Some(value.trim().to_owned());
        }
        line.clear();
    }
    let number = asked.fetch_add(1, Ordering::SeqCst);
    let Some((status, body)) = script(number, &path) else {
        return std::future::pending().await;
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn settings(url: &str) -> ElasticsearchSettings {
    ElasticsearchSettings { url: Some(url.to_owned()), timeout_ms: 1_500, ..ElasticsearchSettings::default() }
}

fn well(path: &str) -> Option<(u16, String)> {
    Some(match path {
        path if path.starts_with("/_nodes") => {
            let nodes = r#"{"nodes":{"a":{"version":"10.1.0"},"b":{"version":"9.5.3"}}}"#;
            (200, nodes.to_owned())
        }
        path if path.ends_with("/_mapping") => (200, "{}".to_owned()),
        path if path.ends_with("/_count") => (200, r#"{"count":4}"#.to_owned()),
        _ => (404, "{}".to_owned()),
    })
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let played = play(|number, path| match number {
        0 => Some((429, "{}".to_owned())),
        1 => Some((503, "a proxy says: no upstream".to_owned())),
        _ => well(path),
    })
    .await;
    let found = report(&settings(&played.url)).await.unwrap();
    assert_eq!((found.version.as_str(), found.passages, found.generation), ("9.5.3", 4, None));
    assert_eq!(played.asked.load(Ordering::SeqCst), 7);
}

#[tokio::test]
async fn a_server_that_stays_busy_is_unavailable_in_time() {
    for status in [429, 502, 503, 504] {
        let body = r#"{"error":{"type":"es_rejected_execution_exception","reason":"of some query"}}"#;
        let played = play(move |_, _| Some((status, body.to_owned()))).await;
        let begun = Instant::now();
        let error = report(&settings(&played.url)).await.unwrap_err();
        assert_eq!(error.code(), "UNAVAILABLE");
        assert!(begun.elapsed() < Duration::from_secs(3));
        assert!(played.asked.load(Ordering::SeqCst) > 2);
        let told = error.chain();
        assert!(told.contains(&status.to_string()) && told.contains("es_rejected"), "{told}");
        assert!(!told.contains("some query") && !error.to_string().contains("es_rejected"), "{told}");
    }
}

#[tokio::test]
async fn a_slow_server_and_none_at_all_are_unavailable_in_time() {
    let silent = play(|_, _| None).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for url in [silent.url, format!("http://{gone}")] {
        let begun = Instant::now();
        let error = report(&settings(&url)).await.unwrap_err();
        assert_eq!(error.code(), "UNAVAILABLE");
        assert!(error.retryable() && begun.elapsed() < Duration::from_secs(3), "{error:?}");
    }
}

#[tokio::test]
async fn credentials_are_sent_and_never_told() {
    let played = play(|_, _| Some((401, r#"{"error":{"type":"security_exception"}}"#.to_owned()))).await;
    let mut by_key = settings(&played.url);
    by_key.api_key = Some(Secret::new("a2V5OnNlY3JldA"));
    let mut by_name = settings(&played.url);
    (by_name.user, by_name.password) = (Some("ann".to_owned()), Some(Secret::new("hunter2")));
    for (settings, header) in [(by_key, "ApiKey a2V5OnNlY3JldA"), (by_name, "Basic YW5uOmh1bnRlcjI=")] {
        let error = report(&settings).await.unwrap_err();
        assert_eq!(played.authorization.lock().unwrap().as_deref(), Some(header));
        let told = format!("{} {error:?}", error.chain());
        assert!(told.contains("401"), "{told}");
        for secret in ["a2V5", "hunter2", "YW5u"] {
            assert!(!told.contains(secret), "{told}");
        }
    }
}

#[tokio::test]
async fn an_address_that_holds_credentials_is_refused() {
    for url in ["http://ann:hunter2@127.0.0.1:9", "ftp://127.0.0.1", "127.0.0.1:9200"] {
        let error = report(&settings(url)).await.unwrap_err();
        assert_eq!(error.code(), "INTERNAL", "{url}");
        assert!(!error.chain().contains("hunter2"));
    }
}
