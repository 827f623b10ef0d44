//! A process that has to wait for something, such as its database's schema, can be seen to be alive and not ready
//! all the while: the door serves health and metrics at once, and everything else once it is opened.

use std::sync::{Arc, OnceLock};

use axum::{Extension, Router, extract::Request, middleware, response::Response};
use tower::{ServiceExt, service_fn};

use crate::{RequestId, fault::Fault, health, observe, server::Parts};

/// Clones are the same door.
#[derive(Clone, Default)]
pub struct Door {
    product: Arc<OnceLock<Router>>,
}

impl Door {
    /// What is served from the first moment on. Until the door is open, `/readyz` is as [`Edge`](crate::Edge) says,
    /// and what is behind it is answered with 503.
    pub fn router(&self, parts: Parts) -> Router {
        let origin = observe::Origin { ids: parts.ids, trace: parts.trace };
        let closed = health::routes(parts.edge, parts.lifecycle)
            .fallback(not_yet)
            .layer(middleware::from_fn_with_state(origin, observe::observe));
        let product = self.product.clone();
        Router::new().fallback_service(service_fn(move |request: Request| {
            let router = product.get().unwrap_or(&closed).clone();
            router.oneshot(request)
        }))
    }

    /// From now on everything is `product`'s. A door that is open stays as it is.
    pub fn open(&self, product: Router) {
        self.product.get_or_init(|| product);
    }
}

async fn not_yet(Extension(id): Extension<RequestId>) -> Response {
    Fault::not_ready("this process is not ready yet; /readyz says what it waits for").into_response(&id, None)
}
