-- What is done for the whole installation is in no organization's audit log.

ALTER TABLE audit_entries
    DROP CONSTRAINT IF EXISTS audit_entries_of_an_organization,
    ALTER organization_id DROP NOT NULL;
