ALTER TABLE search_generation
    DROP last, DROP change, DROP building, DROP building_batch, DROP previous, DROP switched_batch,
    DROP abandoned_batch, DROP abandoned_because;
DROP INDEX conversations_organization;
CREATE INDEX conversations_organization ON conversations (organization_id, id DESC);
ALTER TABLE conversations DROP segment_count, DROP characters;
