//! Trace context: what ties a job to the request that caused it, however long after.

use tracing::Span;

pub trait TraceContext: Send + Sync {
    /// W3C `traceparent` of the current span.
    fn current(&self) -> Option<String>;

    /// Makes `span`, which must not have been entered yet, a child of the one that `traceparent` names. What is
    /// no `traceparent` is ignored.
    fn continue_from(&self, span: &Span, traceparent: &str);
}

/// Nothing is traced.
pub struct Untraced;

impl TraceContext for Untraced {
    fn current(&self) -> Option<String> {
        None
    }

    fn continue_from(&self, _span: &Span, _traceparent: &str) {}
}
