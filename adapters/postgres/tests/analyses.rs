//! Analyses and insights.

use colloquy_domain::{
    analysis::{Details, Evidence, Insight, InsightKind, Measures},
    events::{EventKind, NewEvent, Stage},
    ids::{AnalysisId, ClaimToken, ConversationId, InsightId, SegmentId},
    jobs::{Claim, JobKind, Queue},
    money::MicroDollars,
    ports::{
        jobs::{Follow, Ledger},
        store::analyses::{Analysis, AnalysisStore},
    },
    time::Millis,
};

use crate::support::{
    Database,
    fixtures::{SCOPE, claim, id, imported, job_of, now, organization},
};

fn analysis(conversation_id: ConversationId, key: u8) -> Analysis {
    Analysis {
        id: AnalysisId(id()),
        conversation_id,
        revision: 1,
        analyzer: "extractive".to_owned(),
        analyzer_version: 1,
        key: [key; 32],
        measures: Measures { words: 1_234, ..Measures::default() },
        created_at: now(),
    }
}

fn insight(text: &str) -> (InsightId, Insight) {
    let evidence = Evidence {
        segment_ids: vec![SegmentId(id())],
        quote: text.to_owned(),
        start_ms: Some(Millis(5)),
        end_ms: None,
    };
    let insight = Insight {
        kind: InsightKind::ActionItem,
        text: text.to_owned(),
        participant_id: None,
        score: Some(0.1),
        details: Details::ActionItem { owner: Some("Ada".to_owned()), due: None },
        evidence: vec![evidence],
    };
    (InsightId(id()), insight)
}

#[tokio::test]
async fn an_analysis_is_kept_once_under_its_key_with_its_insights_in_order() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let conversation = imported(&db.store, org.tenant, 3).await.conversation.id;
    let jobs = (0..3).map(|_| job_of(org.tenant, JobKind::AnalyzeConversation, conversation)).collect();
    db.store.enqueue(SCOPE, jobs).await.unwrap();
    let claimed = claim(&db.store, Queue::Analyze, 3).await;
    let kept = analysis(conversation, 1);
    let insights = vec![insight("send the offer"), insight("call on Friday")];
    let follow = |analysis_id| Follow {
        jobs: Vec::new(),
        events: vec![NewEvent {
            organization_id: org.tenant.0,
            kind: EventKind::Progress {
                conversation_id: conversation,
                revision: 1,
                stage: Stage::Analyzed,
                job_id: None,
                analysis_id: Some(analysis_id),
            },
        }],
    };
    let insert = async |claim, analysis: &Analysis| {
        AnalysisStore::insert(
            &db.store,
            org.tenant,
            claim,
            analysis,
            &insights,
            follow(analysis.id),
            MicroDollars::ZERO,
        )
        .await
    };
    let forged = Claim { token: ClaimToken(id()), ..claimed[0].claim };
    assert_eq!(insert(forged, &kept).await.unwrap_err().code(), "CLAIM_LOST");
    assert!(db.store.find_by_key(org.tenant, kept.key).await.unwrap().is_none());
    insert(claimed[0].claim, &kept).await.unwrap();
    // The same key again completes the job and writes nothing else.
    insert(claimed[1].claim, &analysis(conversation, 1)).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM jobs WHERE state = 'DONE'").await, 2);
    assert_eq!(db.number("SELECT count(*) FROM insights").await, 2);
    assert_eq!(db.number("SELECT count(*) FROM events WHERE detail->>'stage' = 'ANALYZED'").await, 1);

    assert_eq!(db.store.find_by_key(org.tenant, kept.key).await.unwrap().as_ref(), Some(&kept));
    assert_eq!(
        AnalysisStore::find(&db.store, org.tenant, &[kept.id]).await.unwrap(),
        std::slice::from_ref(&kept)
    );
    let found = db.store.insights(org.tenant, &[kept.id]).await.unwrap();
    let expected: Vec<_> = insights.iter().map(|(id, one)| (kept.id, *id, one.clone())).collect();
    assert_eq!(found, expected);

    let newer = analysis(conversation, 2);
    let nothing = Follow::default();
    let insights = [insight("send it again")];
    AnalysisStore::insert(
        &db.store,
        org.tenant,
        claimed[2].claim,
        &newer,
        &insights,
        nothing,
        MicroDollars::ZERO,
    )
    .await
    .unwrap();
    let current = async || db.store.current(org.tenant, &[conversation]).await.unwrap();
    assert_eq!(current().await, std::slice::from_ref(&newer));

    // Who somebody is changes nothing that was said; another text makes the analysis stale, and it stays.
    db.execute(
        "UPDATE conversations SET revision = 2; INSERT INTO revisions (conversation_id, number, organization_id, kind,
            created_at) SELECT id, 2, organization_id, 'TIE', now() FROM conversations",
    )
    .await;
    let stale = async |tenant| db.store.stale(tenant, &[kept.id, newer.id]).await.unwrap();
    assert!(stale(org.tenant).await.is_empty());
    db.execute("UPDATE revisions SET kind = 'EDIT_SEGMENT' WHERE number = 2").await;
    assert_eq!(stale(org.tenant).await.len(), 2);
    assert!(stale(organization(&db.store).await.tenant).await.is_empty());
    assert_eq!(current().await, [newer]);
}
