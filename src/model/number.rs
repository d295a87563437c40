//! Checks the spelling of numbers.

/// A number of fewer bytes than this, and without an exponent, is one that a double holds.
pub(super) const PLAIN_BYTES_MAX: usize = 300;

/// Whether a number is one to those who read it as a double, for whom `1e999` is none.
pub(super) fn is_finite(number: &str) -> bool {
    let plain =
        number.len() < PLAIN_BYTES_MAX && !number.bytes().any(|byte| matches!(byte, b'e' | b'E'));
    plain || number.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Whether a number is spelled as a whole one, of 64 bits: what databases have room for.
pub(super) fn is_whole(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() < 19 || number.parse::<i64>().is_ok())
}
