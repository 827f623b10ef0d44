//! What every search engine must do, as functions over the ports, run here on the embedded ones. Each
//! function has organizations of its own, so all of them may run on one index at once.

#![allow(clippy::unwrap_used, reason = "a test ends where something is amiss")]

mod fixtures;
mod text;
mod vectors;

use colloquy_embedded::{EmbeddedIndex, EmbeddedSettings, Identity};
use fixtures::World;
use tempfile::TempDir;
use uuid::Uuid;

async fn open(change: impl FnOnce(&mut EmbeddedSettings)) -> (EmbeddedIndex, TempDir) {
    let dir = TempDir::new().unwrap();
    let mut settings = EmbeddedSettings::new(dir.path(), fixtures::DIMENSIONS);
    settings.vector_map_bytes = 4 << 30;
    change(&mut settings);
    let identity = Identity { generation: 1, log_id: Uuid::nil(), model: "test".into() };
    let index = EmbeddedIndex::open(settings, identity).await.unwrap().into_index();
    (index, dir)
}

macro_rules! conformance {
    ($port:ident: $($name:ident),+ $(,)?) => {
        mod $port {
            $(
                #[tokio::test]
                async fn $name() {
                    let (index, _dir) = super::open(|_defaults| {}).await;
                    crate::$port::$name(&*index.$port(), &super::World::new(stringify!($name))).await;
                    index.close().await;
                }
            )+
        }
    };
}

mod embedded {
    use super::{World, open};

    conformance!(text:
        words_match_in_any_form,
        any_word_will_do_and_more_rank_higher,
        no_word_is_too_common,
        words_of_several_terms_stand_together,
        phrases_match_as_they_stand,
        what_is_not_wanted_is_left_out,
        unspaced_scripts_are_found_by_any_part,
        each_filter_narrows,
        filters_combine,
        tenants_never_see_each_other,
        a_tenant_cannot_touch_anothers_conversation,
        later_versions_win,
        hits_say_which_revision_they_are_of,
        the_same_version_may_be_written_again,
        a_removed_conversation_stays_out,
        a_limit_cuts_the_same_list,
        the_whole_is_what_every_word_once_scores,
        equal_scores_have_one_order,
        highlights_show_what_matched,
        odd_text_does_no_harm,
    );

    conformance!(vectors:
        nearest_come_first_and_score_is_cosine,
        each_filter_narrows,
        tenants_never_see_each_other,
        a_tenant_cannot_touch_anothers_conversation,
        later_versions_win,
        hits_say_which_revision_they_are_of,
        the_same_version_may_be_written_again,
        facets_change_while_vectors_stay,
        a_removed_conversation_stays_out,
        an_organization_may_lose_all_and_begin_again,
        vectors_of_another_length_are_refused,
        a_vector_of_nothing_is_near_to_nothing,
        filters_are_exact_against_brute_force,
    );

    /// The same, with the graph in play where few vectors would be compared one by one.
    #[tokio::test]
    async fn the_graph_finds_what_brute_force_finds() {
        let (index, _dir) = open(|settings| settings.graph_step_cost = 0).await;
        let world = World::new("graph");
        crate::vectors::filters_are_exact_against_brute_force(&*index.vectors(), &world).await;
    }

    #[tokio::test]
    async fn the_graph_stays_good_while_conversations_come_and_go() {
        let (index, _dir) = open(|settings| settings.graph_step_cost = 0).await;
        crate::vectors::recall_survives_churn(&*index.vectors(), &World::new("churn")).await;
    }
}
