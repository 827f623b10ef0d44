-- Positions stay dense: what the older program does not know it passes over.
DROP INDEX events_saved_search;
ALTER TABLE events DROP saved_search_id;
DROP TABLE search_matches;
DROP TABLE saved_search_changes;
DROP TABLE saved_searches;
ALTER TABLE passages DROP created_at;
