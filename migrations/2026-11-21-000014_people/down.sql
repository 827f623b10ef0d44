ALTER TABLE participants DROP COLUMN person_id;
DROP TABLE people;
