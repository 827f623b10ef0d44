-- What stands was made since some time. Its deadline is yet to come, and so are those of all that were made and claimed
-- lately, which stay in an index as long as somebody's transaction is open.
ALTER TABLE dispatches ADD made_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX dispatches_made ON dispatches (made_at);
