ALTER TABLE search_generation
    DROP last, DROP change, DROP building, DROP building_batch, DROP previous, DROP switched_batch,
    DROP abandoned_batch, DROP abandoned_because;
ALTER TABLE conversations DROP segment_count, DROP characters;
