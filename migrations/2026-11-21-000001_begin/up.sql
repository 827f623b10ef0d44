-- The ledger, the log and the store of conversations. Ids are UUIDv7 unless said otherwise; text of
-- conversations stands in segments and passages only.

-- Accounts -----------------------------------------------------------------------------------------------

CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE memberships (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('VIEWER', 'MEMBER', 'ADMIN', 'OWNER')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);

-- A family of tokens a session: each is spent once, and one that is shown twice revokes the session.
CREATE TABLE refresh_tokens (
    hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('VIEWER', 'MEMBER', 'ADMIN', 'OWNER')),
    hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_keys_organization ON api_keys (organization_id, id);

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    email text NOT NULL,
    role text NOT NULL CHECK (role IN ('VIEWER', 'MEMBER', 'ADMIN', 'OWNER')),
    invited_by uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz
);
CREATE UNIQUE INDEX invitations_open ON invitations (organization_id, lower(email)) WHERE accepted_at IS NULL;

-- Conversations ------------------------------------------------------------------------------------------

CREATE TABLE conversations (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('COACHING', 'INTERVIEW', 'ADVICE', 'MEETING')),
    title text NOT NULL,
    occurred_at timestamptz,
    external_id text,
    file_name text,
    content_hash bytea NOT NULL,
    object_key text NOT NULL UNIQUE,
    revision integer NOT NULL,
    -- Grows with every change that search can see; the version of writes to the indexes.
    version bigint NOT NULL DEFAULT 1,
    report jsonb NOT NULL,
    created_by uuid REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX conversations_organization ON conversations (organization_id, id DESC);
CREATE UNIQUE INDEX conversations_content ON conversations (organization_id, content_hash);
CREATE UNIQUE INDEX conversations_external ON conversations (organization_id, external_id)
    WHERE external_id IS NOT NULL;

CREATE TABLE participants (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    label text NOT NULL,
    ordinal integer NOT NULL,
    UNIQUE (conversation_id, ordinal)
);

-- The stages are what conversationProgress shows without a cursor.
CREATE TABLE revisions (
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    number integer NOT NULL,
    organization_id uuid NOT NULL,
    author_id uuid REFERENCES users ON DELETE SET NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL,
    imported_at timestamptz,
    indexed_at timestamptz,
    embedded_at timestamptz,
    analyzed_at timestamptz,
    failed_at timestamptz,
    failed_job_id uuid,
    PRIMARY KEY (conversation_id, number)
);

-- An id for life; valid from one revision up to, without, another.
CREATE TABLE segments (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    participant_id uuid REFERENCES participants ON DELETE CASCADE,
    sequence integer NOT NULL,
    text text NOT NULL,
    start_ms bigint,
    end_ms bigint,
    valid_from integer NOT NULL,
    valid_to integer
);
CREATE UNIQUE INDEX segments_current ON segments (conversation_id, sequence) WHERE valid_to IS NULL;
-- For history, and so that deleting a conversation does not read the whole table.
CREATE INDEX segments_conversation ON segments (conversation_id);
CREATE INDEX segments_participant ON segments (participant_id);

CREATE TABLE tags (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL
);
CREATE UNIQUE INDEX tags_name ON tags (organization_id, lower(name));

CREATE TABLE conversation_tags (
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    tag_id uuid NOT NULL REFERENCES tags ON DELETE CASCADE,
    PRIMARY KEY (conversation_id, tag_id)
);
CREATE INDEX conversation_tags_tag ON conversation_tags (tag_id);

-- Search -------------------------------------------------------------------------------------------------

-- Ids are UUIDv5 of conversation and ordinal: the same in every revision.
CREATE TABLE passages (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    revision integer NOT NULL,
    ordinal integer NOT NULL,
    first_sequence integer NOT NULL,
    last_sequence integer NOT NULL,
    text text NOT NULL,
    text_hash bytea NOT NULL,
    start_ms bigint,
    end_ms bigint,
    speakers text[] NOT NULL,
    UNIQUE (conversation_id, ordinal)
);

-- By organization, so that nobody learns from a missing job that another tenant holds the same text.
-- Little-endian 32-bit floats of a vector of unit length.
CREATE TABLE vectors (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    model text NOT NULL,
    text_hash bytea NOT NULL,
    vector bytea NOT NULL,
    PRIMARY KEY (organization_id, text_hash, model)
);

-- One row: the build of the indexes that searches read.
CREATE TABLE search_generation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    number bigint NOT NULL
);

-- Analysis -----------------------------------------------------------------------------------------------

CREATE TABLE analyses (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    revision integer NOT NULL,
    analyzer text NOT NULL,
    analyzer_version integer NOT NULL,
    key bytea NOT NULL,
    measures jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (organization_id, key)
);
CREATE INDEX analyses_conversation ON analyses (conversation_id, id DESC);

CREATE TABLE insights (
    id uuid PRIMARY KEY,
    analysis_id uuid NOT NULL REFERENCES analyses ON DELETE CASCADE,
    ordinal integer NOT NULL,
    kind text NOT NULL,
    -- The insight with its evidence.
    body jsonb NOT NULL,
    UNIQUE (analysis_id, ordinal)
);

-- Jobs ---------------------------------------------------------------------------------------------------

CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    -- NULL for the system's own work.
    organization_id uuid,
    -- What fairness goes by: the organization, or the system as if it were one.
    lane uuid NOT NULL
        GENERATED ALWAYS AS (coalesce(organization_id, '00000000-0000-0000-0000-000000000000')) STORED,
    queue text NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    conversation_id uuid,
    state text NOT NULL DEFAULT 'READY'
        CHECK (state IN ('READY', 'DISPATCHED', 'RUNNING', 'DONE', 'DEAD', 'CANCELLED')),
    priority smallint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    run_at timestamptz NOT NULL DEFAULT now(),
    -- Its worker vanished once: it runs alone.
    suspect boolean NOT NULL DEFAULT false,
    dispatch_id uuid,
    -- The fence: drawn anew for each claim.
    claim_token uuid,
    worker text,
    -- Of a dispatch or of a lease, by state.
    deadline timestamptz,
    errors jsonb NOT NULL DEFAULT '[]',
    traceparent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz
) WITH (fillfactor = 70);
-- Priority and lane in one direction, so that dispatch can hop from lane to lane by row comparison.
CREATE INDEX jobs_ready ON jobs (queue, priority DESC, lane DESC, run_at, id) WHERE state = 'READY';
CREATE INDEX jobs_delayed ON jobs (run_at) WHERE state = 'READY' AND run_at > created_at;
CREATE INDEX jobs_dispatch ON jobs (dispatch_id) WHERE state = 'DISPATCHED';
CREATE INDEX jobs_deadline ON jobs (state, deadline) WHERE state IN ('DISPATCHED', 'RUNNING');
CREATE INDEX jobs_active ON jobs (queue, state, lane) WHERE state IN ('DISPATCHED', 'RUNNING');
CREATE INDEX jobs_dead ON jobs (queue, finished_at) WHERE state = 'DEAD';
CREATE INDEX jobs_organization ON jobs (organization_id, id DESC) WHERE organization_id IS NOT NULL;
CREATE INDEX jobs_conversation ON jobs (conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE state IN ('DONE', 'CANCELLED');

CREATE TABLE workers (
    name text PRIMARY KEY,
    -- Handlers at once, by queue.
    queues jsonb NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- Events -------------------------------------------------------------------------------------------------

-- One row: this life of the log. `cluster` is what PostgreSQL says it is (system identifier and timeline):
-- another value means a restore, which begins another life.
CREATE TABLE event_log (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    log_id uuid NOT NULL,
    cluster text NOT NULL,
    head bigint NOT NULL DEFAULT 0,
    trimmed bigint NOT NULL DEFAULT 0
);

CREATE TABLE events (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Dense, given after commit; NULL until then.
    position bigint UNIQUE,
    organization_id uuid NOT NULL,
    kind text NOT NULL,
    conversation_id uuid,
    job_id uuid,
    -- What else the kind carries: revision, stage, state; never text.
    detail jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_unnumbered ON events (sequence) WHERE position IS NULL;
CREATE INDEX events_conversation ON events (conversation_id, position) WHERE conversation_id IS NOT NULL;
CREATE INDEX events_job ON events (job_id, position) WHERE kind = 'JOB_CHANGED';
CREATE INDEX events_organization ON events (organization_id, position);
