DROP TABLE events, event_log, workers, jobs, insights, analyses, search_generation, vectors, passages,
    conversation_tags, tags, segments, revisions, participants, conversations, invitations, api_keys,
    refresh_tokens, sessions, memberships, users, organizations;
