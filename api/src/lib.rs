//! The HTTP edge: GraphQL over HTTP, WebSocket and server-sent events, uploads, GraphiQL, health and metrics.
//!
//! It knows transports and nothing of what is asked: it is generic over the schema, and who a caller is, whether
//! the product is ready and what it counts come in through [`Edge`]. No rule of the product belongs here.

use async_graphql::Executor;
use axum::{
    Extension, Router, middleware,
    response::Response,
    routing::{any, get},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

mod auth;
mod door;
mod edge;
mod execute;
mod fault;
mod graphiql;
mod graphql;
mod health;
mod linger;
mod negotiate;
mod observe;
mod params;
mod persisted;
mod render;
mod request_id;
mod server;
mod settings;
mod sse;
mod websocket;

pub use door::Door;
pub use edge::{Authenticated, Check, Edge, QueueLoad, Readiness};
pub use request_id::RequestId;
pub use server::{Lifecycle, Parts, serve};
pub use settings::{HttpSettings, LiveSettings};

use fault::Fault;
use server::{Server, Shared};

/// Everything that is served, in one list.
pub fn router<E: Executor>(schema: E, parts: Parts, settings: HttpSettings) -> Router {
    let trusted_proxies = settings.trusted_proxies;
    let origin = observe::Origin { ids: parts.ids.clone(), trace: parts.trace.clone(), trusted_proxies };
    let cors = cors(&settings.cors_origins);
    let health = health::routes(parts.edge.clone(), parts.lifecycle.clone());
    let server = Shared::new(Server::new(schema, parts, settings));
    let router = Router::new()
        .route("/", get(graphql::home))
        .route("/graphql", get(graphql::get::<E>).post(graphql::post::<E>).fallback(graphql::other_method))
        .route(
            "/graphql/stream",
            get(graphql::get_stream::<E>).post(graphql::post_stream::<E>).fallback(graphql::other_method),
        )
        .route_layer(middleware::from_fn(linger::linger))
        .route("/graphql/ws", any(websocket::get::<E>))
        .fallback(not_found)
        .with_state(server)
        .merge(health);
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(middleware::from_fn_with_state(origin, observe::observe))
}

/// Health and metrics alone, for a process that serves nothing else.
pub fn health_router(parts: Parts) -> Router {
    let origin = observe::Origin { ids: parts.ids, trace: parts.trace, trusted_proxies: 0 };
    health::routes(parts.edge, parts.lifecycle)
        .layer(middleware::from_fn_with_state(origin, observe::observe))
}

async fn not_found(Extension(id): Extension<RequestId>) -> Response {
    Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here; the API is at /graphql")
        .into_response(&id, None)
}

/// Without an origin that is allowed there are no CORS headers at all.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let parse = |origin: &String| match HeaderValue::from_str(origin) {
        Ok(value) => Some(value),
        Err(_) => {
            tracing::warn!(origin, "http.cors_origins has something that is no origin");
            None
        }
    };
    let allowed: Vec<_> = origins.iter().filter_map(parse).collect();
    if allowed.is_empty() {
        return None;
    }
    let any = allowed.iter().any(|origin| origin == "*");
    let layer = CorsLayer::new()
        .allow_origin(if any { AllowOrigin::any() } else { AllowOrigin::list(allowed) })
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            request_id::HEADER,
            HeaderName::from_static("graphql-require-preflight"),
            HeaderName::from_static("apollo-require-preflight"),
        ])
        .expose_headers([request_id::HEADER, header::RETRY_AFTER])
        .max_age(std::time::Duration::from_secs(3600));
    Some(layer)
}
