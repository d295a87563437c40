//! The two rate limits of a Pipedrive account: a burst window per token, and a token budget per company
//! and day (pipedrive-api.md 4).
//!
//! The module is pure: callers pass the time as an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The rolling window in which Pipedrive counts requests, with a margin for requests that take different
/// times to arrive.
const WINDOW: Duration = Duration::from_millis(2_050);
/// Requests per window until the first response contains the real number: those of the smallest plan.
const TOKEN_BURST: u32 = 20;
/// The same for an OAuth app.
const OAUTH_BURST: u32 = 80;

/// The state of both rate limits.
#[derive(Debug)]
pub struct Budget {
    burst: u32,
    sent: VecDeque<Instant>,
    blocked_until: Option<Instant>,
    daily_limit: Option<u64>,
    daily_remaining: Option<u64>,
    spent: u64,
    /// Tokens of requests that were sent and have no response yet.
    under_way: u64,
    max_tokens: Option<u64>,
    reserve_percent: u32,
}

/// The decision about a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admit {
    /// It may be sent, and is counted.
    Go,
    /// It must wait for this time.
    Wait(Duration),
    /// It cannot be sent in this run, for this reason.
    Spent(String),
}

/// The rate limit headers of a response.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// `x-ratelimit-limit`.
    pub(super) burst: Option<u32>,
    /// `x-ratelimit-remaining`.
    pub(super) remaining: Option<u32>,
    /// `x-ratelimit-reset`, seconds from now.
    pub(super) reset: Option<u64>,
    /// `x-daily-ratelimit-token-limit`.
    pub(super) daily_limit: Option<u64>,
    /// `x-daily-ratelimit-token-remaining`.
    pub(super) daily_remaining: Option<u64>,
}

/// The cost of a run so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spending {
    /// Tokens of the requests sent, by the documented prices.
    pub tokens: u64,
    /// The company's remaining tokens today, if Pipedrive reported them.
    pub daily_remaining: Option<u64>,
    /// The company's tokens a day, if Pipedrive reported them.
    pub daily_limit: Option<u64>,
    /// The number of requests allowed within two seconds.
    pub burst: u32,
    /// The percentage of a day's tokens that is left to other clients.
    pub reserve_percent: u32,
}

impl Budget {
    /// Returns an unused budget.
    pub fn new(oauth: bool, max_tokens: Option<u64>, reserve_percent: u32) -> Self {
        Self {
            burst: if oauth { OAUTH_BURST } else { TOKEN_BURST },
            sent: VecDeque::new(),
            blocked_until: None,
            daily_limit: None,
            daily_remaining: None,
            spent: 0,
            under_way: 0,
            max_tokens,
            reserve_percent,
        }
    }

    /// Returns the tokens that were spent, and those that are left.
    pub fn spending(&self) -> Spending {
        Spending {
            tokens: self.spent,
            daily_remaining: self.daily_remaining,
            daily_limit: self.daily_limit,
            burst: self.burst,
            reserve_percent: self.reserve_percent,
        }
    }

    pub(super) fn admit(&mut self, now: Instant, cost: u32) -> Admit {
        let cost = u64::from(cost);
        if let Some(most) = self.max_tokens
            && self.spent + cost > most
        {
            return Admit::Spent(format!(
                "max_tokens of {most} is spent ({} tokens used); run again to continue",
                self.spent
            ));
        }
        if let (Some(remaining), Some(limit)) = (self.daily_remaining, self.daily_limit) {
            let reserve = limit.saturating_mul(u64::from(self.reserve_percent)) / 100;
            if self.reserve_percent > 0 && remaining < reserve.saturating_add(self.under_way + cost)
            {
                return Admit::Spent(format!(
                    "{remaining} of the company's {limit} tokens are left today, and reserve_percent \
                     {} keeps {reserve} for others; run again tomorrow, or set reserve_percent to 0",
                    self.reserve_percent
                ));
            }
        }
        if let Some(until) = self.blocked_until.filter(|until| *until > now) {
            return Admit::Wait(until - now);
        }
        while self.sent.front().is_some_and(|sent| now.duration_since(*sent) >= WINDOW) {
            self.sent.pop_front();
        }
        if self.sent.len() >= self.burst as usize
            && let Some(oldest) = self.sent.front()
        {
            return Admit::Wait(*oldest + WINDOW - now);
        }
        self.sent.push_back(now);
        self.spent += cost;
        self.under_way += cost;
        Admit::Go
    }

    /// Records the end of a request of this cost, with or without a response.
    pub(super) fn release_unused(&mut self, cost: u32) {
        self.under_way = self.under_way.saturating_sub(cost.into());
    }

    pub(super) fn observe(&mut self, now: Instant, limits: &Limits) {
        if let Some(burst) = limits.burst.filter(|burst| *burst > 0) {
            self.burst = burst;
        }
        if limits.remaining == Some(0) {
            // Another client may be using the token too: wait for the window to end.
            self.block(now + Duration::from_secs(limits.reset.unwrap_or(1).clamp(1, 10)));
        }
        self.daily_limit = limits.daily_limit.or(self.daily_limit);
        // Responses can arrive out of order, so the lowest number is the newest, until the day ends and
        // the budget is full again.
        self.daily_remaining = match (self.daily_remaining, limits.daily_remaining) {
            (Some(known), Some(said))
                if said <= known.saturating_add(self.daily_limit.unwrap_or(0) / 4) =>
            {
                Some(known.min(said))
            }
            (known, said) => said.or(known),
        };
    }

    /// Delays all requests until this time.
    pub(super) fn block(&mut self, until: Instant) {
        self.blocked_until = self.blocked_until.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks every 100 ms for two seconds and tells how many requests went.
    fn admitted(budget: &mut Budget, from: Instant) -> usize {
        let times = (0..20).map(|step| from + Duration::from_millis(100 * step));
        times.filter(|now| budget.admit(*now, 10) == Admit::Go).count()
    }

    #[test]
    fn the_burst_follows_what_pipedrive_says() {
        let start = Instant::now();
        let mut budget = Budget::new(false, None, 0);
        budget.observe(start, &Limits { burst: Some(5), ..Limits::default() });
        assert_eq!(admitted(&mut budget, start), 5);
        assert_eq!(admitted(&mut budget, start + WINDOW), 5);
        budget.observe(start, &Limits { burst: Some(12), ..Limits::default() });
        assert_eq!(admitted(&mut budget, start + 3 * WINDOW), 12);
    }

    #[test]
    fn an_empty_window_holds_everything_back() {
        let now = Instant::now();
        let mut budget = Budget::new(false, None, 0);
        let limits = Limits { remaining: Some(0), reset: Some(2), ..Limits::default() };
        budget.observe(now, &limits);
        assert_eq!(budget.admit(now, 10), Admit::Wait(Duration::from_secs(2)));
        assert_eq!(budget.admit(now + Duration::from_secs(2), 10), Admit::Go);
    }

    #[test]
    fn tokens_are_counted_before_they_are_spent() {
        let now = Instant::now();
        let mut budget = Budget::new(false, Some(25), 0);
        assert_eq!(budget.admit(now, 10), Admit::Go);
        assert_eq!(budget.admit(now, 10), Admit::Go);
        assert!(matches!(budget.admit(now, 10), Admit::Spent(_)));
        assert_eq!(budget.admit(now, 5), Admit::Go);
        assert_eq!(budget.spending().tokens, 25);

        let mut shared = Budget::new(false, None, 20);
        let limits =
            Limits { daily_limit: Some(1_000), daily_remaining: Some(215), ..Limits::default() };
        shared.observe(now, &limits);
        assert_eq!(shared.admit(now, 10), Admit::Go);
        // Its answer will say 205 at most, so another one would reach into the reserve.
        assert!(matches!(shared.admit(now, 10), Admit::Spent(_)));
        shared.release_unused(10);
        shared.observe(now, &Limits { daily_remaining: Some(1_000), ..limits });
        assert_eq!(shared.admit(now, 10), Admit::Go);
    }
}
