//! Makes text from outside safe for a terminal or a log.
//!
//! Names, labels, ids, paths and messages may hold any character. Characters that control a terminal, begin
//! a line, change the direction of writing or are invisible are spelled out: as `\u{1b}` in sentences, and
//! as `\u001b` inside JSON, where they are the same value as before.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns text as one safe line. It may have any length and content.
pub fn printable(text: &str) -> Cow<'_, str> {
    spelled(text, |_| false, |letter, out| out.extend(letter.escape_debug()))
}

/// Returns several safe lines of text written by this program. Line breaks and tabs stay; other characters
/// are handled as in [`printable`]. Text from outside must be escaped before it is inserted.
pub fn plain_lines(text: &str) -> Cow<'_, str> {
    let stays = |letter| matches!(letter, '\n' | '\t');
    spelled(text, stays, |letter, out| out.extend(letter.escape_debug()))
}

/// Returns equal JSON without characters that control a terminal. White space between tokens stays. JSON
/// allows no line break inside strings.
pub fn plain_json(json: &str) -> Cow<'_, str> {
    let stays = |letter| matches!(letter, '\n' | '\r' | '\t');
    spelled(json, stays, |letter, out| {
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

/// Returns whether a character is escaped in every position: controls (C0, DEL, C1), line and paragraph
/// separators, and characters that Unicode calls default-ignorable: bidirectional controls, zero-width and
/// filling characters, tags. Variation selectors change the look of the letter before them and are not
/// escaped. Joiners are not escaped where they can join letters.
pub fn is_deceptive(letter: char) -> bool {
    matches!(letter,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}'
        | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

/// Returns whether a character is a zero-width joiner that writing systems and emoji need between two
/// letters. After an ASCII character it has no visible effect.
fn joins(letter: char) -> bool {
    matches!(letter, '\u{34f}' | '\u{200c}' | '\u{200d}')
}

fn spelled(
    text: &str,
    stays: impl Fn(char) -> bool,
    spell: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    // Nearly all text consists of printable ASCII, which needs no decoding.
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut kept) = (String::new(), 0);
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        let hides = is_deceptive(letter) && !stays(letter) || joins(letter) && before.is_ascii();
        before = letter;
        if hides {
            out.push_str(&text[kept..at]);
            spell(letter, &mut out);
            kept = at + letter.len_utf8();
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_or_hides_is_spelled_out() {
        for (text, expected) in [
            ("\x1b[31mred\x07", r"\u{1b}[31mred\u{7}"),
            ("a\nERROR b\r\tc\0", r"a\nERROR b\r\tc\0"),
            ("\u{9b}2J \u{7f}", r"\u{9b}2J \u{7f}"),
            (
                "gpj.\u{202e}exe \u{2066}x\u{2069}\u{61c}",
                r"gpj.\u{202e}exe \u{2066}x\u{2069}\u{61c}",
            ),
            ("a\u{2028}b\u{2029}", r"a\u{2028}b\u{2029}"),
            ("pay\u{200b}pal pay\u{200d}pal", r"pay\u{200b}pal pay\u{200d}pal"),
            ("\u{feff}\u{e0041}", r"\u{feff}\u{e0041}"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }

    #[test]
    fn ordinary_text_stays() {
        for text in [
            "Żółć, größe, 価格, C:\\new \"x\" 'y'",
            "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}",
            "👩\u{200d}🔬 ❤\u{fe0f} 1\u{fe0f}\u{20e3}",
            "e\u{301}",
        ] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn lines_of_ours_stay_lines() {
        assert_eq!(plain_lines("a\tb\n\x1bc\r\n"), "a\tb\n\\u{1b}c\\r\n");
    }

    #[test]
    fn json_stays_the_same_value() {
        let odd = "\x1b\n\u{7f}\u{9b}\u{202e}\u{200b}\u{2028}\u{feff}\u{e0041}\"\\ ż";
        let json = serde_json::json!({ odd: [odd, 1.50] });
        for text in [json.to_string(), format!("{json:#}")] {
            let shown = plain_json(&text);
            assert!(shown.chars().all(|c| c == '\n' || !is_deceptive(c)), "{shown}");
            let again: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
            assert_eq!(again, json);
        }
        assert!(plain_json(r#"{"a":"\u001b"}"#).contains(r"\u001b"));
    }
}
