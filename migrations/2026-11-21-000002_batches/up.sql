-- Jobs that wait for others, are unique, can be cancelled and limited; batches of them; the audit log.

ALTER TABLE jobs
    DROP CONSTRAINT jobs_state_check,
    ADD CONSTRAINT jobs_state_check CHECK
        (state IN ('WAITING', 'READY', 'DISPATCHED', 'RUNNING', 'DONE', 'DEAD', 'CANCELLED')),
    -- Whom its handler calls, where that has limits of its own; '' where nobody.
    ADD provider text NOT NULL DEFAULT '',
    -- Of this kind and key an organization has one unfinished job at a time.
    ADD unique_key text,
    -- Unfinished jobs that must be DONE before.
    ADD waits_for integer NOT NULL DEFAULT 0,
    ADD cancel_requested_at timestamptz,
    -- A suspect pays for its attempt when its handler begins: it may not live to pay later.
    ADD paid boolean NOT NULL DEFAULT false,
    ADD payload_version smallint NOT NULL DEFAULT 1,
    ADD batch_id uuid,
    -- Micro-dollars that its batch holds back for it until it has ended.
    ADD reserved bigint NOT NULL DEFAULT 0;
-- Three versions of a row a job: many dead rows, few pages, so vacuum soon.
ALTER TABLE jobs SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0.05);

-- A stream (priority, lane, provider) is what limits can hold up as a whole, so dispatch can hop over it.
DROP INDEX jobs_ready;
CREATE INDEX jobs_ready ON jobs (queue, priority DESC, lane DESC, provider DESC, run_at, id)
    WHERE state = 'READY';
DROP INDEX jobs_active;
CREATE INDEX jobs_active ON jobs (queue, state, lane, provider) WHERE state IN ('DISPATCHED', 'RUNNING');
CREATE INDEX jobs_provider ON jobs (provider) WHERE provider <> '' AND state IN ('DISPATCHED', 'RUNNING');
CREATE UNIQUE INDEX jobs_unique ON jobs (lane, kind, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('WAITING', 'READY', 'DISPATCHED', 'RUNNING');
-- Lists hop from kind to kind and state to state, and read a page of each.
DROP INDEX jobs_organization;
CREATE INDEX jobs_found ON jobs (organization_id, kind, state, id DESC) WHERE organization_id IS NOT NULL;
DROP INDEX jobs_conversation;
CREATE INDEX jobs_conversation ON jobs (conversation_id, id DESC) WHERE conversation_id IS NOT NULL;
CREATE INDEX jobs_batch ON jobs (batch_id, state, id) WHERE batch_id IS NOT NULL;
CREATE INDEX jobs_errors ON jobs USING gin (to_tsvector('simple', errors)) WHERE errors <> '[]';

CREATE TABLE job_dependencies (
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    waits_for uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    PRIMARY KEY (waits_for, job_id)
);
CREATE INDEX job_dependencies_job ON job_dependencies (job_id);

-- A queue that is paused for one lane, or for all (NULL).
CREATE TABLE paused_queues (
    queue text NOT NULL,
    lane uuid,
    paused_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (queue, lane)
);

-- Token buckets of rate limits; the limits themselves are settings.
CREATE TABLE job_rates (
    name text PRIMARY KEY,
    tokens double precision NOT NULL,
    refilled_at timestamptz NOT NULL DEFAULT now()
);

-- How many jobs of a queue have ended, by what workers tell; and how far it was at moments of the last minutes.
CREATE TABLE queue_totals (
    queue text PRIMARY KEY,
    ended bigint NOT NULL
);
CREATE TABLE queue_samples (
    queue text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    ended bigint NOT NULL,
    -- Jobs that are not finished.
    backlog bigint NOT NULL,
    PRIMARY KEY (queue, at)
);

-- Batches ------------------------------------------------------------------------------------------------

CREATE TABLE batches (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('REINDEX', 'REEMBED', 'REANALYZE', 'REIMPORT', 'EXPORT', 'PURGE')),
    filter jsonb NOT NULL,
    options jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('PLANNED', 'RUNNING', 'PAUSED', 'STOPPED', 'CANCELLING', 'CANCELLED', 'DONE')),
    plan jsonb NOT NULL,
    -- Micro-dollars. `reserved` is held for jobs under way; `spent` is what ended ones really cost.
    cap bigint,
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    spent bigint NOT NULL DEFAULT 0,
    per_minute integer,
    -- How far `per_minute` is used up.
    paced_to timestamptz,
    -- Items by what became of them.
    fed bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    -- The last item that was fed; NULL before the first.
    cursor uuid,
    fed_all boolean NOT NULL DEFAULT false,
    -- Jobs that had failed by then are to run again.
    retry_before timestamptz,
    -- What its watchers were told last, and how many had ended then; items a second since.
    told text,
    told_at timestamptz,
    told_ended bigint NOT NULL DEFAULT 0,
    rate double precision NOT NULL DEFAULT 0,
    -- Why it stands still or has stopped, in words for people.
    reason text,
    report jsonb,
    created_by uuid REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz
);
CREATE INDEX batches_organization ON batches (organization_id, id DESC);
CREATE INDEX batches_active ON batches (id) WHERE state IN ('RUNNING', 'PAUSED', 'CANCELLING');
ALTER TABLE events ADD batch_id uuid;
CREATE INDEX events_batch ON events (batch_id, position) WHERE batch_id IS NOT NULL;

-- Audit --------------------------------------------------------------------------------------------------

CREATE TABLE audit_entries (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    -- Who: a user, perhaps by an API key.
    user_id uuid,
    api_key_id uuid,
    -- What, on what, with which arguments (ids and numbers, never text of conversations).
    action text NOT NULL,
    subject text,
    detail jsonb NOT NULL,
    -- From where, and what became of it.
    remote_address text,
    request_id text,
    outcome text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_entries_organization ON audit_entries (organization_id, id DESC);

CREATE FUNCTION audit_entries_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are neither changed nor deleted';
END $$;
CREATE TRIGGER audit_entries_are_final BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_entries_are_final();
CREATE TRIGGER audit_entries_stay BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_are_final();
