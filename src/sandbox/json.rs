//! Writes JSON by hand, and changes single keys of a finished object.

use crate::model::Time;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Appends text as a JSON string.
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Returns text as a JSON string.
pub(super) fn quoted(string: &str) -> String {
    serde_json::Value::from(string).to_string()
}

/// Appends an integer.
pub(super) fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).expect("a digit fits a byte");
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `true` or `false`.
pub(super) fn flag(out: &mut Vec<u8>, flag: bool) {
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// The notation of a resource's times (pipedrive-api.md 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// `2026-03-04T09:10:11Z`
    Seconds,
    /// `2026-03-04T09:10:11.123Z`
    Millis,
    /// `2026-03-04 09:10:11`
    Naked,
}

/// Returns a time as text.
pub(super) fn spelt(time: Time, spelling: Spelling) -> String {
    let naked = time.naked();
    let (date, clock) = naked.split_at(10);
    match spelling {
        Spelling::Naked => naked,
        Spelling::Seconds => format!("{date}T{}Z", &clock[1..]),
        Spelling::Millis => {
            format!("{date}T{}.{:03}Z", &clock[1..], time.millis().rem_euclid(1_000))
        }
    }
}

/// Appends a time as a JSON string.
pub(super) fn time(out: &mut Vec<u8>, time: Time, spelling: Spelling) {
    out.push(b'"');
    let naked = time.naked();
    let (date, clock) = naked.as_bytes().split_at(10);
    if spelling == Spelling::Naked {
        out.extend_from_slice(naked.as_bytes());
    } else {
        out.extend_from_slice(date);
        out.push(b'T');
        out.extend_from_slice(&clock[1..]);
        if spelling == Spelling::Millis {
            let millis = time.millis().rem_euclid(1_000).unsigned_abs();
            out.push(b'.');
            for place in [100, 10, 1] {
                number(out, millis / place % 10);
            }
        }
        out.push(b'Z');
    }
    out.push(b'"');
}

/// Returns the top-level pairs of an object, with values as raw JSON. Any other value has none.
pub(super) fn pairs(json: &[u8]) -> Vec<(Cow<'_, str>, &str)> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(Cow<'de, str>, &'de str)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(key) = map.next_key::<Key<'de>>()? {
                pairs.push((key.0, map.next_value::<&'de RawValue>()?.get()));
            }
            Ok(pairs)
        }
    }
    serde_json::Deserializer::from_slice(json).deserialize_map(Pairs).unwrap_or_default()
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Returns the raw value of a top-level key. `a.b` finds a nested key.
pub(super) fn find<'j>(json: &'j [u8], key: &str) -> Option<&'j str> {
    let (first, rest) = key.split_once('.').map_or((key, None), |(a, b)| (a, Some(b)));
    let value = pairs(json).into_iter().find(|(name, _)| name == first)?.1;
    match rest {
        Some(rest) => find(value.as_bytes(), rest),
        None => Some(value),
    }
}

/// Returns the object with these keys replaced in place, or added at its end.
pub(super) fn replaced(json: &[u8], changes: &[(String, String)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + 64);
    let mut missing: Vec<_> = changes.iter().collect();
    out.push(b'{');
    for (key, value) in pairs(json) {
        let change = changes.iter().find(|(name, _)| *name == key);
        missing.retain(|(name, _)| *name != key);
        pair(&mut out, &key, change.map_or(value, |(_, value)| value));
    }
    for (key, value) in missing {
        pair(&mut out, key, value);
    }
    out.push(b'}');
    out
}

/// Returns the object without these keys.
pub(super) fn without(json: &[u8], keys: &[&str]) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (key, value) in pairs(json).into_iter().filter(|(key, _)| !keys.contains(&&**key)) {
        pair(&mut out, &key, value);
    }
    out.push(b'}');
    out
}

/// Appends a key and a raw value to an unfinished object.
pub(super) fn pair(out: &mut Vec<u8>, key: &str, value: &str) {
    if out.len() > 1 && out.last() != Some(&b'{') {
        out.push(b',');
    }
    text(out, key);
    out.push(b':');
    out.extend_from_slice(value.as_bytes());
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Returns bytes as Base64 with the alphabet for URLs, without padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            out.push(char::from(ALPHABET[bits >> (18 - 6 * place) & 63]));
        }
    }
    out
}

/// Returns the bytes of Base64 text, in either alphabet, with or without padding.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let byte = match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        };
        let value = ALPHABET.iter().position(|letter| *letter == byte)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(out)
}
