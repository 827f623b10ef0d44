DROP TABLE remembered_people;
UPDATE revisions SET reason = lower(kind);
ALTER TABLE revisions DROP reverted_to, DROP edited, DROP kind, ALTER reason SET NOT NULL;
DROP VIEW participant_states;
DROP TABLE participant_history;
ALTER TABLE participants DROP valid_from;
DROP INDEX segments_conversation;
CREATE INDEX segments_conversation ON segments (conversation_id);
-- Of a segment's past states one stays where no current one is.
DELETE FROM segments s USING segments later
WHERE later.id = s.id AND later.valid_from > s.valid_from;
ALTER TABLE segments DROP CONSTRAINT segments_pkey, ADD PRIMARY KEY (id);
