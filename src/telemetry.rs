//! Logs, spans and metrics of the process: readable lines on a terminal, JSON elsewhere; spans over OTLP
//! where an endpoint is set; metrics as Prometheus reads them.

use std::{collections::HashMap, io::IsTerminal, sync::OnceLock};

use anyhow::{Context, Result};
use colloquy_domain::ports::trace::TraceContext;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::{global, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use serde::{Deserialize, Serialize};
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{
    EnvFilter, Layer, filter::Targets, fmt, layer::SubscriberExt, registry::LookupSpan,
    util::SubscriberInitExt,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelemetrySettings {
    /// What is logged, as `tracing` filters say it: `info`, `warn,colloquy_worker=debug`.
    pub log: String,
    pub format: LogFormat,
    /// Where spans go: an OTLP endpoint over HTTP, such as `http://127.0.0.1:4318`. None are sent without it.
    pub otlp_endpoint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines for people on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            log: "info,apalis_core=off,apalis_redis=off".to_owned(),
            format: LogFormat::Auto,
            otlp_endpoint: None,
        }
    }
}

/// Seconds: from a cached lookup to a long import.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 120.0];

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// The process's metrics, once telemetry has started.
pub(crate) fn metrics() -> Option<PrometheusHandle> {
    METRICS.get().cloned()
}

pub(crate) struct Telemetry {
    spans: SdkTracerProvider,
}

impl Telemetry {
    /// Once a process. `quiet` logs warnings only, for commands whose output is for people.
    pub(crate) fn start(settings: &TelemetrySettings, quiet: bool) -> Result<Self> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
            .install_recorder()
            .context("could not set up metrics")?;
        METRICS.get_or_init(|| handle);
        let log = if quiet { "warn" } else { &settings.log };
        let filter =
            EnvFilter::try_new(log).with_context(|| format!("telemetry.log: `{log}` is no filter"))?;
        let spans = tracer(settings.otlp_endpoint.as_deref())?;
        global::set_text_map_propagator(TraceContextPropagator::new());
        let traced = tracing_opentelemetry::layer().with_tracer(spans.tracer("colloquy"));
        let traced = traced.with_filter(Targets::new().with_target("colloquy", Level::INFO));
        tracing_subscriber::registry().with(lines(settings.format).with_filter(filter)).with(traced).init();
        Ok(Self { spans })
    }

    /// Sends what is still held.
    pub(crate) fn stop(self) {
        if let Err(error) = self.spans.shutdown() {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let terminal = std::io::stderr().is_terminal();
    match format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
        LogFormat::Auto if !terminal => {
            fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed()
        }
        LogFormat::Auto | LogFormat::Text => {
            fmt::layer().with_target(false).with_ansi(terminal).with_writer(std::io::stderr).boxed()
        }
    }
}

/// Without an endpoint nothing is recorded, and a caller's trace still reaches the jobs that it causes.
fn tracer(endpoint: Option<&str>) -> Result<SdkTracerProvider> {
    let resource = Resource::builder().with_service_name("colloquy").build();
    let provider = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = endpoint else {
        return Ok(provider.with_sampler(Sampler::AlwaysOff).build());
    };
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(url)
        .build()
        .with_context(|| format!("telemetry.otlp_endpoint: {endpoint} cannot be used"))?;
    Ok(provider.with_batch_exporter(exporter).build())
}

/// The trace context of spans, as W3C `traceparent`.
pub(crate) struct OpenTelemetry;

const TRACEPARENT: &str = "traceparent";

impl TraceContext for OpenTelemetry {
    fn current(&self) -> Option<String> {
        let mut carrier = HashMap::new();
        let context = Span::current().context();
        global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
        carrier.remove(TRACEPARENT)
    }

    fn continue_from(&self, span: &Span, traceparent: &str) {
        let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
        let context = global::get_text_map_propagator(|propagator| propagator.extract(&carrier));
        if let Err(error) = span.set_parent(context) {
            tracing::debug!(%error, "a span could not be tied to its cause");
        }
    }
}
