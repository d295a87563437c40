//! The request log: requests and their cost, the burst window and the daily budget.

use super::options::Options;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The requests so far.
#[derive(Debug, Clone, Default)]
pub struct RequestLog {
    /// Every request in the order of arrival, except those to the token endpoint. Faults and scripts count
    /// the same requests, from 1.
    pub requests: Vec<Entry>,
    /// The number of tokens spent.
    pub tokens: u64,
    /// The number of requests to the OAuth token endpoint.
    pub refreshes: u64,
    /// The maximum number of concurrent requests.
    pub in_flight_most: usize,
    /// The number of accepted connections.
    pub connections: u64,
    /// The bytes of all bodies, as they were sent.
    pub body_bytes: u64,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The method, such as `GET`.
    pub method: String,
    /// The path and query of the request line.
    pub path_and_query: String,
    /// The status of the response. 0 if the connection was closed or no response was sent.
    pub status: u16,
    /// The cost in tokens.
    pub tokens: u32,
}

/// The number of consecutive 429 responses before Cloudflare blocks requests.
const PATIENCE: u32 = 10;

const WINDOW: Duration = Duration::from_secs(2);

/// The burst windows, one for the API token and one for OAuth, and the daily budget.
#[derive(Debug)]
pub(super) struct Meter {
    windows: [VecDeque<Instant>; 2],
    budget: u64,
    spent: u64,
    refused: u32,
    last: Option<Instant>,
}

/// The decision about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Pass,
    Burst,
    Daily,
    /// There were too many requests after a 429. The response is an HTML page.
    Blocked,
}

/// The limits in the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) burst: u64,
    pub(super) burst_left: u64,
    pub(super) reset_seconds: u64,
    pub(super) budget: u64,
    pub(super) budget_left: u64,
}

impl Meter {
    /// Returns the limits of a plan.
    pub(super) fn new(options: &Options) -> Self {
        Self {
            windows: [VecDeque::new(), VecDeque::new()],
            budget: options.daily_budget.unwrap_or_else(|| options.plan.budget()),
            spent: 0,
            refused: 0,
            last: None,
        }
    }

    /// Decides about a request that arrives now. An accepted request is counted.
    pub(super) fn admit(&mut self, now: Instant, options: &Options, oauth: bool) -> Gate {
        if !options.limits {
            return Gate::Pass;
        }
        let rested = self.last.is_none_or(|last| now.duration_since(last) >= WINDOW);
        if rested {
            self.refused = 0;
        }
        self.last = Some(now);
        let window = &mut self.windows[usize::from(oauth)];
        while window.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
            window.pop_front();
        }
        let gate = if self.refused >= PATIENCE {
            Gate::Blocked
        } else if self.spent >= self.budget {
            Gate::Daily
        } else if window.len() as u64 >= options.plan.burst(oauth) {
            Gate::Burst
        } else {
            Gate::Pass
        };
        if gate == Gate::Pass {
            window.push_back(now);
            self.refused = 0;
        } else {
            self.refused += 1;
        }
        gate
    }

    /// Subtracts tokens from the budget.
    pub(super) fn spend(&mut self, tokens: u32) {
        self.spent = self.spent.saturating_add(u64::from(tokens));
    }

    /// Returns the remaining limits.
    pub(super) fn levels(&self, now: Instant, options: &Options, oauth: bool) -> Levels {
        if !options.limits {
            let plenty = 1_000_000_000;
            return Levels {
                burst: plenty,
                burst_left: plenty,
                reset_seconds: 2,
                budget: plenty,
                budget_left: plenty,
            };
        }
        let window = &self.windows[usize::from(oauth)];
        let burst = options.plan.burst(oauth);
        let waited = window.front().map_or(Duration::ZERO, |first| now.duration_since(*first));
        let left = WINDOW.saturating_sub(waited);
        Levels {
            burst,
            burst_left: burst.saturating_sub(window.len() as u64),
            reset_seconds: (left.as_secs() + u64::from(left.subsec_nanos() > 0)).max(1),
            budget: self.budget,
            budget_left: self.budget.saturating_sub(self.spent),
        }
    }
}
