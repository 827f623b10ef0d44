DROP INDEX passages_text;
ALTER TABLE conversations DROP erased_at;
DROP TABLE erasure_conversations, erasures;
