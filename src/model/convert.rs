//! Converts values whose type differs from the type of their column without loss.
//!
//! Pipedrive sends one thing in several types: flags as `1` and as `true`, numbers as text
//! (pipedrive-api.md 5.2, 11). Where the other type is exactly as precise, the value is converted, for
//! every output with types. Where it is not, that output has null.

use super::json::Json;
use super::number::{is_finite, is_whole};
use super::object::{pairs, quoted};
use super::resource::Type;
use std::borrow::Cow;

/// The target type of a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// `true` or `false`. Accepts 0 and 1, also as text.
    Bool,
    /// A 64-bit integer. Accepts its digits as text, `5.0`, true and false.
    Int,
    /// A number that is finite as a double. Accepts the same as text.
    Num,
    /// Text. Accepts a number as it is written, true and false.
    Text,
    /// Text. Also accepts an object with a `label`.
    Label,
}

impl To {
    /// Returns the conversion for a column of this type. `None` if no other type can be converted to it.
    pub(crate) const fn of(ty: Type) -> Option<Self> {
        Some(match ty {
            Type::Bool => Self::Bool,
            Type::Int => Self::Int,
            Type::Num => Self::Num,
            Type::Text => Self::Text,
            Type::TextOrObject => Self::Label,
            _ => return None,
        })
    }
}

/// Converts a well-formed value that is not null to JSON of another type, if that loses nothing. An object is
/// converted to its label, the only part that fits a text.
pub(crate) fn converted(raw: &str, to: To) -> Option<Cow<'_, str>> {
    let first = *raw.as_bytes().first()?;
    let text = || raw.get(1..raw.len().checked_sub(1)?).filter(|text| !text.contains('\\'));
    let inner = if first == b'"' { text()? } else { raw };
    match (to, first) {
        (To::Bool, b'"' | b'0' | b'1') => match whole(inner).unwrap_or(inner) {
            "1" | "true" => Some("true".into()),
            "0" | "false" => Some("false".into()),
            _ => None,
        },
        (To::Int | To::Num, b't') => Some("1".into()),
        (To::Int | To::Num, b'f') => Some("0".into()),
        (To::Int, b'"' | b'-' | b'0'..=b'9') => whole(inner).map(Cow::Borrowed),
        (To::Num, b'"') => (is_number(inner) && is_finite(inner)).then_some(inner.into()),
        (To::Text | To::Label, b't' | b'f' | b'-' | b'0'..=b'9') => {
            Some(format!("\"{raw}\"").into())
        }
        (To::Label, b'{') => label(raw),
        _ => None,
    }
}

/// Returns whether a flag of any type is true.
pub(crate) fn is_true(raw: &str) -> bool {
    raw == "true" || converted(raw, To::Bool).is_some_and(|flag| flag == "true")
}

/// Returns `5` and `5.0` as `5`. `None` for leading zeros and for a signed zero, which would be lost.
fn whole(number: &str) -> Option<&str> {
    let number = match number.split_once('.') {
        Some((number, zeros)) => {
            let exact = !zeros.is_empty() && zeros.bytes().all(|digit| digit == b'0');
            exact.then_some(number)?
        }
        None => number,
    };
    (is_number(number) && is_whole(number) && number != "-0").then_some(number)
}

/// Returns whether a text is exactly one JSON number, without white space.
fn is_number(text: &str) -> bool {
    let begins = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let mut json = Json::new(text);
    begins && json.value().is_ok_and(|value| value.len() == text.len())
}

fn label(object: &str) -> Option<Cow<'static, str>> {
    let mut label = None;
    pairs(object, |key, value| {
        if key == "label" {
            label = serde_json::from_str::<String>(value).ok();
        }
    })
    .ok()?;
    label.map(|label| quoted(&label).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(to: To, kept: &[(&str, &str)], lost: &[&str]) {
        for (raw, expected) in kept {
            assert_eq!(converted(raw, to).as_deref(), Some(*expected), "{raw}");
        }
        for raw in lost {
            assert_eq!(converted(raw, to), None, "{raw}");
        }
    }

    #[test]
    fn what_says_the_same_is_converted_and_nothing_else() {
        check(
            To::Bool,
            &[
                ("1", "true"),
                ("0", "false"),
                (r#""1""#, "true"),
                (r#""false""#, "false"),
                ("1.0", "true"),
            ],
            &["2", "-1", r#""yes""#, r#""""#, "{}", "[]"],
        );
        check(
            To::Int,
            &[
                ("true", "1"),
                ("false", "0"),
                ("5.0", "5"),
                (r#""5""#, "5"),
                (r#""-7.00""#, "-7"),
                (r#""9223372036854775807""#, "9223372036854775807"),
            ],
            &[
                "5.5",
                "5.",
                "1e3",
                "-0.0",
                "9223372036854775808.0",
                r#""007""#,
                r#"" 5""#,
                r#""5 ""#,
                r#""1e3""#,
                r#""-0""#,
                r#""9223372036854775808""#,
                r#""\u0035""#,
                r#""""#,
                "{}",
            ],
        );
        check(
            To::Num,
            &[(r#""1.50""#, "1.50"), (r#""-2""#, "-2"), (r#""1e3""#, "1e3"), ("true", "1")],
            &[r#""01.5""#, r#"".5""#, r#""1e999""#, r#""1,5""#, r#""NaN""#, r#""""#, "[]", "{}"],
        );
        check(
            To::Text,
            &[("5", r#""5""#), ("-1.50", r#""-1.50""#), ("true", r#""true""#)],
            &["{}", "[1]", r#"{"label":"x"}"#],
        );
        check(
            To::Label,
            &[(r#"{"id":4,"label":"zu \"teuer\""}"#, r#""zu \"teuer\"""#), ("7", r#""7""#)],
            &["{}", r#"{"label":null}"#, r#"{"label":5}"#, r#"["x"]"#],
        );
    }

    #[test]
    fn flags_say_yes_in_every_type() {
        for raw in ["true", "1", r#""1""#, r#""true""#] {
            assert!(is_true(raw), "{raw}");
        }
        for raw in ["false", "0", "null", "2", r#""""#, "{}"] {
            assert!(!is_true(raw), "{raw}");
        }
    }
}
