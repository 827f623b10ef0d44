-- The newest jobs that have failed, to be looked through for an error that very many have.
CREATE INDEX jobs_failed ON jobs (organization_id, id DESC) WHERE errors <> '[]' AND organization_id IS NOT NULL;
