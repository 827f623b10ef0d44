-- Entries are neither changed nor deleted, not here either: those of the whole installation stay, and no more come.
ALTER TABLE audit_entries
    ADD CONSTRAINT audit_entries_of_an_organization CHECK (organization_id IS NOT NULL) NOT VALID;
