//! A client of `graphql-transport-ws` with one subscription.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::PATIENCE;

pub(crate) struct Subscription {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// What the server says next.
#[derive(Debug)]
pub(crate) enum Said {
    Data(Value),
    /// The errors of the operation, which end it.
    Errors(Value),
    Complete,
}

impl Subscription {
    pub(super) async fn begin(url: &str, token: Option<&str>, query: &str, variables: Value) -> Self {
        Self::over(TcpSocket::new_v4().expect("a socket"), url, token, query, variables).await
    }

    /// One that takes next to nothing before it is asked to.
    pub(super) async fn begin_slow(url: &str, token: Option<&str>, query: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        Self::over(socket, url, token, query, json!({})).await
    }

    async fn over(socket: TcpSocket, url: &str, token: Option<&str>, query: &str, variables: Value) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/').parse().expect("an address");
        let stream = socket.connect(address).await.expect("a connection");
        let url = format!("{}graphql/ws", url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("an address");
        let protocol = "graphql-transport-ws".parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let stream = MaybeTlsStream::Plain(stream);
        let (socket, _) = client_async(request, stream).await.expect("a WebSocket");
        let mut subscription = Self { socket };
        let payload = token.map(|token| json!({ "authorization": format!("Bearer {token}") }));
        subscription.send(json!({ "type": "connection_init", "payload": payload.unwrap_or_default() })).await;
        assert_eq!(subscription.receive().await["type"], "connection_ack");
        let payload = json!({ "query": query, "variables": variables });
        subscription.send(json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
        subscription
    }

    pub(crate) async fn next(&mut self) -> Said {
        let mut message = self.receive().await;
        match message["type"].as_str() {
            Some("next") if message["payload"]["errors"].is_null() => {
                Said::Data(message["payload"]["data"].take())
            }
            Some("next") => Said::Errors(message["payload"]["errors"].take()),
            Some("error") => Said::Errors(message["payload"].take()),
            Some("complete") => Said::Complete,
            _ => panic!("unexpected: {message:#?}"),
        }
    }

    /// The value of the only field.
    pub(crate) async fn event(&mut self) -> Value {
        match self.next().await {
            Said::Data(Value::Object(fields)) if fields.len() == 1 => {
                fields.into_iter().next().expect("a field").1
            }
            other => panic!("an event was expected: {other:#?}"),
        }
    }

    /// Every event until the subscription completes.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            match self.next().await {
                Said::Data(Value::Object(fields)) => {
                    events.extend(fields.into_iter().map(|(_, event)| event))
                }
                Said::Complete => return events,
                other => panic!("unexpected: {other:#?}, after {events:#?}"),
            }
        }
    }

    /// The code of the error that ends it.
    pub(crate) async fn refusal(&mut self) -> String {
        match self.next().await {
            Said::Errors(errors) => errors[0]["extensions"]["code"].as_str().unwrap_or_default().to_owned(),
            other => panic!("a refusal was expected: {other:#?}"),
        }
    }

    async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("the socket takes a message");
    }

    async fn receive(&mut self) -> Value {
        loop {
            let next = timeout(PATIENCE, self.socket.next()).await.expect("the server says something");
            match next.expect("the socket is open").expect("a message") {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).expect("JSON");
                    if message["type"] != "ping" {
                        return message;
                    }
                    self.send(json!({ "type": "pong" })).await;
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
    }
}
