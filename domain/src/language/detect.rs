//! Which language a talk is in, by the letters that follow each other in it.

use serde::{Deserialize, Serialize};

use super::Language;

/// As much of a talk as is looked at, in characters, taken from all of its length.
const SAMPLE: usize = 8_000;
/// Letters that a guess needs at the least; characters of scripts that put words or syllables into one say more.
const LEAST_LETTERS: usize = 60;
const LEAST_CHARACTERS: usize = 15;

/// What a text was found to be in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detected {
    pub language: Language,
    /// From 0 to 1.
    pub confidence: f64,
}

/// `None` where there is too little text, or it might as well be another language.
pub fn detect<'a>(turns: impl Iterator<Item = &'a str> + Clone) -> Option<Detected> {
    let found = whatlang::detect(&sample(turns)?)?;
    let language = found.lang().code().parse().ok()?;
    found.is_reliable().then(|| Detected { language, confidence: found.confidence() })
}

fn sample<'a>(turns: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    let all: usize = turns.clone().map(str::len).sum();
    let mut sample = String::new();
    for turn in turns.step_by((all / (4 * SAMPLE)).max(1)) {
        let left = SAMPLE.saturating_sub(sample.chars().count());
        sample.extend(turn.chars().take(left));
        sample.push(' ');
    }
    let letters = || sample.chars().filter(|c| c.is_alphabetic());
    let dense = letters().filter(|&c| c >= '\u{e00}').count();
    (letters().count() >= LEAST_LETTERS || dense >= LEAST_CHARACTERS).then_some(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALKS: [(&str, &str); 8] = [
        (
            "en",
            "Thanks for coming in today. Before we talk about the salary I would like to hear how the last project \
            went, and what you would do differently if you had to begin again tomorrow.",
        ),
        (
            "es",
            "Gracias por venir hoy. Antes de hablar del sueldo me gustaría saber cómo fue el último proyecto y qué \
            harías de otra manera si tuvieras que empezar mañana desde el principio.",
        ),
        (
            "fr",
            "Merci d'être venu aujourd'hui. Avant de parler du salaire, j'aimerais savoir comment s'est passé le \
            dernier projet et ce que vous feriez autrement si vous deviez recommencer demain.",
        ),
        (
            "de",
            "Danke, dass Sie heute gekommen sind. Bevor wir über das Gehalt sprechen, möchte ich hören, wie das \
            letzte Projekt gelaufen ist und was Sie anders machen würden.",
        ),
        (
            "pt",
            "Obrigado por ter vindo hoje. Antes de falarmos do salário, gostaria de saber como correu o último \
            projeto e o que você faria de outra maneira se tivesse de começar amanhã.",
        ),
        ("zh", "谢谢你今天过来。在谈工资之前,我想先听听上一个项目进展得怎么样,如果重新开始你会怎么做。"),
        (
            "ja",
            "今日は来てくださってありがとうございます。給料の話の前に、前のプロジェクトがどうだったか聞かせてください。",
        ),
        ("ko", "오늘 와 주셔서 감사합니다. 급여 이야기를 하기 전에 지난 프로젝트가 어땠는지 듣고 싶습니다."),
    ];

    #[test]
    fn a_talk_is_known_by_its_text() {
        for (code, text) in TALKS {
            let found = detect([text, text].into_iter());
            assert_eq!(found.map(|found| found.language.to_string()).as_deref(), Some(code), "{found:?}");
        }
    }

    #[test]
    fn what_is_short_or_no_language_is_not_guessed() {
        for text in [
            "",
            "Okay, yes.",
            "Bonjour!",
            "12:30 14:15 18:00 3.5 % 100",
            "zxcv qwrt zxcv bnmm qqqq ".repeat(9).as_str(),
        ] {
            assert_eq!(detect([text].into_iter()), None, "{text}");
        }
    }

    #[test]
    fn a_long_talk_is_looked_at_from_one_end_to_the_other() {
        let hello = "Well then let us see who has come and what there is to say. ";
        let turns: Vec<&str> =
            std::iter::repeat_n(hello, 20).chain(std::iter::repeat_n(TALKS[3].1, 3_000)).collect();
        assert_eq!(detect(turns.iter().copied()).unwrap().language.as_str(), "de");
    }
}
