//! One subscription over one WebSocket, by the protocol `graphql-transport-ws`. The handshake goes through the
//! same HTTP client as everything else, so that TLS and proxies are its business.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::{SinkExt, StreamExt};
use reqwest::{StatusCode, Upgraded, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};

use super::{Client, GraphqlError, Trouble};

const PROTOCOL: &str = "graphql-transport-ws";
const OPENING: Duration = Duration::from_secs(15);
/// A server pings three times in this; one that is silent so long is gone.
const SILENCE: Duration = Duration::from_secs(70);
const MAX_MESSAGE_BYTES: usize = 4 << 20;

pub(super) struct Socket {
    stream: WebSocketStream<Upgraded>,
}

/// What a subscription says.
pub(super) enum Heard {
    Next(Value),
    /// Refused by the server; asking the same again gives the same.
    Refused(Vec<GraphqlError>),
    Complete,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    payload: Value,
}

impl Socket {
    pub(super) async fn subscribe(client: &Client, document: &str, variables: &Value) -> Result<Self> {
        let opening = Self::open(client, document, variables);
        timeout(OPENING, opening).await.context("the WebSocket did not open in time")?
    }

    async fn open(client: &Client, document: &str, variables: &Value) -> Result<Self> {
        let key = generate_key();
        let request = client.http.get(client.at("graphql/ws"));
        let request = request
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key)
            .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
        let answer = request.send().await.map_err(|error| Trouble::transport(&client.server, error))?;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS
            || header(header::SEC_WEBSOCKET_ACCEPT) != Some(derive_accept_key(key.as_bytes()).as_str())
            || header(header::SEC_WEBSOCKET_PROTOCOL) != Some(PROTOCOL)
        {
            bail!("{} opens no WebSocket (HTTP {})", client.server, answer.status());
        }
        let upgraded = answer.upgrade().await.context("the WebSocket did not open")?;
        let config = WebSocketConfig::default()
            .read_buffer_size(8 << 10)
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let stream = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await;
        let mut socket = Self { stream };

        let payload = match &client.token {
            Some(token) => json!({ "authorization": format!("Bearer {token}") }),
            None => json!({}),
        };
        socket.say(&json!({ "type": "connection_init", "payload": payload })).await?;
        let frame = socket.frame().await?;
        if frame.kind != "connection_ack" {
            bail!("the server answers `{}` where it should acknowledge", frame.kind);
        }
        let payload = json!({ "query": document, "variables": variables });
        socket.say(&json!({ "type": "subscribe", "id": "1", "payload": payload })).await?;
        Ok(socket)
    }

    /// An error is the connection's: another may go on where this one ended.
    pub(super) async fn hear(&mut self) -> Result<Heard> {
        loop {
            let frame = self.frame().await?;
            match frame.kind.as_str() {
                "next" => return Ok(Heard::Next(frame.payload)),
                "error" => return Ok(Heard::Refused(serde_json::from_value(frame.payload)?)),
                "complete" => return Ok(Heard::Complete),
                "ping" => self.say(&json!({ "type": "pong" })).await?,
                _ => {}
            }
        }
    }

    pub(super) async fn close(mut self) {
        let closing = self.stream.close(None);
        let _gone_either_way = timeout(Duration::from_secs(1), closing).await;
    }

    async fn say(&mut self, message: &Value) -> Result<()> {
        let sent = self.stream.send(Message::text(message.to_string()));
        sent.await.context("the WebSocket broke off")
    }

    /// Pings of the WebSocket itself are answered below, as long as somebody reads.
    async fn frame(&mut self) -> Result<Frame> {
        loop {
            let message = timeout(SILENCE, self.stream.next()).await.context("the server fell silent")?;
            let message = message.ok_or_else(|| anyhow!("the WebSocket broke off"))?;
            match message.context("the WebSocket broke off")? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(Some(frame)) => {
                    bail!("the server closed the WebSocket: {} ({})", frame.reason, u16::from(frame.code))
                }
                Message::Close(None) => bail!("the server closed the WebSocket"),
                _ => {}
            }
        }
    }
}
