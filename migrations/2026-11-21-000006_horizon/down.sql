ALTER TABLE dispatches DROP suspect;
ALTER TABLE event_log ADD head bigint NOT NULL DEFAULT 0;
UPDATE event_log SET head = greatest(trimmed, coalesce((SELECT max(position) FROM events), 0));
DROP INDEX dispatches_deadline;
