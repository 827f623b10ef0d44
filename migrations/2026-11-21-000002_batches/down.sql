DROP TABLE audit_entries, batches, queue_samples, queue_totals, job_rates, paused_queues, job_dependencies;
DROP FUNCTION audit_entries_are_final;
DELETE FROM events WHERE batch_id IS NOT NULL;
ALTER TABLE events DROP batch_id;
-- What the older program does not know is over.
UPDATE jobs SET state = 'CANCELLED', finished_at = now() WHERE state = 'WAITING';
DROP INDEX jobs_unique, jobs_ready, jobs_active, jobs_provider, jobs_found, jobs_conversation, jobs_batch, jobs_errors;
ALTER TABLE jobs
    DROP CONSTRAINT jobs_state_check,
    ADD CONSTRAINT jobs_state_check CHECK
        (state IN ('READY', 'DISPATCHED', 'RUNNING', 'DONE', 'DEAD', 'CANCELLED')),
    DROP provider, DROP unique_key, DROP waits_for, DROP cancel_requested_at, DROP paid, DROP payload_version,
    DROP batch_id, DROP reserved;
ALTER TABLE jobs RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_analyze_scale_factor);
CREATE INDEX jobs_ready ON jobs (queue, priority DESC, lane DESC, run_at, id) WHERE state = 'READY';
CREATE INDEX jobs_active ON jobs (queue, state, lane) WHERE state IN ('DISPATCHED', 'RUNNING');
CREATE INDEX jobs_organization ON jobs (organization_id, id DESC) WHERE organization_id IS NOT NULL;
CREATE INDEX jobs_conversation ON jobs (conversation_id) WHERE conversation_id IS NOT NULL;
