//! The API as a function: it takes the account, a request and the time, and returns a response.

use super::account_state::AccountState;
use super::attachments::{self, Handed, STORAGE};
use super::http_request::{Method, Refusal, Request};
use super::json;
use super::lists::{self, Page};
use super::options::Options;
use super::writes;
use crate::model::{Listing, PerParent, Resource};
use bytes::Bytes;

/// A response before it is sent.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The cost in tokens.
    pub(super) cost: u32,
    pub(super) content: Content,
}

/// The body of a response.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Rows that are not serialized yet.
    Page(Page),
    /// A serialized body.
    Json(Bytes),
    /// The bytes of a file.
    File(Bytes),
    /// No body: the file is at this path of the storage.
    Moved(String),
}

impl Answer {
    /// Returns an empty response, for a request that gets none.
    pub(super) const fn nothing() -> Self {
        Self { status: 0, cost: 0, content: Content::Json(Bytes::new()) }
    }

    /// Returns the body.
    pub(super) fn body(&self) -> Bytes {
        match &self.content {
            Content::Page(page) => page.body(),
            Content::Json(body) | Content::File(body) => body.clone(),
            Content::Moved(_) => Bytes::new(),
        }
    }
}

/// The target of a path.
enum Route {
    Me,
    /// A list, for the parent of this key if its path contains one.
    List(&'static Resource, &'static Listing, Option<String>),
    /// A row, by its key.
    One(&'static Resource, String),
    /// The options of a field, by its dictionary and code.
    FieldOptions(&'static Resource, String),
    /// The bytes of the file of this key.
    File(String),
    /// The same in the storage.
    Storage(String),
    Nowhere,
}

/// Handles a request with valid credentials.
pub(super) fn answer(state: &mut AccountState, options: &Options, request: &Request) -> Answer {
    let route = route(&request.path);
    let cost = cost(&route, request);
    match answered(state, options, request, &route) {
        Ok((status, content)) => Answer { status, cost, content },
        Err(Refusal { status, body }) => {
            Answer { status, cost, content: Content::Json(Bytes::from(body)) }
        }
    }
}

fn answered(
    state: &mut AccountState,
    options: &Options,
    request: &Request,
    route: &Route,
) -> Result<(u16, Content), Refusal> {
    let nowhere = || Refusal::general(404, "Unknown method .", "");
    if let Route::List(resource, ..) | Route::One(resource, _) | Route::FieldOptions(resource, _) =
        route
    {
        options.features.open(resource)?;
    }
    match (request.method, route) {
        (Method::Get, Route::Me) => Ok((200, Content::Json(me(state, options)))),
        (Method::Get, Route::List(resource, listing, parent)) => {
            permitted(options, resource)?;
            let page = lists::list(state, options, resource, listing, parent.as_deref(), request)?;
            Ok((200, Content::Page(page)))
        }
        (Method::Get, Route::One(resource, key)) => {
            permitted(options, resource)?;
            one(state, resource, key)
        }
        (Method::Get, Route::File(key)) => Ok(match attachments::hand_out(state, key)? {
            Handed::Bytes(bytes) => (200, Content::File(bytes)),
            Handed::Elsewhere(path) => (302, Content::Moved(path)),
        }),
        (Method::Get, Route::Storage(key)) => {
            Ok((200, Content::File(attachments::stored(state, key)?)))
        }
        (Method::Post, Route::FieldOptions(resource, code)) => {
            writes::add_options(state, options, resource, code, request)
        }
        (_, Route::List(resource, ..)) => writes::create(state, options, resource, request),
        (_, Route::One(resource, key)) => writes::write(state, options, resource, key, request),
        (
            _,
            Route::Me
            | Route::FieldOptions(..)
            | Route::File(_)
            | Route::Storage(_)
            | Route::Nowhere,
        ) => Err(nowhere()),
    }
}

/// Refuses roles, permission sets and webhooks to users who are not admins.
fn permitted(options: &Options, resource: &Resource) -> Result<(), Refusal> {
    if resource.admin && !options.admin {
        let error = "You do not have permissions to do this.";
        return Err(Refusal::general(403, error, "Please check developers.pipedrive.com"));
    }
    Ok(())
}

fn route(path: &str) -> Route {
    if path == "/api/v1/users/me" {
        return Route::Me;
    }
    let file = path.strip_prefix("/api/v1/files/").and_then(|rest| rest.strip_suffix("/download"));
    if let Some(key) = file {
        return Route::File(key.to_owned());
    }
    if let Some(key) = path.strip_prefix(STORAGE) {
        return Route::Storage(key.to_owned());
    }
    let listings = || Resource::all().flat_map(|r| r.listings.iter().map(move |l| (r, l)));
    if let Some((resource, listing)) = listings().find(|(_, listing)| listing.path == path) {
        return Route::List(resource, listing, None);
    }
    for (resource, listing) in listings() {
        if let Some((before, after)) = listing.path.split_once("{id}")
            && let Some(key) = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after))
            && !key.contains('/')
        {
            return Route::List(resource, listing, Some(key.to_owned()));
        }
    }
    for resource in Resource::all().filter(|resource| resource.parent.is_none()) {
        let key = path.strip_prefix(resource.listings[0].path);
        if let Some(key) = key.and_then(|rest| rest.strip_prefix('/')) {
            match key.strip_suffix("/options") {
                Some(code) if resource.name.ends_with("_fields") && !code.contains('/') => {
                    return Route::FieldOptions(resource, code.to_owned());
                }
                _ if key.contains('/') => {}
                _ => return Route::One(resource, key.to_owned()),
            }
        }
    }
    Route::Nowhere
}

/// Returns the cost of a request in tokens (pipedrive-api.md 4.3). A failed request costs the same.
fn cost(route: &Route, request: &Request) -> u32 {
    let v2 = request.v2();
    match (request.method, route) {
        (_, Route::Nowhere | Route::Storage(_)) | (Method::Get, Route::FieldOptions(..)) => 0,
        (Method::Get, Route::Me) => 2,
        (Method::Get, Route::File(_)) => 20,
        (Method::Get, Route::List(_, listing, _)) => listing.cost,
        (Method::Get, Route::One(..)) => {
            if v2 {
                1
            } else {
                2
            }
        }
        (Method::Delete, _) => {
            if v2 {
                3
            } else {
                6
            }
        }
        (Method::Post | Method::Put | Method::Patch, _) => {
            if v2 {
                5
            } else {
                10
            }
        }
    }
}

fn one(
    state: &mut AccountState,
    resource: &'static Resource,
    key: &str,
) -> Result<(u16, Content), Refusal> {
    let now = state.now();
    let row = state.table(resource).get(key).filter(|row| lists::listable(resource, row, now));
    let row = row.ok_or_else(Refusal::not_found)?;
    Ok((200, Content::Json(single(&row.json))))
}

/// Returns the response for one row.
pub(super) fn single(row: &[u8]) -> Bytes {
    Bytes::from([b"{\"success\":true,\"data\":", row, b"}"].concat())
}

/// Returns the owner of the token: the first user.
fn me(state: &mut AccountState, options: &Options) -> Bytes {
    let users = Resource::named("users").expect("the table has users");
    let row = state.table(users).rows()[0].json.clone();
    let company = options.company_id.to_string();
    let access = format!(
        "[{{\"app\":\"global\",\"admin\":{0},\"permission_set_id\":\"{1}\"}},{{\"app\":\"sales\",\"admin\":{0},\"permission_set_id\":\"{1}\"}}]",
        options.admin,
        state.account().uuid("permission_sets", 1)
    );
    let set = [
        ("access", access.as_str()),
        ("is_admin", if options.admin { "1" } else { "0" }),
        ("company_id", company.as_str()),
        ("company_name", "\"Sandbox Ltd\""),
        ("company_domain", "\"sandbox\""),
        ("company_country", "\"LV\""),
        ("company_industry", "null"),
        ("language", "{\"language_code\":\"en\",\"country_code\":\"GB\"}"),
    ];
    let said = set.iter().filter(|(key, _)| *key != "company_id" || options.company_id != 0);
    let set: Vec<_> = said.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    single(&json::replaced(&row, &set))
}

/// Returns the parents that a request for a child list names, by path or parameter. Each must be a number.
pub(super) fn parents(
    resource: &Resource,
    in_path: Option<&str>,
    request: &Request,
) -> Result<Vec<u64>, Refusal> {
    let Some(parent) = &resource.parent else {
        return Ok(Vec::new());
    };
    let missing =
        |name: &str| writes::invalid(request, &format!("{name}: Parameter '{name}' is required"));
    let text = match parent.ask {
        PerParent::Path => in_path.unwrap_or_default(),
        PerParent::Query(name) | PerParent::Batch(name) => {
            request.get(name).ok_or_else(|| missing(name))?
        }
    };
    let keys: Option<Vec<u64>> = text.split(',').map(|key| key.parse().ok()).collect();
    match (keys, parent.ask) {
        (None, PerParent::Path) => Err(Refusal::not_found()),
        (None, PerParent::Query(name) | PerParent::Batch(name)) => {
            Err(writes::invalid(request, &format!("{name}: Expected integers")))
        }
        (Some(keys), PerParent::Batch(name)) if keys.len() > crate::model::BATCH_PARENTS_MAX => {
            Err(Refusal::invalid(&[format!("{name}: at most 100 allowed")]))
        }
        (Some(keys), _) => Ok(keys),
    }
}
