-- What the older program does not know is over.
UPDATE jobs SET state = 'CANCELLED', finished_at = now()
    WHERE kind = 'unpack_archive' AND state IN ('WAITING', 'READY', 'RUNNING');
DROP TABLE archive_entries;
DROP TABLE archive_imports;
