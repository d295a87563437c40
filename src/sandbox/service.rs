//! The request pipeline of the sandbox: authentication, rate limit, dispatch, accounting.

use super::account_state::AccountState;
use super::apply_fault::{self, Delivery, Limits};
use super::attachments::{self, STORAGE};
use super::crm::{self, Crm};
use super::edit::Edit;
use super::endpoints::{self, Answer, Content};
use super::faults::{At, Fault, FaultKind};
use super::http_request::{Method, Request};
use super::lists::Page;
use super::oauth::Tokens;
use super::odd::date;
use super::options::{Clock, Options};
use super::request_log::{Entry, Gate, Levels, Meter, RequestLog};
use super::scrawl;
use bytes::Bytes;
use std::collections::HashMap;
use std::io::Write as _;
use std::time::Instant;

/// The state of the server: the account, its limits, the requests so far.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) state: AccountState,
    pub(super) request_log: RequestLog,
    pub(super) tokens: Tokens,
    pub(super) crm: Crm,
    options: Options,
    origin: String,
    meter: Meter,
    /// The number of requests to each fault's path.
    seen: Vec<u64>,
    /// The last page of each path. It is kept while a fault may repeat it.
    pages: HashMap<String, Page>,
    /// The number of requests before the first one that faults and script count.
    before: u64,
    cache: Cache,
    started: Instant,
    ticked: i64,
}

/// A request as it was received.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) method: String,
    pub(super) path_and_query: String,
    pub(super) token: Option<String>,
    pub(super) authorization: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) gzip: bool,
    pub(super) range: Option<String>,
    pub(super) if_range: Option<String>,
    pub(super) body: Bytes,
}

/// A response to send.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    pub(super) delivery: Delivery,
}

enum Identity {
    Token,
    OAuth,
    /// An access token that has expired or was never issued.
    Stale,
    Anonymous,
}

const UNAUTHORIZED: &str = r#"{"success":false,"error":"unauthorized access","errorCode":401,"error_info":"Please check developers.pipedrive.com"}"#;

impl Service {
    /// Returns a service for a new account, reachable at this origin.
    pub(super) fn new(options: Options, origin: String, now: Instant) -> Self {
        Self {
            state: AccountState::new(options.seed, options.scale)
                .of_company(options.company_id)
                .with(options.features, options.habits),
            request_log: RequestLog::default(),
            tokens: Tokens::new(),
            crm: Crm::new(options.crm.clone()),
            meter: Meter::new(&options),
            seen: vec![0; options.faults.len()],
            pages: HashMap::new(),
            before: 0,
            cache: Cache::default(),
            origin,
            options,
            started: now,
            ticked: 0,
        }
    }

    /// Replaces faults and script. The next request is the first one that they count.
    pub(super) fn replace_faults(&mut self, faults: Vec<Fault>, script: Vec<(u64, Edit)>) {
        self.before = self.request_log.requests.len() as u64;
        self.seen = vec![0; faults.len()];
        self.pages.clear();
        (self.options.faults, self.options.script) = (faults, script);
    }

    /// Handles a request that arrives now.
    pub(super) fn respond(&mut self, incoming: &Incoming, now: Instant) -> Outgoing {
        self.tick(now);
        if incoming.path_and_query == "/oauth/token" {
            self.request_log.refreshes += 1;
            let terms = (self.state.now(), self.origin.as_str(), &self.options);
            let (status, body) = self.tokens.exchange(
                incoming.authorization.as_deref(),
                incoming.content_type.as_deref(),
                &incoming.body,
                terms,
            );
            return self.outgoing(status, Bytes::from(body), incoming.gzip);
        }
        let number = self.request_log.requests.len() as u64 - self.before + 1;
        self.play_script(number);
        if crm::is_path(incoming.path_and_query.split('?').next().unwrap_or_default()) {
            return self.respond_for_crm(incoming, number);
        }
        let identity = self.identity(incoming);
        let oauth = matches!(identity, Identity::OAuth | Identity::Stale);
        let (trouble, date) = match self.trouble(number, &incoming.path_and_query) {
            Some(FaultKind::Date(date)) => (None, Some(date)),
            trouble => (trouble, None),
        };
        let (mut outgoing, limits, tokens) = match (trouble, identity) {
            (Some(trouble), _) => self.troubled(incoming, trouble, number),
            (None, _) if incoming.path_and_query.starts_with(STORAGE) => {
                // A token in a request to the storage is a leak.
                let leaked = incoming.token.is_some() || incoming.authorization.is_some();
                let served = if leaked {
                    self.outgoing(400, Bytes::from_static(b"a token came here"), false)
                } else {
                    self.served(incoming).0
                };
                (served, Limits::Absent, 0)
            }
            (None, Identity::Anonymous) => {
                let mut no = self.outgoing(401, Bytes::from_static(UNAUTHORIZED.as_bytes()), false);
                no.headers.push(("x-401-by-gw", "true".to_owned()));
                no.headers.push(("x-correlation-id", format!("sandbox-{number}")));
                (no, Limits::Absent, 0)
            }
            (None, Identity::Stale) => {
                let body = Bytes::from_static(apply_fault::EXPIRED.as_bytes());
                (self.outgoing(401, body, false), Limits::Absent, 0)
            }
            (None, _) => match self.meter.admit(now, &self.options, oauth) {
                Gate::Pass => self.served(incoming),
                Gate::Burst => (self.over_limit(), Limits::BurstEmpty, 0),
                Gate::Daily => (self.over_limit(), Limits::BudgetEmpty, 0),
                Gate::Blocked => {
                    let body = Bytes::from_static(apply_fault::CLOUDFLARE.as_bytes());
                    let mut no = self.outgoing(403, body, false);
                    no.headers.retain(|(name, _)| *name != "content-type");
                    no.headers.push(("content-type", "text/html; charset=UTF-8".to_owned()));
                    (no, Limits::Absent, 0)
                }
            },
        };
        self.meter.spend(tokens);
        self.request_log.tokens += u64::from(tokens);
        self.request_log.requests.push(Entry {
            method: incoming.method.clone(),
            path_and_query: incoming.path_and_query.clone(),
            status: outgoing.status,
            tokens,
        });
        self.request_log.body_bytes += outgoing.body.len() as u64;
        let levels = self.meter.levels(now, &self.options, oauth);
        outgoing.headers.extend(limit_headers(levels, limits));
        if let Some(date) = date {
            outgoing.headers.retain(|(name, _)| *name != "date");
            outgoing.headers.extend(date.header(self.state.now()).map(|date| ("date", date)));
        }
        outgoing
    }

    /// Handles a request to the other CRM, which has no Pipedrive tokens and limits.
    fn respond_for_crm(&mut self, incoming: &Incoming, number: u64) -> Outgoing {
        let trouble = self.trouble(number, &incoming.path_and_query);
        let method = Method::named(&incoming.method).unwrap_or(Method::Get);
        let request = Request::new(method, &incoming.path_and_query, incoming.body.clone());
        let caller = crm::Caller {
            authorization: incoming.authorization.as_deref(),
            token: incoming.token.as_deref(),
            content_type: incoming.content_type.as_deref(),
        };
        let limited = matches!(
            trouble,
            Some(FaultKind::Burst | FaultKind::BareLimit | FaultKind::Daily | FaultKind::Left)
        );
        // A limited request is not handled. A request with another fault is handled first.
        let (status, body) = if limited {
            (429, Bytes::from_static(br#"{"error":"rate limit exceeded"}"#))
        } else {
            let half = trouble == Some(FaultKind::Half);
            self.crm.respond(caller, &request, self.state.now(), half)
        };
        let mut outgoing = match trouble {
            Some(trouble) if !limited => {
                let answer = Answer { status, cost: 0, content: Content::Json(body) };
                let faulted = apply_fault::apply_fault(&answer, None, trouble, number);
                let mut outgoing = match trouble {
                    FaultKind::Echo => self.echo(incoming),
                    _ => self.outgoing(faulted.status, faulted.body, false),
                };
                outgoing.delivery = faulted.delivery;
                if faulted.html {
                    outgoing.headers.retain(|(name, _)| *name != "content-type");
                    outgoing.headers.push(("content-type", "text/html; charset=UTF-8".to_owned()));
                }
                outgoing
            }
            _ => self.outgoing(status, body, false),
        };
        if limited {
            let wait = if trouble == Some(FaultKind::Daily) { "3600" } else { "0" };
            outgoing.headers.push(("retry-after", wait.to_owned()));
        }
        self.request_log.requests.push(Entry {
            method: incoming.method.clone(),
            path_and_query: incoming.path_and_query.clone(),
            status: outgoing.status,
            tokens: 0,
        });
        self.request_log.body_bytes += outgoing.body.len() as u64;
        outgoing
    }

    /// Moves the account's clock with the real one.
    fn tick(&mut self, now: Instant) {
        if self.options.clock == Clock::Running {
            let elapsed = now.duration_since(self.started).as_secs();
            let elapsed = i64::try_from(elapsed).unwrap_or(i64::MAX);
            self.state.tick(elapsed - self.ticked);
            self.ticked = elapsed;
        }
    }

    fn play_script(&mut self, number: u64) {
        let due: Vec<_> = self.options.script.extract_if(.., |(at, _)| *at == number).collect();
        for (_, edit) in due {
            self.state.edit(edit);
        }
    }

    fn identity(&self, incoming: &Incoming) -> Identity {
        let bearer = incoming.authorization.as_deref().and_then(|v| v.strip_prefix("Bearer "));
        match (&incoming.token, bearer) {
            (Some(token), _) if *token == self.options.token => Identity::Token,
            (None, Some(token)) if self.tokens.open(token, self.state.now()) => Identity::OAuth,
            (None, Some(token)) if token == self.options.token => Identity::Token,
            (None, Some(_)) => Identity::Stale,
            _ => Identity::Anonymous,
        }
    }

    fn trouble(&mut self, number: u64, path: &str) -> Option<FaultKind> {
        let mut found = None;
        for (fault, seen) in self.options.faults.iter().zip(&mut self.seen) {
            if let At::Path(part, _) = &fault.at {
                if !path.contains(part.as_str()) {
                    continue;
                }
                *seen += 1;
            }
            if found.is_none() && fault.strikes(number, *seen) {
                found = Some(fault.trouble);
            }
        }
        found
    }

    fn served(&mut self, incoming: &Incoming) -> (Outgoing, Limits, u32) {
        let version = self.state.version();
        let place = incoming.path_and_query.as_str();
        let get = incoming.method == "GET";
        if get && let Some(kept) = self.cache.find(version, place, incoming.gzip) {
            let body = kept.body;
            let mut outgoing = self.outgoing(kept.status, body, false);
            if incoming.gzip {
                outgoing.headers.push(("content-encoding", self.options.gzip_name.to_owned()));
            }
            return (outgoing, Limits::True, kept.cost);
        }
        let answer = self.answer(incoming);
        if let Content::File(body) = answer.content {
            return (self.file(incoming, body), Limits::True, answer.cost);
        }
        let mut outgoing = self.outgoing(answer.status, answer.body(), incoming.gzip);
        if let Content::Moved(path) = &answer.content {
            // The storage has another host name.
            let storage = self.origin.replace("127.0.0.1", "localhost");
            outgoing.headers.push(("location", format!("{storage}{path}")));
        }
        if get && answer.status == 200 && self.options.faults.is_empty() {
            let kept = Kept { status: 200, cost: answer.cost, body: outgoing.body.clone() };
            self.cache.keep(version, place, incoming.gzip, kept);
        }
        (outgoing, Limits::True, answer.cost)
    }

    fn answer(&mut self, incoming: &Incoming) -> Answer {
        let Some(method) = Method::named(&incoming.method) else {
            let body = Bytes::from_static(b"{\"success\":false,\"error\":\"Unknown method .\"}");
            return Answer { status: 404, cost: 0, content: Content::Json(body) };
        };
        let request = Request::new(method, &incoming.path_and_query, incoming.body.clone());
        let answer = endpoints::answer(&mut self.state, &self.options, &request);
        let repeats = |fault: &Fault| fault.trouble == FaultKind::Repeat;
        if self.options.faults.iter().any(repeats)
            && let Content::Page(page) = &answer.content
        {
            self.pages.insert(request.path, page.clone());
        }
        answer
    }

    fn troubled(
        &mut self,
        incoming: &Incoming,
        trouble: FaultKind,
        number: u64,
    ) -> (Outgoing, Limits, u32) {
        let path = Request::new(Method::Get, &incoming.path_and_query, Bytes::new()).path;
        let before = self.pages.remove(&path);
        // A request that is refused before it is handled changes nothing.
        let undone = incoming.method != "GET" && trouble.at_the_gate();
        let answer = if undone { Answer::nothing() } else { self.answer(incoming) };
        let faulted = apply_fault::apply_fault(&answer, before.as_ref(), trouble, number);
        let gzip = incoming.gzip && !faulted.html;
        let mut outgoing = match &answer.content {
            _ if trouble == FaultKind::Echo => self.echo(incoming),
            Content::File(_) if faulted.status == 200 && !faulted.html => {
                self.file(incoming, faulted.body)
            }
            _ => self.outgoing(faulted.status, faulted.body, gzip),
        };
        outgoing.delivery = faulted.delivery;
        if faulted.html {
            outgoing.headers.retain(|(name, _)| *name != "content-type");
            outgoing.headers.push(("content-type", "text/html; charset=UTF-8".to_owned()));
        }
        let free = matches!(faulted.status, 0 | 401 | 403 | 429);
        (outgoing, faulted.limits, if free { 0 } else { answer.cost })
    }

    fn file(&self, incoming: &Incoming, body: Bytes) -> Outgoing {
        let (range, if_range) = (incoming.range.as_deref(), incoming.if_range.as_deref());
        let sent = attachments::sent(self.options.ranges, range, if_range, body);
        let mut file = self.outgoing(sent.status, sent.body, false);
        file.headers.retain(|(name, _)| *name != "content-type");
        file.headers.extend(sent.headers);
        file
    }

    /// Returns a refusal that repeats the token of the request.
    fn echo(&self, incoming: &Incoming) -> Outgoing {
        let bearer = incoming.authorization.as_deref().and_then(|v| v.strip_prefix("Bearer "));
        let token = incoming.token.as_deref().or(bearer).unwrap_or_default();
        let error = format!("the token {token} (token={token}) cannot do this");
        let body = serde_json::json!({"success": false, "error": error}).to_string();
        self.outgoing(400, body.into(), false)
    }

    fn over_limit(&self) -> Outgoing {
        self.outgoing(429, Bytes::from_static(apply_fault::OVER_LIMIT.as_bytes()), false)
    }

    fn outgoing(&self, status: u16, body: Bytes, gzip: bool) -> Outgoing {
        let mut headers = vec![
            ("date", date(self.state.now())),
            ("content-type", "application/json; charset=utf-8".to_owned()),
        ];
        let body = match &self.options.scrawl {
            Some(text) => scrawl::scrawl(body, text),
            None => body,
        };
        let body = if gzip {
            headers.push(("content-encoding", self.options.gzip_name.to_owned()));
            packed(&body)
        } else {
            body
        };
        Outgoing { status, headers, body, delivery: Delivery::Whole }
    }
}

fn packed(body: &[u8]) -> Bytes {
    let out = Vec::with_capacity(body.len() / 4 + 64);
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(1));
    encoder.write_all(body).expect("writing to memory does not fail");
    Bytes::from(encoder.finish().expect("writing to memory does not fail"))
}

fn limit_headers(levels: Levels, limits: Limits) -> Vec<(&'static str, String)> {
    let (burst_left, budget_left) = match limits {
        Limits::Absent => return Vec::new(),
        Limits::True => (levels.burst_left, levels.budget_left),
        Limits::BurstEmpty => (0, levels.budget_left),
        Limits::BudgetEmpty => (levels.burst_left, 0),
    };
    vec![
        ("x-ratelimit-limit", levels.burst.to_string()),
        ("x-ratelimit-remaining", burst_left.to_string()),
        ("x-ratelimit-reset", levels.reset_seconds.to_string()),
        ("x-daily-ratelimit-token-limit", levels.budget.to_string()),
        ("x-daily-ratelimit-token-remaining", budget_left.to_string()),
    ]
}

/// Most bytes of finished bodies kept for requests that repeat.
const CACHE_BYTES_MAX: usize = 512 << 20;

/// The serialized bodies of an account that is not edited.
#[derive(Debug, Default)]
struct Cache {
    version: u64,
    bytes: usize,
    kept: [HashMap<String, Kept>; 2],
}

#[derive(Debug, Clone)]
struct Kept {
    status: u16,
    cost: u32,
    body: Bytes,
}

impl Cache {
    fn find(&self, version: u64, place: &str, gzip: bool) -> Option<Kept> {
        (self.version == version).then(|| self.kept[usize::from(gzip)].get(place).cloned())?
    }

    fn keep(&mut self, version: u64, place: &str, gzip: bool, kept: Kept) {
        if self.version != version || self.bytes + kept.body.len() > CACHE_BYTES_MAX {
            *self = Self { version, ..Self::default() };
        }
        self.bytes += kept.body.len();
        self.kept[usize::from(gzip)].insert(place.to_owned(), kept);
    }
}
