//! The options of a sandbox.

use super::account::COMPANY;
use super::crm::CrmOptions;
use super::edit::Edit;
use super::faults::Fault;
use super::features::Features;
use super::habits::Habits;
use std::time::Duration;

/// The behaviour of a sandbox. `Options::default()` is a small account without faults.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent habit of the API")]
pub struct Options {
    /// The seed of all data. The same seed gives the same account, byte for byte.
    pub seed: u64,
    /// The size of the account. 1 is about a thousand deals.
    pub scale: f64,
    /// The port on 127.0.0.1. With 0, the system selects one.
    pub port: u16,
    /// The plan, which determines burst limit and daily budget.
    pub plan: Plan,
    /// The minimum duration of every response.
    pub latency: Duration,
    /// The maximum number of rows of a page, whatever was requested: small pages for tests.
    pub page_max: Option<usize>,
    /// The faults.
    pub faults: Vec<Fault>,
    /// Edits during a read: each is applied before the request of this number (counted from 1 without
    /// token requests).
    pub script: Vec<(u64, Edit)>,
    /// Whether burst and daily limits apply. The headers are sent in both cases.
    pub limits: bool,
    /// The daily token budget that replaces the plan's.
    pub daily_budget: Option<u64>,
    /// The source of the account's clock.
    pub clock: Clock,
    /// The accepted API token.
    pub token: String,
    /// Whether the token's user is an admin. For other users, roles, permission sets and webhooks return 403.
    pub admin: bool,
    /// The lifetime of an OAuth access token in seconds.
    pub expires_in: i64,
    /// Whether every refresh replaces the refresh token and invalidates the old one.
    pub rotate_refresh_tokens: bool,
    /// Whether `status` with `deleted` and other values is refused (400).
    pub refuse_combined_status: bool,
    /// Whether products refuse `updated_since` (400), as in the specification.
    pub refuse_products_since: bool,
    /// The number of rows after which unpaged lists of v1 continue with another page, if they do.
    pub plain_page: Option<usize>,
    /// Whether empty lists of v1 are `null` instead of `[]`.
    pub null_empty: bool,
    /// The features that the company has. Others are refused. The default is that of [`Plan::Premium`]: no
    /// Projects add-on, no marketing app.
    pub features: Features,
    /// The habits of real accounts that differ from the documentation.
    pub habits: Habits,
    /// The behaviour and the organizations of the other CRM.
    pub crm: CrmOptions,
    /// Whether contact sync is enabled. Without it, postal address, notes, messengers, birthday and job title
    /// of a person cannot be written (403).
    pub contact_sync: bool,
    /// The id of the company, which distinguishes two accounts. With 0, `/users/me` does not contain it.
    pub company_id: u64,
    /// The handling of requests for a part of a file.
    pub ranges: Ranges,
    /// The name of the gzip encoding in responses.
    pub gzip_name: &'static str,
    /// The text at the end of every text that users wrote, of text ids, and of error messages, in every
    /// response. It may consist of control characters.
    pub scrawl: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            scale: 0.1,
            port: 0,
            plan: Plan::Premium,
            latency: Duration::ZERO,
            page_max: None,
            faults: Vec::new(),
            script: Vec::new(),
            limits: true,
            daily_budget: None,
            clock: Clock::Manual,
            token: "5a17ed0000000000000000000000000000000b0c".to_owned(),
            admin: true,
            expires_in: 3_600,
            rotate_refresh_tokens: false,
            refuse_combined_status: false,
            refuse_products_since: false,
            plain_page: None,
            null_empty: false,
            features: Features::of(Plan::Premium),
            habits: Habits::all(),
            crm: CrmOptions::default(),
            contact_sync: true,
            company_id: COMPANY,
            ranges: Ranges::Served,
            gzip_name: "gzip",
            scrawl: None,
        }
    }
}

/// The handling of requests for a part of a file (`Range`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranges {
    /// The part is sent, if the file is unchanged.
    Served,
    /// The whole file is sent, with its version.
    Ignored,
    /// The whole file is sent, without information about its version.
    Unknown,
    /// Another part than the requested one is sent.
    Wrong,
}

/// A plan of Pipedrive (pipedrive-api.md 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// The plan with 20 requests in two seconds by API token.
    Lite,
    /// The plan with 40 requests in two seconds.
    Growth,
    /// The plan with 100 requests in two seconds.
    Premium,
    /// The plan with 120 requests in two seconds.
    Ultimate,
}

impl Plan {
    /// Returns the number of requests in two seconds.
    pub(super) const fn burst(self, oauth: bool) -> u64 {
        let by_token = match self {
            Self::Lite => 20,
            Self::Growth => 40,
            Self::Premium => 100,
            Self::Ultimate => 120,
        };
        if oauth { by_token * 4 } else { by_token }
    }

    /// Returns the number of tokens a day, for fifteen seats.
    pub(super) const fn budget(self) -> u64 {
        let multiplier = match self {
            Self::Lite => 1,
            Self::Growth => 2,
            Self::Premium => 5,
            Self::Ultimate => 7,
        };
        30_000 * 15 * multiplier
    }
}

impl std::str::FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "lite" => Ok(Self::Lite),
            "growth" => Ok(Self::Growth),
            "premium" => Ok(Self::Premium),
            "ultimate" => Ok(Self::Ultimate),
            _ => Err(format!("\"{text}\" is no plan: lite, growth, premium or ultimate")),
        }
    }
}

/// The source of the account's clock, which starts at 2026-11-01T12:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The clock is moved by `AccountState::advance` and `Edit::Advance` only.
    Manual,
    /// The clock also follows the real time.
    Running,
}
