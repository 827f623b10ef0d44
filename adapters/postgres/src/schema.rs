//! Tables as diesel's typed queries know them; `migrations/` says what they are for. Statements over sets of
//! rows (the ledger's, inserts by UNNEST) are SQL text beside the code that runs them.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    organizations (id) {
        id -> Uuid,
        name -> Text,
        created_at -> Timestamptz,
    }
}

table! {
    users (id) {
        id -> Uuid,
        email -> Text,
        name -> Text,
        password_hash -> Text,
        created_at -> Timestamptz,
    }
}

table! {
    memberships (organization_id, user_id) {
        organization_id -> Uuid,
        user_id -> Uuid,
        role -> Text,
        created_at -> Timestamptz,
    }
}

table! {
    sessions (id) {
        id -> Uuid,
        user_id -> Uuid,
        organization_id -> Uuid,
        created_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
    }
}

table! {
    refresh_tokens (hash) {
        hash -> Bytea,
        session_id -> Uuid,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

table! {
    api_keys (id) {
        id -> Uuid,
        organization_id -> Uuid,
        user_id -> Uuid,
        name -> Text,
        role -> Text,
        hash -> Bytea,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        last_used_at -> Nullable<Timestamptz>,
    }
}

table! {
    invitations (id) {
        id -> Uuid,
        organization_id -> Uuid,
        email -> Text,
        role -> Text,
        invited_by -> Uuid,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        accepted_at -> Nullable<Timestamptz>,
    }
}

table! {
    conversations (id) {
        id -> Uuid,
        organization_id -> Uuid,
        kind -> Text,
        title -> Text,
        occurred_at -> Nullable<Timestamptz>,
        external_id -> Nullable<Text>,
        file_name -> Nullable<Text>,
        content_hash -> Bytea,
        object_key -> Text,
        revision -> Integer,
        version -> BigInt,
        report -> Jsonb,
        created_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        segment_count -> Integer,
        characters -> BigInt,
        language -> Nullable<Text>,
        language_set -> Bool,
    }
}

table! {
    participants (id) {
        id -> Uuid,
        organization_id -> Uuid,
        conversation_id -> Uuid,
        label -> Text,
        ordinal -> Integer,
        person_id -> Nullable<Uuid>,
        valid_from -> Integer,
    }
}

table! {
    revisions (conversation_id, number) {
        conversation_id -> Uuid,
        number -> Integer,
        organization_id -> Uuid,
        author_id -> Nullable<Uuid>,
        kind -> Text,
        reason -> Nullable<Text>,
        edited -> Bool,
        reverted_to -> Nullable<Integer>,
        created_at -> Timestamptz,
        imported_at -> Nullable<Timestamptz>,
        indexed_at -> Nullable<Timestamptz>,
        embedded_at -> Nullable<Timestamptz>,
        analyzed_at -> Nullable<Timestamptz>,
        failed_at -> Nullable<Timestamptz>,
        failed_job_id -> Nullable<Uuid>,
    }
}

table! {
    segments (id, valid_from) {
        id -> Uuid,
        organization_id -> Uuid,
        conversation_id -> Uuid,
        participant_id -> Nullable<Uuid>,
        sequence -> Integer,
        text -> Text,
        start_ms -> Nullable<BigInt>,
        end_ms -> Nullable<BigInt>,
        valid_from -> Integer,
        valid_to -> Nullable<Integer>,
    }
}

table! {
    tags (id) {
        id -> Uuid,
        organization_id -> Uuid,
        name -> Text,
    }
}

table! {
    conversation_tags (conversation_id, tag_id) {
        conversation_id -> Uuid,
        tag_id -> Uuid,
    }
}

table! {
    passages (id) {
        id -> Uuid,
        organization_id -> Uuid,
        conversation_id -> Uuid,
        revision -> Integer,
        ordinal -> Integer,
        first_sequence -> Integer,
        last_sequence -> Integer,
        text -> Text,
        text_hash -> Bytea,
        start_ms -> Nullable<BigInt>,
        end_ms -> Nullable<BigInt>,
        speakers -> Array<Text>,
        created_at -> Timestamptz,
    }
}

table! {
    vectors (organization_id, text_hash, model) {
        organization_id -> Uuid,
        model -> Text,
        text_hash -> Bytea,
        vector -> Bytea,
    }
}

table! {
    analyses (id) {
        id -> Uuid,
        organization_id -> Uuid,
        conversation_id -> Uuid,
        revision -> Integer,
        analyzer -> Text,
        analyzer_version -> Integer,
        key -> Bytea,
        measures -> Jsonb,
        created_at -> Timestamptz,
    }
}

table! {
    insights (id) {
        id -> Uuid,
        analysis_id -> Uuid,
        ordinal -> Integer,
        kind -> Text,
        body -> Jsonb,
    }
}

table! {
    jobs (id) {
        id -> Uuid,
        organization_id -> Nullable<Uuid>,
        queue -> Text,
        kind -> Text,
        conversation_id -> Nullable<Uuid>,
        state -> Text,
        attempts -> Integer,
        max_attempts -> Integer,
        run_at -> Timestamptz,
        errors -> Jsonb,
        created_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
    }
}

table! {
    event_log (singleton) {
        singleton -> Bool,
        log_id -> Uuid,
        cluster -> Text,
        trimmed -> BigInt,
    }
}

table! {
    events (sequence) {
        sequence -> BigInt,
        position -> Nullable<BigInt>,
        organization_id -> Uuid,
        kind -> Text,
        conversation_id -> Nullable<Uuid>,
        job_id -> Nullable<Uuid>,
        batch_id -> Nullable<Uuid>,
        saved_search_id -> Nullable<Uuid>,
        detail -> Jsonb,
        at -> Timestamptz,
    }
}

joinable!(refresh_tokens -> sessions (session_id));
joinable!(memberships -> organizations (organization_id));
joinable!(memberships -> users (user_id));
joinable!(participants -> conversations (conversation_id));
joinable!(revisions -> conversations (conversation_id));
joinable!(segments -> conversations (conversation_id));
joinable!(conversation_tags -> conversations (conversation_id));
joinable!(conversation_tags -> tags (tag_id));
joinable!(passages -> conversations (conversation_id));
joinable!(analyses -> conversations (conversation_id));
joinable!(insights -> analyses (analysis_id));

allow_tables_to_appear_in_same_query!(organizations, users, memberships);
allow_tables_to_appear_in_same_query!(sessions, refresh_tokens);
allow_tables_to_appear_in_same_query!(
    conversations,
    participants,
    revisions,
    segments,
    tags,
    conversation_tags,
    passages,
    analyses,
);
allow_tables_to_appear_in_same_query!(insights, analyses);
