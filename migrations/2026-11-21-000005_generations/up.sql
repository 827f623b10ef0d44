-- What planning needs without reading texts, and the generations of the search indexes.

-- Of the current revision, written with it.
ALTER TABLE conversations
    ADD segment_count integer NOT NULL DEFAULT 0,
    ADD characters bigint NOT NULL DEFAULT 0;
UPDATE conversations c SET segment_count = s.segments, characters = s.characters
FROM (
    SELECT conversation_id, count(*) AS segments, sum(char_length(text)) AS characters
    FROM segments WHERE valid_to IS NULL GROUP BY conversation_id
) s WHERE s.conversation_id = c.id;
-- With what plans add up, so that everything of an organization is read from the index alone.
DROP INDEX conversations_organization;
CREATE INDEX conversations_organization ON conversations (organization_id, id DESC)
    INCLUDE (segment_count, characters);

-- `number` is the generation that searches read: one UPDATE of this row is the switch.
ALTER TABLE search_generation
    -- The highest number that was ever given; none is given twice.
    ADD last bigint NOT NULL DEFAULT 1,
    -- Grows with every change of this row, so that nobody goes back to what it was.
    ADD change bigint NOT NULL DEFAULT 1,
    -- The one that is being built, and the batch that builds it.
    ADD building bigint,
    ADD building_batch uuid,
    -- The one that was live before, as long as there is a way back to it.
    ADD previous bigint,
    -- The batch whose generation became live last.
    ADD switched_batch uuid,
    -- The batch whose generation was dropped last, and why, in words for people.
    ADD abandoned_batch uuid,
    ADD abandoned_because text,
    ADD CHECK ((building IS NULL) = (building_batch IS NULL));
UPDATE search_generation SET last = number;
