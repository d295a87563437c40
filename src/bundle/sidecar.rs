//! The side-car of a bundle: the meaning of its rows, their origin, and what they lack.

use super::format::Entity;
use super::forms::Form;
use super::writer::{Written, failed};
use crate::dataset::TempFile;
use crate::model::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Layout of `FILE.context.json`. 1: first.
///
/// We read every version up to this one, and refuse a newer one.
pub const CONTEXT_VERSION: u32 = 1;
/// How the name of a side-car ends, after that of its bundle.
const SUFFIX: &str = ".context.json";
/// Largest side-car that is read.
const CONTEXT_BYTES_MAX: u64 = 64 << 20;

/// What a bundle cannot say itself without ceasing to be importable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sidecar {
    /// [`CONTEXT_VERSION`].
    pub version: u32,
    /// Program and version that wrote it.
    pub tool: String,
    /// The bundle it belongs to.
    pub bundle: Stamp,
    /// Where the rows come from.
    pub source: Source,
    /// What the arrays hold.
    pub counts: BTreeMap<String, Counts>,
    /// The pipelines that `pipeline_id` and `pipeline_stage_id` point at.
    #[serde(default)]
    pub pipelines: Vec<Pipeline>,
    /// The custom fields of each array, by the name they have in `custom`.
    #[serde(default)]
    pub fields: BTreeMap<String, Vec<CustomField>>,
    /// Who `owner` may name.
    #[serde(default)]
    pub owners: Vec<Owner>,
    /// What `activity_type` may name.
    #[serde(default)]
    pub activity_types: Vec<ActivityType>,
    /// Values that are not in the bundle, or not as they were, with counts.
    #[serde(default)]
    pub unmapped: Vec<Unmapped>,
    /// The keys of the fields that keep public ids, by `pipedrive:<company>` and array: whatever
    /// people call them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub id_fields: BTreeMap<String, BTreeMap<String, String>>,
    /// What a CRM made of values by its own rules, by its organization.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub forms: BTreeMap<String, Vec<Form>>,
    /// What a target of a push could not hold, by target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<String, Vec<Unmapped>>,
}

/// Which file a side-car belongs to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stamp {
    /// SHA-256 of the bundle, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// Where rows come from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Source {
    /// `pipedrive` or `crm`.
    pub system: String,
    /// `account`, `backup`, or the address of the CRM.
    pub from: String,
    /// The Pipedrive company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_id: Option<i64>,
    /// Its subdomain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_domain: Option<String>,
    /// The CRM's organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
}

/// What an array holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows.
    pub rows: u64,
    /// Of these, deleted ones: `deleted_at` says when.
    pub deleted: u64,
    /// Of these, archived ones.
    pub archived: u64,
}

/// A pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// As rows name it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether rows without a pipeline belong to it.
    #[serde(default)]
    pub default: bool,
    /// Its id where it comes from, if that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Its stages, in order.
    #[serde(default)]
    pub stages: Vec<Stage>,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// As rows name it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `open`, `won` or `lost`.
    pub stage_type: String,
    /// Its id where it comes from, if that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// A custom field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// Its key in `custom`.
    pub name: String,
    /// Its key in Pipedrive: 40 hexadecimal digits.
    pub key: String,
    /// Its type in Pipedrive.
    #[serde(rename = "type")]
    pub ty: String,
    /// Labels of its options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A user who owns rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// As rows name them.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their id where they come from.
    pub external_id: String,
}

/// A kind of activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityType {
    /// As rows name it.
    pub key: String,
    /// What people call it.
    pub name: String,
}

/// Values that could not be mapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmapped {
    /// The resource, or array, they are of.
    pub resource: String,
    /// The field.
    pub field: String,
    /// How many rows have one.
    pub rows: u64,
    /// Why.
    pub reason: String,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Where the side-car of a bundle lies.
pub fn beside(bundle: &Path) -> PathBuf {
    let mut name = bundle.file_name().unwrap_or_default().to_owned();
    name.push(SUFFIX);
    bundle.with_file_name(name)
}

impl Stamp {
    /// The stamp of a bundle that was written.
    pub fn of(written: &Written) -> Self {
        Self { sha256: written.sha256.clone(), bytes: written.bytes }
    }
}

impl Sidecar {
    /// What we are.
    pub fn tool() -> String {
        concat!("source-pipedrive ", env!("CARGO_PKG_VERSION")).to_owned()
    }

    /// A side-car that says nothing yet, for a bundle of this stamp and source.
    pub fn empty(bundle: Stamp, source: Source) -> Self {
        Self {
            version: CONTEXT_VERSION,
            tool: Self::tool(),
            bundle,
            source,
            counts: BTreeMap::new(),
            pipelines: Vec::new(),
            fields: BTreeMap::new(),
            owners: Vec::new(),
            activity_types: Vec::new(),
            unmapped: Vec::new(),
            id_fields: BTreeMap::new(),
            forms: BTreeMap::new(),
            lost: BTreeMap::new(),
        }
    }

    /// Reads the side-car of a bundle; `None` if it has none. One of a newer version is a
    /// [`Kind::Data`] error.
    pub fn read(bundle: &Path) -> Result<Option<Self>> {
        let path = beside(bundle);
        let place = path.display().to_string();
        let bytes = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Ok(found) if found.len() > CONTEXT_BYTES_MAX => {
                let message = format!("is larger than {} MiB", CONTEXT_BYTES_MAX >> 20);
                return Err(Error::new(Kind::Data, message).at(place));
            }
            _ => std::fs::read(&path).map_err(|error| {
                Error::new(Kind::Storage, format!("cannot be read ({error})")).at(&place)
            })?,
        };
        let unreadable = |error: serde_json::Error| {
            let message = format!("is no context of a bundle ({error}): delete it to go without");
            Error::new(Kind::Data, message).at(&place)
        };
        let version = serde_json::from_slice::<Versioned>(&bytes).map_err(unreadable)?.version;
        if version > CONTEXT_VERSION {
            let message = format!(
                "is of version {version}, this program knows {CONTEXT_VERSION}: update source-pipedrive"
            );
            return Err(Error::new(Kind::Data, message).at(place));
        }
        serde_json::from_slice(&bytes).map(Some).map_err(unreadable)
    }

    /// What an organization of a CRM made of the values of bundles, as the side-cars in a folder know it;
    /// those that cannot be read say nothing.
    pub fn forms_in(folder: &Path, organization: &str) -> Vec<Form> {
        let files =
            std::fs::read_dir(folder).into_iter().flatten().filter_map(std::result::Result::ok);
        let mut bundles: Vec<PathBuf> = files
            .filter_map(|file| {
                let name = file.file_name().into_string().ok()?;
                Some(file.path().with_file_name(name.strip_suffix(SUFFIX)?))
            })
            .collect();
        bundles.sort();
        let contexts = bundles.iter().filter_map(|bundle| Self::read(bundle).ok().flatten());
        let forms = contexts.filter_map(|mut context| context.forms.remove(organization));
        let forms: BTreeSet<Form> = forms.flatten().collect();
        forms.into_iter().collect()
    }

    /// Writes it beside the bundle, in one step.
    pub fn write(&self, bundle: &Path) -> Result<()> {
        let path = beside(bundle);
        let new = TempFile::beside(&path, "partial")?;
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::new(Kind::Bug, "the context is no JSON").because(error))?;
        let written = new.file().write_all((text + "\n").as_bytes());
        written.map_err(|error| failed(&path, &error))?;
        new.persist(&path)
    }

    /// Notes the keys of the fields that keep the public ids of a company's rows.
    pub fn note_id_fields<'k>(
        &mut self,
        company: i64,
        keys: impl Iterator<Item = (Entity, &'k str)>,
    ) {
        let keys = keys.map(|(entity, key)| (entity.name().to_owned(), key.to_owned()));
        let keys: BTreeMap<_, _> = keys.collect();
        if !keys.is_empty() {
            self.id_fields.insert(format!("pipedrive:{company}"), keys);
        }
    }

    /// The key of the field that keeps the public ids of an array in a company.
    pub fn id_field(&self, company: i64, entity: Entity) -> Option<&str> {
        let keys = self.id_fields.get(&format!("pipedrive:{company}"))?;
        keys.get(entity.name()).map(String::as_str)
    }

    /// The counts of an array.
    pub fn counts_of(&mut self, entity: Entity) -> &mut Counts {
        self.counts.entry(entity.name().to_owned()).or_default()
    }
}
