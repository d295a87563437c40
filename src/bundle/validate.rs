//! Validates a bundle: its shape, unique ids, references, and stages.

use super::fitting::{fault, is_named, is_nameless, shown};
use super::format::{Entity, PUBLIC_ID_MAX, ROW_BYTES_MAX, Shape};
use super::index::number;
use super::reader::{Reader, Row, Survey};
use super::sidecar::Sidecar;
use crate::model::{Lookup, Result, members, text, work};
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;

/// Findings that are listed; all are counted.
pub const FINDINGS_MAX: usize = 1_000;

/// The rule that a finding violates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The `version` is unknown.
    Version,
    /// The bundle, an array or a row has the wrong structure.
    Form,
    /// A value has another type than its field.
    Value,
    /// A row has no usable public id.
    PublicId,
    /// Two rows have the same public id.
    Duplicate,
    /// A reference has no target.
    Reference,
    /// Stage, pipeline and status contradict each other.
    Stage,
    /// A row is too large to be imported.
    Size,
}

/// A violation of a rule.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The violated rule.
    pub rule: Rule,
    /// The position, as a JSON pointer.
    pub pointer: String,
    /// The description of the violation.
    pub message: String,
}

/// The result of a validation.
#[derive(Debug)]
pub struct Validation {
    /// The structure of the bundle.
    pub survey: Survey,
    /// The findings, up to [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// The total number of findings.
    pub total: u64,
}

/// The public id and position of a row, for references to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    number: u64,
    entity: Entity,
    index: u64,
}

/// Validates a bundle in two passes. `elsewhere` returns whether the target has a row that the bundle does
/// not have.
///
/// Memory: 24 bytes per row.
pub async fn validate(
    path: &Path,
    context: Option<&Sidecar>,
    elsewhere: impl Fn(Entity, u64) -> bool,
) -> Result<Validation> {
    let mut check = Check { found: Vec::new(), total: 0 };
    let mut ids = Vec::new();
    let mut reader = Reader::hashed(path)?;
    while let Some(row) = reader.next().await? {
        check.id(row, &mut ids);
    }
    let survey = reader.survey();
    check.head(&survey);
    ids.sort_unstable();
    for pair in ids.windows(2).filter(|pair| pair[0].number == pair[1].number) {
        let at = |id: &Id| format!("/{}/{}", id.entity.name(), id.index);
        let message = format!("is the public id of {} too: ids are unique", at(&pair[0]));
        check.find(Rule::Duplicate, format!("{}/public_id", at(&pair[1])), message);
    }
    // One row per id and array is sufficient for references.
    ids.dedup_by_key(|id| (id.number, id.entity));
    let stages = Stages::of(context);
    let held = |entity: Entity, public_id: &str| {
        let number = number(public_id);
        let at = ids.partition_point(|id| id.number < number);
        let here = ids[at..].iter().take_while(|id| id.number == number);
        work::count(1 + here.clone().count());
        here.into_iter().any(|id| id.entity == entity) || elsewhere(entity, number)
    };
    let mut reader = Reader::open(path)?;
    let mut seen = HashMap::new();
    while let Some(row) = reader.next().await? {
        check.row(row, &held);
        if row.entity == Entity::Opportunities {
            check.stage(row, stages.as_ref(), &mut seen);
        }
    }
    Ok(Validation { survey, findings: check.found, total: check.total })
}

struct Check {
    found: Vec<Finding>,
    total: u64,
}

impl Check {
    fn find(&mut self, rule: Rule, pointer: String, message: impl Into<String>) {
        self.total += 1;
        if self.found.len() < FINDINGS_MAX {
            self.found.push(Finding { rule, pointer, message: message.into() });
        }
    }

    fn head(&mut self, survey: &Survey) {
        let head = &survey.head;
        if let Err(error) = head.check_version() {
            self.find(Rule::Version, "/version".to_owned(), error.to_string());
        }
        if head.exported_at.as_deref().is_some_and(|raw| raw != "null") && head.exported().is_none()
        {
            self.find(Rule::Value, "/exported_at".to_owned(), "is no RFC 3339 time");
        }
        let id = head.organization_id.as_deref().and_then(|raw| raw.bytes().next());
        if matches!(id, Some(b'{' | b'[' | b't' | b'f')) {
            self.find(Rule::Value, "/organization_id".to_owned(), "is neither text nor a number");
        }
        for (key, value) in &head.other {
            if Entity::named(key).is_some() && value != "null" {
                self.find(Rule::Form, format!("/{key}"), "is no list of rows");
            }
        }
    }

    fn id(&mut self, row: Row<'_>, ids: &mut Vec<Id>) {
        if !row.json.starts_with('{') {
            return;
        }
        let raw = super::format::value_of(row.json, "public_id");
        let public_id = raw.filter(|raw| raw.starts_with('"')).and_then(text);
        let message = match public_id {
            Some(id) if !id.is_empty() && id.len() <= PUBLIC_ID_MAX => {
                ids.push(Id { number: number(&id), entity: row.entity, index: row.index });
                return;
            }
            Some(id) if id.len() > PUBLIC_ID_MAX => format!("is longer than {PUBLIC_ID_MAX} bytes"),
            Some(_) => "is empty".to_owned(),
            None => "is missing: every row needs one".to_owned(),
        };
        self.find(Rule::PublicId, at(row, "public_id"), message);
    }

    fn row(&mut self, row: Row<'_>, held: &impl Fn(Entity, &str) -> bool) {
        let place = format!("/{}/{}", row.entity.name(), row.index);
        if !row.json.starts_with('{') {
            return self.find(Rule::Form, place, "is no object");
        }
        if row.json.len() > ROW_BYTES_MAX {
            let message = format!(
                "is {} bytes long; rows of more than {} KiB are not imported",
                row.json.len(),
                ROW_BYTES_MAX >> 10
            );
            self.find(Rule::Size, place, message);
        }
        let all = members(row.json);
        let fields = Lookup::of(&all);
        for (key, value) in all.iter().filter(|(_, value)| *value != "null") {
            if let Some(field) = row.entity.field(key) {
                self.value(row, &fields, field.name, field.shape, value, held);
            }
        }
        if is_named(row.entity) && get(&fields, "name").is_none_or(is_nameless) {
            self.find(Rule::Value, at(row, "name"), "is missing");
        }
        if row.entity == Entity::Activities {
            let there = |name| get(&fields, name).is_some_and(|value| value != "null");
            match (there("record_type"), there("record_public_id")) {
                (true, false) => {
                    self.find(Rule::Reference, at(row, "record_public_id"), "is missing");
                }
                (false, true) => self.find(Rule::Reference, at(row, "record_type"), "is missing"),
                _ => {}
            }
        }
    }

    fn value(
        &mut self,
        row: Row<'_>,
        fields: &Lookup<'_, '_>,
        name: &str,
        shape: Shape,
        value: &str,
        held: &impl Fn(Entity, &str) -> bool,
    ) {
        let to = match shape {
            Shape::Reference(to) => Some(to),
            Shape::Parent => {
                let to = get(fields, "record_type").and_then(text);
                let Some(to) = to.and_then(|name| Entity::of_record_type(&name)) else { return };
                Some(to)
            }
            _ => None,
        };
        match (fault(shape, value), to) {
            (Some(message), _) => self.find(Rule::Value, at(row, name), message),
            (None, Some(to)) => self.reference(row, name, to, value, held),
            (None, None) => {}
        }
    }

    fn reference(
        &mut self,
        row: Row<'_>,
        name: &str,
        to: Entity,
        value: &str,
        held: &impl Fn(Entity, &str) -> bool,
    ) {
        if !text(value).is_some_and(|id| held(to, &id)) {
            let message = format!("refers to {}, which is no row of /{}", shown(value), to.name());
            self.find(Rule::Reference, at(row, name), message);
        }
    }

    fn stage(&mut self, row: Row<'_>, known: Option<&Stages>, seen: &mut HashMap<String, String>) {
        let all = members(row.json);
        let fields = Lookup::of(&all);
        let get = |name| get(&fields, name).and_then(text);
        let (pipeline, stage) = (get("pipeline_id"), get("pipeline_stage_id"));
        let (Some(stage), status) = (stage, get("status").unwrap_or_default()) else {
            return;
        };
        let pointer = |name| at(row, name);
        if let Some(known) = known {
            let Some((of, ty)) = known.stages.get(&stage) else {
                let message = "is no stage that the side-car knows";
                return self.find(Rule::Stage, pointer("pipeline_stage_id"), message);
            };
            if pipeline.as_ref().is_some_and(|pipeline| pipeline != of) {
                let message = "is a stage of another pipeline than pipeline_id says";
                self.find(Rule::Stage, pointer("pipeline_stage_id"), message);
            }
            if matches!(ty.as_str(), "won" | "lost") && *ty != status {
                let message = format!("is \"{status}\" in a stage of type \"{ty}\"");
                self.find(Rule::Stage, pointer("status"), message);
            }
            return;
        }
        let Some(pipeline) = pipeline else { return };
        match seen.get(&stage) {
            Some(of) if *of != pipeline => {
                let message = "is a stage of another pipeline in an earlier row";
                self.find(Rule::Stage, pointer("pipeline_stage_id"), message);
            }
            None if seen.len() < STAGES_MAX => {
                seen.insert(stage, pipeline);
            }
            _ => {}
        }
    }
}

/// Stages that are remembered of a bundle without a side-car.
const STAGES_MAX: usize = 100_000;

/// The pipeline and type of the stages in a side-car, by stage id.
struct Stages {
    stages: HashMap<String, (String, String)>,
}

impl Stages {
    fn of(context: Option<&Sidecar>) -> Option<Self> {
        let pipelines = &context?.pipelines;
        let all = pipelines.iter().flat_map(|pipeline| {
            let of = |stage: &super::sidecar::Stage| {
                (stage.id.clone(), (pipeline.id.clone(), stage.stage_type.clone()))
            };
            pipeline.stages.iter().map(of)
        });
        (!pipelines.is_empty()).then(|| Self { stages: all.collect() })
    }
}

fn get<'a>(fields: &Lookup<'_, 'a>, name: &str) -> Option<&'a str> {
    fields.get(usize::MAX, name)
}

fn at(row: Row<'_>, name: &str) -> String {
    format!("/{}/{}/{name}", row.entity.name(), row.index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_grows_with_the_bundle() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let checked = |bundle: String| {
            let name = format!("validate-{}-{:x}", std::process::id(), fastrand::u64(..));
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, bundle).expect("a file can be written");
            let validation = runtime.block_on(validate(&path, None, |_, _| false));
            std::fs::remove_file(&path).expect("the file is there");
            validation.expect("it is a bundle").total
        };
        work::grows_with_its_input("rows of one public id, each referred to", 1_000, |rows| {
            let accounts = vec![r#"{"public_id":"a","name":"x"}"#; rows].join(",");
            let contacts = vec![r#"{"public_id":"b","account_public_id":"a"}"#; rows].join(",");
            let bundle =
                format!(r#"{{"version":"1","accounts":[{accounts}],"contacts":[{contacts}]}}"#);
            assert_eq!(checked(bundle), 2 * (rows as u64 - 1));
        });
        work::grows_with_its_input("one key again and again", 1_000, |times| {
            let again = vec![r#""record_public_id":"a""#; times].join(",");
            let row = format!(r#"{{"public_id":"c",{again},"record_type":"account"}}"#);
            let bundle = format!(r#"{{"version":"1","accounts":[],"activities":[{row}]}}"#);
            assert_eq!(checked(bundle), times as u64);
        });
    }
}
