-- Searches that are kept, and the passages that have come since and match them.

-- When the text came to the conversation. One that is cut again unchanged keeps it.
ALTER TABLE passages ADD created_at timestamptz NOT NULL DEFAULT now();

CREATE TABLE saved_searches (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    created_by uuid REFERENCES users ON DELETE SET NULL,
    name text NOT NULL,
    -- As it was typed.
    query text NOT NULL,
    -- As it was given.
    filter jsonb NOT NULL,
    mode text NOT NULL CHECK (mode IN ('TEXT', 'SEMANTIC')),
    -- The least cosine, where meaning is looked for.
    threshold real,
    -- Grows with each change of what is looked for.
    version integer NOT NULL DEFAULT 1,
    -- What came before has no match: when it was saved, or looked for something else last.
    since timestamptz NOT NULL DEFAULT now(),
    -- Of the query, by the model that made it; little-endian 32-bit floats.
    vector_model text,
    vector bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((mode = 'SEMANTIC') = (threshold IS NOT NULL)),
    CHECK ((vector_model IS NULL) = (vector IS NULL))
);
CREATE INDEX saved_searches_organization ON saved_searches (organization_id, id DESC);

-- Grows with every change of an organization's saved searches, so that who keeps them in memory notices.
CREATE TABLE saved_search_changes (
    organization_id uuid PRIMARY KEY REFERENCES organizations ON DELETE CASCADE,
    number bigint NOT NULL
);

-- One a search and text of a passage; it goes with its search and with its conversation.
CREATE TABLE search_matches (
    saved_search_id uuid NOT NULL REFERENCES saved_searches ON DELETE CASCADE,
    text_hash bytea NOT NULL,
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    -- The cosine, where meaning was looked for.
    similarity real,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (saved_search_id, text_hash)
);
CREATE UNIQUE INDEX search_matches_newest ON search_matches (saved_search_id, id DESC);
CREATE INDEX search_matches_conversation ON search_matches (conversation_id);

ALTER TABLE events ADD saved_search_id uuid;
CREATE INDEX events_saved_search ON events (saved_search_id, position) WHERE saved_search_id IS NOT NULL;
