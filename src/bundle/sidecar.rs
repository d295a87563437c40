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

/// The version of the `FILE.context.json` format. 1 is the first one.
///
/// The program reads every version up to this one and returns an error for a newer one.
pub const CONTEXT_VERSION: u32 = 1;
/// The suffix that is appended to the file name of a bundle.
const SUFFIX: &str = ".context.json";
/// Largest side-car that is read.
const CONTEXT_BYTES_MAX: u64 = 64 << 20;

/// The data about a bundle that the importable file itself cannot contain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sidecar {
    /// The [`CONTEXT_VERSION`].
    pub version: u32,
    /// The program that wrote the file, and its version.
    pub tool: String,
    /// The bundle that the side-car describes.
    pub bundle: Stamp,
    /// The origin of the rows.
    pub source: Source,
    /// The row counts by array.
    pub counts: BTreeMap<String, Counts>,
    /// The pipelines to which `pipeline_id` and `pipeline_stage_id` refer.
    #[serde(default)]
    pub pipelines: Vec<Pipeline>,
    /// The custom fields of each array, by their names in `custom`.
    #[serde(default)]
    pub fields: BTreeMap<String, Vec<CustomField>>,
    /// The users to which `owner` refers.
    #[serde(default)]
    pub owners: Vec<Owner>,
    /// The activity types to which `activity_type` refers.
    #[serde(default)]
    pub activity_types: Vec<ActivityType>,
    /// The values that are missing or changed in the bundle, with counts.
    #[serde(default)]
    pub unmapped: Vec<Unmapped>,
    /// The keys of the fields that store public ids, by `pipedrive:<company>` and array. They stay valid
    /// when a field is renamed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub id_fields: BTreeMap<String, BTreeMap<String, String>>,
    /// The values that a CRM changed by its own rules, by organization of the CRM.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub forms: BTreeMap<String, Vec<Form>>,
    /// The values that the target of a push could not store, by target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<String, Vec<Unmapped>>,
}

/// The identity of the bundle file that a side-car describes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stamp {
    /// The SHA-256 of the bundle, in hexadecimal.
    pub sha256: String,
    /// The size in bytes.
    pub bytes: u64,
}

/// The origin of rows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Source {
    /// Either `pipedrive` or `crm`.
    pub system: String,
    /// Either `account` or `backup`, or the address of the CRM.
    pub from: String,
    /// The id of the Pipedrive company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_id: Option<i64>,
    /// The subdomain of the Pipedrive company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_domain: Option<String>,
    /// The id of the CRM's organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
}

/// The row counts of an array.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The number of rows.
    pub rows: u64,
    /// The number of deleted rows, which have a `deleted_at`.
    pub deleted: u64,
    /// The number of archived rows.
    pub archived: u64,
}

/// A pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The id that rows refer to.
    pub id: String,
    /// The display name.
    pub name: String,
    /// Whether rows without a pipeline belong to this one.
    #[serde(default)]
    pub default: bool,
    /// The id in the source system, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The stages, in order.
    #[serde(default)]
    pub stages: Vec<Stage>,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The id that rows refer to.
    pub id: String,
    /// The display name.
    pub name: String,
    /// One of `open`, `won` and `lost`.
    pub stage_type: String,
    /// The id in the source system, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// A custom field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// The key in `custom`.
    pub name: String,
    /// The key in Pipedrive: 40 hexadecimal digits.
    pub key: String,
    /// The type in Pipedrive.
    #[serde(rename = "type")]
    pub ty: String,
    /// The labels of the options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A user who owns rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The e-mail address that rows refer to.
    pub email: String,
    /// The display name.
    pub name: String,
    /// The id in the source system.
    pub external_id: String,
}

/// A type of activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityType {
    /// The key that rows refer to.
    pub key: String,
    /// The display name.
    pub name: String,
}

/// The values of a field that could not be mapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmapped {
    /// The resource or array.
    pub resource: String,
    /// The field.
    pub field: String,
    /// The number of affected rows.
    pub rows: u64,
    /// The reason.
    pub reason: String,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Returns the path of a bundle's side-car.
pub fn beside(bundle: &Path) -> PathBuf {
    let mut name = bundle.file_name().unwrap_or_default().to_owned();
    name.push(SUFFIX);
    bundle.with_file_name(name)
}

impl Stamp {
    /// Returns the stamp of a written bundle.
    pub fn of(written: &Written) -> Self {
        Self { sha256: written.sha256.clone(), bytes: written.bytes }
    }
}

impl Sidecar {
    /// Returns the name and version of this program.
    pub fn tool() -> String {
        concat!("source-pipedrive ", env!("CARGO_PKG_VERSION")).to_owned()
    }

    /// Creates an empty side-car for a bundle with this stamp and source.
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

    /// Reads the side-car of a bundle. Returns `None` if it has none. A newer version is a [`Kind::Data`]
    /// error.
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

    /// Returns the value forms of a CRM's organization, as recorded in the side-cars of a folder. Unreadable
    /// side-cars are ignored.
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

    /// Writes the side-car next to the bundle and replaces an existing one atomically.
    pub fn write(&self, bundle: &Path) -> Result<()> {
        let path = beside(bundle);
        let new = TempFile::beside(&path, "partial")?;
        let text = serde_json::to_string_pretty(self).map_err(|error| {
            Error::new(Kind::Bug, "the side-car cannot be written as JSON").because(error)
        })?;
        let written = new.file().write_all((text + "\n").as_bytes());
        written.map_err(|error| failed(&path, &error))?;
        new.persist(&path)
    }

    /// Records the keys of the fields that store the public ids of a company's rows.
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

    /// Returns the key of the field that stores the public ids of an array in a company.
    pub fn id_field(&self, company: i64, entity: Entity) -> Option<&str> {
        let keys = self.id_fields.get(&format!("pipedrive:{company}"))?;
        keys.get(entity.name()).map(String::as_str)
    }

    /// Returns the counts of an array.
    pub fn counts_of(&mut self, entity: Entity) -> &mut Counts {
        self.counts.entry(entity.name().to_owned()).or_default()
    }
}
