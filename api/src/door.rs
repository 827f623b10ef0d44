//! A process that has to wait for something, such as its database's schema, can be seen to be alive and not ready
//! all the while: the door serves health and metrics at once, and everything else once it is opened.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use axum::{Extension, Router, extract::Request, middleware, response::Response};
use colloquy_domain::Error;
use tower::{ServiceExt, service_fn};

use crate::{
    RequestId,
    edge::{Authenticated, Check, Edge, QueueLoad, Readiness},
    fault::Fault,
    health, observe,
    server::Parts,
};

/// Clones are the same door.
#[derive(Clone, Default)]
pub struct Door {
    product: Arc<OnceLock<Router>>,
}

impl Door {
    /// What is served from the first moment on. Until the door is open, `/readyz` tells what [`Edge`] says and that
    /// the process is starting, and what is behind the door is answered with 503.
    pub fn router(&self, parts: Parts) -> Router {
        let origin = observe::Origin { ids: parts.ids, trace: parts.trace, trusted_proxies: 0 };
        let closed = health::routes(Arc::new(Starting(parts.edge)), parts.lifecycle)
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

/// A process whose dependencies are well is not ready before it serves.
struct Starting(Arc<dyn Edge>);

#[async_trait]
impl Edge for Starting {
    async fn authenticate(&self, credential: &str) -> Result<Authenticated, Error> {
        self.0.authenticate(credential).await
    }

    async fn ready(&self) -> Readiness {
        let mut readiness = self.0.ready().await;
        let starting = Check { name: "process".into(), ok: false, detail: "is starting".into() };
        readiness.checks.push(starting);
        readiness
    }

    /// Its database may not be ready to be asked.
    async fn queue(&self, _name: &str) -> Result<Option<QueueLoad>, Error> {
        Err(Error::unavailable("count the jobs of a queue", "the process is starting"))
    }

    fn metrics(&self) -> String {
        self.0.metrics()
    }
}
