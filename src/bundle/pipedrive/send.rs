//! Writes rows to Pipedrive one by one. No row is created twice, and none is deleted.

use super::body::{WriteMode, body};
use super::id_map::IdMap;
use super::missing_fields::{MissingFields, dictionary, owner};
use crate::api::{Answer, Client, Request};
use crate::bundle::format::{Entity, public_id_of, value_of};
use crate::bundle::index::Index;
use crate::bundle::map::{AccountSetup, NOTE_MARK, generated_id};
use crate::bundle::push::{
    Act, Entry, Fates, Fitted, Journal, KnownField, Plan, Refused, in_order, known,
};
use crate::bundle::reader::{Reader, Survey};
use crate::model::{Error, Kind, Result, list, text, usable};
use std::collections::{BTreeMap, BTreeSet};

/// The tokens of a write, for API version 1 and 2 (pipedrive-api.md 4.3).
const WRITE_TOKENS: [u64; 2] = [10, 5];
/// The tokens of a request for the newest rows, for API version 1 and 2.
const LOOK_TOKENS: [u32; 2] = [20, 10];
/// The number of newest rows that are searched for a row after a lost response.
const NEWEST: &str = "100";
/// How often a row is created whose answer was lost and that is not there.
const TRIES_MAX: u32 = 4;

/// The results of a push.
#[derive(Debug, Default)]
pub struct Sent {
    /// The number of rows that were written, by array.
    pub rows: [u64; 5],
    /// The rows that were refused.
    pub refused: Vec<Refused>,
    /// The number of write requests.
    pub requests: u64,
}

/// Returns the path of the rows of an array.
const fn path(entity: Entity) -> &'static str {
    match entity {
        Entity::Accounts => "/api/v2/organizations",
        Entity::Contacts => "/api/v2/persons",
        Entity::Opportunities => "/api/v2/deals",
        Entity::Leads => "/api/v1/leads",
        Entity::Activities => "/api/v2/activities",
    }
}

/// Returns whether rows of an array are written by version 2 of the API.
const fn v2(entity: Entity) -> bool {
    !matches!(entity, Entity::Leads)
}

/// Returns the tokens that a plan costs: one write per row, field and set of options. The second write of
/// an archived lead is not included.
pub fn tokens(plan: &Plan, needs: &MissingFields) -> u64 {
    let rows = Entity::ALL.into_iter().map(|entity| {
        let counts = plan.counts(entity);
        (counts.create + counts.update) * WRITE_TOKENS[usize::from(v2(entity))]
    });
    rows.sum::<u64>() + needs.requests() * WRITE_TOKENS[1]
}

/// Creates missing fields and options. Returns the keys of the fields, which are also written to the
/// journal.
pub async fn prepare(
    client: &Client,
    needs: &MissingFields,
    journal: &mut Journal,
) -> Result<Vec<KnownField>> {
    let mut created = Vec::new();
    let cost = u32::try_from(WRITE_TOKENS[1]).unwrap_or(0);
    for field in &needs.fields {
        let request = Request::create(dictionary(field.entity), cost, field.body());
        let key = client.ask(request, field_code).await?;
        let (entity, name, source) = (field.entity, field.name.clone(), field.source.clone());
        let known = KnownField { entity, name, key, source };
        journal.write(&Entry::from(&known))?;
        created.push(known);
    }
    for options in &needs.options {
        let path = format!("{}/{}/options", dictionary(options.entity), options.code);
        client.ask(Request::create(path, cost, options.body()), succeeded).await?;
    }
    Ok(created)
}

/// Executes the plan row by row. Each row has a journal entry before and after it is written. `fit` and
/// `target` are those with which the plan was made. An error of a kind that stops a run ends the push; a
/// row that Pipedrive refuses does not.
#[expect(
    clippy::too_many_arguments,
    reason = "what a push joins: the bundle, the account, the record"
)]
pub async fn send_plan<F>(
    survey: &Survey,
    plan: &Plan,
    (target, fates): (&mut Index, &Fates),
    client: &Client,
    setup: &AccountSetup,
    ids: &mut IdMap,
    journal: &mut Journal,
    mut fit: F,
    mut seen: impl FnMut(&Sent),
) -> Result<Sent>
where
    F: FnMut(Entity, &str, Option<&str>) -> Option<Fitted>,
{
    let mut push = Push { client, setup, ids, journal, sent: Sent::default() };
    let mut early: BTreeMap<Entity, BTreeSet<u64>> = BTreeMap::new();
    for span in in_order(survey) {
        let mut rows = Reader::of_array(&survey.path, span)?;
        while let Some(row) = rows.next().await? {
            // Every row is converted, because later rows may refer to it.
            let act = plan.act_of(row.entity, row.index);
            let there = fates.there(target, row.entity, &known(row.json)?)?;
            let Some(fitted) = fit(row.entity, row.json, there.as_deref()) else { continue };
            let new = match act {
                Act::Create => true,
                Act::Update => false,
                Act::Keep | Act::Leave | Act::Gone | Act::Moved | Act::Locked => continue,
            };
            if push.row(row.entity, row.index, &fitted.json, new).await? {
                early.entry(row.entity).or_default().insert(row.index);
            }
            seen(&push.sent);
        }
    }
    // Custom fields may refer to rows that did not exist when the row was written.
    for span in in_order(survey) {
        let Some(waiting) = early.get(&span.entity) else { continue };
        let mut rows = Reader::of_array(&survey.path, span)?;
        while let Some(row) = rows.next().await? {
            if !waiting.contains(&row.index) {
                continue;
            }
            let there = fates.there(target, row.entity, &known(row.json)?)?;
            if let Some(fitted) = fit(row.entity, row.json, there.as_deref()) {
                push.again(row.entity, row.index, &fitted.json).await?;
            }
        }
    }
    Ok(push.sent)
}

/// A push in progress.
struct Push<'p> {
    client: &'p Client,
    setup: &'p AccountSetup,
    ids: &'p mut IdMap,
    journal: &'p mut Journal,
    sent: Sent,
}

impl Push<'_> {
    /// Writes a row, with a journal entry before and after it. Returns whether it refers to rows that do
    /// not exist yet.
    async fn row(&mut self, entity: Entity, index: u64, row: &str, new: bool) -> Result<bool> {
        let public_id = public_id_of(row).unwrap_or_default();
        let batch = self.journal.send(entity, &[index])?;
        match self.write(entity, &public_id, row, new).await {
            Ok((id, early)) => {
                let array_name = entity.name().to_owned();
                self.journal.write(&Entry::Id { entity: array_name, public_id, id })?;
                self.journal.done(batch, Vec::new())?;
                self.sent.rows[entity as usize] += 1;
                Ok(early)
            }
            Err(error) => {
                self.refused(entity, index, batch, public_id, error)?;
                Ok(false)
            }
        }
    }

    /// Writes a row again after the rows that it refers to were created.
    async fn again(&mut self, entity: Entity, index: u64, row: &str) -> Result<()> {
        let public_id = public_id_of(row).unwrap_or_default();
        let batch = self.journal.send(entity, &[index])?;
        match self.write(entity, &public_id, row, false).await {
            Ok(_) => self.journal.done(batch, Vec::new()),
            Err(error) => self.refused(entity, index, batch, public_id, error),
        }
    }

    /// Records a row that Pipedrive refused. Any other error ends the push.
    fn refused(
        &mut self,
        entity: Entity,
        index: u64,
        batch: u64,
        public_id: String,
        error: Error,
    ) -> Result<()> {
        if !matches!(error.kind(), Kind::Refused | Kind::Permission) {
            return Err(error);
        }
        let entity = entity.name().to_owned();
        let refused = Refused { entity, index, public_id, error: error.to_string() };
        self.sent.refused.push(refused.clone());
        self.journal.done(batch, vec![refused])
    }

    /// Writes a row. Returns its id, and whether it refers to rows that do not exist yet.
    async fn write(
        &mut self,
        entity: Entity,
        public_id: &str,
        row: &str,
        new: bool,
    ) -> Result<(String, bool)> {
        let cost = u32::try_from(WRITE_TOKENS[usize::from(v2(entity))]).unwrap_or(0);
        let there = self.ids.find(entity, public_id).map(|id| id.trim_matches('"').to_owned());
        // A row that is identified by its own id does not store one in a field.
        let own = there
            .as_ref()
            .is_some_and(|id| generated_id(self.setup.company, entity, id) == public_id);
        let manner = WriteMode { new, marked: new || !own };
        let made = body(entity, row, manner, self.setup, self.ids);
        let id = if new {
            let id = self.create(entity, public_id, &made.json, cost).await?;
            self.ids.add(entity, public_id, &id);
            id
        } else {
            let id = there.ok_or_else(|| {
                Error::new(Kind::Bug, format!("{public_id} is in the account and has no id"))
            })?;
            self.change(entity, &id, made.json, cost).await?;
            id
        };
        if let Some(then) = made.then {
            self.change(entity, &id, then, cost).await?;
        }
        Ok((id, made.early))
    }

    async fn change(&mut self, entity: Entity, id: &str, body: String, cost: u32) -> Result<()> {
        self.sent.requests += 1;
        let request = Request::change(format!("{}/{id}", path(entity)), cost, body);
        self.client.ask(request, succeeded).await
    }

    /// Creates a row. If the response is lost, it searches the newest rows for the public id before it
    /// creates the row again.
    async fn create(
        &mut self,
        entity: Entity,
        public_id: &str,
        body: &str,
        cost: u32,
    ) -> Result<String> {
        let mut tries = 0;
        loop {
            tries += 1;
            self.sent.requests += 1;
            let request = Request::create(path(entity), cost, body.to_owned());
            let lost = match self.client.ask(request, created).await {
                Ok(id) => return Ok(id),
                Err(error) if matches!(error.kind(), Kind::Network | Kind::Upstream) => error,
                Err(error) => return Err(error),
            };
            if let Some(id) = self.newest(entity, public_id).await? {
                return Ok(id);
            }
            if tries == TRIES_MAX {
                return Err(lost);
            }
        }
    }

    /// Returns the id of a row with this public id, if it is among the newest rows.
    async fn newest(&self, entity: Entity, public_id: &str) -> Result<Option<String>> {
        let cost = LOOK_TOKENS[usize::from(v2(entity))];
        let mut request = Request::new(path(entity), cost).with("limit", NEWEST);
        request = if v2(entity) {
            request.with("sort_by", "id").with("sort_direction", "desc")
        } else {
            request.with("start", "0").with("sort", "add_time DESC")
        };
        let marker = owner(entity).and_then(|owner| self.setup.marker(owner));
        if let (Some(marker), true) = (marker, v2(entity)) {
            request = request.with("custom_fields", marker);
        }
        let (before, after) = NOTE_MARK;
        let mark = format!("{before}{public_id}{after}");
        let is_it = |row: &str| match marker {
            Some(marker) => {
                let home = value_of(row, "custom_fields").unwrap_or(row);
                value_of(home, marker).and_then(text).is_some_and(|id| id == public_id)
            }
            None => value_of(row, "note").and_then(text).is_some_and(|note| note.ends_with(&mark)),
        };
        let read = |answer: &Answer| {
            // A response without a list is an error. If it counted as an empty list, the row would be
            // created twice.
            let data = data(answer)?;
            if data != "null" && !data.starts_with('[') {
                return Err(Error::new(Kind::Shape, "answer holds no list of rows"));
            }
            let rows = list(data);
            Ok((rows.is_empty(), rows.into_iter().find(|row| is_it(row)).and_then(id_of)))
        };
        // An empty list is accepted only if a second response repeats it.
        let (empty, found) = self.client.ask(request.clone(), read).await?;
        if !empty {
            return Ok(found);
        }
        Ok(self.client.ask(request, read).await?.1)
    }
}

/// Returns the data of a successful response. Anything else is a [`Kind::Shape`] error.
fn data(answer: &Answer) -> Result<&str> {
    let held = || {
        serde_json::from_slice::<serde::de::IgnoredAny>(&answer.body).ok()?;
        let text = std::str::from_utf8(&answer.body).ok()?;
        let fine = value_of(text, "success") == Some("true");
        value_of(text, "data").filter(|_| fine)
    };
    held().ok_or_else(|| Error::new(Kind::Shape, "answer is no success"))
}

/// Checks that a write succeeded.
fn succeeded(answer: &Answer) -> Result<()> {
    data(answer).map(|_| ())
}

/// Returns the key of a created field.
fn field_code(answer: &Answer) -> Result<String> {
    let code = value_of(data(answer)?, "field_code").and_then(text);
    code.ok_or_else(|| Error::new(Kind::Shape, "answer does not say which field was created"))
}

/// Returns the id of a created row. If the response has no id, the row may exist nevertheless, so the error
/// has the kind of a lost response.
fn created(answer: &Answer) -> Result<String> {
    let id = data(answer).ok().and_then(id_of);
    id.ok_or_else(|| Error::new(Kind::Upstream, "answer does not say what was created"))
}

/// Returns the id of a row, as text.
fn id_of(row: &str) -> Option<String> {
    let raw = value_of(row, "id").filter(|raw| usable(raw))?;
    Some(text(raw).unwrap_or_else(|| raw.to_owned()))
}
