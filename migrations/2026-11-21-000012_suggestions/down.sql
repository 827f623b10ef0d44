DROP INDEX tags_name_begins;
DROP INDEX participants_label_begins;
DROP INDEX conversations_title_begins;
