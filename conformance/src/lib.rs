//! What every search engine must do, as functions over the ports: one suite for the embedded engines and for real
//! servers. It is code of tests and benchmarks, and nothing else may use it. Each function has organizations of its own, so most
//! of them may run on one index at once; those that look at scores want an index to themselves.

#![allow(clippy::unwrap_used, reason = "a test ends where something is amiss")]

mod counts;
pub mod fixtures;
pub mod languages;
pub mod made_up;
pub mod matching;
mod paging;
pub mod people;
pub mod text;
pub mod timing;
pub mod vectors;
mod words;

/// A test of each name: `$open` is an async function that is given the name, and gives an index and what is to be kept
/// until the test ends, or nothing where the test is left out.
#[macro_export]
macro_rules! suite {
    ($port:ident, $open:path: $($name:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let name = stringify!($name);
            let Some((index, kept)) = $open(name).await else { return };
            $crate::$port::$name(&*index, &$crate::fixtures::World::new(name)).await;
            drop(kept);
        }
    )+};
}

/// The tests of a full-text engine.
#[macro_export]
macro_rules! text_suite {
    ($open:path) => {
        $crate::suite!(text, $open:
            words_match_in_any_form,
            a_long_query_is_answered,
            any_word_will_do_and_more_rank_higher,
            no_word_is_too_common,
            words_of_several_terms_stand_together,
            phrases_match_as_they_stand,
            what_is_not_wanted_is_left_out,
            one_of_what_is_joined_must_stand_there,
            unspaced_scripts_are_found_by_any_part,
            each_filter_narrows,
            filters_combine,
            tenants_never_see_each_other,
            a_tenant_cannot_touch_anothers_conversation,
            later_versions_win,
            writers_that_race_leave_the_latest,
            a_removal_that_races_is_the_last,
            the_same_version_may_be_written_again,
            a_removed_conversation_stays_out,
            a_limit_cuts_the_same_list,
            the_whole_is_what_every_word_once_scores,
            equal_scores_have_one_order,
            pages_leave_out_nothing_and_repeat_nothing,
            a_page_goes_on_behind_what_is_gone,
            counts_are_of_what_matches_by_value,
            counts_ignore_their_own_filter_and_heed_the_others,
            passages_are_counted_between_bounds,
            nobody_counts_what_is_anothers,
            what_is_found_is_what_is_marked,
            odd_text_does_no_harm,
            a_word_is_completed_by_those_of_ones_own_passages,
            a_word_that_is_gone_completes_nothing,
            words_near_to_one_are_those_of_ones_own_passages,
        );
        $crate::suite!(languages, $open:
            each_language_finds_its_own_forms,
            a_stem_of_one_language_meets_no_others,
            words_of_unspaced_scripts_are_found_inside_running_text,
            what_runs_on_without_spaces_is_found_by_its_parts,
            a_word_is_as_rare_in_every_language,
            a_form_as_it_was_typed_ranks_first,
            another_language_is_another_reading,
            marks_go_by_the_language_of_the_text,
            one_thing_is_found_under_each_of_its_names,
        );
        $crate::suite!(matching, $open: what_matches_is_what_is_found);
        $crate::suite!(people, $open:
            a_person_is_found_where_they_speak,
            people_are_counted_and_ignore_their_own_filter,
        );
    };
}

/// How many tests [`text_suite`] makes, for whoever leaves them out.
pub const TEXT_TESTS: usize = 44;

/// The tests of a vector engine.
#[macro_export]
macro_rules! vector_suite {
    ($open:path) => {
        $crate::suite!(vectors, $open:
            nearest_come_first_and_score_is_cosine,
            each_filter_narrows,
            tenants_never_see_each_other,
            a_tenant_cannot_touch_anothers_conversation,
            later_versions_win,
            the_same_version_may_be_written_again,
            facets_change_while_vectors_stay,
            a_removed_conversation_stays_out,
            an_organization_may_lose_all_and_begin_again,
            vectors_of_another_length_are_refused,
            a_vector_of_nothing_is_near_to_nothing,
            filters_are_exact_against_brute_force,
        );
        $crate::suite!(people, $open: vectors_are_narrowed_by_who_speaks);
    };
}

/// How many tests [`vector_suite`] makes, for whoever leaves them out.
pub const VECTOR_TESTS: usize = 13;
