DROP TABLE dispatches;
DROP INDEX jobs_running, jobs_unique, jobs_waiting;
ALTER TABLE jobs
    DROP CONSTRAINT jobs_state_check,
    ADD CONSTRAINT jobs_state_check CHECK
        (state IN ('WAITING', 'READY', 'DISPATCHED', 'RUNNING', 'DONE', 'DEAD', 'CANCELLED')),
    ADD dispatch_id uuid;
CREATE INDEX jobs_dispatch ON jobs (dispatch_id) WHERE state = 'DISPATCHED';
CREATE INDEX jobs_deadline ON jobs (state, deadline) WHERE state IN ('DISPATCHED', 'RUNNING');
CREATE INDEX jobs_active ON jobs (queue, state, lane, provider) WHERE state IN ('DISPATCHED', 'RUNNING');
CREATE INDEX jobs_provider ON jobs (provider) WHERE provider <> '' AND state IN ('DISPATCHED', 'RUNNING');
CREATE UNIQUE INDEX jobs_unique ON jobs (lane, kind, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('WAITING', 'READY', 'DISPATCHED', 'RUNNING');
