//! Erasing people and conversations: what is left of them in any column, and what stays.

use std::{collections::BTreeSet, time::Duration};

use colloquy_domain::{
    Error,
    accounts::Tenant,
    conversations::{Participant, revisions::RevisionKind},
    erasure::{Erasure, ErasureKind, ErasureState, NewErasure},
    ids::{ConversationId, ErasureId, PersonId},
    jobs::{ClaimedJob, JobKind, NewJob, Payload, Queue},
    passages::cut,
    people::Person,
    ports::{
        jobs::{Ending, Follow, Ledger},
        store::{
            conversations::{ConversationStore, NewConversation},
            erasures::{ErasureStore, Listed},
            passages::PassageStore,
            people::PersonStore,
            revisions::{NewEdit, RevisionStore},
        },
    },
};
use colloquy_postgres::COLUMNS;
use uuid::Uuid;

use crate::support::{
    Database,
    fixtures::{
        Org, SCOPE, claim, conversation, ended, entry, id, import_follow, new_edit, now, organization,
    },
};

const CANARY: &str = "Quillonbrax";
const SETTLED: Duration = Duration::from_secs(960);

async fn person(db: &Database, tenant: Tenant, name: &str) -> PersonId {
    let id = PersonId(id());
    let (created_at, updated_at) = (now(), now());
    let person = Person { id, organization_id: tenant.0, name: name.to_owned(), created_at, updated_at };
    PersonStore::insert(&db.store, tenant, &person, 10, entry(tenant)).await.unwrap();
    id
}

/// A talk of Coach and the canary, who is named in everything that people write; cut, and tied.
async fn talk(db: &Database, org: &Org, canary: PersonId) -> NewConversation {
    let tenant = org.tenant;
    let mut new = conversation(tenant, id().as_bytes(), 6);
    new.participants[1].label = CANARY.to_owned();
    new.conversation.title = format!("Talk with {CANARY}");
    new.conversation.file_name = Some(format!("{}_1.vtt", CANARY.to_lowercase()));
    new.conversation.external_id = Some(format!("crm/{CANARY}-7"));
    new.conversation.report.speakers = vec!["Coach".to_owned(), CANARY.to_owned()];
    new.tags[0].name = format!("with {CANARY}");
    new.segments[0].text = format!("Welcome, {}!", CANARY.to_uppercase());
    new.segments[1].text = "I have told nobody of my debts.".to_owned();
    new.segments[2].text = "The harbour is frozen.".to_owned();
    let id = new.conversation.id;
    ConversationStore::insert(&db.store, tenant, new.clone(), import_follow(tenant, id)).await.unwrap();
    let job = claim(&db.store, Queue::Ingest, 10).await.into_iter().next().unwrap();
    let talk = db.store.find_talk(tenant, id).await.unwrap().unwrap();
    db.store.replace(tenant, job.claim, id, 1, &cut(&talk), Follow::default()).await.unwrap();
    let tied = Participant { person_id: Some(canary), ..new.participants[1].clone() };
    let tie = NewEdit { changed: vec![tied], ..new_edit(id, 2, RevisionKind::Tie) };
    RevisionStore::write(&db.store, tenant, &tie, Follow::default(), None).await.unwrap();
    new
}

/// Edited twice, so that past revisions hold what the present one does not.
async fn edit(db: &Database, org: &Org, new: &NewConversation) {
    for (number, at, text) in [(3, 1, "I have told nobody at all."), (4, 0, "Welcome!")] {
        let mut segment = new.segments[at].clone();
        segment.text = text.to_owned();
        let edit = NewEdit {
            reason: Some(format!("{CANARY} asked for it")),
            author_id: Some(org.owner),
            ended: vec![segment.id],
            segments: vec![segment],
            ..new_edit(new.conversation.id, number, RevisionKind::EditSegment)
        };
        RevisionStore::write(&db.store, org.tenant, &edit, Follow::default(), None).await.unwrap();
    }
}

/// Where else the name may stand.
async fn spread(db: &Database, org: &Org, new: &NewConversation) {
    let (tenant, conversation) = (org.tenant.0, new.conversation.id);
    let job = NewJob::new(
        id(),
        JobKind::AnalyzeConversation,
        Some(tenant),
        Payload::Conversation { conversation_id: conversation },
    );
    db.store.enqueue(SCOPE, vec![job]).await.unwrap();
    let job = claim(&db.store, Queue::Analyze, 10).await.into_iter().next().unwrap();
    let message = format!("cannot read what {CANARY} said");
    db.store.complete(SCOPE, vec![ended(&job, Ending::Fail { message })]).await.unwrap();
    let of_all = NewJob::new(id(), JobKind::Probe, Some(tenant), Payload::Nothing {});
    db.store.enqueue(SCOPE, vec![of_all]).await.unwrap();
    let job = claim(&db.store, Queue::Default, 10).await.into_iter().next().unwrap();
    let message = format!("{CANARY} is in the way");
    db.store.complete(SCOPE, vec![ended(&job, Ending::Fail { message })]).await.unwrap();
    db.execute(&format!(
        "INSERT INTO vectors (organization_id, model, text_hash, vector)
            SELECT organization_id, 'm', text_hash, 'x' FROM passages WHERE conversation_id = '{conversation}';
        INSERT INTO analyses (id, organization_id, conversation_id, revision, analyzer, analyzer_version, key, measures, created_at)
            VALUES (gen_random_uuid(), '{tenant}', '{conversation}', 1, 'x', 1, '{conversation}', '{{\"{CANARY}\": 1}}', now());
        INSERT INTO insights (id, analysis_id, ordinal, kind, body)
            SELECT gen_random_uuid(), id, 0, 'SUMMARY', '{{\"text\": \"{CANARY}\"}}' FROM analyses
            WHERE conversation_id = '{conversation}';
        INSERT INTO saved_searches (id, organization_id, name, query, filter, mode)
            VALUES (gen_random_uuid(), '{tenant}', 'mine', 'debts speaker:{CANARY}', '{{}}', 'TEXT');
        INSERT INTO search_matches (saved_search_id, text_hash, id, organization_id, conversation_id)
            SELECT s.id, p.text_hash, gen_random_uuid(), '{tenant}', '{conversation}'
            FROM saved_searches s, passages p
            WHERE s.organization_id = '{tenant}' AND p.conversation_id = '{conversation}';
        INSERT INTO synonyms (organization_id, groups)
            VALUES ('{tenant}', '[[\"{CANARY}\", \"Quill\"], [\"pay\", \"salary\"]]') ON CONFLICT DO NOTHING;
        INSERT INTO schedules (id, organization_id, name, cron, time_zone, missed, enabled, work)
            VALUES (gen_random_uuid(), '{tenant}', 'Talks of {CANARY}', '@daily', 'UTC', 'SKIP', false,
                '{{\"filter\": {{\"title_contains\": \"{CANARY}\"}}}}') ON CONFLICT DO NOTHING;
        INSERT INTO batches (id, organization_id, kind, filter, options, state, plan)
            VALUES (gen_random_uuid(), '{tenant}', 'EXPORT', '{{\"tags\": [\"{CANARY}\"]}}', '{{}}', 'DONE', '{{}}');
        INSERT INTO remembered_people (organization_id, label_key, person_id)
            SELECT '{tenant}', '{}', person_id FROM participants
            WHERE conversation_id = '{conversation}' AND person_id IS NOT NULL ON CONFLICT DO NOTHING;",
        CANARY.to_lowercase()
    ))
    .await;
}

/// Tables that hold the word in any row of an organization, in any case.
async fn holding(db: &Database, tenant: Tenant, word: &str) -> BTreeSet<String> {
    let tables = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind = 'r'";
    let mut holding = BTreeSet::new();
    for row in db.sql.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        let of = match table.as_str() {
            "insights" => format!(
                "SELECT 1 FROM insights t JOIN analyses a ON a.id = t.analysis_id WHERE a.organization_id = '{}'",
                tenant.0
            ),
            table if has_column(db, table, "organization_id").await => {
                format!("SELECT 1 FROM {table} t WHERE organization_id = '{}'", tenant.0)
            }
            table => format!("SELECT 1 FROM {table} t WHERE true"),
        };
        let sql =
            format!("SELECT count(*) FROM ({of} AND lower(t::text) LIKE '%{}%') x", word.to_lowercase());
        if db.number(&sql).await > 0 {
            holding.insert(table);
        }
    }
    holding
}

async fn has_column(db: &Database, table: &str, column: &str) -> bool {
    let sql = format!(
        "SELECT count(*) FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = '{table}' AND column_name = '{column}'"
    );
    db.number(&sql).await > 0
}

fn new_erasure(kind: ErasureKind, subject_id: Uuid) -> NewErasure {
    NewErasure { id: ErasureId(id()), kind, subject_id, actor_id: None }
}

async fn find(db: &Database, tenant: Tenant, id: ErasureId) -> Erasure {
    ErasureStore::find(&db.store, tenant, &[id]).await.unwrap().pop().unwrap()
}

/// As the mutation and its job do it.
async fn erase(db: &Database, tenant: Tenant, person: PersonId) -> Erasure {
    let new = new_erasure(ErasureKind::Person, person.0);
    let payload = Payload::Erasure { erasure_id: new.id };
    let job = NewJob::new(id(), JobKind::ErasePerson, Some(tenant.0), payload);
    let follow = Follow { jobs: vec![job], events: Vec::new() };
    ErasureStore::begin(&db.store, tenant, new, person, follow, entry(tenant)).await.unwrap();
    let job = claimed(db).await;
    for conversation in db.store.unredacted(tenant, new.id, 100).await.unwrap() {
        db.store.redact(tenant, new.id, conversation, Follow::default()).await.unwrap();
    }
    db.store.settle(tenant, new.id, job.claim, SETTLED).await.unwrap();
    find(db, tenant, new.id).await
}

async fn claimed(db: &Database) -> ClaimedJob {
    let found = claim(&db.store, Queue::Batch, 10).await;
    found.into_iter().find(|job| job.kind == JobKind::ErasePerson).unwrap()
}

async fn texts(db: &Database, id: ConversationId) -> Vec<String> {
    let sql =
        format!("SELECT text FROM segments WHERE conversation_id = '{id}' ORDER BY sequence, valid_from");
    db.sql.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn somebody_who_is_erased_is_in_no_row_of_any_table_and_nobody_else_is_touched() {
    let Some(db) = Database::new().await else { return };
    let (org, other) = (organization(&db.store).await, organization(&db.store).await);
    let canary = person(&db, org.tenant, CANARY).await;
    let theirs = person(&db, other.tenant, CANARY).await;
    let mut talks = Vec::new();
    for (org, canary) in [(&org, canary), (&other, theirs)] {
        let new = talk(&db, org, canary).await;
        spread(&db, org, &new).await;
        edit(&db, org, &new).await;
        talks.push(new);
    }
    let before = holding(&db, org.tenant, CANARY).await;
    for table in [
        "segments",
        "jobs",
        "insights",
        "saved_searches",
        "revisions",
        "people",
        "tags",
        "batches",
        "schedules",
    ] {
        assert!(before.contains(table), "{table}: {before:?}");
    }
    let (mine, held) = (talks[0].conversation.id, holding(&db, other.tenant, CANARY).await);
    let versions = format!("SELECT version FROM conversations WHERE id = '{mine}'");
    let version = db.number(&versions).await;

    let erasure = erase(&db, org.tenant, canary).await;
    assert_eq!(holding(&db, org.tenant, CANARY).await, BTreeSet::new());
    assert_eq!(holding(&db, other.tenant, CANARY).await, held, "another organization's stays");
    assert_eq!(holding(&db, org.tenant, "debts").await, BTreeSet::new(), "what they said in a past revision");
    assert!(db.number(&versions).await > version);
    assert_eq!(erasure.state, ErasureState::Sweeping);
    let removed = erasure.removed;
    assert_eq!((removed.conversations, removed.segments, removed.labels, removed.jobs), (1, 4, 2, 2));
    assert_eq!((removed.analyses, removed.tags), (1, 1));
    assert!(removed.passages > 0 && removed.vectors > 0 && removed.settings > 3, "{removed:?}");

    let keys: Vec<_> = talks.iter().map(|talk| talk.conversation.object_key.clone()).collect();
    assert_eq!(
        db.store.erased_objects(SCOPE, &keys).await.unwrap(),
        keys[..1],
        "bytes that come back are swept"
    );
    assert_eq!(db.store.known_objects(SCOPE, &keys).await.unwrap().len(), 2);

    let said = texts(&db, mine).await;
    assert_eq!(&said[..4], ["Welcome, [erased]!", "Welcome!", "[erased]", "[erased]"]);
    assert!(said.contains(&"The harbour is frozen.".to_owned()));
    let talk = db.store.find_talk(org.tenant, mine).await.unwrap().unwrap();
    assert_eq!(talk.participants[1].label, "[erased]");
    let now = ConversationStore::find(&db.store, org.tenant, &[mine]).await.unwrap().pop().unwrap();
    assert_eq!(
        (now.title.as_str(), now.file_name.as_deref()),
        ("Talk with [erased]", Some("[erased]_1.vtt"))
    );
    assert_eq!(
        (now.external_id, now.report.speakers),
        (None, vec!["Coach".to_owned(), "[erased]".to_owned()])
    );
    let cut = format!(
        "SELECT count(*) FROM passages WHERE conversation_id = '{mine}' AND revision = 4 AND text LIKE '%frozen%'"
    );
    assert_eq!(db.number(&cut).await, 1, "what is left is found");
    assert_eq!(
        db.text("SELECT groups::text FROM synonyms ORDER BY groups::text LIMIT 1").await.unwrap(),
        "[[\"Quillonbrax\", \"Quill\"], [\"pay\", \"salary\"]]"
    );
}

#[tokio::test]
async fn what_belongs_to_somebody_of_the_same_name_stays() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (gone, stays) = (person(&db, org.tenant, CANARY).await, person(&db, org.tenant, "quillonbrax").await);
    let (mine, theirs) = (talk(&db, &org, gone).await, talk_again(&db, &org, stays).await);
    spread(&db, &org, &theirs).await;
    erase(&db, org.tenant, gone).await;
    assert!(texts(&db, mine.conversation.id).await.contains(&"[erased]".to_owned()));
    assert!(!texts(&db, theirs.conversation.id).await.contains(&"[erased]".to_owned()));
    let holding = holding(&db, org.tenant, CANARY).await;
    assert!(
        ["saved_searches", "synonyms", "people"].iter().all(|table| holding.contains(*table)),
        "{holding:?}"
    );
}

async fn talk_again(db: &Database, org: &Org, canary: PersonId) -> NewConversation {
    db.execute("UPDATE conversations SET external_id = NULL").await;
    talk(db, org, canary).await
}

#[tokio::test]
async fn of_several_each_is_told_apart_and_somebody_else_in_the_same_talk_keeps_what_they_said() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (canary, coach) = (person(&db, org.tenant, CANARY).await, person(&db, org.tenant, "The Coach").await);
    let new = talk(&db, &org, canary).await;
    let of_coach = Participant { person_id: Some(coach), ..new.participants[0].clone() };
    let tie = NewEdit { changed: vec![of_coach], ..new_edit(new.conversation.id, 3, RevisionKind::Tie) };
    RevisionStore::write(&db.store, org.tenant, &tie, Follow::default(), None).await.unwrap();
    erase(&db, org.tenant, canary).await;
    let said = texts(&db, new.conversation.id).await;
    assert_eq!((said[1].as_str(), said[2].as_str()), ("[erased]", "The harbour is frozen."));
    erase(&db, org.tenant, coach).await;
    assert!(texts(&db, new.conversation.id).await.iter().all(|text| text == "[erased]"));
    let talk = db.store.find_talk(org.tenant, new.conversation.id).await.unwrap().unwrap();
    let labels: Vec<_> = talk.participants.iter().map(|one| one.label.as_str()).collect();
    assert_eq!(labels, ["[erased 1]", "[erased]"]);
}

#[tokio::test]
async fn who_works_on_the_text_of_before_can_write_nothing_of_it() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let canary = person(&db, org.tenant, CANARY).await;
    let new = talk(&db, &org, canary).await;
    let conversation = new.conversation.id;
    let payload = Payload::Revision { conversation_id: conversation, revision: 2 };
    let job = NewJob::new(id(), JobKind::IngestConversation, Some(org.tenant.0), payload);
    db.store.enqueue(SCOPE, vec![job]).await.unwrap();
    let running = claim(&db.store, Queue::Ingest, 10).await.into_iter().next().unwrap();
    let old = cut(&db.store.find_talk(org.tenant, conversation).await.unwrap().unwrap());

    let erasure = erase(&db, org.tenant, canary).await;
    assert_eq!(erasure.removed.restarted, 1);
    let late = db.store.replace(org.tenant, running.claim, conversation, 2, &old, Follow::default()).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
    let mut segment = new.segments[1].clone();
    segment.text = CANARY.to_owned();
    let edit = NewEdit {
        reverted_to: Some(1),
        ended: vec![segment.id],
        segments: vec![segment],
        ..new_edit(conversation, 3, RevisionKind::Revert)
    };
    let late = RevisionStore::write(&db.store, org.tenant, &edit, Follow::default(), None).await;
    assert_eq!(late.unwrap_err().code(), "ERASED_MEANWHILE");
    assert_eq!(holding(&db, org.tenant, CANARY).await, BTreeSet::new());
    assert_eq!(claim(&db.store, Queue::Ingest, 10).await.len(), 1, "the job begins again");
    db.execute("UPDATE conversations SET erased_at = now() - interval '2 minutes'").await;
    RevisionStore::write(&db.store, org.tenant, &edit, Follow::default(), None).await.unwrap();

    // What came back nevertheless goes with the sweep.
    db.execute(&format!(
        "INSERT INTO vectors (organization_id, model, text_hash, vector)
        SELECT '{}', 'm', unnest(text_hashes), 'x' FROM erasure_conversations",
        org.tenant.0
    ))
    .await;
    let sweep = db.store.to_sweep(org.tenant, SETTLED, 10).await.unwrap();
    assert!(sweep.is_empty(), "while a job cuts it: {sweep:?}");
    db.execute("UPDATE jobs SET state = 'DONE'").await;
    let sweep = db.store.to_sweep(org.tenant, SETTLED, 10).await.unwrap();
    assert_eq!((sweep.len(), sweep[0].is_last), (1, false));
    let again = db.store.redact_again(org.tenant, erasure.id, conversation, Follow::default());
    assert!(again.await.unwrap());
    assert!(!db.store.redact_again(org.tenant, erasure.id, conversation, Follow::default()).await.unwrap());
    assert_eq!(holding(&db, org.tenant, CANARY).await, BTreeSet::new());
    assert_eq!(db.number("SELECT count(*) FROM vectors").await, 0);
    db.store.swept(org.tenant, &sweep, SETTLED).await.unwrap();
    assert_eq!(find(&db, org.tenant, erasure.id).await.state, ErasureState::Sweeping);
    assert!(db.store.to_sweep(org.tenant, SETTLED, 10).await.unwrap().is_empty());
    let last = db.store.to_sweep(org.tenant, Duration::ZERO, 10).await.unwrap();
    db.store.swept(org.tenant, &last, Duration::ZERO).await.unwrap();
    let done = find(&db, org.tenant, erasure.id).await;
    assert_eq!((done.state, done.sweeps), (ErasureState::Done, 2));
    assert!(done.removed.came_back > 0 && done.finished_at.is_some());
    assert_eq!(db.number("SELECT count(*) FROM erasure_conversations").await, 0);
}

#[tokio::test]
async fn of_a_deleted_conversation_nothing_is_left_but_its_erasure() {
    let Some(db) = Database::new().await else { return };
    let (org, other) = (organization(&db.store).await, organization(&db.store).await);
    let mut talks = Vec::new();
    for org in [&org, &other] {
        let somebody = person(&db, org.tenant, "Somebody").await;
        let new = talk(&db, org, somebody).await;
        db.execute(&format!("INSERT INTO vectors (organization_id, model, text_hash, vector)
            SELECT organization_id, 'm', text_hash, 'x' FROM passages WHERE conversation_id = '{0}';
            UPDATE jobs SET errors = '[{{\"attempt\": 1, \"at\": \"2026-01-01T00:00:00Z\", \"message\": \"{CANARY}\"}}]'
            WHERE conversation_id = '{0}'", new.conversation.id)).await;
        talks.push(new.conversation.id);
    }
    let new = new_erasure(ErasureKind::Conversation, talks[0].0);
    ConversationStore::delete(
        &db.store,
        org.tenant,
        talks[0],
        None,
        new,
        Follow::default(),
        Some(entry(org.tenant)),
    )
    .await
    .unwrap()
    .unwrap();
    assert_eq!(holding(&db, org.tenant, CANARY).await, BTreeSet::new());
    assert!(holding(&db, other.tenant, CANARY).await.len() > 4);
    let erasure = find(&db, org.tenant, new.id).await;
    assert_eq!(
        (erasure.kind, erasure.removed.conversations, erasure.removed.jobs),
        (ErasureKind::Conversation, 1, 1)
    );
    assert!(erasure.removed.vectors > 0 && erasure.removed.segments == 6, "{:?}", erasure.removed);
    assert!(ErasureStore::find(&db.store, other.tenant, &[new.id]).await.unwrap().is_empty());

    // On the list outside it leads to what is back, of its own organization.
    let unlisted = db.store.unlisted(SCOPE, 10).await.unwrap();
    assert_eq!(unlisted.iter().map(|one| one.subject_id).collect::<Vec<_>>(), [talks[0].0]);
    db.store.listed(SCOPE, &[new.id]).await.unwrap();
    assert!(db.store.unlisted(SCOPE, 10).await.unwrap().is_empty());
    let listed = |tenant: Tenant, subject: ConversationId| Listed {
        organization_id: tenant.0,
        subject_id: subject.0,
        ..unlisted[0]
    };
    let back = [listed(org.tenant, talks[0]), listed(org.tenant, talks[1]), listed(other.tenant, talks[1])];
    assert_eq!(db.store.back(SCOPE, &back).await.unwrap(), [back[2]]);
}

#[tokio::test]
async fn every_column_that_could_hold_a_name_has_an_answer() {
    let Some(db) = Database::new().await else { return };
    let sql = "SELECT c.table_name::text, c.column_name::text FROM information_schema.columns c
        JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
            AND c.table_name <> '__diesel_schema_migrations'
            AND (c.udt_name IN ('text', 'jsonb', 'json', 'bytea', 'varchar', 'bpchar', 'xml', 'hstore')
                OR c.udt_name IN ('_text', '_jsonb', '_json', '_bytea', '_varchar'))";
    let found = db.sql.query(sql, &[]).await.unwrap();
    let found: BTreeSet<(String, String)> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
    let of = |(table, columns): &(&str, &[(&str, colloquy_postgres::Fate)])| {
        columns.iter().map(|(column, _)| ((*table).to_owned(), (*column).to_owned())).collect::<Vec<_>>()
    };
    let known: BTreeSet<_> = COLUMNS.iter().flat_map(of).collect();
    let missing: Vec<_> = found.difference(&known).collect();
    assert!(
        missing.is_empty(),
        "say in erasures/words.rs what becomes of {missing:?} when somebody is erased"
    );
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "no such columns: {gone:?}");
}
