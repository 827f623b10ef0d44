-- Those who speak, known across conversations, and who of them a participant is.

CREATE TABLE people (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    -- The name as names are compared: without case, accents and width.
    name_key text NOT NULL CHECK (char_length(name_key) <= 300),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (organization_id, id)
);
CREATE INDEX people_name ON people (organization_id, name_key, id);
-- What a search box suggests, as for titles, speakers and tags.
CREATE INDEX people_name_begins
    ON people (organization_id, lower(left(name, 100)) text_pattern_ops);

-- A person of another organization is nobody's participant.
ALTER TABLE participants ADD person_id uuid,
    ADD FOREIGN KEY (organization_id, person_id) REFERENCES people (organization_id, id)
        ON DELETE SET NULL (person_id);
CREATE INDEX participants_person ON participants (person_id) WHERE person_id IS NOT NULL;
-- Who of a conversation is known. It stands by itself: plans that are made while nobody is tied would read all of an index
-- on both.
CREATE INDEX participants_known ON participants (conversation_id) WHERE person_id IS NOT NULL;
