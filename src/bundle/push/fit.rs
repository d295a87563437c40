//! Rows as the CRM takes them: its own stages, allowed parents, no field it refuses.

use super::dropped::Dropped;
use super::stages::{Stages, Standing};
use crate::bundle::portable::Array;
use crate::model::{Error, Kind, Members, Result, members, quoted, text};
use std::borrow::Cow;

/// What rows go through on their way to the CRM.
#[derive(Debug)]
pub struct Fit {
    /// Which stage becomes which.
    pub stages: Stages,
    /// Fields that are left out.
    dropped: Dropped,
    /// Whether only documented fields go.
    strict: bool,
    /// What an activity may belong to, the best first.
    parents: Vec<Array>,
}

/// A field that gets another value, or is left out.
type Set = (&'static str, Option<String>);

impl Fit {
    /// Leaves these fields out; with `strict` all that are not documented.
    /// Activities belong to the first of these `parents` that they have.
    pub fn new(stages: Stages, dropped: Dropped, strict: bool, parents: &[String]) -> Result<Self> {
        let parents = parents.iter().map(|name| {
            Array::of_record_type(name.trim()).ok_or_else(|| {
                let message = format!("{name:?} is none of account, contact, opportunity, lead");
                Error::new(Kind::Usage, message).at("--activity-parents")
            })
        });
        Ok(Self { stages, dropped, strict, parents: parents.collect::<Result<_>>()? })
    }

    /// A row as it is sent.
    pub fn row<'r>(&mut self, array: Array, json: &'r str) -> Cow<'r, str> {
        let fields = members(json);
        let set = match array {
            Array::Opportunities => self.standing(&fields),
            Array::Activities => self.parent(&fields),
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
        for (key, own) in fields.iter().filter(|(key, _)| !self.drops(array, key)) {
            match set.iter().find(|(name, _)| name == key) {
                Some((_, Some(value))) => add(key, value),
                Some((_, None)) => {}
                None => add(key, own),
            }
        }
        for (key, value) in &set {
            let there = fields.iter().any(|(name, _)| name == key);
            if let Some(value) = value.as_ref().filter(|_| !there && !self.drops(array, key)) {
                add(key, value);
            }
        }
        out.push('}');
        Cow::Owned(out)
    }

    fn drops(&self, array: Array, key: &str) -> bool {
        let undocumented = || array.field(key).is_none_or(|field| !field.documented);
        self.strict && undocumented() || self.dropped.has(array, key)
    }

    /// Pipeline and stage of the CRM. Where it has none that fits, or does not say, it decides by
    /// itself: then they are left out.
    fn standing(&mut self, fields: &Members<'_>) -> Vec<Set> {
        let [pipeline, stage] = match self.stages.place(&Standing::of(fields)) {
            Some((pipeline, stage)) => [Some(quoted(&pipeline.id)), Some(quoted(&stage.id))],
            None => [None, None],
        };
        vec![("pipeline_id", pipeline), ("pipeline_stage_id", stage)]
    }

    fn parent(&self, fields: &Members<'_>) -> Vec<Set> {
        let own = value(fields, "record_type").and_then(text);
        let own = own.and_then(|name| Array::of_record_type(&name));
        if own.is_none_or(|own| self.parents.contains(&own)) {
            return Vec::new();
        }
        let other = self.parents.iter().find_map(|array| {
            let id = value(fields, array.link()?).filter(|id| *id != "null")?;
            Some((*array, id.to_owned()))
        });
        let null = || "null".to_owned();
        let (kind, id) = match other {
            Some((array, id)) => (quoted(array.record_type()), id),
            None => (null(), null()),
        };
        vec![("record_type", Some(kind)), ("record_public_id", Some(id))]
    }
}

fn value<'m>(fields: &Members<'m>, name: &str) -> Option<&'m str> {
    fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
}
