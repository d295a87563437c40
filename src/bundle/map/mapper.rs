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

/// The resources whose rows become rows of a bundle, in the order in which they must be taken.
pub const RESOURCES: &[(&str, Entity)] = &[
    ("organizations", Entity::Accounts),
    ("persons", Entity::Contacts),
    ("deals", Entity::Opportunities),
    ("leads", Entity::Leads),
    ("activities", Entity::Activities),
];

/// Longest id of a record of which a public id can be made.
const ID_BYTES_MAX: usize = 200;
/// The resources whose public ids custom fields of any row may name.
pub const LEARNT: &[&str] = &["organizations", "persons"];

/// How an activity keeps its public id in Pipedrive, which has no custom fields for activities: as
/// the last paragraph of its note.
pub(in crate::bundle) const NOTE_MARK: (&str, &str) = ("<p>Portable id: ", "</p>");

/// Why a value is not in the bundle.
const NOT_IN_BUNDLE: &str = "has no field in a bundle";
const DANGLING: &str = "refers to a row that is not there; its external id is kept";
const DANGLING_REFERENCE: &str = "refers to a row that is not there; the id it would have is kept";
const NOT_READ: &str = "is not in the backup, so what it names stays unnamed";
const NO_OWNER: &str = "is no user with an e-mail address";
const NO_LABEL: &str = "is no label that the account has";
const LABELS_TOO_LONG: &str = "has labels of more than 64 KiB together; left out";
const NO_STAGE: &str = "is no stage that the account has";
/// Why a row is not in the bundle.
pub const NO_ID: &str = "cannot be used, and without it the row has no public id: left out";

/// Makes rows of records.
#[derive(Debug)]
pub struct Mapper {
    setup: AccountSetup,
    known: Known,
    losses: Losses,
    likely: Likely,
    counts: [Counts; 5],
    /// References of custom fields to accounts and contacts that had not come yet.
    deferred: Vec<(&'static str, Box<str>, Entity, u64)>,
    /// Records that came again.
    repeats: u64,
    /// Fields of the row at hand that say a part only of what the record has.
    pub(super) partial: BTreeSet<&'static str>,
    out: String,
}

/// What every row begins and ends with.
pub(super) struct Common {
    pub(super) public_id: String,
    pub(super) external_id: String,
    pub(super) owner: Option<String>,
    pub(super) created_at: Option<String>,
    pub(super) updated_at: Option<String>,
    pub(super) deleted_at: Option<String>,
}

/// What a record is called in external ids.
const fn external_kind(entity: Entity) -> &'static str {
    match entity {
        Entity::Accounts => "organization",
        Entity::Contacts => "person",
        Entity::Opportunities => "deal",
        Entity::Leads => "lead",
        Entity::Activities => "activity",
    }
}

/// The resource that an array is made of.
fn resource(entity: Entity) -> &'static str {
    RESOURCES[entity as usize].0
}

impl Mapper {
    /// Begins, with a set-up that is ready.
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

    /// Whether an account may keep public ids, so that those of accounts and contacts must be learnt
    /// before rows can refer to them.
    pub fn keeps_ids(&self) -> bool {
        self.setup.dictionaries[..2].iter().any(|dictionary| dictionary.marker.is_some())
    }

    /// The fields that keep public ids by all appearances, although nothing says so. To be asked for
    /// after the last record.
    pub fn likely_markers(&self) -> Vec<(Entity, String)> {
        self.likely.found()
    }

    /// Whether a record is to be taken after the others of its resource: a deleted one, whose public id
    /// another one may have taken over.
    pub fn waits(&self, resource: &'static Resource, json: &str) -> bool {
        let keeps = self.setup.marker(Entity::Opportunities).is_some();
        let deleted = || {
            value_of(json, "status") == Some("\"deleted\"")
                || value_of(json, "is_deleted") == Some("true")
        };
        resource.name == "deals" && keeps && deleted()
    }

    /// Learns the public id of an organization or person, if it keeps one.
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
        // Of two rows that keep the same one the first has it.
        if let Some(public_id) = public_id
            && self.known.learnt_ids.insert(number(&public_id))
        {
            self.known.public_ids[entity as usize].insert(id, public_id.into());
        }
    }

    /// Counts references of custom fields to rows that never came. To be called after the last
    /// record.
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

    /// The row for a record of one of the [`RESOURCES`]; `None` for a record that came before, as it
    /// moved while it was read, and for one without a usable id, which is counted.
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
                // It was created again: whoever refers to it means the row that lives.
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
        // Of a deleted record `update_time` says when it was deleted (pipedrive-api.md 2.5).
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

    /// Counts a row of which this field is lost.
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

    /// A reference to a row of this array, as JSON. One to a row that is not there is counted, and
    /// the row gets the external id instead.
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

    /// Labels by name, as a JSON list.
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

    /// Whether rows say what of them is a part only.
    pub(super) fn tells_parts(&self) -> bool {
        self.setup.is_target
    }

    /// The label of an option of a built-in field of accounts, or the value itself.
    pub(super) fn industry(&self, raw: &str) -> String {
        self.setup.dictionaries[0]
            .label("industry", raw)
            .map_or_else(|| text(raw).unwrap_or_else(|| raw.to_owned()), str::to_owned)
    }

    /// Pipeline and stage of a deal: ids and names.
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

    /// How many records came again and were left out.
    pub const fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Writes into the side-car what is known of the account and what was lost.
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

/// Where a reference leads.
#[derive(Debug, Default)]
pub(super) struct Reference {
    /// The public id of the row.
    pub(super) id: Option<String>,
    /// The external id of a row that is not there.
    pub(super) external: Option<String>,
}

/// A time as RFC 3339 in UTC, as JSON; what is no time stays as it is.
pub(super) fn time(raw: &str) -> String {
    let parsed = text(raw).and_then(|text| Time::parse(&text));
    parsed.map_or_else(|| raw.to_owned(), |time| quoted(&time.to_string()))
}

/// A note of an activity without the paragraph that keeps its public id, and that id.
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
