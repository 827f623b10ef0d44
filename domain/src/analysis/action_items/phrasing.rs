//! How people promise, ask for and plan work in English, and how they only seem to.

use std::sync::LazyLock;

use crate::analysis::{phrases::Phrases, vocabulary::Words};

pub(super) static I_WILL: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "i'll | i will | i'm going to | i am going to | i'm gonna | i promise to | i commit to |
         i'm committing to | i'm happy to | i'd be happy to | i can",
    )
});
/// Less than a promise: these count with a firm date only.
pub(super) static I_SHOULD: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "i need to | i have to | i've got to | i should | i want to | i plan to | i must | my plan is to",
    )
});
pub(super) static WILL_YOU: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "can you | could you | would you | will you | please | i want you to | i'd like you to |
         i would like you to | i need you to | remember to | don't forget to | do you mind |
         would you mind",
    )
});
pub(super) static YOU_SHOULD: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new("you'll | you will | you're going to | you should | you need to | you have to")
});
pub(super) static WE_WILL: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "we need to | we have to | we should | we must | we'll | we will | we're going to |
         we are going to | let's | someone needs to | somebody needs to | someone should |
         somebody should",
    )
});
pub(super) static NAMED_WILL: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "will | is going to | to | should | needs to | can you | could you | would you | will you |
         please",
    )
});
pub(super) static MARKER: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new("action item | action items | next step | next steps | todo | homework | follow-up item")
});
/// Between a subject and its verb.
pub(super) static ASIDES: Words = LazyLock::new(|| {
    "also then just definitely probably actually quickly personally maybe please still now try to go ahead and both make
     sure certainly happily at least"
        .split_whitespace()
        .collect()
});
/// Verbs of work: a promise with one of them needs no date.
pub(super) static WORK: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "send | sending | email | e-mail | forward | circulate | draft | schedule | reschedule | book |
         prepare | review | update | share | submit | file | arrange | organize | organise |
         investigate | document | upload | publish | deploy | rewrite | revise | finalize | finalise |
         handle | order | contact | invite | message | ping | chase | coordinate | collect | summarize |
         summarise | follow up | get back to | circle back | look into | set up | put together |
         write up | write it up | write that up | write this up | write down | write out | sign up |
         reach out | double-check | take care of | take this one | take that one | own that | own it |
         own the | reply | respond | print | post | open a | create a | raise a | add a | add it |
         add that | pull the | pull together | run the | talk to | speak to | check with |
         check in with | confirm | write the | write a | fix | introduce you | put you in touch |
         put it | put that | clean up | test it | note that down | dig up | dig out | bring the |
         rehearse | practise | practice | block out | block | track | measure | log | apply | call | ask",
    )
});
/// Of the verbs of work, those a whole group means when it says them.
pub(super) static GROUP_WORK: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "send | email | circulate | draft | schedule | reschedule | book | follow up | set up |
         arrange | submit | update | document | write up | reach out | put together | finalize |
         finalise | check with | prepare | review | invite | order | publish",
    )
});
/// Verbs that announce no work, even with a date.
pub(super) static NO_WORK: Words = LazyLock::new(|| {
    "be been see have know say says never not admit tell bet assume guess feel want need like love miss think believe always
     remember forget understand get i you we they it that the a say let stop leave wait become turn end suppose mention point
     only explain describe imagine hear hope give keep go come live die really all so do did kind sort look start begin
     probably hopefully don't hit continue notice find hold"
        .split_whitespace()
        .collect()
});
/// After a verb of work, these make it talk about the talk: "I'll share a story", "I'll ask you a question".
pub(super) static TALK_OBJECTS: Words = LazyLock::new(|| {
    "version story stories example examples screen thoughts experience question questions anecdote secret something perspective
     opinion idea quick myself yourself why how view feelings about anything few"
        .split_whitespace()
        .collect()
});
/// A habit, a story or a thought experiment, not a plan.
pub(super) static NOT_A_PLAN: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "sometimes | usually | often | whenever | typically | every time | each time | generally |
         every day | imagine | let's say | suppose | hypothetically | for example | for instance |
         in theory | he said | she said | they said | i said | he's like | she's like | i'm like |
         was like | i was | they'll | you know what | used to | would have | could have | should have |
         every year | most people | every single | back then | never mind | if i | years ago",
    )
});
pub(super) static ACCEPTS: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "yes | yeah | yep | sure | of course | absolutely | will do | okay | ok | no problem | i can |
         i'll | happy to | definitely | done | certainly | on it | consider it done | i will | right |
         gladly",
    )
});
