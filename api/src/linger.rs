//! What becomes of a body that a refused request still sends. A connection that is closed while its client writes
//! is cut, and many clients then never read why. So the answer goes out at once, and ends only when the rest of the
//! body has been read and thrown away: so much of it, and for so long, as is worth a clean end.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Version, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

const MAX_BYTES: usize = 8 << 20;
const MAX_TIME: Duration = Duration::from_secs(2);

type Rest = Arc<Mutex<Option<Body>>>;

/// The layer of whatever reads bodies.
pub(crate) async fn linger(request: Request, next: Next) -> Response {
    // One stream of HTTP/2 ends without the others, and who asks before sending has not begun to.
    let asks_first = request.headers().contains_key(header::EXPECT);
    if asks_first || request.version() > Version::HTTP_11 || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let rest = Rest::default();
    let response =
        next.run(request.map(|body| Body::new(Lent { body, ended: false, rest: rest.clone() }))).await;
    let left = rest.lock().unwrap_or_else(PoisonError::into_inner).take();
    match left {
        Some(body) => answer_and_drain(response, body),
        None => response,
    }
}

fn answer_and_drain(response: Response, rest: Body) -> Response {
    let (mut head, answer) = response.into_parts();
    // With a length the answer would end before the rest is read.
    head.headers.remove(header::CONTENT_LENGTH);
    let drained = stream::once(drain(rest)).filter_map(|()| std::future::ready(None));
    Response::from_parts(head, Body::from_stream(answer.into_data_stream().chain(drained)))
}

async fn drain(mut body: Body) {
    let reading = async {
        let mut read = 0;
        while read < MAX_BYTES
            && let Some(Ok(frame)) = body.frame().await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
        read
    };
    match tokio::time::timeout(MAX_TIME, reading).await {
        Ok(bytes) => tracing::debug!(bytes, "the rest of a refused body was read"),
        Err(_elapsed) => tracing::debug!("a refused body does not end, and is cut off"),
    }
}

/// A request's body, whose rest comes back when its reader has had enough of it.
struct Lent {
    body: Body,
    ended: bool,
    rest: Rest,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.ended = matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.is_end_stream() {
            let body = std::mem::take(&mut self.body);
            self.rest.lock().unwrap_or_else(PoisonError::into_inner).replace(body);
        }
    }
}
