//! HTML character references, as far as subtitles use them.

/// Whether HTML takes the name without its semicolon, too, and what it stands for.
const NAMED: [(&str, bool, char); 8] = [
    ("amp", true, '&'),
    ("lt", true, '<'),
    ("gt", true, '>'),
    ("nbsp", true, '\u{a0}'),
    ("quot", true, '"'),
    ("apos", false, '\''),
    ("lrm", false, '\u{200e}'),
    ("rlm", false, '\u{200f}'),
];

/// The character that `text`, which follows an `&`, stands for, and how many bytes of it that takes.
pub(super) fn reference(text: &str) -> Option<(char, usize)> {
    if let Some(number) = text.strip_prefix('#') {
        return numeric(number).map(|(decoded, length)| (decoded, length + 1));
    }
    NAMED.iter().find_map(|(name, bare, decoded)| {
        let rest = text.strip_prefix(name)?;
        let semicolon = rest.starts_with(';');
        (semicolon || *bare).then(|| (*decoded, name.len() + usize::from(semicolon)))
    })
}

fn numeric(text: &str) -> Option<(char, usize)> {
    let (digits, radix) = match text.strip_prefix(['x', 'X']) {
        Some(hex) => (hex, 16),
        None => (text, 10),
    };
    let count = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
    if count == 0 {
        return None;
    }
    let code = u32::from_str_radix(&digits[..count], radix).ok();
    let decoded =
        code.filter(|code| *code != 0).and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    let semicolon = digits[count..].starts_with(';');
    Some((decoded, text.len() - digits.len() + count + usize::from(semicolon)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_html_reads_them() {
        let cases = [
            ("amp; x", Some(('&', 4))),
            ("lt b", Some(('<', 2))),
            ("nbsp", Some(('\u{a0}', 4))),
            ("lrm;", Some(('\u{200e}', 4))),
            ("lrm", None),
            ("#65;", Some(('A', 4))),
            ("#x1F3A4;", Some(('🎤', 8))),
            ("#0;", Some((char::REPLACEMENT_CHARACTER, 3))),
            ("#xffffffffff;", Some((char::REPLACEMENT_CHARACTER, 13))),
            ("#;", None),
            ("am&", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(reference(text), expected, "{text}");
        }
    }
}
