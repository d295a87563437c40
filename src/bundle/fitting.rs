//! The rules for the values of fields: `validate` refuses what breaks them, and an export never writes it.

use super::format::{Entity, ROW_BYTES_MAX, Shape};
use crate::model::{Time, list, members, quoted, text};
use std::borrow::Cow;

/// Characters of a value that a message shows.
const SHOWN_MAX: usize = 80;
/// Characters that stay of a name which makes its row too long.
const NAME_CHARS_MAX: usize = 255;
/// The name, as raw JSON, of a row that requires a name and has none.
pub(super) const NAMELESS: &str = "\"–\"";
/// The fields that a row must have. They are kept when a long row is shortened.
const NEEDED: &[&str] = &[
    "public_id",
    "external_system",
    "external_id",
    "record_type",
    "record_public_id",
    "deleted_at",
];

/// Returns whether the rows of an array must have a name.
pub(super) const fn is_named(entity: Entity) -> bool {
    matches!(entity, Entity::Accounts | Entity::Opportunities)
}

/// Returns whether a name, given as raw JSON, is empty or null.
pub(super) fn is_nameless(name: &str) -> bool {
    matches!(name, "null" | "\"\"")
}

/// Describes what is wrong with a non-null value of a field. The target of a reference is not checked.
pub(super) fn fault(shape: Shape, value: &str) -> Option<String> {
    let first = value.as_bytes().first().copied().unwrap_or(b'n');
    let is_text = first == b'"';
    Some(match shape {
        Shape::Text | Shape::Reference(_) | Shape::Parent if !is_text => "is no text".to_owned(),
        Shape::Number if !matches!(first, b'-' | b'0'..=b'9') => "is no number".to_owned(),
        Shape::Flag if !matches!(first, b't' | b'f') => "is neither true nor false".to_owned(),
        Shape::List if first != b'[' => "is no list".to_owned(),
        Shape::Object if first != b'{' => "is no object".to_owned(),
        Shape::Time if text(value).and_then(|text| Time::parse(&text)).is_none() => {
            format!("is {}, no RFC 3339 time or date", shown(value))
        }
        Shape::Status if !matches!(value, "\"open\"" | "\"won\"" | "\"lost\"") => {
            format!("is {}, but open, won or lost", shown(value))
        }
        Shape::Currency if !text(value).is_some_and(|code| is_currency(&code)) => {
            format!("is {}, no currency's code", shown(value))
        }
        Shape::RecordType
            if text(value).and_then(|name| Entity::of_record_type(&name)).is_none() =>
        {
            format!("is {}, but account, contact, opportunity or lead", shown(value))
        }
        _ => return None,
    })
}

/// Returns a value in the form that the field takes. `None` if the field cannot hold it.
pub(super) fn mended(shape: Shape, value: &str) -> Option<Cow<'_, str>> {
    if fault(shape, value).is_none() {
        return Some(Cow::Borrowed(value));
    }
    let words = text(value).map(|words| words.trim().to_owned());
    let other = match (shape, words) {
        (Shape::Text, _) if !value.starts_with(['{', '[']) => quoted(value),
        (Shape::Number, Some(words)) if is_number(&words) => words,
        (Shape::Flag, words) => match words.as_deref().unwrap_or(value) {
            "1" | "true" => "true".to_owned(),
            "0" | "false" => "false".to_owned(),
            _ => return None,
        },
        (Shape::Currency, Some(words)) => quoted(&words.to_uppercase()),
        (Shape::Time, Some(words)) => quoted(&words),
        _ => return None,
    };
    fault(shape, &other).is_none().then_some(Cow::Owned(other))
}

/// Returns whether a value is empty in one of the forms that Pipedrive uses. Dropping it loses nothing.
pub(super) fn says_nothing(value: &str) -> bool {
    let blank = |text: String| {
        // Pipedrive also writes 0000-00-00, with or without a time of day.
        text.trim().is_empty() || text.starts_with("0000-00-00")
    };
    matches!(value, "null" | "[]" | "{}") || text(value).is_some_and(blank)
}

/// Returns the addresses or numbers of a contact without the empty entries (pipedrive-api.md 11). Returns
/// `None` if no entry is left.
pub(super) fn filled_entries(entries: &str) -> Option<String> {
    let filled = |entry: &&str| {
        let blank = |(key, value): &(Cow<'_, str>, &str)| key == "value" && says_nothing(value);
        !members(entry).iter().any(blank)
    };
    let kept: Vec<_> = list(entries).into_iter().filter(filled).collect();
    (!kept.is_empty()).then(|| format!("[{}]", kept.join(",")))
}

/// Shortens a row that is too long until it can be imported. Drops its longest values and appends their
/// names to `lost`.
pub(super) fn shortened(row: &str, lost: &mut Vec<String>) -> String {
    let mut excess = row.len().saturating_sub(ROW_BYTES_MAX);
    let mut fields: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        members(row).into_iter().map(|(key, value)| (key, Cow::Borrowed(value))).collect();
    let mut longest: Vec<usize> = (0..fields.len()).collect();
    longest.sort_by_key(|place| std::cmp::Reverse(fields[*place].1.len()));
    for place in longest {
        if excess == 0 {
            break;
        }
        let (key, value) = &fields[place];
        if NEEDED.contains(&key.as_ref()) || key.ends_with("_public_id") {
            continue;
        }
        let shorter = match key.as_ref() {
            "custom" => without_longest(value, excess, lost),
            "name" | "title" => cut(value),
            _ => "null".to_owned(),
        };
        if shorter.len() < value.len() {
            if key != "custom" {
                lost.push(key.to_string());
            }
            excess = excess.saturating_sub(value.len() - shorter.len());
            fields[place].1 = Cow::Owned(shorter);
        }
    }
    let pairs = fields.iter().map(|(key, value)| format!("{}:{value}", quoted(key)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

/// Removes the longest members of an object until it is `excess` bytes shorter or empty.
fn without_longest(object: &str, excess: usize, lost: &mut Vec<String>) -> String {
    let mut kept = members(object);
    let mut longest: Vec<usize> = kept.iter().map(|(_, value)| value.len()).collect();
    longest.sort_unstable_by(|one, other| other.cmp(one));
    let mut left = excess;
    let mut limit = usize::MAX;
    for length in longest {
        if left == 0 {
            break;
        }
        left = left.saturating_sub(length);
        limit = length;
    }
    kept.retain(|(key, value)| {
        let stays = value.len() < limit;
        if !stays {
            lost.push(format!("custom.{key}"));
        }
        stays
    });
    let pairs = kept.iter().map(|(key, value)| format!("{}:{value}", quoted(key)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

fn cut(value: &str) -> String {
    let words = text(value).unwrap_or_default();
    quoted(&words.chars().take(NAME_CHARS_MAX).collect::<String>())
}

fn is_number(words: &str) -> bool {
    let begins = words.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    begins && serde_json::from_str::<serde::de::IgnoredAny>(words).is_ok()
}

/// Returns whether a code is an ISO 4217 code or the code of a custom currency.
fn is_currency(code: &str) -> bool {
    (2..=8).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Formats a value for a message: short and on one line.
pub(super) fn shown(value: &str) -> String {
    let letters: Vec<char> = value.chars().filter(|letter| !letter.is_control()).collect();
    if letters.len() <= SHOWN_MAX {
        return letters.into_iter().collect();
    }
    letters.into_iter().take(SHOWN_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shape: Shape, value: &str, expected: Option<&str>) {
        assert_eq!(mended(shape, value).as_deref(), expected, "{shape:?} {value}");
    }

    #[test]
    fn what_can_be_said_otherwise_is() {
        check(Shape::Text, "7", Some("\"7\""));
        check(Shape::Text, "true", Some("\"true\""));
        check(Shape::Text, "{}", None);
        check(Shape::Number, "\" 12.50\"", Some("12.50"));
        check(Shape::Number, "\"12,5\"", None);
        check(Shape::Number, "\"\"", None);
        check(Shape::Flag, "1", Some("true"));
        check(Shape::Flag, "\"0\"", Some("false"));
        check(Shape::Flag, "2", None);
        check(Shape::Time, "\" 1990-05-01 \"", Some("\"1990-05-01\""));
        for none in ["\"\"", "\"0000-00-00\"", "\"2026-02-30\"", "7"] {
            check(Shape::Time, none, None);
        }
        check(Shape::Currency, "\"eur\"", Some("\"EUR\""));
        check(Shape::Currency, "\"€\"", None);
        check(Shape::Status, "\"paused\"", None);
        check(Shape::List, "{}", None);
        for blank in ["\"\"", "\" \"", "\"0000-00-00 00:00:00\"", "[]"] {
            assert!(says_nothing(blank), "{blank}");
        }
        assert!(!says_nothing("\"2026-02-30\"") && !says_nothing("0"));
    }

    #[test]
    fn a_row_that_is_too_long_loses_its_longest_values() {
        let long = |n: usize| quoted(&"x".repeat(n));
        let row = format!(
            "{{\"public_id\":\"a\",\"name\":{},\"body\":{},\"custom\":{{\"A\":{},\"B\":1}},\"due_at\":null}}",
            long(2_000_000),
            long(900_000),
            long(1_500_000)
        );
        let mut lost = Vec::new();
        let short = shortened(&row, &mut lost);
        assert!(short.len() <= ROW_BYTES_MAX, "{}", short.len());
        assert_eq!(lost, ["name", "custom.A"]);
        let name = quoted(&"x".repeat(NAME_CHARS_MAX));
        assert!(short.starts_with(&format!("{{\"public_id\":\"a\",\"name\":{name},\"body\":\"xx")));
        assert!(short.ends_with("\"custom\":{\"B\":1},\"due_at\":null}"));
    }
}
