//! Checks the spelling of numbers.

/// A number of fewer bytes than this, and without an exponent, is one that a double holds.
pub(super) const PLAIN_BYTES_MAX: usize = 300;

/// Returns whether a number is finite as a double. `1e999` is not.
pub(super) fn is_finite(number: &str) -> bool {
    let plain =
        number.len() < PLAIN_BYTES_MAX && !number.bytes().any(|byte| matches!(byte, b'e' | b'E'));
    plain || number.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Returns whether a number is written as a 64-bit integer, the range that databases support.
pub(super) fn is_whole(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() < 19 || number.parse::<i64>().is_ok())
}
