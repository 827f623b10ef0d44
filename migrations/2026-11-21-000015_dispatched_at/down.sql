ALTER TABLE dispatches DROP made_at;
