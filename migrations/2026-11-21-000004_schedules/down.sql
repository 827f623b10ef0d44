-- What the older program does not know is over.
UPDATE jobs SET state = 'CANCELLED', finished_at = now()
    WHERE kind = 'start_batch' AND state IN ('WAITING', 'READY', 'RUNNING');
DROP INDEX batches_schedule;
ALTER TABLE batches DROP schedule_id;
DROP TABLE schedules;
