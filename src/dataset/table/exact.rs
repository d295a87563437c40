//! Reads JSON values as typed values. The result is `None` if the typed value would differ.
//!
//! Values are raw JSON that was validated before.

use crate::model::Time;

/// Parses a whole number in canonical form. Returns `None` for `1.0`, for `-0` and for numbers beyond 64
/// bits.
pub(super) fn int(raw: &str) -> Option<i64> {
    if !is_whole(raw) {
        return None;
    }
    let digits = raw.strip_prefix('-').unwrap_or(raw).as_bytes();
    if digits.len() > 18 {
        return raw.parse().ok();
    }
    let number = digits.iter().fold(0_i64, |number, digit| number * 10 + i64::from(digit - b'0'));
    Some(if digits.len() < raw.len() { -number } else { number })
}

/// Returns whether a text is a whole number of any length in its canonical form.
pub(super) fn is_whole(raw: &str) -> bool {
    match raw.strip_prefix('-').unwrap_or(raw).as_bytes() {
        [b'0'] => raw == "0",
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Returns the double whose shortest notation is this number. `None` if there is none.
pub(super) fn num(raw: &str) -> Option<f64> {
    if !raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return None;
    }
    short(raw).or_else(|| {
        let number: f64 = raw.parse().ok()?;
        (number.is_finite() && decimal(raw)? == decimal(&format!("{number:e}"))?).then_some(number)
    })
}

/// The number of decimal digits that every double preserves.
const DIGITS_KEPT: usize = 15;

/// The powers of ten that a double represents exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Parses the common case: few digits and no exponent. Both operands of the division are exact, so the
/// result is the nearest double.
fn short(raw: &str) -> Option<f64> {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.len() > DIGITS_KEPT + 1 {
        return None;
    }
    let (mut number, mut seen, mut fraction) = (0_i64, 0, None);
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                number = number * 10 + i64::from(byte - b'0');
                seen += 1;
            }
            b'.' => fraction = Some(seen),
            _ => return None,
        }
    }
    if seen > DIGITS_KEPT {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "fifteen digits fit the 53 bits of a double")]
    let number = number as f64 / POWERS[seen - fraction.unwrap_or(seen)];
    Some(if digits.len() < raw.len() { -number } else { number })
}

/// Returns the sign of a number, its digits without outer zeros, and the power of ten of the last digit.
///
/// Returns `None` if the exponent exceeds 32 bits.
fn decimal(raw: &str) -> Option<(bool, String, i64)> {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let places = i64::try_from(fraction.len()).ok()?;
    let leading = all.trim_start_matches('0');
    let kept = leading.trim_end_matches('0');
    if kept.is_empty() {
        return Some((false, String::new(), 0));
    }
    let dropped = i64::try_from(leading.len() - kept.len()).ok()?;
    let power = i64::from(exponent) - places + dropped;
    Some((digits.len() < raw.len(), kept.to_owned(), power))
}

/// Returns the text between the quotes, with its escapes.
pub(super) fn quoted(raw: &str) -> Option<&str> {
    raw.strip_prefix('"')?.strip_suffix('"')
}

/// Returns the days since 1970 for a date `YYYY-MM-DD`.
pub(super) fn day(raw: &str) -> Option<i32> {
    let text = quoted(raw).filter(|text| text.len() == 10)?;
    i32::try_from(Time::parse(text)?.seconds().div_euclid(86_400)).ok()
}

/// Returns the microseconds since 1970 for an instant in any notation of the API.
///
/// Returns `None` for a fraction finer than a microsecond.
pub(super) fn micros(raw: &str) -> Option<i64> {
    let text = quoted(raw)?;
    let time = Time::parse(text)?;
    if let Some((_, fraction)) = text.split_once('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit);
        if digits.skip(6).any(|digit| digit != b'0') {
            return None;
        }
    }
    Some(time.micros())
}

/// Appends the unescaped text. Returns whether it succeeded: an unpaired surrogate is no character.
pub(super) fn unescape(mut text: &str, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    while let Some(place) = memchr::memchr(b'\\', text.as_bytes()) {
        out.extend_from_slice(&text.as_bytes()[..place]);
        let Some((letter, rest)) = escape(&text[place + 1..]) else {
            out.truncate(start);
            return false;
        };
        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        text = rest;
    }
    out.extend_from_slice(text.as_bytes());
    true
}

/// Returns the character after a backslash, and the remaining text.
fn escape(text: &str) -> Option<(char, &str)> {
    let letter = match text.as_bytes().first()? {
        b'u' => return unicode(&text[1..]),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        itself => char::from(*itself),
    };
    Some((letter, &text[1..]))
}

fn unicode(text: &str) -> Option<(char, &str)> {
    let unit = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
    let first = unit(text)?;
    let rest = &text[4..];
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, rest));
    }
    let second = rest.strip_prefix("\\u")?;
    let low = unit(second).filter(|low| (0xdc00..0xe000).contains(low))?;
    let letter = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00))?;
    Some((letter, &second[4..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_those_written_so() {
        for raw in ["0", "7", "-7", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(int(raw), raw.parse().ok(), "{raw}");
            assert!(int(raw).is_some(), "{raw}");
        }
        for raw in ["1.0", "-0", "1e3", "9223372036854775808", "\"1\"", "true", "", "-"] {
            assert_eq!(int(raw), None, "{raw}");
        }
    }

    #[test]
    fn numbers_are_those_a_double_keeps() {
        for raw in [
            "0",
            "-0",
            "1.50",
            "0.1",
            "-1500.5",
            "123456789012345",
            "0.000001",
            "1e5",
            "1.5E-7",
            "1e308",
            "1500.5000000000000000000",
            "0.30000000000000004",
            "5e-324",
            "99999999999999.9",
            "1e22",
            "10000000000000000000000",
        ] {
            assert_eq!(num(raw), raw.parse().ok(), "{raw}");
            assert!(num(raw).is_some(), "{raw}");
        }
        for raw in [
            "12345678901234567890.125",
            "0.1234567890123456789",
            "1e309",
            "1e-400",
            "9007199254740993",
            "1e99999999999999999999",
            "\"1\"",
            "true",
            "[1]",
        ] {
            assert_eq!(num(raw), None, "{raw}");
        }
    }

    #[test]
    fn texts_are_unescaped_as_a_json_reader_does() {
        for raw in [
            r#""""#,
            r#""plain""#,
            r#""a\"b\\c\/d\b\f\n\r\te""#,
            r#""\u00e9t\u00c9 \ud83d\ude00!""#,
            r#""\u0000""#,
            r#""\ud83d""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            r#""\udc00""#,
        ] {
            let mut out = b"before".to_vec();
            let could = unescape(quoted(raw).expect("it is quoted"), &mut out);
            let expected = serde_json::from_str::<String>(raw);
            assert_eq!(could, expected.is_ok(), "{raw}");
            assert_eq!(
                out,
                format!("before{}", expected.unwrap_or_default()).into_bytes(),
                "{raw}"
            );
        }
    }

    #[test]
    fn times_keep_all_their_digits_or_none() {
        assert_eq!(micros(r#""1970-01-01T00:00:01.5Z""#), Some(1_500_000));
        assert_eq!(micros(r#""1970-01-01 02:00:00+02:00""#), Some(0));
        assert_eq!(micros(r#""1970-01-01T00:00:00.123456000Z""#), Some(123_456));
        assert_eq!(micros(r#""1970-01-01T00:00:00.1234567Z""#), None);
        assert_eq!(micros(r#""0000-00-00 00:00:00""#), None);
        assert_eq!(micros(r#""""#), None);
        assert_eq!(micros("7"), None);
        assert_eq!(day(r#""1970-01-02""#), Some(1));
        assert_eq!(day(r#""1969-12-31""#), Some(-1));
        assert_eq!(day(r#""1970-01-02T00:00:00Z""#), None);
        assert_eq!(day(r#""2026-02-30""#), None);
    }
}
