//! A small sentiment lexicon of our own for spoken English at work: words by strength. Words that in speech
//! mostly keep the talk going ("like", "well", "right", "kind", "pretty") are left out on purpose.

use std::{collections::HashMap, sync::LazyLock};

use super::phrases::FixedHash;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weight(pub(super) f32);

const STRONG_GOOD: &str = "amazing awesome brilliant excellent exceptional fantastic incredible outstanding perfect superb
    terrific thrilled wonderful love loved loves loving ecstatic delighted overjoyed phenomenal magnificent stunning
    spectacular marvelous marvellous flawless triumph masterpiece adore adored breathtaking exhilarating beautiful beautifully
    inspiring inspired passionate passion";
const GOOD: &str = "great happy happier happiest glad excited exciting excite proud success successful successfully succeed
    succeeded win winning won wins winner enjoy enjoyed enjoying enjoyable enjoys fun grateful gratitude thankful impressive
    impressed confident confidence delight delightful joy joyful best better improve improved improves improving improvement
    improvements progress achieve achieved achieving achievement achievements accomplish accomplished accomplishment
    celebrate celebrated celebrating celebration encouraging encouraged encourage supportive trust trusted trusting
    valuable relieved relief optimistic hopeful hope rewarding rewarded fulfilled fulfilling satisfied satisfying satisfaction
    productive creative energized energised energy motivated motivating motivation thrive thriving thrived strong stronger
    strength strengths praise praised recommend recommended pleased pleasure pleasant promising breakthrough remarkable
    generous kindness warm warmth empathy appreciate appreciated appreciates appreciation appreciative elegant favorite
    favourite fascinating healthy peaceful courage courageous brave bravely reliable robust smart clever talented talent
    gifted genuine genuinely honored honoured privileged blessed lucky charming cheerful harmony victory admire admired
    admiration empowering empowered empower smoothly seamless effortless thoughtful welcoming uplifting";
const SLIGHTLY_GOOD: &str = "good nice nicely fine helpful help helped helps useful clear clearly easy easier easily
    comfortable calm calmer cool interesting interested safe safer safely friendly fair stable solid benefit benefits
    beneficial positive positively agree agreed welcome smooth effective efficient advantage advantages opportunity
    opportunities ready able capable works thanks thank reassuring reassured steady decent reasonable manageable
    straightforward simple eager keen curious support supported supports growth growing learned gained gain respect
    respected respectful balanced fresh flexible resolved solved fixed ease relaxed relax rested hired promoted promotion";
const SLIGHTLY_BAD: &str = "problem problems issue issues hard harder difficult difficulty difficulties tough tricky slow
    slower slowly late delay delays delayed unclear confusing confused unsure doubt doubts doubtful concern concerns
    concerned complicated messy mess tired busy risk risks risky bug bugs missing missed lack lacking lacks weak weaker
    weakness weaknesses challenge challenges challenging awkward boring bored expensive unfortunately sorry complaint
    complaints complain complained annoying annoyed wrong mistake mistakes error errors cost limited limits uncertain
    uncertainty hesitant reluctant pressure strange weird worse skeptical sceptical unfamiliar unstable incomplete
    inconsistent disagree disagreed tension gap skip skipped stuck noisy fragile flaky costly blocked blocker rejected";
const BAD: &str = "bad badly worried worry worries worrying worrisome afraid fear fears fearful scared scary anxious anxiety
    nervous stress stressed stressful frustrated frustrating frustration frustrations upset sad sadly sadness unhappy
    disappointed disappointing disappointment angry anger fail failed failing fails failure failures struggle struggled
    struggles struggling suffer suffered suffering pain painful hurt hurts hurting lonely alone lost lose loses losing loss
    broken break breaks broke crash crashed crashes outage outages conflict conflicts fight fighting argument arguments
    blame blamed blaming guilt guilty shame ashamed embarrassed embarrassing overwhelmed overwhelming exhausted exhausting
    burnout burned burnt drained regret regrets regretted reject rejection criticism criticized criticised unfair
    unreliable useless waste wasted wasting poor poorly threat threatened threatening dangerous danger insecure insecurity
    helpless discouraged discouraging dread dreaded dreading resent resentment resentful bitter hostile toxic damage damaged
    crisis neglected ignored isolated incompetent dishonest lied lie lying panic panicked panicking cry crying cried
    depressed depressing depression miserable grief grieving ugly rude selfish stupid quit fired layoff layoffs trouble
    troubled troubles impossible hopelessly doomed suck sucks sucked";
const STRONG_BAD: &str = "terrible terribly horrible horribly awful awfully worst hate hated hates hating hatred disaster
    disastrous catastrophe catastrophic nightmare devastated devastating furious disgusting disgusted hopeless unbearable
    tragic tragedy traumatic trauma abuse abusive humiliated humiliating terrified terrifying despair desperate desperately
    betrayed betrayal cruel horrific appalling atrocious dreadful heartbroken heartbreaking agony worthless";

static WEIGHTS: LazyLock<HashMap<&'static str, f32, FixedHash>> = LazyLock::new(|| {
    let classes = [
        (STRONG_GOOD, 3.0),
        (GOOD, 2.0),
        (SLIGHTLY_GOOD, 1.0),
        (SLIGHTLY_BAD, -1.0),
        (BAD, -2.0),
        (STRONG_BAD, -3.0),
    ];
    classes
        .into_iter()
        .flat_map(|(words, weight)| words.split_whitespace().map(move |word| (word, weight)))
        .collect()
});

pub(super) fn weight(word: &str) -> Option<Weight> {
    WEIGHTS.get(word).copied().map(Weight)
}

/// What a word before another does to its weight.
pub(super) fn emphasis(word: &str) -> f32 {
    match word {
        "very" | "really" | "so" | "extremely" | "super" | "incredibly" | "absolutely" | "totally"
        | "completely" | "truly" | "deeply" | "hugely" | "especially" | "particularly" | "such" => 1.4,
        "quite" | "pretty" | "rather" | "fairly" => 1.1,
        "slightly" | "somewhat" | "bit" | "little" | "kinda" | "partly" | "mildly" => 0.6,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_stands_in_two_classes() {
        let classes = [STRONG_GOOD, GOOD, SLIGHTLY_GOOD, SLIGHTLY_BAD, BAD, STRONG_BAD];
        let count: usize = classes.iter().map(|words| words.split_whitespace().count()).sum();
        assert_eq!(WEIGHTS.len(), count);
        assert!(count >= 300);
    }
}
