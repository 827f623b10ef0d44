-- What is on its way to workers stands beside the jobs, a row a chunk: a job's own row changes when it is claimed.

CREATE UNLOGGED TABLE dispatches (
    id uuid PRIMARY KEY,
    queue text NOT NULL,
    job_ids uuid[] NOT NULL,
    -- How many of them are of which lane and provider.
    lanes uuid[] NOT NULL,
    providers text[] NOT NULL,
    counts bigint[] NOT NULL,
    deadline timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE dispatches ALTER COLUMN job_ids SET STORAGE MAIN;

UPDATE jobs SET state = 'READY', deadline = NULL WHERE state = 'DISPATCHED';
DROP INDEX jobs_dispatch, jobs_deadline, jobs_active, jobs_provider, jobs_unique;
ALTER TABLE jobs
    DROP CONSTRAINT jobs_state_check,
    ADD CONSTRAINT jobs_state_check CHECK (state IN ('WAITING', 'READY', 'RUNNING', 'DONE', 'DEAD', 'CANCELLED')),
    DROP dispatch_id;
-- Without the deadline, so that extending a lease touches no index.
CREATE INDEX jobs_running ON jobs (queue, lane, provider) WHERE state = 'RUNNING';
CREATE UNIQUE INDEX jobs_unique ON jobs (lane, kind, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('WAITING', 'READY', 'RUNNING');
-- Counting what waits reads no finished job.
CREATE INDEX jobs_waiting ON jobs (queue) WHERE state = 'WAITING';
