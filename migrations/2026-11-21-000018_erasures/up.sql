-- Who and what was erased, by ids alone; what is left to do of it; and what was removed, in numbers.
CREATE TABLE erasures (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('PERSON', 'CONVERSATION')),
    subject_id uuid NOT NULL,
    -- NULL where a list was applied again.
    actor_id uuid,
    state text NOT NULL CHECK (state IN ('ERASING', 'SWEEPING', 'DONE')),
    -- Of a person, while conversations are yet to be redacted; gone with the last of them.
    names text[],
    report jsonb NOT NULL DEFAULT '{}',
    sweeps integer NOT NULL DEFAULT 0,
    -- When whoever leads looks after it next; NULL once it is done.
    due_at timestamptz,
    last_sweep_at timestamptz,
    -- Since when it is on the list outside this database.
    listed_at timestamptz,
    requested_at timestamptz NOT NULL DEFAULT now(),
    redacted_at timestamptz,
    finished_at timestamptz
);
CREATE INDEX erasures_organization ON erasures (organization_id, id DESC);
CREATE INDEX erasures_due ON erasures (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX erasures_unlisted ON erasures (id) WHERE listed_at IS NULL;

-- The conversations of each, until it is done.
CREATE TABLE erasure_conversations (
    erasure_id uuid NOT NULL REFERENCES erasures ON DELETE CASCADE,
    conversation_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    -- Who of it the person is or was.
    participant_ids uuid[] NOT NULL DEFAULT '{}',
    -- Of texts that are gone: no vector of theirs is to come back.
    text_hashes bytea[] NOT NULL DEFAULT '{}',
    redacted_at timestamptz,
    PRIMARY KEY (erasure_id, conversation_id)
);

-- When somebody was taken out of it last. Its original bytes are gone since.
ALTER TABLE conversations ADD erased_at timestamptz;
-- Whether a text stands anywhere.
CREATE INDEX passages_text ON passages (organization_id, text_hash);
