//! Words of one organization's passages by how they look.

use colloquy_domain::ports::search::WordsLike;

use crate::{
    fixtures::World,
    text::{Index, put},
};

async fn words(
    index: Index<'_>,
    world: &World,
    tenant: u32,
    like: &WordsLike,
    limit: usize,
) -> Vec<(String, u64)> {
    let found = index.words(world.tenant(tenant), like, limit).await.unwrap();
    found.into_iter().map(|one| (one.value, one.count)).collect()
}

fn told(words: &[(&str, u64)]) -> Vec<(String, u64)> {
    words.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
}

pub async fn a_word_is_completed_by_those_of_ones_own_passages(index: Index<'_>, world: &World) {
    put(index, world, 0, &["The budget of the Büro, the budget", "a BUDGET", "budgets and bureaus", "bu."])
        .await;
    put(index, world, 1, &["Budgets again", "バス停 and 予算"]).await;
    let passages = world.passages(2, &["buccaneer buccaneer budget", "buccaneer", "bullion", "bullion"]);
    index.replace(world.tenant(1), 1, world.facets(2), passages).await.unwrap();

    let begins = |prefix: &str| WordsLike::Beginning(prefix.to_owned());
    let all = [("budget", 2), ("budgets", 2), ("bu", 1), ("bureaus", 1), ("buro", 1)];
    assert_eq!(words(index, world, 0, &begins("bu"), 10).await, told(&all));
    assert_eq!(words(index, world, 0, &begins("bu"), 2).await, told(&all[..2]), "those of the most passages");
    assert_eq!(words(index, world, 0, &begins("budgets"), 10).await, told(&[("budgets", 2)]));
    assert_eq!(words(index, world, 0, &begins("予"), 10).await, told(&[("予", 1)]));
    for none in ["buc", "bullion", "x", "", ".*", "b.", "budget|bullion", &"b".repeat(900)] {
        assert_eq!(words(index, world, 0, &begins(none), 10).await, [], "{none}");
    }
    assert_eq!(words(index, world, 1, &begins("b"), 2).await, told(&[("buccaneer", 2), ("bullion", 2)]));
    assert_eq!(words(index, world, 2, &begins("b"), 10).await, [], "of one who has nothing");
    assert_eq!(words(index, world, 0, &begins("bu"), 0).await, []);
}

pub async fn a_word_that_is_gone_completes_nothing(index: Index<'_>, world: &World) {
    put(index, world, 0, &["quartz quarry", "quarry"]).await;
    let like = WordsLike::Beginning("quar".to_owned());
    assert_eq!(words(index, world, 0, &like, 10).await, told(&[("quarry", 2), ("quartz", 1)]));
    index.replace(world.tenant(0), 2, world.facets(0), world.passages(0, &["quartz"])).await.unwrap();
    assert_eq!(words(index, world, 0, &like, 10).await, told(&[("quartz", 1)]));
    index.remove(world.tenant(0), world.conversation(0)).await.unwrap();
    assert_eq!(words(index, world, 0, &like, 10).await, []);
}
