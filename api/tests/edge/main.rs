//! The HTTP edge over real sockets, with a toy schema behind it.

mod audit;
mod live;
mod multipart;
mod operations;
mod persisted;
mod safety;
mod sse;
mod support;
mod websocket;
