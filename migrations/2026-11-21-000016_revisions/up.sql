-- Revisions by hand. What a revision does not change keeps its row.

-- A segment has its id for life and a row for each state that it has had; of one that was taken out none is current.
ALTER TABLE segments DROP CONSTRAINT segments_pkey, ADD PRIMARY KEY (id, valid_from);
-- Pages of a past revision are read in order.
DROP INDEX segments_conversation;
CREATE INDEX segments_conversation ON segments (conversation_id, sequence);

-- The present state, and since which revision; those of before are in `participant_history`.
ALTER TABLE participants ADD valid_from integer NOT NULL DEFAULT 1;
UPDATE participants p SET valid_from = s.since
FROM (
    SELECT g.participant_id, min(g.valid_from) AS since FROM segments g
    JOIN conversations c ON c.id = g.conversation_id AND c.revision > 1
    WHERE g.participant_id IS NOT NULL GROUP BY g.participant_id
) s WHERE s.participant_id = p.id AND s.since > 1;

CREATE TABLE participant_history (
    participant_id uuid NOT NULL REFERENCES participants ON DELETE CASCADE,
    organization_id uuid NOT NULL,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    label text NOT NULL,
    -- Whoever is deleted is nobody's participant in any revision.
    person_id uuid,
    valid_from integer NOT NULL,
    valid_to integer NOT NULL,
    PRIMARY KEY (participant_id, valid_from),
    FOREIGN KEY (organization_id, person_id) REFERENCES people (organization_id, id)
        ON DELETE SET NULL (person_id)
);
CREATE INDEX participant_history_conversation ON participant_history (conversation_id);
CREATE INDEX participant_history_person ON participant_history (person_id) WHERE person_id IS NOT NULL;

-- Every state that a participant has had; the present one has no end.
CREATE VIEW participant_states AS
    SELECT id AS participant_id, organization_id, conversation_id, label, person_id, valid_from,
        NULL::integer AS valid_to FROM participants
    UNION ALL
    SELECT participant_id, organization_id, conversation_id, label, person_id, valid_from, valid_to
        FROM participant_history;

-- What was said of why is the author's; what was done is the kind.
ALTER TABLE revisions
    ALTER reason DROP NOT NULL,
    ADD kind text NOT NULL DEFAULT 'IMPORT' CHECK (kind ~ '^[A-Z_]+$'),
    -- Whether the transcript has changes by hand since it was read from its bytes.
    ADD edited boolean NOT NULL DEFAULT false,
    -- The revision whose state a REVERT brought back.
    ADD reverted_to integer;
UPDATE revisions SET kind = CASE reason WHEN 'reimport' THEN 'REIMPORT' ELSE 'IMPORT' END, reason = NULL;

-- Who a label was taken for last in an organization; labels are compared as names are.
CREATE TABLE remembered_people (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    label_key text NOT NULL,
    person_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, label_key),
    FOREIGN KEY (organization_id, person_id) REFERENCES people (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX remembered_people_person ON remembered_people (person_id);
-- Of the ties of before, labels whose comparable form SQL can tell.
INSERT INTO remembered_people (organization_id, label_key, person_id)
SELECT DISTINCT ON (organization_id, key) organization_id, key, person_id
FROM (
    SELECT organization_id, left(btrim(regexp_replace(lower(label), '[[:space:]]+', ' ', 'g')), 300) AS key,
        person_id, conversation_id
    FROM participants WHERE person_id IS NOT NULL AND label ~ '^[\x20-\x7e]+$'
) t
WHERE key <> '' ORDER BY organization_id, key, conversation_id DESC;
