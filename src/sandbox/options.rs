//! The options of a sandbox.

use super::account::COMPANY;
use super::crm::CrmOptions;
use super::edit::Edit;
use super::faults::Fault;
use super::features::Features;
use super::habits::Habits;
use std::time::Duration;

/// How a sandbox behaves. `Options::default()` is a small, well-behaved account.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent habit of the API")]
pub struct Options {
    /// Decides all data: the same seed is the same account, byte for byte.
    pub seed: u64,
    /// Size of the account; 1 is a thousand deals.
    pub scale: f64,
    /// Port on 127.0.0.1; 0 lets the system choose.
    pub port: u16,
    /// Decides burst limit and daily budget.
    pub plan: Plan,
    /// Time every answer takes at least.
    pub latency: Duration,
    /// Most rows a page holds, whatever was asked: small pages for tests.
    pub page_max: Option<usize>,
    /// What goes wrong, and when.
    pub faults: Vec<Fault>,
    /// Edits during a read: each is applied before the request of this number (counted from 1 without
    /// token requests).
    pub script: Vec<(u64, Edit)>,
    /// Whether burst and daily limits apply. The headers are sent either way.
    pub limits: bool,
    /// Daily token budget instead of the plan's.
    pub daily_budget: Option<u64>,
    /// What moves the account's clock.
    pub clock: Clock,
    /// The API token it accepts.
    pub token: String,
    /// Whether the token's user is an admin; otherwise roles, permission sets and webhooks
    /// answer 403.
    pub admin: bool,
    /// Seconds an OAuth access token lives.
    pub expires_in: i64,
    /// Whether every refresh replaces the refresh token and ends the old one.
    pub rotate_refresh_tokens: bool,
    /// Whether `status` may not name `deleted` beside others (400).
    pub refuse_combined_status: bool,
    /// Whether products do not know `updated_since` (400), as the specification has it.
    pub refuse_products_since: bool,
    /// The number of rows after which unpaged lists of v1 continue with another page, if they do.
    pub plain_page: Option<usize>,
    /// Whether empty lists of v1 are `null` instead of `[]`.
    pub null_empty: bool,
    /// What the company has bought or switched on; the rest is refused. By default what
    /// [`Plan::Premium`] has: no Projects add-on, no marketing app.
    pub features: Features,
    /// What of the account is as in accounts in use, rather than as documented.
    pub habits: Habits,
    /// How the other CRM behaves, and who has an account there.
    pub crm: CrmOptions,
    /// Whether contacts are synchronised; otherwise postal address, notes, messengers, birthday
    /// and job title of a person cannot be written (403).
    pub contact_sync: bool,
    /// The id of the company, which distinguishes two accounts. With 0, `/users/me` does not contain it.
    pub company_id: u64,
    /// What is done about requests for a part of a file.
    pub ranges: Ranges,
    /// How answers call the encoding gzip.
    pub gzip_name: &'static str,
    /// What stands at the end of every text that people wrote, of ids that are text, and of error
    /// messages, in every answer: control characters, for one.
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

/// What is done about requests for a part of a file (`Range`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranges {
    /// The part is sent, if the file is still the same.
    Served,
    /// The whole file is sent, with its version.
    Ignored,
    /// The whole file is sent, without information about its version.
    Unknown,
    /// Another part is sent than was asked for.
    Wrong,
}

/// A plan of Pipedrive (pipedrive-api.md 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// 20 requests in two seconds by API token.
    Lite,
    /// 40.
    Growth,
    /// 100.
    Premium,
    /// 120.
    Ultimate,
}

impl Plan {
    /// Requests in two seconds.
    pub(super) const fn burst(self, oauth: bool) -> u64 {
        let by_token = match self {
            Self::Lite => 20,
            Self::Growth => 40,
            Self::Premium => 100,
            Self::Ultimate => 120,
        };
        if oauth { by_token * 4 } else { by_token }
    }

    /// Tokens a day, for fifteen seats.
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

/// What moves the clock of the account, which starts at 2026-11-01T12:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// `AccountState::advance` and `Edit::Advance` alone.
    Manual,
    /// Real time as well.
    Running,
}
