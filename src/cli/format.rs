//! Formats numbers for people.

use crate::api::Spending;
use std::time::Duration;

/// Formats `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats `, 900 of 1,000 left today (10 % kept for others)`, if Pipedrive reported the budget and some
/// of it is spent.
pub(super) fn left_today(spending: Spending) -> String {
    match (spending.daily_remaining, spending.daily_limit) {
        (Some(left), Some(limit)) if left < limit => {
            let kept = match spending.reserve_percent {
                0 => String::new(),
                percent => format!(" ({percent} % kept for others)"),
            };
            format!(", {} of {} left today{kept}", grouped(left), grouped(limit))
        }
        _ => String::new(),
    }
}

/// Returns tokens as a percentage of the daily limit, to a thousandth.
pub(super) fn share(tokens: u64, limit: Option<u64>) -> Option<f64> {
    let thousandths = tokens.saturating_mul(100_000) / limit.filter(|limit| *limit > 0)?;
    Some(f64::from(u32::try_from(thousandths).unwrap_or(u32::MAX)) / 1_000.0)
}

/// Formats a percentage: `0.3 %`, or `<0.1 %` for a smaller one.
pub(super) fn percent(share: f64) -> String {
    if share < 0.1 { "<0.1 %".to_owned() } else { format!("{share:.1} %") }
}

/// Formats a duration as `12 s`, `4 min` or `2 h 05 min`, rounded up.
pub(super) fn lasting(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let minutes = seconds.div_ceil(60);
    match seconds {
        0..=90 => format!("{seconds} s"),
        91..=5_400 => format!("{minutes} min"),
        _ => format!("{} h {:02} min", grouped(minutes / 60), minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let times = [0, 250, 90_000, 91_000, 5_400_000, 7_500_000];
        let times = times.map(|millis| lasting(Duration::from_millis(millis)));
        assert_eq!(times, ["0 s", "1 s", "90 s", "2 min", "90 min", "2 h 05 min"]);
        assert_eq!([0.0, 0.25, 133.3].map(percent), ["<0.1 %", "0.2 %", "133.3 %"]);
        assert_eq!(share(150, Some(30_000)), Some(0.5));
        assert_eq!((share(150, None), share(150, Some(0))), (None, None));
    }
}
