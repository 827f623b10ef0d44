//! One subscription over one WebSocket, by `graphql-transport-ws`.

use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

pub(crate) struct Subscription(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Subscription {
    pub(crate) async fn begin(url: &str, token: &str, document: &str, variables: &Value) -> Result<Self> {
        let mut request = format!("{}graphql/ws", url.replacen("http", "ws", 1)).into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
        let (socket, _answer) = connect_async(request).await?;
        let mut subscription = Self(socket);
        let payload = json!({ "authorization": format!("Bearer {token}") });
        subscription.say(json!({ "type": "connection_init", "payload": payload })).await?;
        let said = subscription.hear().await?;
        if said["type"] != "connection_ack" {
            bail!("not acknowledged: {said}");
        }
        let payload = json!({ "query": document, "variables": variables });
        subscription.say(json!({ "type": "subscribe", "id": "1", "payload": payload })).await?;
        Ok(subscription)
    }

    /// The data of the next event; `None` when it is over.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            let mut said = self.hear().await?;
            match said["type"].as_str() {
                Some("next") if said["payload"]["errors"].is_null() => {
                    return Ok(Some(said["payload"]["data"].take()));
                }
                Some("complete") => return Ok(None),
                Some("ping") => self.say(json!({ "type": "pong" })).await?,
                _ => bail!("unexpected: {said}"),
            }
        }
    }

    async fn say(&mut self, message: Value) -> Result<()> {
        Ok(self.0.send(Message::text(message.to_string())).await?)
    }

    async fn hear(&mut self) -> Result<Value> {
        loop {
            match self.0.next().await.context("the WebSocket broke off")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(frame) => bail!("the server closed the WebSocket: {frame:?}"),
                _ => {}
            }
        }
    }
}
