//! Pages of a list by words: each begins behind the last hit of the one before.

use colloquy_domain::{
    ports::search::{After, EngineHit},
    search::query::{SearchFilter, TextQuery},
};

use crate::{
    fixtures::World,
    text::{Index, put},
};

async fn page(index: Index<'_>, world: &World, after: Option<After>, limit: usize) -> Vec<EngineHit> {
    let query = TextQuery::parse("needle thread").unwrap();
    let found = index.page(world.tenant(0), &query, &SearchFilter::default(), after, limit).await;
    found.unwrap().hits
}

fn behind(hit: &EngineHit) -> After {
    After { score: hit.score, passage_id: hit.passage_id }
}

/// 2,400 passages of six scores.
async fn fill(index: Index<'_>, world: &World) {
    let texts: Vec<String> =
        (0..60).map(|n| format!("{}needle{}", "hay ".repeat(n % 3), [" thread", ""][n % 2])).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for n in 0..40 {
        put(index, world, n, &texts).await;
    }
}

pub async fn pages_leave_out_nothing_and_repeat_nothing(index: Index<'_>, world: &World) {
    fill(index, world).await;
    let whole = page(index, world, None, 5_000).await;
    assert_eq!(whole.len(), 2_400);
    let mut scores: Vec<u32> = whole.iter().map(|hit| hit.score.to_bits()).collect();
    scores.dedup();
    assert!(scores.len() < 10, "many are equal");
    for size in [700, 89] {
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let hits = page(index, world, after, size).await;
            after = hits.last().map(behind);
            let is_last = hits.len() < size;
            paged.extend(hits);
            assert!(paged.len() <= whole.len(), "it goes on for ever");
            if is_last {
                break;
            }
        }
        assert!(paged == whole, "pages of {size} are the list");
    }
}

pub async fn a_page_goes_on_behind_what_is_gone(index: Index<'_>, world: &World) {
    let texts = ["needle", "needle", "needle", "needle"];
    for n in 0..3 {
        put(index, world, n, &texts).await;
    }
    let whole = page(index, world, None, 100).await;
    assert_eq!(whole.len(), 12);
    // The last hit seen, as one that is not in the index, between the fifth and the sixth.
    let last = behind(&whole[4]);
    let bytes = last.passage_id.0.as_u128();
    let unknown =
        After { passage_id: colloquy_domain::ids::PassageId(uuid::Uuid::from_u128(bytes + 1)), ..last };
    assert_eq!(page(index, world, Some(unknown), 100).await, whole[5..]);
    assert_eq!(page(index, world, Some(After { score: last.score / 2.0, ..last }), 100).await, []);
    assert_eq!(page(index, world, Some(After { score: last.score * 2.0, ..last }), 100).await, whole);
    assert_eq!(page(index, world, Some(behind(&whole[11])), 100).await, []);
}
