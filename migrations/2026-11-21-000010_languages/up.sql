-- What is spoken in a conversation, as a code of ISO 639; NULL where that is not known. What somebody has set stays when
-- the text is read again.
ALTER TABLE conversations
    ADD COLUMN language text CHECK (language ~ '^[a-z]{2,3}$'),
    ADD COLUMN language_set boolean NOT NULL DEFAULT false;
