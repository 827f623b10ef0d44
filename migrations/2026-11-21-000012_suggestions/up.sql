-- What a search box suggests: titles, speakers and tags by how they begin, without case. Of a long one the beginning
-- counts.
CREATE INDEX conversations_title_begins
    ON conversations (organization_id, lower(left(title, 100)) text_pattern_ops);
CREATE INDEX participants_label_begins
    ON participants (organization_id, lower(left(label, 100)) text_pattern_ops);
CREATE INDEX tags_name_begins
    ON tags (organization_id, lower(left(name, 100)) text_pattern_ops);
