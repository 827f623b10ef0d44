//! A GraphQL request from its parameters to its replies, the same for every transport: parsed once, measured,
//! executed with a time limit, and its errors made fit to be seen.

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    ErrorExtensionValues, Executor, Request, Response, ServerError, UploadValue, Value, Variables,
    parser::types::{OperationDefinition, OperationType},
};
use colloquy_domain::accounts::Actor;
use colloquy_schema::limits::{self, Size};
use futures::{FutureExt, StreamExt, stream, stream::BoxStream};
use http::StatusCode;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::{fault::Fault, observe, params::Params, request_id::RequestId, server::Server};

/// A request that passed the limits, ready to execute.
pub(crate) struct Prepared {
    request: Request,
    pub(crate) operation: OperationType,
    size: Size,
    /// Memory that the request's files take, given back when it is done.
    memory: Option<OwnedSemaphorePermit>,
}

impl Prepared {
    pub(crate) fn holding(self, memory: Option<OwnedSemaphorePermit>) -> Self {
        Self { memory, ..self }
    }
}

/// A GraphQL response with what its transport must know of it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) response: Response,
    /// Nothing was executed, so there is no `data`, not even `null`.
    pub(crate) request_error: bool,
    pub(crate) size: Option<Size>,
}

impl Reply {
    fn new(mut response: Response, id: &RequestId) -> Self {
        // What went wrong in a field says in which one.
        let unplaced = response.errors.iter().all(|error| error.path.is_empty());
        let request_error = !response.errors.is_empty() && unplaced && response.data == Value::Null;
        for error in &mut response.errors {
            limits::explain(error);
            make_presentable(error, id);
        }
        Self { response, request_error, size: None }
    }

    /// A request that is refused before anything is executed.
    pub(crate) fn refused(error: impl Into<ServerError>, id: &RequestId) -> Self {
        observe::operation("unknown", "refused");
        Self::new(Response::from_errors(vec![error.into()]), id)
    }

    fn crashed(id: &RequestId) -> Self {
        tracing::error!(request_id = id.as_str(), "a resolver panicked");
        let mut error = ServerError::new(String::new(), None);
        hide(&mut error);
        // Something was executed, so this is no request error: there is `data`, and it is null.
        Self { request_error: false, ..Self::new(Response::from_errors(vec![error]), id) }
    }

    fn outcome(&self) -> &'static str {
        match (self.request_error, self.response.errors.is_empty()) {
            (true, _) => "refused",
            (false, false) => "error",
            (false, true) => "ok",
        }
    }
}

/// async-graphql finds a variable missing only when a field asks for it, and fields before that one, of a mutation
/// too, have been executed by then. The specification wants it found before.
fn require_variables(operation: &OperationDefinition, variables: &Variables) -> Result<(), ServerError> {
    for definition in &operation.variable_definitions {
        let (name, kind) = (&definition.node.name.node, &definition.node.var_type.node);
        let missing = match variables.get(name) {
            Some(value) => *value == Value::Null,
            None => definition.node.default_value.is_none(),
        };
        if missing && !kind.nullable {
            let mut error = ServerError::new(
                format!("the variable ${name} of type {kind} is missing"),
                Some(definition.pos),
            );
            error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", "BAD_USER_INPUT");
            return Err(error);
        }
    }
    Ok(())
}

/// Every error gets a code and the request's id; what was never meant for clients is replaced.
fn make_presentable(error: &mut ServerError, id: &RequestId) {
    let coded = error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some());
    if !coded && error.source.is_some() {
        // A resolver passed on an error of somebody else's: only the log may hold its words.
        tracing::error!(request_id = id.as_str(), error = error.message, "a resolver failed without a code");
        hide(error);
    } else if !coded {
        let code = if error.path.is_empty() { "GRAPHQL_VALIDATION_FAILED" } else { "BAD_USER_INPUT" };
        error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", code);
    }
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("requestId", id.as_str());
}

fn hide(error: &mut ServerError) {
    "something went wrong on our side".clone_into(&mut error.message);
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", "INTERNAL");
}

impl<E: Executor> Server<E> {
    /// Parses and measures. Nothing is executed, and nothing is validated against the schema yet.
    pub(crate) fn prepare(
        &self,
        params: Params,
        uploads: Vec<UploadValue>,
        actor: Option<&Actor>,
        id: &RequestId,
    ) -> Result<Prepared, ServerError> {
        let limits = &self.settings.limits;
        let query = self.documents.text(&params.document)?;
        let document = limits::parse(&query, limits)?;
        let name = params.operation_name.as_deref();
        let size = limits::check(&document, name, limits)?;
        let operation = limits::operation(&document, name)?;
        // What is wrong with the variables says nothing of the document.
        self.documents.remember(&params.document);
        require_variables(operation, &params.variables)?;
        let operation = operation.ty;
        let mut request = Request::new(query).variables(params.variables);
        request.operation_name = params.operation_name;
        request.uploads = uploads;
        request.set_parsed_query(document);
        if let Some(actor) = actor {
            request.data.insert(actor.clone());
            request.data.insert(id.origin());
        }
        Ok(Prepared { request, operation, size, memory: None })
    }

    /// Executes a query or a mutation. A query ends with its client; a mutation runs to its end whatever becomes
    /// of the client, so that nobody cuts it in the middle.
    pub(crate) async fn execute(&self, prepared: Prepared, id: &RequestId) -> Result<Reply, Fault> {
        let Prepared { request, operation, size, memory } = prepared;
        let schema = self.schema.clone();
        let work = async move {
            let _held = memory;
            schema.execute(request).await
        };
        let work = AssertUnwindSafe(work).catch_unwind().boxed();
        let limit = self.settings.request_timeout();
        let result = if operation == OperationType::Mutation {
            let task = self.lifecycle.tasks.spawn(work.in_current_span());
            tokio::time::timeout(limit, task)
                .await
                .map(|joined| joined.unwrap_or_else(|error| Err(Box::new(error))))
        } else {
            tokio::time::timeout(limit, work).await
        };
        let kind = observe::operation_name(operation);
        match result {
            Ok(Ok(response)) => {
                let reply = Reply { size: Some(size), ..Reply::new(response, id) };
                observe::operation(kind, reply.outcome());
                Ok(reply)
            }
            Ok(Err(_panic)) => {
                observe::operation(kind, "panic");
                Ok(Reply::crashed(id))
            }
            Err(_elapsed) => {
                observe::operation(kind, "timeout");
                let seconds = limit.as_secs_f64();
                let message = if operation == OperationType::Mutation {
                    format!(
                        "the mutation took longer than {seconds} s and goes on: look before you send it again"
                    )
                } else {
                    format!("the query took longer than {seconds} s and was given up")
                };
                Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, "TIMEOUT", message))
            }
        }
    }

    /// Executes any operation as a stream: of one reply, unless it is a subscription.
    pub(crate) fn stream(self: &Arc<Self>, prepared: Prepared, id: &RequestId) -> BoxStream<'static, Reply> {
        let id = id.clone();
        if prepared.operation != OperationType::Subscription {
            let server = Arc::clone(self);
            // On a task of its own a query does not hold up the others of its WebSocket.
            let task = tokio::spawn(
                async move {
                    let reply = server.execute(prepared, &id).await;
                    reply.unwrap_or_else(|fault| Reply {
                        request_error: false,
                        ..Reply::new(Response::from_errors(vec![fault.into_error(&id)]), &id)
                    })
                }
                .in_current_span(),
            );
            let reply = AbortOnDropHandle::new(task).map(|joined| stream::iter(joined.ok()));
            return reply.flatten_stream().boxed();
        }
        let guard = observe::Gauge::new(observe::STREAMS);
        let events = AssertUnwindSafe(self.schema.execute_stream(prepared.request, None)).catch_unwind();
        let mut counted = false;
        let replies = events.map(move |event| {
            let _alive = &guard;
            let reply = event.map_or_else(|_panic| Reply::crashed(&id), |response| Reply::new(response, &id));
            // A subscription counts once, as what its first reply is.
            if !std::mem::replace(&mut counted, true) {
                observe::operation("subscription", reply.outcome());
            }
            reply
        });
        replies.boxed()
    }
}
