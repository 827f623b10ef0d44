//! What can be changed. Each mutation takes an `input` and returns a payload with the object and `userErrors`.

use async_graphql::MergedObject;

use crate::mutations::{
    accounts::AccountMutations, archives::ArchiveMutations, batches::BatchMutations,
    conversations::ConversationMutations, erasures::ErasureMutations, jobs::JobMutations,
    people::PersonMutations, revisions::RevisionMutations, saved_searches::SavedSearchMutations,
    schedules::ScheduleMutations, synonyms::SynonymMutations, verify::VerifyMutations,
};

#[derive(MergedObject, Default)]
pub struct Mutation(
    AccountMutations,
    ConversationMutations,
    RevisionMutations,
    ArchiveMutations,
    PersonMutations,
    ErasureMutations,
    JobMutations,
    BatchMutations,
    ScheduleMutations,
    SynonymMutations,
    VerifyMutations,
    SavedSearchMutations,
);
