-- Archives that are brought to be imported, and what becomes of each of their entries.

CREATE TABLE archive_imports (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    file_name text,
    object_key text NOT NULL UNIQUE,
    -- What holds for every file: kind, tags, time, format, whether it is a trial.
    options jsonb NOT NULL,
    job_id uuid NOT NULL,
    -- NULL where the archive has no directory.
    entry_count integer,
    created integer NOT NULL DEFAULT 0,
    existing integer NOT NULL DEFAULT 0,
    would_import integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    passed_over integer NOT NULL DEFAULT 0,
    -- Why the rest was not read: code, message, line.
    problem jsonb,
    created_by uuid REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    UNIQUE (organization_id, id)
);
CREATE INDEX archive_imports_organization ON archive_imports (organization_id, id DESC);
CREATE INDEX archive_imports_active ON archive_imports (organization_id) WHERE finished_at IS NULL;
CREATE INDEX archive_imports_created ON archive_imports (created_at);

CREATE TABLE archive_entries (
    archive_import_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    -- Its number in the archive, from 0.
    place integer NOT NULL,
    -- NULL once its conversation has been deleted.
    name text CHECK (octet_length(name) <= 1024),
    outcome text NOT NULL CHECK (outcome IN ('CREATED', 'EXISTING', 'WOULD_IMPORT', 'FAILED', 'PASSED_OVER')),
    unpacked bigint NOT NULL,
    conversation_id uuid REFERENCES conversations ON DELETE SET NULL,
    -- Of a trial.
    report jsonb,
    problem jsonb,
    PRIMARY KEY (archive_import_id, place),
    FOREIGN KEY (organization_id, archive_import_id) REFERENCES archive_imports (organization_id, id)
        ON DELETE CASCADE
);
CREATE INDEX archive_entries_outcome ON archive_entries (archive_import_id, outcome, place);
CREATE INDEX archive_entries_conversation ON archive_entries (conversation_id) WHERE conversation_id IS NOT NULL;
