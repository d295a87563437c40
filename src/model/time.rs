//! Instants as Pipedrive writes them: five spellings, one order.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A point in time in UTC, in microseconds since 1970.
///
/// It is parsed from every notation of pipedrive-api.md 2.4, and written as RFC 3339 with `Z`. Smaller
/// fractions are cut off, so a parsed time is never later than the written one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

const SECOND: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;

impl Time {
    /// The time 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The time 9999-12-31T23:59:59Z, a bound that excludes nothing.
    pub const END: Self = Self::from_seconds(253_402_300_799);

    /// Returns the time at this number of seconds since 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * SECOND)
    }

    /// Returns the time at this number of milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1_000)
    }

    /// Returns the time at this number of microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// Returns the milliseconds since 1970, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Returns the microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Returns the time rounded down to a second, the precision of `updated_since` (pipedrive-api.md 8.2).
    #[must_use]
    pub const fn whole_second(self) -> Self {
        Self::from_seconds(self.seconds())
    }

    /// Returns the time this number of seconds later, or earlier for a negative number.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(SECOND)))
    }

    /// Returns the next representable time.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Parses `2026-03-04T09:10:11Z`, `…:11.123Z`, `…:11+02:00`, `2026-03-04 09:10:11` (UTC) or `2026-03-04`
    /// (midnight UTC). Returns `None` for anything else, including zero dates.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (date, rest) = bytes.split_at_checked(10)?;
        if date[4] != b'-' || date[7] != b'-' {
            return None;
        }
        let (year, month, day) = (digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..10])?);
        if year == 0 || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
            return None;
        }
        let midnight = days_from_civil(year, month, day) * DAY_SECONDS;
        let Some((&separator, clock)) = rest.split_first() else {
            return Some(Self::from_seconds(midnight));
        };
        let (clock, rest) = clock.split_at_checked(8)?;
        if !matches!(separator, b'T' | b' ') || clock[2] != b':' || clock[5] != b':' {
            return None;
        }
        let (hour, minute, second) =
            (digits(&clock[..2])?, digits(&clock[3..5])?, digits(&clock[6..8])?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (micros, rest) = fraction(rest)?;
        let seconds = midnight + hour * 3_600 + minute * 60 + second - offset(rest)?;
        Some(Self(seconds * SECOND + micros))
    }

    fn civil(self) -> (i64, i64, i64, i64, i64) {
        let seconds = self.seconds();
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY_SECONDS));
        (year, month, day, seconds.rem_euclid(DAY_SECONDS), self.0.rem_euclid(SECOND))
    }

    /// Returns the time as `2026-03-04 09:10:11`, the notation of most v1 resources.
    pub fn naked(self) -> String {
        let (year, month, day, second, _) = self.civil();
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }

    /// Returns the date as `2026-03-04`.
    pub fn date(self) -> String {
        let (year, month, day, ..) = self.civil();
        format!("{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, second, micros) = self.civil();
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match micros {
            0 => f.write_str("Z"),
            _ if micros % 1_000 == 0 => write!(f, ".{:03}Z", micros / 1_000),
            _ => write!(f, ".{micros:06}Z"),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

/// Returns whether a text is a valid calendar date, `2026-03-04`.
#[inline]
pub(super) fn is_date(text: &[u8]) -> bool {
    let Some((head, &[d1, d2])) = text.split_first_chunk::<8>() else {
        return false;
    };
    if !is_like(*head, *b"0000-00-") || !d1.is_ascii_digit() || !d2.is_ascii_digit() {
        return false;
    }
    let (month, day) = (pair(head[5], head[6]), pair(d1, d2));
    let usual = (1..=12).contains(&month) && (1..=28).contains(&day) && head[..4] != *b"0000";
    // The last days of a month are checked by the parser.
    usual || std::str::from_utf8(text).is_ok_and(|text| Time::parse(text).is_some())
}

/// Returns whether a text is RFC 3339 in UTC, `2026-03-04T09:10:11Z`, with or without a fraction. All loaders
/// accept this notation.
#[inline]
pub(super) fn is_utc(text: &[u8]) -> bool {
    let (Some((date, rest)), Some((b'Z', _))) = (text.split_at_checked(10), text.split_last())
    else {
        return false;
    };
    let Some((clock, fraction)) = rest.split_first_chunk::<8>() else {
        return false;
    };
    let [s1, rest @ ..] = fraction else { return false };
    let whole = match rest {
        [b'Z'] => true,
        [b'.', digits @ .., b'Z'] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    whole
        && is_like(*clock, *b"T00:00:0")
        && s1.is_ascii_digit()
        && pair(clock[1], clock[2]) < 24
        && pair(clock[4], clock[5]) < 60
        && clock[7] < b'6'
        && is_date(date)
}

/// Returns whether bytes are digits where the pattern has zeros, and equal to the pattern elsewhere.
#[inline]
fn is_like(bytes: [u8; 8], pattern: [u8; 8]) -> bool {
    // A digit differs from `0` by at most nine. The addition sets the high bit for any larger difference.
    let slack = pattern.map(|byte| if byte == b'0' { 0x76 } else { 0x7f });
    let other = u64::from_le_bytes(bytes) ^ u64::from_le_bytes(pattern);
    let high = u64::from_le_bytes([0x80; 8]);
    (other.wrapping_add(u64::from_le_bytes(slack)) | other) & high == 0
}

/// Returns two digits as a number.
#[inline]
const fn pair(tens: u8, ones: u8) -> u8 {
    (tens & 15) * 10 + (ones & 15)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// Returns the microseconds of a leading `.123`, and the rest of the text.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = bytes.split_first() else {
        return Some((0, bytes));
    };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    if end == 0 {
        return None;
    }
    let micros = (0..6).fold(0, |number, place| {
        let digit = rest[..end].get(place).map_or(0, |byte| byte - b'0');
        number * 10 + i64::from(digit)
    });
    Some((micros, &rest[end..]))
}

/// Returns the seconds east of UTC. A missing zone means UTC, as in the zoneless times of v1.
fn offset(bytes: &[u8]) -> Option<i64> {
    match bytes {
        b"" | b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let east = digits(&[*h1, *h2])? * 3_600 + digits(&[*m1, *m2])? * 60;
            Some(if *sign == b'-' { -east } else { east })
        }
        _ => None,
    }
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the days since 1970-01-01 of a date in the Gregorian calendar. Years are counted from March, so
/// that the leap day is the last day.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = Time::parse(text).map_or_else(|| "none".to_owned(), |time| time.to_string());
        assert_eq!(shown, expected);
    }

    #[test]
    fn every_spelling_of_the_api_is_one_instant() {
        check("2026-03-04T09:10:11Z", "2026-03-04T09:10:11Z");
        check("2026-03-04 09:10:11", "2026-03-04T09:10:11Z");
        check("2026-03-04T09:10:11.123Z", "2026-03-04T09:10:11.123Z");
        check("2026-03-04T09:10:11.1234567Z", "2026-03-04T09:10:11.123456Z");
        check("2026-03-04T11:10:11+02:00", "2026-03-04T09:10:11Z");
        check("2026-03-03T23:40:11-09:30", "2026-03-04T09:10:11Z");
        check("2024-02-29", "2024-02-29T00:00:00Z");
        check("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z");
    }

    #[test]
    fn the_strict_spellings_are_told_from_all_others() {
        for (text, date, utc) in [
            ("2026-03-04", true, false),
            ("2024-02-29", true, false),
            ("2026-02-29", false, false),
            ("2026-04-31", false, false),
            ("2026-00-10", false, false),
            ("2026-13-10", false, false),
            ("0000-01-01", false, false),
            ("2026-03-0x", false, false),
            ("2026-3-04", false, false),
            ("2026-03-04T09:10:11Z", false, true),
            ("2026-12-31T23:59:59.123456Z", false, true),
            ("2026-03-04T09:10:11.Z", false, false),
            ("2026-03-04T24:00:00Z", false, false),
            ("2026-03-04T09:60:00Z", false, false),
            ("2026-03-04T09:10:60Z", false, false),
            ("2026-03-04 09:10:11Z", false, false),
            ("2026-03-04T09:10:11+00:00", false, false),
            ("2026-03-04T09:10Z", false, false),
            ("2026-02-30T09:10:11Z", false, false),
            ("", false, false),
            ("Z", false, false),
            ("äöüäöüäöüäZ", false, false),
        ] {
            assert_eq!((is_date(text.as_bytes()), is_utc(text.as_bytes())), (date, utc), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in [
            "",
            "0000-00-00",
            "0000-00-00 00:00:00",
            "2026-02-29",
            "2026-13-01",
            "2026-03-04T25:00:00Z",
            "2026-03-04T09:10:11.Z",
            "2026-03-04x09:10:11Z",
            "2026-03-04T09:10",
            "yesterday",
            "äöüäöüä",
        ] {
            check(text, "none");
        }
    }
}
