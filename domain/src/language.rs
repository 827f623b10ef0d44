//! The language that is spoken in a conversation, as a code of ISO 639.

mod detect;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use self::detect::{Detected, detect};

/// Two lower-case letters of ISO 639-1; three of ISO 639-3 for what has no two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language([u8; 3]);

/// What is no tag of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a language is written as a tag of BCP 47, such as en or pt-BR")]
pub struct NoLanguage;

/// Longest tag that is read, in bytes.
const MAX_TAG: usize = 35;

/// Codes of three letters for what has two as well, of the languages that are told apart by their text.
const SHORTER: &str = "afr af aka ak amh am ara ar aze az bel be ben bn bul bg cat ca ces cs cmn zh cym cy dan da \
    deu de ell el eng en epo eo est et eus eu fas fa fin fi fra fr gle ga glg gl guj gu heb he hin hi hrv hr hun hu \
    hye hy ind id isl is ita it jav jv jpn ja kan kn kat ka khm km kor ko lat la lav lv lit lt mal ml mar mr mkd mk \
    msa ms mya my nep ne nld nl nob nb ori or pan pa pes fa pol pl por pt ron ro rus ru sin si slk sk slv sl sna sn \
    spa es srp sr swa sw swe sv tam ta tel te tgl tl tha th tuk tk tur tr ukr uk urd ur uzb uz vie vi yid yi zho zh \
    zul zu";

impl Language {
    pub const ENGLISH: Self = Self(*b"en\0");

    pub fn as_str(&self) -> &str {
        let length = if self.0[2] == 0 { 2 } else { 3 };
        // Letters only, as it was read.
        std::str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

impl FromStr for Language {
    type Err = NoLanguage;

    /// Script and region are passed over: `pt-BR` is `pt`.
    fn from_str(tag: &str) -> Result<Self, NoLanguage> {
        let mut parts = tag.split(['-', '_']);
        let code = parts.next().unwrap_or_default().to_ascii_lowercase();
        let is_part =
            |part: &str| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric());
        let is_code = matches!(code.len(), 2 | 3) && code.bytes().all(|b| b.is_ascii_lowercase());
        if tag.len() > MAX_TAG || !is_code || !parts.all(is_part) {
            return Err(NoLanguage);
        }
        let mut pairs = SHORTER.split_ascii_whitespace();
        let mut shorter = None;
        while let (Some(three), Some(two)) = (pairs.next(), pairs.next()) {
            if three == code {
                shorter = Some(two);
            }
        }
        let mut bytes = [0; 3];
        let code = shorter.unwrap_or(&code).as_bytes();
        bytes[..code.len()].copy_from_slice(code);
        Ok(Self(bytes))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Language({self})")
    }
}

impl TryFrom<String> for Language {
    type Error = NoLanguage;

    fn try_from(tag: String) -> Result<Self, NoLanguage> {
        tag.parse()
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_as_the_shortest_code_of_its_language() {
        for (tag, code) in [
            ("en", "en"),
            ("PT-br", "pt"),
            ("deu", "de"),
            ("cmn", "zh"),
            ("zh-Hant-TW", "zh"),
            ("yue", "yue"),
        ] {
            assert_eq!(tag.parse::<Language>().unwrap().as_str(), code, "{tag}");
        }
        let long = format!("en{}", "-a".repeat(20));
        for tag in ["", "e", "engl", "e1", "en-", "en us", "日本", long.as_str()] {
            assert_eq!(tag.parse::<Language>(), Err(NoLanguage), "{tag}");
        }
    }

    #[test]
    fn a_language_is_kept_as_its_code() {
        let german: Language = "de".parse().unwrap();
        assert_eq!(serde_json::to_string(&german).unwrap(), "\"de\"");
        assert_eq!(serde_json::from_str::<Language>("\"ger-man-y\"").unwrap().as_str(), "ger");
        assert!(serde_json::from_str::<Language>("\"german\"").is_err());
    }
}
