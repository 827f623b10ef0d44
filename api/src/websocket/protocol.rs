//! The messages of `graphql-transport-ws` and the codes with which a connection ends.

use std::borrow::Cow;

use async_graphql::ServerError;
use axum::extract::ws::CloseFrame;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{execute::Reply, params::Params, render};

pub(super) const NAME: &str = "graphql-transport-ws";

/// A close frame's reason has at most 123 bytes.
const MAX_REASON_BYTES: usize = 123;

#[derive(Debug)]
pub(super) enum ClientMessage {
    /// With the `Authorization` of the payload.
    Init(Option<String>),
    /// With its payload, which the pong gives back.
    Ping(Option<Box<RawValue>>),
    Pong,
    Subscribe {
        id: String,
        params: Params,
    },
    Complete {
        id: String,
    },
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default, borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Init {
    #[serde(default, alias = "Authorization")]
    authorization: Option<String>,
}

impl ClientMessage {
    pub(super) fn parse(text: &str) -> Result<Self, Close> {
        let frame: Frame<'_> =
            serde_json::from_str(text).map_err(|error| Close::bad_message(format!("no message: {error}")))?;
        let payload = frame.payload;
        let id = || match &frame.id {
            Some(id) if !id.is_empty() => Ok(id.clone()),
            _ => Err(Close::bad_message("the message has no id")),
        };
        match &*frame.kind {
            "connection_init" => {
                let init: Init = match payload {
                    Some(payload) => serde_json::from_str(payload.get())
                        .map_err(|error| Close::bad_message(format!("the payload: {error}")))?,
                    None => Init::default(),
                };
                Ok(Self::Init(init.authorization))
            }
            "ping" => Ok(Self::Ping(payload.map(ToOwned::to_owned))),
            "pong" => Ok(Self::Pong),
            "subscribe" => {
                let payload = payload.ok_or_else(|| Close::bad_message("the message has no payload"))?;
                let params = Params::from_json(payload.get().as_bytes())
                    .map_err(|fault| Close::bad_message(fault.message()))?;
                Ok(Self::Subscribe { id: id()?, params })
            }
            "complete" => Ok(Self::Complete { id: id()? }),
            _ => Err(Close::bad_message("the type of the message is unknown")),
        }
    }
}

/// What the server says.
pub(super) enum ServerMessage<'a> {
    Ack,
    Pong(Option<&'a RawValue>),
    Next {
        id: &'a str,
        reply: &'a Reply,
    },
    /// The operation was refused; nothing follows.
    Error {
        id: &'a str,
        errors: &'a [ServerError],
    },
    Complete {
        id: &'a str,
    },
}

impl ServerMessage<'_> {
    pub(super) fn render(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut object = render::Object::begin(&mut out);
        let kind = match self {
            Self::Ack => "connection_ack",
            Self::Pong(_) => "pong",
            Self::Next { .. } => "next",
            Self::Error { .. } => "error",
            Self::Complete { .. } => "complete",
        };
        if let Self::Next { id, .. } | Self::Error { id, .. } | Self::Complete { id } = self {
            render::json(object.key("id"), id);
        }
        render::json(object.key("type"), kind);
        match self {
            Self::Next { reply, .. } => render::reply(object.key("payload"), reply),
            Self::Error { errors, .. } => render::json(object.key("payload"), errors),
            Self::Pong(Some(payload)) => object.key("payload").extend_from_slice(payload.get().as_bytes()),
            Self::Pong(None) | Self::Ack | Self::Complete { .. } => {}
        }
        object.end();
        out
    }
}

/// Why the server ends a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Close {
    code: u16,
    reason: Cow<'static, str>,
}

impl Close {
    pub(super) const GOING_AWAY: Self = Self::new(1001, "the server is shutting down");
    pub(super) const TOO_BIG: Self = Self::new(1009, "the message is too long");
    pub(super) const INTERNAL: Self = Self::new(1011, "something went wrong on our side");
    pub(super) const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    pub(super) const EXPIRED: Self = Self::new(4403, "the credential has expired");
    pub(super) const BAD_PROTOCOL: Self = Self::new(4406, "the subprotocol must be graphql-transport-ws");
    pub(super) const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    pub(super) const TOO_MANY_INITS: Self = Self::new(4429, "Too many initialisation requests");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    pub(super) fn bad_message(reason: impl Into<String>) -> Self {
        Self { code: 4400, reason: reason.into().into() }
    }

    pub(super) fn forbidden(reason: &str) -> Self {
        Self { code: 4403, reason: format!("Forbidden: {reason}").into() }
    }

    pub(super) fn duplicate(id: &str) -> Self {
        Self { code: 4409, reason: format!("Subscriber for {id} already exists").into() }
    }

    pub(super) fn code(&self) -> u16 {
        self.code
    }

    pub(super) fn frame(&self) -> CloseFrame {
        let end = self.reason.floor_char_boundary(MAX_REASON_BYTES);
        CloseFrame { code: self.code, reason: self.reason[..end].into() }
    }
}
