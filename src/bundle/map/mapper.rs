//! Maps records of Pipedrive to rows of a bundle. The module is pure: the output depends on the input only.

use super::custom::{self, Custom, Targets};
use super::dictionary::dictionary;
use super::identity::{Called, Known, generated_id, key};
use super::likely::Likely;
use super::rows;
use super::setup::AccountSetup;
use super::source::{Fields, Losses, id};
use crate::bundle::fitting::fault;
use crate::bundle::format::{Entity, PUBLIC_ID_MAX, Shape, value_of};
use crate::bundle::index::number;
use crate::bundle::sidecar::{Counts, Sidecar, Unmapped};
use crate::model::{Error, Kind, LABELS_BYTES_MAX, Resource, Result, Time, quoted, text, usable};
use std::collections::BTreeSet;

/// The resources that become rows of a bundle, in the order in which they must be passed.
pub const RESOURCES: &[(&str, Entity)] = &[
    ("organizations", Entity::Accounts),
    ("persons", Entity::Contacts),
    ("deals", Entity::Opportunities),
    ("leads", Entity::Leads),
    ("activities", Entity::Activities),
];

/// Longest id of a record of which a public id can be made.
const ID_BYTES_MAX: usize = 200;
/// The resources whose public ids a custom field of any row may contain.
pub const LEARNT: &[&str] = &["organizations", "persons"];

/// The markers around the public id of an activity. Pipedrive has no custom fields for activities, so a
/// push stores the id as the last paragraph of the note.
pub(in crate::bundle) const NOTE_MARK: (&str, &str) = ("<p>Portable id: ", "</p>");

/// The reasons why a value is not in the bundle.
const NOT_IN_BUNDLE: &str = "has no field in a bundle";
const DANGLING: &str = "refers to a row that is not there; its external id is kept";
const DANGLING_REFERENCE: &str = "refers to a row that is not there; the id it would have is kept";
const NOT_READ: &str = "is not in the backup, so what it names stays unnamed";
const NO_OWNER: &str = "is no user with an e-mail address";
const NO_LABEL: &str = "is no label that the account has";
const LABELS_TOO_LONG: &str = "has labels of more than 64 KiB together; left out";
const NO_STAGE: &str = "is no stage that the account has";
/// The reason why a row is not in the bundle.
pub const NO_ID: &str = "cannot be used, and without it the row has no public id: left out";

/// Converts records to rows of a bundle.
#[derive(Debug)]
pub struct Mapper {
    setup: AccountSetup,
    known: Known,
    losses: Losses,
    likely: Likely,
    counts: [Counts; 5],
    /// The references of custom fields to accounts and contacts that are not yet read.
    deferred: Vec<(&'static str, Box<str>, Entity, u64)>,
    /// The number of records that were returned twice.
    repeats: u64,
    /// The fields of the current row whose value is incomplete.
    pub(super) partial: BTreeSet<&'static str>,
    out: String,
}

/// The values that begin and end every row.
pub(super) struct Common {
    pub(super) public_id: String,
    pub(super) external_id: String,
    pub(super) owner: Option<String>,
    pub(super) created_at: Option<String>,
    pub(super) updated_at: Option<String>,
    pub(super) deleted_at: Option<String>,
}

/// Returns the name of an array's records in external ids.
const fn external_kind(entity: Entity) -> &'static str {
    match entity {
        Entity::Accounts => "organization",
        Entity::Contacts => "person",
        Entity::Opportunities => "deal",
        Entity::Leads => "lead",
        Entity::Activities => "activity",
    }
}

/// Returns the resource that an array is made from.
fn resource(entity: Entity) -> &'static str {
    RESOURCES[entity as usize].0
}

impl Mapper {
    /// Creates a mapper with a setup on which [`AccountSetup::ready`] was called.
    pub fn new(setup: AccountSetup) -> Self {
        let known = Known::of(setup.company);
        let likely = Likely::of(&setup);
        Self {
            setup,
            known,
            losses: Losses::default(),
            likely,
            counts: [Counts::default(); 5],
            deferred: Vec::new(),
            repeats: 0,
            partial: BTreeSet::new(),
            out: String::new(),
        }
    }

    /// Returns whether the account may store public ids of accounts and contacts. If so, they must be
    /// passed to [`Mapper::learn`] before the rows that refer to them.
    pub fn keeps_ids(&self) -> bool {
        self.setup.dictionaries[..2].iter().any(|dictionary| dictionary.marker.is_some())
    }

    /// Returns the fields that probably store public ids, although neither their name nor a key identifies
    /// them. Call it after the last record.
    pub fn likely_markers(&self) -> Vec<(Entity, String)> {
        self.likely.found()
    }

    /// Returns whether a record must be passed after the others of its resource. This holds for deleted
    /// deals, because another deal may have taken over the public id.
    pub fn waits(&self, resource: &'static Resource, json: &str) -> bool {
        let keeps = self.setup.marker(Entity::Opportunities).is_some();
        let deleted = || {
            value_of(json, "status") == Some("\"deleted\"")
                || value_of(json, "is_deleted") == Some("true")
        };
        resource.name == "deals" && keeps && deleted()
    }

    /// Records the public id of an organization or person, if it stores one.
    pub fn learn(&mut self, resource: &'static Resource, json: &str) {
        let entity =
            RESOURCES.iter().find(|(name, _)| *name == resource.name).map(|(_, entity)| *entity);
        let (Some(entity @ (Entity::Accounts | Entity::Contacts)), Some(id)) =
            (entity, value_of(json, "id").and_then(id))
        else {
            return;
        };
        let marker = self.setup.dictionaries[entity as usize].marker.as_deref();
        let kept = value_of(json, "custom_fields").and_then(|custom| value_of(custom, marker?));
        let public_id = kept.and_then(text).filter(|id| (1..=PUBLIC_ID_MAX).contains(&id.len()));
        // If two rows store the same id, the first one keeps it.
        if let Some(public_id) = public_id
            && self.known.learnt_ids.insert(number(&public_id))
        {
            self.known.public_ids[entity as usize].insert(id, public_id.into());
        }
    }

    /// Counts the references of custom fields to rows that do not exist. Call it after the last record.
    pub fn close(&mut self) {
        for name in std::mem::take(&mut self.setup.lacking) {
            self.losses.count(name, "*", NOT_READ);
        }
        for (resource, field, to, id) in std::mem::take(&mut self.deferred) {
            if !self.known.rows[to as usize].contains_key(&id) {
                self.losses.count(resource, &field, DANGLING_REFERENCE);
            }
        }
    }

    /// Returns the row for a record of one of the [`RESOURCES`]. Returns `None` for a record that was
    /// already passed, because it moved between pages. Returns `None` also for a record without a usable
    /// id, and counts it.
    pub fn row(
        &mut self,
        resource: &'static Resource,
        json: &str,
    ) -> Result<Option<(Entity, &str)>> {
        let Some((_, entity)) = RESOURCES.iter().find(|(name, _)| *name == resource.name) else {
            let message = format!("{} has no place in a bundle", resource.name);
            return Err(Error::new(Kind::Bug, message));
        };
        let entity = *entity;
        let mut fields = Fields::of(json);
        let own = fields.consume("id").filter(|raw| usable(raw));
        let external = own.and_then(|raw| match entity {
            Entity::Leads => text(raw),
            _ => id(raw).map(|id| id.to_string()),
        });
        let external = external.filter(|id| id.len() <= ID_BYTES_MAX);
        let Some(external) = external else {
            self.losses.count(resource.name, "id", NO_ID);
            return Ok(None);
        };
        let key = key(entity, &external);
        if self.known.rows[entity as usize].contains_key(&key) {
            self.repeats += 1;
            return Ok(None);
        }
        let custom = self.custom(resource.name, entity, &mut fields, json);
        let marker = match entity {
            Entity::Activities => {
                fields.consume("note").and_then(text).and_then(|note| split(&note).1)
            }
            _ => custom.marker.clone(),
        };
        let generated = generated_id(self.setup.company, entity, &external);
        let (called, refused) = self.known.call(marker, &generated);
        if let Some(why) = refused {
            self.losses.count(resource.name, "public_id", why);
        }
        let (public_id, taken) = match called {
            Called::Its(id) => (id, None),
            Called::Taken(id) => (generated.clone(), Some(id)),
        };
        let mut common = self.common(entity, &mut fields, public_id, &external);
        if let Some(taken) = taken {
            if common.deleted_at.is_some() {
                // The record was created again, so references to it mean the new row.
                self.known.rows[entity as usize].insert(key, Some(taken.into()));
                return Ok(None);
            }
            common.public_id = self.known.another(&generated);
        }
        let own = (common.public_id != generated).then(|| common.public_id.as_str().into());
        self.known.rows[entity as usize].insert(key, own);
        self.count(entity, &common, json);
        self.partial.clear();
        let mut out = std::mem::take(&mut self.out);
        rows::write(self, entity, &common, &custom.json, &mut fields, &mut out);
        self.out = out;
        let flat = entity == Entity::Leads;
        for (field, _) in fields.rest() {
            if !(flat && crate::model::is_custom(&field)) {
                self.losses.count(resource.name, &field, NOT_IN_BUNDLE);
            }
        }
        Ok(Some((entity, &self.out)))
    }

    fn custom(
        &mut self,
        resource: &'static str,
        entity: Entity,
        fields: &mut Fields<'_>,
        json: &str,
    ) -> Custom {
        let Some(place) = dictionary(entity) else { return Custom::default() };
        let dictionary = &self.setup.dictionaries[place];
        let targets = Targets { users: &self.setup.users, known: &self.known };
        let custom = if entity == Entity::Leads {
            let pairs = crate::model::members(json);
            custom::flat(dictionary, &targets, pairs.iter().map(|(key, raw)| (key.as_ref(), *raw)))
        } else {
            custom::nested(dictionary, &targets, fields.consume("custom_fields").unwrap_or("{}"))
        };
        if self.likely.asks(entity) {
            let raw = value_of(json, "custom_fields").unwrap_or("{}");
            let pairs = crate::model::members(if entity == Entity::Leads { json } else { raw });
            self.likely.add_row(entity, pairs.iter().map(|(key, raw)| (key.as_ref(), *raw)));
        }
        for (field, why) in &custom.lost {
            self.losses.count(resource, field, why);
        }
        let deferred = custom.deferred.iter();
        self.deferred
            .extend(deferred.map(|(field, to, id)| (resource, field.as_str().into(), *to, *id)));
        custom
    }

    fn common(
        &mut self,
        entity: Entity,
        fields: &mut Fields<'_>,
        public_id: String,
        external: &str,
    ) -> Common {
        let owner = fields.id("owner_id").and_then(|id| {
            let email = self.setup.users.get(&id).cloned();
            if email.is_none() {
                self.losses.count(resource(entity), "owner_id", NO_OWNER);
            }
            email
        });
        let updated_at = fields.consume("update_time").map(time);
        let deleted = fields.flag("is_deleted")
            || entity == Entity::Opportunities && fields.consume("status") == Some("\"deleted\"");
        // The `update_time` of a deleted record is the time of the deletion (pipedrive-api.md 2.5).
        let created_at = fields.consume("add_time").map(time);
        let at = [&updated_at, &created_at].into_iter().flatten();
        let at = at.into_iter().find(|at| fault(Shape::Time, at).is_none()).cloned();
        let deleted_at = deleted.then(|| at.unwrap_or_else(|| quoted(&Time::EPOCH.to_string())));
        Common {
            public_id,
            external_id: format!("{}:{}:{external}", self.setup.company, external_kind(entity)),
            owner,
            created_at,
            updated_at,
            deleted_at,
        }
    }

    /// Counts one row that loses this field.
    pub(super) fn lose(&mut self, entity: Entity, field: &str, why: &'static str) {
        self.losses.count(resource(entity), field, why);
    }

    fn count(&mut self, entity: Entity, common: &Common, json: &str) {
        let counts = &mut self.counts[entity as usize];
        counts.rows += 1;
        counts.deleted += u64::from(common.deleted_at.is_some());
        let archived = value_of(json, "is_archived") == Some("true");
        counts.archived += u64::from(archived);
    }

    /// Returns a reference to a row of the array `to`. A reference to a missing row is counted, and the row
    /// gets the external id instead.
    pub(super) fn reference(
        &mut self,
        of: Entity,
        name: &'static str,
        to: Entity,
        raw: Option<&str>,
    ) -> Reference {
        let Some(raw) = raw else { return Reference::default() };
        let (key, external) = if to == Entity::Leads {
            let external = text(raw).unwrap_or_default();
            (Some(number(&external)), external)
        } else {
            (id(raw), id(raw).map(|id| id.to_string()).unwrap_or_default())
        };
        let known = key.and_then(|key| {
            let own = self.known.rows[to as usize].get(&key)?;
            let company = self.setup.company;
            Some(
                own.as_ref()
                    .map_or_else(|| generated_id(company, to, &external), ToString::to_string),
            )
        });
        if let Some(id) = known {
            return Reference { id: Some(id), external: None };
        }
        self.losses.count(resource(of), name, DANGLING);
        let external = format!("{}:{}:{external}", self.setup.company, external_kind(to));
        Reference { id: None, external: Some(external) }
    }

    /// Returns the names of labels as a JSON list.
    pub(super) fn labels(&mut self, entity: Entity, raw: Option<&str>) -> Option<String> {
        let ids = crate::model::list(raw?);
        let (mut labels, mut bytes) = (Vec::new(), 0);
        for id in ids {
            let label = match dictionary(entity) {
                _ if entity == Entity::Leads => {
                    text(id).and_then(|id| self.setup.lead_labels.get(&id).cloned())
                }
                Some(place) => {
                    self.setup.dictionaries[place].label("label_ids", id).map(str::to_owned)
                }
                None => None,
            };
            let Some(label) = label else {
                self.losses.count(resource(entity), "label_ids", NO_LABEL);
                self.partial.insert("labels");
                continue;
            };
            bytes += label.len() + 1;
            if bytes > LABELS_BYTES_MAX {
                self.losses.count(resource(entity), "label_ids", LABELS_TOO_LONG);
                self.partial.insert("labels");
                return None;
            }
            labels.push(quoted(&label));
        }
        (!labels.is_empty()).then(|| format!("[{}]", labels.join(",")))
    }

    /// Returns whether rows list the fields whose value is incomplete.
    pub(super) fn tells_parts(&self) -> bool {
        self.setup.is_target
    }

    /// Returns the label of an industry, or the value itself if the account has no such option.
    pub(super) fn industry(&self, raw: &str) -> String {
        self.setup.dictionaries[0]
            .label("industry", raw)
            .map_or_else(|| text(raw).unwrap_or_else(|| raw.to_owned()), str::to_owned)
    }

    /// Returns the pipeline id, stage id, pipeline name and stage name of a deal.
    pub(super) fn stage(
        &mut self,
        pipeline: Option<u64>,
        stage: Option<u64>,
    ) -> [Option<String>; 4] {
        let found = stage.and_then(|id| self.setup.stages.get(&id));
        if let Some((pipeline, stage)) = found {
            let pipeline = &self.setup.pipelines[*pipeline];
            let stage = &pipeline.stages[*stage];
            return [&pipeline.id, &stage.id, &pipeline.name, &stage.name].map(|t| Some(t.clone()));
        }
        if stage.is_some() {
            self.losses.count("deals", "stage_id", NO_STAGE);
        }
        let external = pipeline.map(|id| format!("{}:pipeline:{id}", self.setup.company));
        let place = external.and_then(|external| self.setup.pipeline_places.get(&external));
        let pipeline = place.map(|place| &self.setup.pipelines[*place]);
        [pipeline.map(|p| p.id.clone()), None, pipeline.map(|p| p.name.clone()), None]
    }

    /// Returns the number of records that were returned twice and skipped.
    pub const fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Writes the account data and the losses into the side-car.
    pub fn describe(&self, context: &mut Sidecar) {
        for (entity, counts) in Entity::ALL.into_iter().zip(self.counts) {
            *context.counts_of(entity) = counts;
        }
        let keys = [Entity::Accounts, Entity::Contacts, Entity::Opportunities];
        let keys = keys.into_iter().filter_map(|entity| Some((entity, self.setup.marker(entity)?)));
        context.note_id_fields(self.setup.company, keys);
        context.pipelines.clone_from(&self.setup.pipelines);
        context.fields = self.setup.described();
        context.owners.clone_from(&self.setup.owners);
        context.activity_types.clone_from(&self.setup.activity_types);
        context.unmapped = self
            .losses
            .iter()
            .map(|(resource, field, reason, rows)| Unmapped {
                resource: resource.to_owned(),
                field: field.to_owned(),
                rows,
                reason: reason.to_owned(),
            })
            .collect();
    }
}

/// The target of a reference.
#[derive(Debug, Default)]
pub(super) struct Reference {
    /// The public id of the row.
    pub(super) id: Option<String>,
    /// The external id of a row that does not exist.
    pub(super) external: Option<String>,
}

/// Converts a time to RFC 3339 in UTC, as JSON. A value that is not a time is returned unchanged.
pub(super) fn time(raw: &str) -> String {
    let parsed = text(raw).and_then(|text| Time::parse(&text));
    parsed.map_or_else(|| raw.to_owned(), |time| quoted(&time.to_string()))
}

/// Splits the note of an activity into the text and the public id in its last paragraph.
pub(in crate::bundle) fn split(note: &str) -> (&str, Option<String>) {
    let (before, after) = NOTE_MARK;
    let found = note.trim_end().strip_suffix(after).and_then(|rest| rest.rsplit_once(before));
    match found {
        Some((body, id)) if !id.is_empty() && !id.contains(['<', ' ']) => {
            (body, Some(id.to_owned()))
        }
        _ => (note, None),
    }
}
