-- Schedules: batches that come back.

CREATE TABLE schedules (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL,
    cron text NOT NULL,
    time_zone text NOT NULL,
    missed text NOT NULL CHECK (missed IN ('SKIP', 'RUN_ONCE', 'RUN_ALL')),
    enabled boolean NOT NULL,
    -- The batch of each run: kind, filter, options, cap, rate.
    work jsonb NOT NULL,
    -- NULL while it is disabled, and where it never fires again.
    next_run_at timestamptz,
    -- The last run, whatever became of it, and when it was due.
    last_run_at timestamptz,
    last_outcome text CHECK (last_outcome IN ('QUEUED', 'STARTED', 'NOTHING_TO_DO', 'SKIPPED', 'MISSED', 'REFUSED')),
    last_reason text,
    -- Of the last runs that had a job and that started a batch.
    last_job_id uuid,
    last_batch_id uuid,
    -- Grows with each change of what administrators set.
    version integer NOT NULL DEFAULT 1,
    created_by uuid REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX schedules_name ON schedules (organization_id, lower(name));
CREATE INDEX schedules_organization ON schedules (organization_id, id DESC);
CREATE INDEX schedules_due ON schedules (next_run_at) WHERE next_run_at IS NOT NULL;

ALTER TABLE batches ADD schedule_id uuid REFERENCES schedules ON DELETE SET NULL;
CREATE INDEX batches_schedule ON batches (schedule_id, id DESC) WHERE schedule_id IS NOT NULL;
