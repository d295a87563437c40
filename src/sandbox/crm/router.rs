//! Routes requests to the CRM: authentication, dispatch, response.

use super::import::{Service, Taken};
use super::options::CrmOptions;
use super::rows::{ARRAYS, What, is_uuid, row_uuid};
use super::tenant::Tenant;
use crate::model::{Time, items, members, quoted};
use crate::sandbox::http_request::{Method, Request};
use bytes::Bytes;
use serde_json::{Value, json};

/// The base path of the CRM.
const PATH: &str = "/api/v1/crm/";

/// Returns whether a request is for the CRM.
pub(in crate::sandbox) fn is_path(path: &str) -> bool {
    path.starts_with(PATH) || matches!(path, "/health" | "/api/v1/health")
}

/// All organizations of the CRM.
#[derive(Debug)]
pub(in crate::sandbox) struct Crm {
    options: CrmOptions,
    tenants: Vec<Tenant>,
    taken: Taken,
    /// The number of the last row that was created.
    last: u64,
}

/// The credentials and the content type of a request.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox) struct Caller<'c> {
    pub(in crate::sandbox) authorization: Option<&'c str>,
    /// A Pipedrive token, which must not be sent here.
    pub(in crate::sandbox) token: Option<&'c str>,
    pub(in crate::sandbox) content_type: Option<&'c str>,
}

type Answer = (u16, Bytes);

impl Crm {
    pub(in crate::sandbox) fn new(options: CrmOptions) -> Self {
        let tenants = options.tenants.iter().enumerate().map(|(place, t)| Tenant::new(place, t));
        Self { tenants: tenants.collect(), options, taken: Taken::default(), last: 0 }
    }

    /// Returns the key of an organization, by its index.
    pub(in crate::sandbox) fn key(&self, place: usize) -> Option<String> {
        self.tenants.get(place).map(|tenant| tenant.key.clone())
    }

    /// Returns the rows of an array of an organization, as in an export.
    pub(in crate::sandbox) fn rows(&self, place: usize, array: &str) -> Vec<Bytes> {
        let at = ARRAYS.iter().position(|(plural, ..)| *plural == array);
        let rows = at.and_then(|at| Some(&self.tenants.get(place)?.arrays[at].list));
        rows.into_iter().flatten().map(|row| row.shown(self.options.ids).into()).collect()
    }

    /// Returns the number of events of an organization.
    pub(in crate::sandbox) fn events(&self, place: usize) -> usize {
        self.tenants.get(place).map_or(0, |tenant| tenant.events.len())
    }

    /// Handles a request. With `half`, an import stops in the middle and returns 500.
    pub(in crate::sandbox) fn respond(
        &mut self,
        caller: Caller<'_>,
        request: &Request,
        now: Time,
        half: bool,
    ) -> Answer {
        let Some(path) = request.path.strip_prefix(PATH) else {
            return (200, Bytes::from_static(b"{\"status\":\"ok\"}"));
        };
        if caller.token.is_some() {
            return no(400, "a Pipedrive token came here");
        }
        let key = caller.authorization.and_then(|text| text.strip_prefix("Bearer "));
        let place = key.and_then(|key| self.tenants.iter().position(|tenant| tenant.key == key));
        let Some(place) = place else {
            return no(401, "unauthorized");
        };
        if request.body.len() > self.options.body_bytes_max {
            return no(413, "request entity too large");
        }
        let writes = matches!(request.method, Method::Post | Method::Put | Method::Patch);
        let is_json = caller.content_type.is_some_and(|ty| ty.starts_with("application/json"));
        if writes && !is_json {
            return no(415, "Content-Type must be application/json");
        }
        let parts: Vec<&str> = path.split('/').collect();
        match (request.method, parts.as_slice()) {
            (Method::Get, ["export"]) => (200, self.export(place, now)),
            (Method::Post, ["import"]) => self.import(place, request, now, half),
            (Method::Get, ["change_events"]) => self.change_events(place, request),
            (Method::Get, ["opportunity_pipelines"]) => {
                (200, self.tenants[place].shown().to_string().into())
            }
            (_, ["opportunity_pipelines", ..]) => no(403, "requires a user session"),
            (method, [plural, rest @ ..]) => {
                let array = ARRAYS.iter().position(|(known, ..)| known == plural);
                match (array, method, rest) {
                    (Some(array), Method::Get, []) => (200, self.list(place, array, request)),
                    (Some(array), Method::Post, []) => self.create(place, array, request, now),
                    (Some(array), method, [id]) => self.one(place, array, method, id, request, now),
                    _ => no(404, "not found"),
                }
            }
            _ => no(404, "not found"),
        }
    }

    fn export(&self, place: usize, now: Time) -> Bytes {
        let tenant = &self.tenants[place];
        let size: usize =
            tenant.arrays.iter().flat_map(|rows| &rows.list).map(|r| r.json.len() + 64).sum();
        let mut out = Vec::with_capacity(size + 256);
        let head = format!(
            "{{\"version\":\"1\",\"exported_at\":\"{now}\",\"organization_id\":{}",
            quoted(&tenant.organization_id)
        );
        out.extend_from_slice(head.as_bytes());
        for ((plural, ..), rows) in ARRAYS.iter().zip(&tenant.arrays) {
            out.extend_from_slice(format!(",\"{plural}\":[").as_bytes());
            let shown = rows.list.iter().filter(|row| self.options.export_deleted || !row.deleted);
            for (at, row) in shown.enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(&row.shown(self.options.ids));
            }
            out.push(b']');
        }
        out.push(b'}');
        out.into()
    }

    fn desk(&mut self, place: usize, now: Time) -> Service<'_> {
        Service {
            options: &self.options,
            tenant: &mut self.tenants[place],
            place,
            taken: &mut self.taken,
            last: &mut self.last,
            now,
        }
    }

    fn import(&mut self, place: usize, request: &Request, now: Time, half: bool) -> Answer {
        let Some(body) = object(&request.body) else {
            return no(400, "body must be a JSON object");
        };
        let mut rows: Vec<(usize, usize, String)> = Vec::new();
        for (array, (plural, ..)) in ARRAYS.iter().enumerate() {
            let given = members(body);
            let Some((_, raw)) = given.iter().find(|(key, _)| key == plural) else { continue };
            let mut index = 0;
            let read = items(raw, |row| {
                rows.push((array, index, row.to_owned()));
                index += 1;
            });
            if read.is_err() {
                return no(400, &format!("{plural} must be a list"));
            }
        }
        if rows.len() > self.options.rows_max {
            return no(413, &format!("at most {} rows at a time", self.options.rows_max));
        }
        // An atomic import is undone as a whole if one of its rows is refused.
        let before = self.options.atomic.then(|| (self.tenants[place].clone(), self.taken.clone()));
        let most = if half { rows.len() / 2 } else { rows.len() };
        let (mut errors, mut imported) = (Vec::new(), [0_u64; 5]);
        let mut desk = self.desk(place, now);
        for (array, index, row) in rows.into_iter().take(most) {
            match desk.check(array, &row) {
                Ok(checked) => {
                    desk.write(array, checked, What::Imported);
                    imported[array] += 1;
                }
                Err(error) => errors.push(fault(array, index, &row, &error)),
            }
        }
        if half {
            return no(500, "something went wrong");
        }
        if let (Some((tenant, taken)), false) = (before, errors.is_empty()) {
            (self.tenants[place], self.taken) = (tenant, taken);
            let body = json!({"message": "validation failed", "errors": errors});
            return (422, body.to_string().into());
        }
        if !self.options.report {
            return (200, Bytes::from_static(b"{}"));
        }
        let imported = ARRAYS
            .iter()
            .zip(imported)
            .map(|((plural, ..), rows)| ((*plural).to_owned(), rows.into()));
        let imported: serde_json::Map<String, Value> = imported.collect();
        (200, json!({"imported": imported, "errors": errors}).to_string().into())
    }

    fn change_events(&self, place: usize, request: &Request) -> Answer {
        let kind = request.get("record_type");
        let id = request.get("record_id");
        if id.is_some_and(|id| !is_uuid(id)) {
            return no(400, "record_id must be a UUID");
        }
        let times = self.options.event_times;
        let events = self.tenants[place].events.iter().zip(1_u64..);
        let wanted = events.filter(|(event, _)| {
            kind.is_none_or(|kind| ARRAYS[usize::from(event.array)].1 == kind)
                && id.is_none_or(|id| row_uuid(event.row) == id)
        });
        let mut out = "{\"change_events\":[".to_owned();
        let mut count = 0;
        for (event, number) in wanted {
            if count > 0 {
                out.push(',');
            }
            count += 1;
            out.push_str(&event.shown(number, times));
        }
        (200, format!("{out}],\"total_count\":{count}}}").into())
    }

    fn list(&self, place: usize, array: usize, request: &Request) -> Bytes {
        let rows = self.tenants[place].arrays[array].list.iter().filter(|row| !row.deleted);
        let pipeline = request.get("pipeline_id").filter(|_| array == 2);
        let wanted = request.get("q").filter(|_| array == 2).map(str::to_lowercase);
        let shown: Vec<_> = rows
            .filter(|row| pipeline.is_none_or(|id| row.text("pipeline_id").as_deref() == Some(id)))
            .filter(|row| {
                wanted.as_ref().is_none_or(|wanted| {
                    let name = row.text("name").unwrap_or_default();
                    [name.as_str(), &row.public_id]
                        .iter()
                        .any(|t| t.to_lowercase().contains(wanted))
                })
            })
            .map(|row| String::from_utf8_lossy(&row.shown(true)).into_owned())
            .collect();
        format!("{{\"{}\":[{}],\"total_count\":{}}}", ARRAYS[array].0, shown.join(","), shown.len())
            .into()
    }

    fn create(&mut self, place: usize, array: usize, request: &Request, now: Time) -> Answer {
        let (_, singular, prefix) = ARRAYS[array];
        let Some(row) = inner(&request.body, singular) else {
            return no(400, &format!("{singular} is missing"));
        };
        let id = super::rows::get(&row, "public_id");
        let id = id.unwrap_or_else(|| format!("{prefix}{:08x}", self.last + 1));
        let row = super::rows::merged(&row, &[("public_id".to_owned(), quoted(&id))]);
        let row = String::from_utf8_lossy(&row).into_owned();
        if self.tenants[place].arrays[array].find(&id).is_some() {
            return no(422, "public_id has already been taken");
        }
        self.written(place, array, &row, What::Created, now, 201)
    }

    fn one(
        &mut self,
        place: usize,
        array: usize,
        method: Method,
        id: &str,
        request: &Request,
        now: Time,
    ) -> Answer {
        let rows = &self.tenants[place].arrays[array];
        let at = rows.find(id).or_else(|| rows.list.iter().position(|r| row_uuid(r.number) == id));
        let Some(at) = at else {
            return no(404, "not found");
        };
        let (public_id, shown) = (rows.list[at].public_id.to_string(), rows.list[at].shown(true));
        let own = [("public_id".to_owned(), quoted(&public_id))];
        match method {
            Method::Get => (200, shown.into()),
            Method::Delete => {
                let gone = ("deleted_at".to_owned(), format!("\"{now}\""));
                let row = super::rows::merged("{}", &[own[0].clone(), gone]);
                let row = String::from_utf8_lossy(&row).into_owned();
                self.written(place, array, &row, What::Deleted, now, 200)
            }
            Method::Patch | Method::Put => {
                let Some(row) = inner(&request.body, ARRAYS[array].1) else {
                    return no(400, &format!("{} is missing", ARRAYS[array].1));
                };
                let row = super::rows::merged(&row, &own);
                let row = String::from_utf8_lossy(&row).into_owned();
                self.written(place, array, &row, What::Updated, now, 200)
            }
            Method::Post => no(404, "not found"),
        }
    }

    fn written(
        &mut self,
        place: usize,
        array: usize,
        row: &str,
        what: What,
        now: Time,
        status: u16,
    ) -> Answer {
        let mut desk = self.desk(place, now);
        match desk.check(array, row) {
            Err(error) => no(422, &error),
            Ok(checked) => {
                desk.write(array, checked, what);
                let id = super::rows::get(row, "public_id").unwrap_or_default();
                let rows = &self.tenants[place].arrays[array];
                let at = rows.find(&id).expect("the row was just written");
                (status, rows.list[at].shown(true).into())
            }
        }
    }
}

fn no(status: u16, error: &str) -> Answer {
    (status, json!({"error": error}).to_string().into())
}

fn fault(array: usize, index: usize, row: &str, error: &str) -> Value {
    json!({
        "array": ARRAYS[array].0,
        "index": index,
        "public_id": super::rows::get(row, "public_id"),
        "error": error,
    })
}

fn object(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let whole = serde_json::from_str::<&serde_json::value::RawValue>(text).ok()?.get();
    whole.starts_with('{').then_some(whole)
}

/// Returns the object under this key.
fn inner(body: &[u8], key: &str) -> Option<String> {
    let members = members(object(body)?);
    let (_, raw) = members.into_iter().find(|(name, _)| name == key)?;
    raw.starts_with('{').then(|| raw.to_owned())
}
