//! Importing, changing and deleting conversations.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject, Upload};
use colloquy_domain::{
    Error, conversations as domain,
    conversations::import::{ImportInput, Imported},
    ids::ConversationId,
    ports::store::conversations::{ConversationPatch, SpokenIn},
    time::Timestamp,
};

use crate::{
    Wired,
    cursor::Cursor,
    errors::{UserError, fault, settle},
    global_id,
    guards::{actor, origin},
    loaders::JobById,
    types::{
        ConversationKind, TranscriptFormat,
        conversation::Conversation,
        erasure::Erasure,
        import::{ImportPreview, ImportReport},
        job::Job,
        search::language,
    },
};

#[derive(Default)]
pub(crate) struct ConversationMutations;

#[derive(InputObject)]
struct ImportConversationInput {
    /// The transcript as an upload (GraphQL multipart request); or give `text`.
    file: Option<Upload>,
    /// The transcript itself; or give `file`.
    text: Option<String>,
    /// Where it differs from the upload's own.
    file_name: Option<String>,
    /// Detected by content where left out.
    format: Option<TranscriptFormat>,
    /// The file's name where left out.
    title: Option<String>,
    #[graphql(default_with = "ConversationKind::Meeting")]
    kind: ConversationKind,
    /// When the talk took place.
    occurred_at: Option<Timestamp>,
    #[graphql(default)]
    tags: Vec<String>,
    /// Your own key for it, unique in the organization: a second import under it returns the conversation.
    external_id: Option<String>,
    /// Reports what would be imported, or that it is there already, and writes nothing.
    #[graphql(default)]
    dry_run: bool,
}

#[derive(SimpleObject)]
#[graphql(complex)]
struct ImportConversationPayload {
    /// Null where there are user errors, and after a dry run of what is not there yet.
    conversation: Option<Conversation>,
    /// What the conversation would be like; after a dry run of what is not there yet.
    preview: Option<ImportPreview>,
    report: Option<ImportReport>,
    /// Whether this call made the conversation; false where the same bytes or externalId stood there already.
    created: bool,
    /// Give it as `after` to `conversationProgress` to see everything that follows the import.
    cursor: Option<Cursor>,
    user_errors: Vec<UserError>,
    #[graphql(skip)]
    job_ids: Vec<colloquy_domain::ids::JobId>,
}

#[async_graphql::ComplexObject]
impl ImportConversationPayload {
    /// The jobs that the import started.
    async fn jobs(&self, ctx: &Context<'_>) -> Result<Vec<Job>> {
        let tenant = actor(ctx)?.tenant();
        let keys = self.job_ids.iter().map(|id| JobById(tenant, *id));
        let found = ctx.loader().load_many(keys).await.map_err(fault)?;
        Ok(found.into_values().map(Job).collect())
    }
}

#[derive(InputObject)]
struct UpdateConversationInput {
    id: ID,
    title: Option<String>,
    kind: Option<ConversationKind>,
    /// Null clears it; left out, it stays.
    occurred_at: MaybeUndefined<Timestamp>,
    /// A code or tag such as `en` or `pt-BR`, whose region is passed over. It stays when the conversation is read again;
    /// null leaves the language to the text from then on. Left out, it stays as it is.
    language: MaybeUndefined<String>,
}

#[derive(InputObject)]
struct TagConversationInput {
    id: ID,
    tags: Vec<String>,
}

#[derive(SimpleObject)]
struct ConversationPayload {
    conversation: Option<Conversation>,
    user_errors: Vec<UserError>,
}

impl ConversationPayload {
    fn from(result: colloquy_domain::Result<domain::Conversation>) -> Result<Self> {
        let (conversation, user_errors) = settle(result)?;
        Ok(Self { conversation: conversation.map(Conversation), user_errors })
    }
}

#[derive(InputObject)]
struct DeleteConversationInput {
    id: ID,
}

#[derive(SimpleObject)]
struct DeleteConversationPayload {
    /// The id of what is gone.
    deleted_id: Option<ID>,
    /// What was removed. Stores are looked through again later.
    erasure: Option<Erasure>,
    user_errors: Vec<UserError>,
}

#[Object]
impl ConversationMutations {
    /// Reads a transcript and makes a conversation of it; jobs then cut, index, embed and analyse it. The same
    /// bytes or externalId again return the conversation that stands there. Needs MEMBER.
    async fn import_conversation(
        &self,
        ctx: &Context<'_>,
        input: ImportConversationInput,
    ) -> Result<ImportConversationPayload> {
        let actor = actor(ctx)?;
        let imported = async {
            let input = read_input(ctx, input)?;
            domain::import::import(ctx.ports(), actor, input).await
        };
        let (imported, user_errors) = settle(imported.await)?;
        Ok(match imported {
            Some(Imported { conversation, preview, report, created, jobs, cursor }) => {
                ImportConversationPayload {
                    conversation: conversation.map(Conversation),
                    preview: preview.map(Into::into),
                    report: Some(report.into()),
                    created,
                    cursor: Some(Cursor(cursor)),
                    user_errors,
                    job_ids: jobs,
                }
            }
            None => ImportConversationPayload {
                conversation: None,
                preview: None,
                report: None,
                created: false,
                cursor: None,
                user_errors,
                job_ids: Vec::new(),
            },
        })
    }

    /// Changes title, kind, time or language. Needs MEMBER.
    async fn update_conversation(
        &self,
        ctx: &Context<'_>,
        input: UpdateConversationInput,
    ) -> Result<ConversationPayload> {
        let actor = actor(ctx)?;
        let patch = |language| ConversationPatch {
            language,
            title: input.title,
            kind: input.kind.map(Into::into),
            occurred_at: match input.occurred_at {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(at) => Some(Some(at)),
            },
        };
        let updated = async {
            let id = global_id::require(&input.id)?;
            let language = match input.language {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(SpokenIn::Set(None)),
                MaybeUndefined::Value(tag) => Some(SpokenIn::Set(Some(language(&tag, "language")?))),
            };
            domain::update::update(ctx.ports(), actor, id, patch(language)).await
        };
        ConversationPayload::from(updated.await)
    }

    /// Deletes a conversation with its transcript, analyses, original bytes and exports, for good, and tags that nothing
    /// else bears. A restored database has it deleted again. Needs MEMBER.
    async fn delete_conversation(
        &self,
        ctx: &Context<'_>,
        input: DeleteConversationInput,
    ) -> Result<DeleteConversationPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let deleted = async {
            let id: ConversationId = global_id::require(&input.id)?;
            domain::delete::delete(ctx.ports(), actor, &origin, id).await
        };
        let (deleted, user_errors) = settle(deleted.await)?;
        let (deleted_id, erasure) = match deleted {
            Some(was) => (Some(global_id::encode(was.conversation.id)), Some(Erasure(was.erasure))),
            None => (None, None),
        };
        Ok(DeleteConversationPayload { deleted_id, erasure, user_errors })
    }

    /// Adds tags, making those that are new. Needs MEMBER.
    async fn tag_conversation(
        &self,
        ctx: &Context<'_>,
        input: TagConversationInput,
    ) -> Result<ConversationPayload> {
        let actor = actor(ctx)?;
        let tagged = async {
            let id = global_id::require(&input.id)?;
            domain::update::tag(ctx.ports(), actor, id, &input.tags).await
        };
        ConversationPayload::from(tagged.await)
    }

    /// Takes tags off, compared without case. Needs MEMBER.
    async fn untag_conversation(
        &self,
        ctx: &Context<'_>,
        input: TagConversationInput,
    ) -> Result<ConversationPayload> {
        let actor = actor(ctx)?;
        let untagged = async {
            let id = global_id::require(&input.id)?;
            domain::update::untag(ctx.ports(), actor, id, &input.tags).await
        };
        ConversationPayload::from(untagged.await)
    }
}

fn read_input(ctx: &Context<'_>, input: ImportConversationInput) -> colloquy_domain::Result<ImportInput> {
    let (bytes, name) = match (input.file, input.text) {
        (Some(file), None) => {
            let upload = file.value(ctx).map_err(|error| Error::internal("read an upload", error))?;
            (upload.content, Some(upload.filename))
        }
        (None, Some(text)) => (text.into(), None),
        (Some(_), Some(_)) => {
            return Err(Error::invalid("text", "FILE_AND_TEXT", "give `file` or `text`, not both"));
        }
        (None, None) => {
            return Err(Error::invalid(
                "file",
                "NOTHING_TO_IMPORT",
                "give the transcript as `file` or `text`",
            ));
        }
    };
    Ok(ImportInput {
        bytes,
        file_name: input.file_name.or(name),
        format: input.format.map(Into::into),
        title: input.title,
        kind: input.kind.into(),
        occurred_at: input.occurred_at,
        tags: input.tags,
        external_id: input.external_id,
        dry_run: input.dry_run,
    })
}
