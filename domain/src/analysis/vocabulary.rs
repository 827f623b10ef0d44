//! The English words that carry no subject, by what they are good for. Lists of our own, for speech rather
//! than prose.

use std::{collections::HashSet, sync::LazyLock};

use super::phrases::{FixedHash, Phrases};

pub(super) type Words = LazyLock<HashSet<&'static str, FixedHash>>;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $list:expr;)+) => {$(
        $(#[$doc])*
        pub(super) static $name: Words = LazyLock::new(|| $list.split_whitespace().collect());
    )+};
}

words! {
    /// Frequent in English and rare in every other language we may meet.
    ENGLISH_MARKERS = "the and that you it with have this what they not for are but my your just would there about know
        think i'm it's don't yeah which because can from how when i'll we're you're that's let's he's she's we'll were been
        our their could should who going very these those than then well will did does had has if where why more some
        also only them his her him got really want need";
    /// Grammar: these never stand in a phrase.
    FUNCTION_WORDS = "a about above across after again against all almost along already also although always am among an
        and another any anybody anyone anything anyway are aren't around as at away be because been before being below
        between both but by can can't cannot could couldn't did didn't do does doesn't doing don't done down during each
        either else enough even ever every everybody everyone everything few for from further had hadn't has hasn't have
        haven't having he he'd he'll he's her here hers herself him himself his how however i i'd i'll i'm i've if in into
        is isn't it it'd it'll it's its itself just least less let let's many may maybe me might mine more most much must
        my myself neither never no nobody none nor not nothing now of off on once one ones only onto or other others our
        ours ourselves out over own per perhaps quite rather same shall she she'd she'll she's should shouldn't since so
        some somebody someone something sometimes somewhere soon still such than that that'd that'll that's the their
        theirs them themselves then there there'd there'll there's these they they'd they'll they're they've this those
        though through till to together too toward towards under unless until up upon us very was wasn't we we'd we'll
        we're we've were weren't what what'd what'll what's whatever when whenever where where's wherever whether which
        whichever while who who'd who'll who's whoever whole whom whose why will with within without won't would wouldn't
        yet you you'd you'll you're you've your yours yourself yourselves ain't gonna gotta wanna kinda sorta cos cause
        coz 'cause ll ve re d s t m two three four five six seven eight nine ten first second third last next";
    /// Talk about talk, and words too general to say what a talk was about.
    TALK_WORDS = "well able absolutely actual actually add agree ago ahead alright amazing answer apparently ask asked asking
        awesome back bad basically become began begin believe best better big bit bring brought bunch call called came case
        certain certainly chance change changed cheers clear clearly close come comes coming completely consider cool correct
        couple course curious day days deal decide decided definitely depending did different difficult easy effectively end
        ended entire especially eventually exactly example excellent excited experience explain extra fact fair fairly fall
        feel feeling feels felt figure fine find finally folks form forward found front full fun funny gave generally get
        gets getting give given gives giving glad go goes going gone good got gotten great guess guy guys half hand happen
        happened happening happens happy hard hear heard hello help helped helpful helps hey hi high hold honest honestly
        hope hour hours huge huh idea imagine important inside instead interested interesting involved issue keep keeps kept
        kind kinds knew know knowing known knows large later learn learned leave left level life like liked likely line
        listen literally little live long longer look looked looking looks lot lots love low made main mainly make makes
        making man massive matter mean means meant mention mentioned middle mind minute minutes moment month months morning
        move moved moving na name near nearly necessarily need needed needs new nice no nope normal normally note number
        obviously okay ok old open opposed order particular particularly part parts pass past people perfect period person
        personally pick piece place play please plus point points possible possibly potentially pretty previous previously
        probably problem put puts quick quickly question questions ran read ready real really reason reasons recently
        regular remember rest result right round run running said saw say saying says see seeing seem seems seen sense sent
        serious set several share short show showed side similar simple simply single sit situation slightly small sometimes
        somehow sorry sort sorts sound sounds space speak speaking specific specifically spend spent spot stage stand start
        started starting starts state stay step steps stick stop story stuff suddenly sudden super suppose supposed sure
        take taken takes taking talk talked talking tell telling term terms thank thanks thing things think thinking thought
        thoughts throw thus time times today told tomorrow tonight took top topic total totally tough tried true truly try
        trying turn turned type types typically uh um umm uhm er erm ah oh hm hmm mm mhm huh wow understand understood
        use used useful using usual usually various version wait walk wanted wanting want wants watch way ways week weeks
        welcome went wonder wonderful wondering word words work worked working works world worry worse worst worth write
        wrong yeah year years yep yes yesterday yup zero kay 'kay da la ha haha gosh god bye hundred thousand million
        percent plenty loads tons monday tuesday wednesday thursday friday saturday sunday january february march april may
        june july august september october november december afternoon evening night weekend early late recent current
        currently key overall sitting sat obvious proper properly whatnot etc cetera anyways everyday gap ways happens speaker
        wrote written writes writing send sends sending fixed twice eleven twelve thirteen fourteen fifteen sixteen seventeen
        eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety fourth fifth sixth seventh eighth ninth tenth
        dozen enjoy enjoyed happier buy bought sell sold paid built build building forget forgot stood stopped opened closed
        wish afraid worried honestly sir madam mister miss mr mrs ms dr easier harder bigger smaller faster slower higher
        lower older younger stronger closer further biggest hardest easiest fastest greatest longest";
    /// Two letters that are a word, and no false start.
    SHORT_WORDS = "ai ui ux ci cd qa hr ml db os tv vc pr id ip js";
    /// Hesitations, which are fillers wherever they stand.
    HESITATIONS = "um umm uhm uh uhh er err erm hm hmm";
    /// What people say before what they say.
    LEADS = "so okay ok yeah yes yep and but well alright um umm uhm uh uhh er erm hm hmm mm mhm oh ah anyway
        basically actually honestly kay";
    /// What turns a meaning round.
    NEGATIONS = "not no never don't doesn't didn't isn't aren't wasn't weren't won't wouldn't can't cannot couldn't
        shouldn't haven't hasn't hadn't nobody nothing none neither nor without hardly barely ain't";
}

static LEAD_PHRASES: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::new("i mean | you know | i think | i guess | you see | of course | so yeah"));

/// How many words at the start say nothing: "Okay, so um".
pub(super) fn lead_length(words: &[&str]) -> usize {
    let mut place = 0;
    while place < words.len() {
        if LEADS.contains(words[place]) {
            place += 1;
        } else if let Some(length) = LEAD_PHRASES.at(words, place).filter(|_| place > 0) {
            place += length;
        } else {
            break;
        }
    }
    place
}

/// Whether a word says something about the subject.
pub(super) fn is_content(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    (letters > 2 || SHORT_WORDS.contains(word))
        && !FUNCTION_WORDS.contains(word)
        && !TALK_WORDS.contains(word)
}
