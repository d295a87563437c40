//! The configuration of an account that the mapping needs: users, pipelines, fields, and labels.

use super::dictionary::{Dictionary, Pins, Target, dictionary};
use super::likely::Expected;
use crate::bundle::format::Entity;
use crate::bundle::sidecar::{ActivityType, CustomField, Owner, Pipeline, Stage};
use crate::model::{Definitions, Resource, usable};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The resources that are read before the rows, in this order.
pub const SETUP: &[&str] = &[
    "users",
    "pipelines",
    "stages",
    "organization_fields",
    "person_fields",
    "deal_fields",
    "lead_labels",
    "activity_types",
];

/// The resources of [`SETUP`] that change when fields are created.
pub const FIELDS: &[&str] = &["organization_fields", "person_fields", "deal_fields"];

/// The users, pipelines, fields and labels of an account.
#[derive(Debug, Clone, Default)]
pub struct AccountSetup {
    /// The company id, as it occurs in public ids.
    pub company: i64,
    pub(super) users: HashMap<u64, String>,
    /// The active users, by lower-case e-mail address.
    active: HashMap<String, u64>,
    pub(super) owners: Vec<Owner>,
    pub(super) pipelines: Vec<Pipeline>,
    /// The index of a pipeline in `pipelines`, by external id.
    pub(super) pipeline_places: HashMap<String, usize>,
    /// The stages as they were read: pipeline, order, id, name.
    found: Vec<(u64, i64, u64, String)>,
    /// The pipeline and stage index in `pipelines`, by stage id in Pipedrive.
    pub(super) stages: HashMap<u64, (usize, usize)>,
    /// The stage ids in Pipedrive, by stage id in a bundle.
    stage_ids: HashMap<String, u64>,
    pub(super) activity_types: Vec<ActivityType>,
    activity_keys: HashSet<String>,
    /// The labels of leads, by id.
    pub(super) lead_labels: HashMap<String, String>,
    /// The ids of lead labels, by label.
    lead_label_ids: HashMap<String, String>,
    pub(super) dictionaries: [Dictionary; 3],
    /// The resources that are missing from the backup.
    pub(super) lacking: Vec<&'static str>,
    /// The field definitions as they were read.
    read: [Definitions; 3],
    /// The recorded field keys.
    pins: Pins,
    /// The contents of the bundle that is pushed into the account.
    pub(super) expected: Arc<Expected>,
    /// Whether a bundle is pushed into the account.
    pub(super) is_target: bool,
    /// The number of unreadable rows of the other resources, by resource.
    unread: BTreeMap<&'static str, u64>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    is_deleted: Option<bool>,
    #[serde(default)]
    active_flag: Option<bool>,
}

#[derive(Deserialize)]
struct Named {
    id: serde_json::Value,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    key_string: Option<String>,
    #[serde(default)]
    pipeline_id: Option<u64>,
    #[serde(default)]
    order_nr: Option<i64>,
    #[serde(default)]
    is_deleted: Option<bool>,
}

/// Derives a UUID from a name. The same name always gives the same UUID.
///
/// The bundle format documents the ids of pipelines and stages as UUIDs. Version 8 is reserved for custom
/// schemes (RFC 9562).
pub(super) fn uuid(name: &str) -> String {
    let mut bytes: [u8; 16] = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(name.as_bytes())[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = crate::dataset::hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

impl AccountSetup {
    /// Creates an empty setup of a company, with the recorded field keys.
    pub fn of(company: i64, pins: Pins) -> Self {
        Self { company, pins, ..Self::default() }
    }

    /// Adds recorded field keys after [`AccountSetup::ready`] and rebuilds the dictionaries.
    #[must_use]
    pub fn pinned(mut self, pin: impl FnOnce(&mut Pins)) -> Self {
        pin(&mut self.pins);
        self.dictionaries = Default::default();
        self.ready()
    }

    /// Declares that a bundle with these rows is pushed into the account. If nothing else identifies the
    /// field that stores public ids, it is found by the ids of these rows. Rows of the account list the
    /// fields whose value is incomplete from then on.
    pub fn expect(&mut self, expected: Expected) {
        self.expected = Arc::new(expected);
        self.is_target = true;
    }

    /// Returns whether the pushed bundle has values of a custom field with this name.
    pub fn expects(&self, name: &str) -> bool {
        self.expected.names.contains(name)
    }

    /// Drops the field definitions so that they can be read again.
    pub fn forget_fields(&mut self) {
        self.dictionaries = Default::default();
        self.read = Default::default();
    }

    /// Returns one sentence for each part that could not be read. The part was left out, and rows are
    /// exported without it.
    pub fn odd(&self) -> Vec<String> {
        let fields = FIELDS.iter().zip(&self.read);
        let fields = fields.flat_map(|(name, read)| {
            read.odd().into_iter().map(move |odd| format!("{name}: {odd}"))
        });
        let rows = self.unread.iter().map(|(name, rows)| {
            format!("{name}: {rows} rows cannot be read, so what they name stays unnamed")
        });
        fields.chain(rows).collect()
    }

    /// Returns the key of the recorded field that stores the public ids of an array, and the problem with
    /// it. In this state existing rows cannot be recognized.
    pub fn lost_marker(&self, entity: Entity) -> Option<(&str, &'static str)> {
        let place = dictionary(entity)?;
        let key = self.pins.markers[place].as_deref()?;
        let why = self.dictionaries[place].lost?;
        let hidden = self.read[place].may_hold(key);
        Some((key, if hidden { "cannot be read" } else { why }))
    }

    /// Returns the current name of the field that stores public ids.
    pub fn marker_name(&self, entity: Entity) -> Option<&str> {
        let place = dictionary(entity)?;
        let key = self.dictionaries[place].marker.as_deref()?;
        let named = self.read[place].known.iter().find(|field| field.code == key);
        named.map(|field| field.name.as_str())
    }

    /// Returns whether the field that stores the public ids of an array may be among the unreadable fields.
    /// If so, existing rows could not be recognized.
    pub fn may_hide_marker(&self, entity: Entity) -> bool {
        dictionary(entity).is_some_and(|place| {
            self.dictionaries[place].marker.is_none() && self.read[place].is_patchy()
        })
    }

    /// Records that one of the [`SETUP`] resources is missing.
    pub fn lacks(&mut self, resource: &'static Resource) {
        self.lacking.push(resource.name);
    }

    /// Adds a row of one of the [`SETUP`] resources. An unreadable row is skipped and counted in
    /// [`AccountSetup::odd`].
    pub fn add_row(&mut self, resource: &'static Resource, json: &str) {
        let place = match resource.name {
            "organization_fields" => 0,
            "person_fields" => 1,
            "deal_fields" => 2,
            "users" => {
                let Ok(user) = serde_json::from_str::<User>(json) else {
                    return self.cannot_read(resource);
                };
                if let Some(email) = user.email.filter(|email| !email.is_empty()) {
                    let name = user.name.unwrap_or_default();
                    let external_id = format!("{}:user:{}", self.company, user.id);
                    self.users.insert(user.id, email.clone());
                    if user.active_flag != Some(false) && user.is_deleted != Some(true) {
                        self.active.insert(email.to_lowercase(), user.id);
                    }
                    self.owners.push(Owner { email, name, external_id });
                }
                return;
            }
            name => {
                let row = serde_json::from_str::<Named>(json);
                match row.ok().filter(|row| usable(&row.id.to_string())) {
                    Some(row) => self.named(name, row),
                    None => self.cannot_read(resource),
                }
                return;
            }
        };
        self.read[place].add_page(json.as_bytes());
    }

    fn cannot_read(&mut self, resource: &'static Resource) {
        *self.unread.entry(resource.name).or_default() += 1;
    }

    fn named(&mut self, resource: &str, row: Named) {
        let name = row.name.unwrap_or_default();
        let id = row.id.to_string();
        let id = id.trim_matches('"').to_owned();
        match resource {
            "pipelines" => {
                let external = format!("{}:pipeline:{id}", self.company);
                self.pipelines.push(Pipeline {
                    id: uuid(&format!("pipedrive:{external}")),
                    name,
                    default: false,
                    external_id: Some(external),
                    stages: Vec::new(),
                });
            }
            "stages" => {
                if let (Ok(id), Some(pipeline), false) =
                    (id.parse(), row.pipeline_id, row.is_deleted.unwrap_or(false))
                {
                    self.found.push((pipeline, row.order_nr.unwrap_or(0), id, name));
                }
            }
            "lead_labels" => {
                self.lead_label_ids.entry(name.clone()).or_insert_with(|| id.clone());
                self.lead_labels.insert(id, name);
            }
            _ => {
                let key = row.key_string.unwrap_or(id);
                self.activity_keys.insert(key.clone());
                self.activity_types.push(ActivityType { key, name });
            }
        }
    }

    /// Builds the stage order and the unique names of custom fields. Call it after the last row.
    #[must_use]
    pub fn ready(mut self) -> Self {
        let mut found = std::mem::take(&mut self.found);
        found.sort();
        self.pipeline_places.clear();
        for (place, pipeline) in self.pipelines.iter().enumerate() {
            let external = pipeline.external_id.clone().unwrap_or_default();
            self.pipeline_places.entry(external).or_insert(place);
        }
        for (pipeline, _, id, name) in found {
            let owner = format!("{}:pipeline:{pipeline}", self.company);
            let Some(&at) = self.pipeline_places.get(&owner) else { continue };
            let external = format!("{}:stage:{id}", self.company);
            let stages = &mut self.pipelines[at].stages;
            self.stages.insert(id, (at, stages.len()));
            let own = uuid(&format!("pipedrive:{external}"));
            self.stage_ids.insert(own.clone(), id);
            stages.push(Stage {
                id: own,
                name,
                // Stages of Pipedrive have no type: won and lost are states of a deal.
                stage_type: "open".to_owned(),
                external_id: Some(external),
            });
        }
        let pins = self.pins.markers.iter().zip(&self.pins.names);
        for ((dictionary, read), (key, names)) in
            self.dictionaries.iter_mut().zip(&self.read).zip(pins)
        {
            dictionary.mark(&read.known, key.as_deref());
            read.known.iter().for_each(|field| dictionary.add_definition(field.clone()));
            dictionary.name(names);
        }
        if let Some(first) = self.pipelines.first_mut() {
            first.default = true;
        }
        self
    }

    /// Returns the id of the active user with this e-mail address.
    pub fn user(&self, email: &str) -> Option<u64> {
        self.active.get(&email.to_lowercase()).copied()
    }

    /// Returns the custom field with this name in `custom`.
    pub fn target(&self, entity: Entity, name: &str) -> Option<Target<'_>> {
        let fields = &self.dictionaries[dictionary(entity)?];
        let code = fields.by_name.get(name)?;
        let field = fields.custom.get(code)?;
        Some(Target { code, ty: &field.ty, options: &field.ids })
    }

    /// Returns the name, type and option labels of the custom fields of an array.
    pub fn targets(&self, entity: Entity) -> Vec<CustomField> {
        self.fields(entity)
    }

    /// Returns the key of the field that stores the public ids of an array, if the account has it.
    pub fn marker(&self, entity: Entity) -> Option<&str> {
        self.dictionaries[dictionary(entity)?].marker.as_deref()
    }

    /// Returns the id of a label of an array, as JSON.
    pub fn label_id(&self, entity: Entity, label: &str) -> Option<String> {
        if entity == Entity::Leads {
            return self.lead_label_ids.get(label).map(|id| crate::model::quoted(id));
        }
        self.option_id(entity, "label_ids", label)
    }

    /// Returns the id of an option of a built-in field, as JSON.
    pub fn option_id(&self, entity: Entity, field: &str, label: &str) -> Option<String> {
        self.dictionaries[dictionary(entity)?].label_ids.get(field)?.get(label).cloned()
    }

    /// Returns the pipelines in bundle form.
    pub fn pipelines(&self) -> &[Pipeline] {
        &self.pipelines
    }

    /// Returns the Pipedrive ids of a pipeline and its stage, by stage id in a bundle.
    pub fn stage_ids(&self, stage: &str) -> Option<(u64, u64)> {
        let id = self.stage_ids.get(stage)?;
        let (pipeline, _) = self.stages.get(id)?;
        let pipeline = self.pipelines[*pipeline].external_id.as_ref()?.rsplit(':').next()?;
        Some((pipeline.parse().ok()?, *id))
    }

    /// Returns whether the account has an activity type with this key.
    pub fn has_activity_type(&self, key: &str) -> bool {
        self.activity_keys.contains(key)
    }

    /// Returns the custom fields of an array for the side-car.
    pub(super) fn fields(&self, entity: Entity) -> Vec<CustomField> {
        let Some(place) = dictionary(entity) else { return Vec::new() };
        self.dictionaries[place].described()
    }

    /// Returns the custom fields of all arrays for the side-car.
    pub(super) fn described(&self) -> BTreeMap<String, Vec<CustomField>> {
        let described =
            Entity::ALL.into_iter().map(|entity| (entity.name().to_owned(), self.fields(entity)));
        described.filter(|(_, fields)| !fields.is_empty()).collect()
    }
}
