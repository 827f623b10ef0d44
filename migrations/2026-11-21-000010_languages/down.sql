ALTER TABLE conversations DROP COLUMN language_set, DROP COLUMN language;
