//! Figures as people read them.

use crate::api::Spending;

/// `1234567` as `1,234,567`.
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

/// `, 900 of 1,000 left today`, when Pipedrive told and something is gone.
pub(super) fn left_today(spending: Spending) -> String {
    match (spending.daily_remaining, spending.daily_limit) {
        (Some(left), Some(limit)) if left < limit => {
            format!(", {} of {} left today", grouped(left), grouped(limit))
        }
        _ => String::new(),
    }
}
