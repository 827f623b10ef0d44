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

pub async fn words_near_to_one_are_those_of_ones_own_passages(index: Index<'_>, world: &World) {
    let texts =
        ["The budget of the buget, the budget", "büdget and badge", "gadget, budgets", "budget budge 予算"];
    put(index, world, 0, &texts).await;
    put(index, world, 1, &["бюджет проекта"]).await;
    let passages = world.passages(2, &["bidget budgie", "bidget budgie", "bidget"]);
    index.replace(world.tenant(1), 1, world.facets(2), passages).await.unwrap();

    let near = |word: &str, distance| WordsLike::Near { word: word.to_owned(), distance };
    let own = async |word: &str, distance| words(index, world, 0, &near(word, distance), 10).await;
    assert_eq!(own("budgte", 1).await, told(&[("budget", 3), ("budge", 1)]));
    assert_eq!(own("fudget", 1).await, told(&[("budget", 3)]), "the first letter may be wrong");
    assert_eq!(own("budget", 1).await, told(&[("budge", 1), ("budgets", 1), ("buget", 1)]), "not itself");
    let all = [("budget", 3), ("buget", 1), ("budge", 1), ("budgets", 1)];
    assert_eq!(own("bugdet", 2).await, told(&all), "the nearest first, then those of the most passages");
    assert_eq!(words(index, world, 0, &near("bugdet", 2), 1).await, told(&all[..1]));
    assert_eq!(own("бюджэт", 1).await, told(&[("бюджет", 1)]), "a letter of any script is one letter");
    for none in ["bidgie", "bxdgxt", "", ".*", "bud*", &"b".repeat(900)] {
        assert_eq!(own(none, 1).await, [], "{none}");
    }
    assert_eq!(words(index, world, 1, &near("budget", 1), 10).await, told(&[("bidget", 3)]));
    assert_eq!(words(index, world, 2, &near("budgte", 1), 10).await, [], "of one who has nothing");
    assert_eq!(words(index, world, 0, &near("budgte", 1), 0).await, []);

    index.replace(world.tenant(0), 2, world.facets(0), world.passages(0, &["a buget"])).await.unwrap();
    assert_eq!(own("budgte", 2).await, told(&[("buget", 1)]), "what is gone is near to nothing");
}
