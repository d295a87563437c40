//! Adapts rows to the CRM: its stages, its allowed parents, and no field that it refuses.

use super::dropped::Dropped;
use super::plan::alike;
use super::stages::{RowStage, Stages};
use crate::bundle::format::Entity;
use crate::bundle::losses::{Losses, count};
use crate::model::{Error, Kind, Members, Result, members, quoted, text};
use std::borrow::Cow;

/// The reason why the stage of an existing row is not changed.
const GUESSED: &str = "the CRM has no stage of this name, and a guess replaces none";
/// The reason why the parent of an existing row is not changed.
const OTHER_PARENT: &str = "the CRM takes no such parent, and another one replaces none";

/// Converts rows of a bundle to the form that a CRM accepts.
#[derive(Debug, Clone)]
pub struct Conformer {
    /// The mapping of stages.
    pub stages: Stages,
    /// The differences of existing rows that are not written, by array and field.
    pub kept: Losses,
    /// The fields that are dropped.
    dropped: Dropped,
    /// Whether only documented fields are sent.
    strict: bool,
    /// The arrays that can be the parent of an activity, best first.
    parents: Vec<Entity>,
}

/// A field with its new value, or `None` to drop it.
type Set = (&'static str, Option<String>);

impl Conformer {
    /// Creates a conformer that drops these fields, and with `strict` also all undocumented fields.
    /// Activities get the first of these `parents` that they have.
    pub fn new(stages: Stages, dropped: Dropped, strict: bool, parents: &[String]) -> Result<Self> {
        let parents = parents.iter().map(|name| {
            Entity::of_record_type(name.trim()).ok_or_else(|| {
                let message = format!("\"{name}\" is none of account, contact, opportunity, lead");
                Error::new(Kind::Usage, message).at("--activity-parents")
            })
        });
        let parents = parents.collect::<Result<_>>()?;
        Ok(Self { stages, kept: Losses::new(), dropped, strict, parents })
    }

    /// Returns a row in the form that is sent. `there` is the CRM's row. A guess does not replace a value
    /// of the CRM.
    pub fn row<'r>(&mut self, entity: Entity, json: &'r str, there: Option<&str>) -> Cow<'r, str> {
        let fields = members(json);
        let there = there.map(members);
        let set = match entity {
            Entity::Opportunities => self.standing(&fields, there.as_ref()),
            Entity::Activities => self.parent(&fields, there.as_ref()),
            _ => Vec::new(),
        };
        let plain = set.is_empty() && !self.strict && self.dropped.is_empty();
        if plain && !json.contains(['\n', '\r']) {
            return Cow::Borrowed(json);
        }
        let mut out = String::with_capacity(json.len() + 64);
        out.push('{');
        let mut add = |key: &str, value: &str| {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&quoted(key));
            out.push(':');
            out.extend(value.chars().filter(|c| !matches!(c, '\n' | '\r')));
        };
        for (key, own) in fields.iter().filter(|(key, _)| !self.drops(entity, key)) {
            match set.iter().find(|(name, _)| name == key) {
                Some((_, Some(value))) => add(key, value),
                Some((_, None)) => {}
                None => add(key, own),
            }
        }
        for (key, value) in &set {
            let there = fields.iter().any(|(name, _)| name == key);
            if let Some(value) = value.as_ref().filter(|_| !there && !self.drops(entity, key)) {
                add(key, value);
            }
        }
        out.push('}');
        Cow::Owned(out)
    }

    fn drops(&self, entity: Entity, key: &str) -> bool {
        let undocumented = || entity.field(key).is_none_or(|field| !field.documented);
        self.strict && undocumented() || self.dropped.has(entity, key)
    }

    /// Returns the pipeline and stage in the CRM. If no stage fits, they are dropped and the CRM chooses
    /// them.
    fn standing(&mut self, fields: &Members<'_>, there: Option<&Members<'_>>) -> Vec<Set> {
        let row = RowStage::of(fields);
        let own = there.and_then(|there| {
            let stage = value(there, "pipeline_stage_id").filter(|id| *id != "null")?;
            Some((value(there, "pipeline_id").unwrap_or("null"), stage))
        });
        let status = value(fields, "status").and_then(text).unwrap_or_else(|| "open".to_owned());
        // A stage of another type would change the status.
        let own = own.filter(|(_, stage)| {
            text(stage).is_some_and(|stage| self.stages.may_hold(&stage, &status))
        });
        if let Some((pipeline, stage)) = own
            && !self.stages.is_certain(&row)
        {
            if self.stages.guess(&row).is_some_and(|guess| quoted(&guess.id) != stage) {
                count(&mut self.kept, Entity::Opportunities, "pipeline_stage_id", GUESSED);
            }
            let set = |id: &str| (id != "null").then(|| id.to_owned());
            return vec![("pipeline_id", set(pipeline)), ("pipeline_stage_id", set(stage))];
        }
        let [pipeline, stage] = match self.stages.place(&row) {
            Some((pipeline, stage)) => [Some(quoted(&pipeline.id)), Some(quoted(&stage.id))],
            None => [None, None],
        };
        vec![("pipeline_id", pipeline), ("pipeline_stage_id", stage)]
    }

    fn parent(&mut self, fields: &Members<'_>, there: Option<&Members<'_>>) -> Vec<Set> {
        let own = value(fields, "record_type").and_then(text);
        let own = own.and_then(|name| Entity::of_record_type(&name));
        if own.is_none_or(|own| self.parents.contains(&own)) {
            return Vec::new();
        }
        let other = self.parents.iter().find_map(|entity| {
            let id = value(fields, entity.link()?).filter(|id| *id != "null")?;
            Some((*entity, id.to_owned()))
        });
        let null = || "null".to_owned();
        let (mut kind, mut id) = match other {
            Some((entity, id)) => (quoted(entity.record_type()), id),
            None => (null(), null()),
        };
        let there = there.and_then(|there| {
            let id = value(there, "record_public_id").filter(|id| *id != "null")?;
            Some((value(there, "record_type")?, id))
        });
        if let Some((own_kind, own_id)) = there
            && !alike(&id, own_id)
        {
            count(&mut self.kept, Entity::Activities, "record_public_id", OTHER_PARENT);
            (kind, id) = (own_kind.to_owned(), own_id.to_owned());
        }
        vec![("record_type", Some(kind)), ("record_public_id", Some(id))]
    }
}

fn value<'m>(fields: &Members<'m>, name: &str) -> Option<&'m str> {
    fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
}
