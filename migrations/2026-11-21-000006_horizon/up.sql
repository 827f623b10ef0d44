-- Whoever knows the first deadline passes no row of an earlier dispatch that could not be vacuumed yet.
CREATE INDEX dispatches_deadline ON dispatches (deadline);
-- A row that is written with every event is slow to find where its earlier versions cannot be vacuumed. The last
-- position is that of the last event, or the last one that was trimmed.
UPDATE event_log SET trimmed = head WHERE NOT EXISTS (SELECT FROM events WHERE position IS NOT NULL);
ALTER TABLE event_log DROP head;
-- Of what is on its way, suspects are a part that is bounded.
ALTER TABLE dispatches ADD suspect boolean NOT NULL DEFAULT false;
