//! Compares JSON values by meaning, whatever their spelling.

use super::object::{items, pairs};
use super::work;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;

/// Returns whether two raw JSON values are equal. The order of keys is ignored, and a key with null equals an
/// absent one. Numbers are compared by exact value (`1.0` equals `1`), texts by their characters, and lists
/// in order.
///
/// Invalid JSON is compared by bytes.
pub fn json_eq(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    match (one.as_bytes().first(), other.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => same_objects(one, other),
        (Some(b'['), Some(b'[')) => {
            let (one, other) = (list(one), list(other));
            one.len() == other.len()
                && one.iter().zip(&other).all(|(one, other)| json_eq(one, other))
        }
        (Some(b'"'), Some(b'"')) => {
            // Texts without escapes are equal only if their bytes are equal.
            let escaped = one.contains('\\') || other.contains('\\');
            escaped && text(one).is_some() && text(one) == text(other)
        }
        (Some(b'-' | b'0'..=b'9'), Some(b'-' | b'0'..=b'9')) => {
            Number::parse(one).is_some_and(|one| Some(one) == Number::parse(other))
        }
        _ => false,
    }
}

fn same_objects(one: &str, other: &str) -> bool {
    let (one, other) = (members(one), members(other));
    // The keys usually have the same order. Each pair of values is compared once: two comparisons on
    // every level would take exponential time.
    if one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| one.0 == other.0) {
        return one.iter().zip(&other).all(|((_, one), (_, other))| json_eq(one, other));
    }
    let (first, second) = (Lookup::of(&one), Lookup::of(&other));
    let last = |all: &Lookup<'_, '_>, place: usize, key: &str| all.last(key) == Some(place);
    one.iter().enumerate().all(|(place, (key, value))| {
        !last(&first, place, key) || json_eq(value, second.get(usize::MAX, key).unwrap_or("null"))
    }) && other.iter().enumerate().all(|(place, (key, value))| {
        !last(&second, place, key) || first.last(key).is_some() || *value == "null"
    })
}

/// The members of an object, in order. If a key occurs twice, the last one is used.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// Returns the members of an object.
pub(crate) fn members(object: &str) -> Members<'_> {
    let mut members: Members<'_> = Vec::new();
    // A value that is not an object has no members.
    let _ = pairs(object, |key, value| members.push((key, value)));
    members
}

/// Most members that are gone through for a key; with more, they are hashed once.
const SCANNED_MAX: usize = 16;

/// The members of an object, for lookup by key. The cost of a lookup does not grow with their number.
pub(crate) struct Lookup<'m, 'a> {
    members: &'m Members<'a>,
    /// The last index of each key. It is built when it is first needed.
    places: OnceCell<HashMap<&'m str, usize>>,
}

impl<'m, 'a> Lookup<'m, 'a> {
    pub(crate) const fn of(members: &'m Members<'a>) -> Self {
        Self { members, places: OnceCell::new() }
    }

    /// Returns the value of a key. It is expected at this index.
    pub(crate) fn get(&self, place: usize, key: &str) -> Option<&'a str> {
        let likely = self.members.get(place).filter(|(found, _)| found == key);
        let found = likely.or_else(|| self.last(key).map(|place| &self.members[place]));
        found.map(|(_, value)| *value)
    }

    /// Returns the last index of a key.
    pub(crate) fn last(&self, key: &str) -> Option<usize> {
        if self.members.len() <= SCANNED_MAX {
            work::count(self.members.len());
            return self.members.iter().rposition(|(found, _)| found == key);
        }
        let places = self.places.get_or_init(|| {
            work::count(self.members.len());
            let all = self.members.iter().enumerate();
            all.map(|(place, (key, _))| (&**key, place)).collect()
        });
        work::count(1);
        places.get(key).copied()
    }
}

/// Returns the items of a list.
pub(crate) fn list(list: &str) -> Vec<&str> {
    let mut found = Vec::new();
    // A value that is not a list has no items.
    let _ = items(list, |item| found.push(item));
    found
}

/// Returns the characters of a JSON string.
pub(crate) fn text(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

/// An exact decimal number: its digits without leading and trailing zeros, and the exponent.
#[derive(PartialEq, Eq)]
struct Number {
    negative: bool,
    digits: String,
    /// The power of ten of the last digit.
    exponent: i64,
}

impl Number {
    fn parse(raw: &str) -> Option<Self> {
        let (negative, raw) = raw.strip_prefix('-').map_or((false, raw), |raw| (true, raw));
        let (mantissa, exponent) = match raw.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (raw, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let kept = digits.trim_end_matches('0');
        let exponent = exponent.checked_add(i64::try_from(digits.len() - kept.len()).ok()?)?;
        let digits = kept.trim_start_matches('0').to_owned();
        // Zero has neither sign nor exponent.
        let zero = digits.is_empty();
        Some(Self {
            negative: negative && !zero,
            digits,
            exponent: if zero { 0 } else { exponent },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, other: &str, expected: bool) {
        assert_eq!(json_eq(one, other), expected, "{one} and {other}");
        assert_eq!(json_eq(other, one), expected, "{other} and {one}");
    }

    #[test]
    fn spelling_does_not_matter_and_meaning_does() {
        check("1", "1.0", true);
        check("1e0", "10E-1", true);
        check("-0", "0.00", true);
        check("1.5", "1.50", true);
        check("10", "1", false);
        check("-1", "1", false);
        check("12345678901234567890123", "12345678901234567890124", false);
        check("12345678901234567890123.0", "12345678901234567890123", true);
        check(r#""\u00e9""#, r#""é""#, true);
        check(r#""a""#, r#""b""#, false);
        check(r#"{"a":1,"b":null}"#, r#"{ "a" : 1.0 }"#, true);
        check(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, true);
        check(r#"{"a":{"b":[1,{"c":null}]}}"#, r#"{"a":{"b":[1,{}]}}"#, true);
        check("[1,2]", "[2,1]", false);
        check("[1]", "[1,1]", false);
        check("null", "0", false);
        check("null", r#""null""#, false);
        check("true", "false", false);
        check(r#"{"a":1,"a":2}"#, r#"{"a":2}"#, true);
        check(r#"{"a":2,"a":3}"#, r#"{"a":2}"#, false);
        check(r#"{"a":1,"b":null,"c":2}"#, r#"{"c":2.0,"a":1.0}"#, true);
        check(r#"{"a":1,"b":0,"c":2}"#, r#"{"c":2.0,"a":1.0}"#, false);
    }

    /// Returns a value nested in this number of objects.
    fn nested(depth: usize, inner: &str) -> String {
        "{\"a\":".repeat(depth) + inner + &"}".repeat(depth)
    }

    #[test]
    fn deep_values_are_gone_into_once_a_level() {
        // Two comparisons on every level would take 2^500 steps.
        check(&nested(500, "1"), &nested(500, "1.0"), true);
        check(&nested(500, "1"), &nested(500, "2"), false);
        let mixed = |inner| nested(250, &format!(r#"{{"b":1,"a":{}}}"#, nested(250, inner)));
        let other = |inner| nested(250, &format!(r#"{{"a":{},"b":1}}"#, nested(250, inner)));
        check(&mixed("1"), &other("1.0"), true);
    }

    #[test]
    fn the_work_grows_with_the_values() {
        let object = |keys: usize, value: &str, back: bool| {
            let pair = |n: usize| format!("\"key{}\":{value}", if back { keys - 1 - n } else { n });
            format!("{{{}}}", (0..keys).map(pair).collect::<Vec<_>>().join(","))
        };
        work::grows_with_its_input("keys in another order", 2_000, |keys| {
            assert!(json_eq(&object(keys, "1", false), &object(keys, "1.0", true)));
        });
        work::grows_with_its_input("keys that only one has", 2_000, |keys| {
            assert!(json_eq(&object(keys, "null", false), "{}"));
        });
    }
}
