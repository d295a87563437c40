//! Imports rows: checks them against the rows of the organization, then creates or changes them.

use super::options::{CrmOptions, UnknownFields};
use super::rows::{ARRAYS, Event, Row, What, get, merged};
use super::tenant::Tenant;
use crate::model::{Time, members, quoted, text};
use std::collections::HashMap;

/// Longest public id.
const PUBLIC_ID_MAX: usize = 255;

/// The fields that are documented or likely, in addition to those of every row.
const KNOWN: [&[&str]; 5] = [
    &["name", "domain", "website", "industry", "phone", "address"],
    &["account_public_id", "first_name", "last_name", "email", "phone", "title"],
    &[
        "name",
        "account_public_id",
        "contact_public_id",
        "amount",
        "value",
        "currency",
        "status",
        "close_date",
        "pipeline_id",
        "pipeline_stage_id",
        "stage_position",
    ],
    &["first_name", "last_name", "email", "company", "status", "source", "score"],
    &[
        "record_type",
        "record_public_id",
        "activity_type",
        "kind",
        "subject",
        "body",
        "due_at",
        "completed_at",
    ],
];
const OF_ALL: &[&str] = &[
    "id",
    "public_id",
    "external_system",
    "external_id",
    "owner",
    "custom",
    "metadata",
    "created_at",
    "updated_at",
    "deleted_at",
];

/// The owner of each public id: organization and array.
pub(super) type Taken = HashMap<Box<str>, (usize, usize)>;

/// The context in which a row is written.
pub(super) struct Service<'d> {
    pub(super) options: &'d CrmOptions,
    pub(super) tenant: &'d mut Tenant,
    /// The index of the organization.
    pub(super) place: usize,
    pub(super) taken: &'d mut Taken,
    /// The number of the last row of the CRM.
    pub(super) last: &'d mut u64,
    pub(super) now: Time,
}

/// A row that was checked: the fields that it sets, and the index of the existing row, if there is one.
pub(super) struct Checked {
    public_id: String,
    set: Vec<(String, String)>,
    there: Option<usize>,
}

impl Service<'_> {
    /// Checks a row of an array. The error is a sentence.
    pub(super) fn check(&self, array: usize, row: &str) -> Result<Checked, String> {
        if !row.starts_with('{') {
            return Err("is not an object".to_owned());
        }
        let public_id =
            get(row, "public_id").filter(|id| !id.is_empty() && id.len() <= PUBLIC_ID_MAX);
        let public_id = public_id.ok_or("public_id must be text of 1 to 255 characters")?;
        let there = match self.taken.get(public_id.as_str()) {
            None => None,
            Some(home) if *home == (self.place, array) => {
                self.tenant.arrays[array].find(&public_id)
            }
            Some(_) => return Err("public_id has already been taken".to_owned()),
        };
        let mut set = Vec::new();
        for (key, value) in members(row) {
            let known = OF_ALL.contains(&key.as_ref()) || KNOWN[array].contains(&key.as_ref());
            let refused =
                |name: &String| *name == key || *name == format!("{}.{key}", ARRAYS[array].0);
            if self.options.refuse_fields.iter().any(refused) {
                return Err(format!("unpermitted parameter: {key}"));
            }
            let stamp = matches!(key.as_ref(), "created_at" | "updated_at");
            match (known, self.options.unknown_fields) {
                _ if key == "id" || stamp && !self.options.keep_stamps => {}
                (false, UnknownFields::Refuse) => {
                    return Err(format!("unpermitted parameter: {key}"));
                }
                (false, UnknownFields::Drop) => {}
                _ => set.push((key.into_owned(), value.to_owned())),
            }
        }
        let old = there.map(|place| self.tenant.arrays[array].list[place].json.clone());
        let old = old.as_deref().and_then(|json| std::str::from_utf8(json).ok()).unwrap_or("{}");
        let whole = merged(old, &set);
        let whole = std::str::from_utf8(&whole).unwrap_or_default();
        self.valid(array, whole, &mut set)?;
        if there.is_none() {
            for stamp in ["created_at", "updated_at"] {
                if set.iter().all(|(key, _)| key != stamp) {
                    set.push((stamp.to_owned(), format!("\"{}\"", self.now)));
                }
            }
            if set.iter().all(|(key, _)| key != "deleted_at") {
                set.push(("deleted_at".to_owned(), "null".to_owned()));
            }
        } else if !self.options.keep_stamps {
            set.push(("updated_at".to_owned(), format!("\"{}\"", self.now)));
        }
        Ok(Checked { public_id, set, there })
    }

    fn valid(
        &self,
        array: usize,
        row: &str,
        set: &mut Vec<(String, String)>,
    ) -> Result<(), String> {
        let fields = members(row);
        let raw = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw);
        let there = |name: &str| raw(name).filter(|raw| *raw != "null");
        if matches!(array, 0 | 2) && there("name").and_then(text).is_none_or(|name| name.is_empty())
        {
            return Err("name can't be blank".to_owned());
        }
        for (name, of) in [("account_public_id", 0), ("contact_public_id", 1)] {
            let owner = matches!((array, of), (1, 0) | (2, _));
            if let Some(raw) = there(name).filter(|_| owner)
                && text(raw).and_then(|id| self.tenant.arrays[of].find(&id)).is_none()
            {
                return Err(format!("{name} refers to no {} of this organization", ARRAYS[of].1));
            }
        }
        if array == 2 {
            let status = there("status").and_then(text).unwrap_or_else(|| "open".to_owned());
            if !matches!(status.as_str(), "open" | "won" | "lost") {
                return Err("status must be open, won or lost".to_owned());
            }
            let id = |name| there(name).and_then(text);
            let (pipeline, stage) = (id("pipeline_id"), id("pipeline_stage_id"));
            let (pipeline, stage, status) =
                self.tenant.stage(pipeline.as_deref(), stage.as_deref())?;
            set.push(("pipeline_id".to_owned(), quoted(pipeline)));
            set.push(("pipeline_stage_id".to_owned(), quoted(stage)));
            set.push(("status".to_owned(), quoted(status)));
        }
        if array == 4 {
            let (kind, id) = (there("record_type"), there("record_public_id"));
            let (kind, id) = match (kind.and_then(text), id.and_then(text)) {
                (None, None) if self.options.parentless => return Ok(()),
                (Some(kind), Some(id)) => (kind, id),
                _ => return Err("record_type and record_public_id are required".to_owned()),
            };
            let of = ARRAYS.iter().position(|(_, singular, _)| *singular == kind);
            let Some(of) = of.filter(|_| self.options.activity_parents.contains(&kind)) else {
                return Err(format!("record_type \"{kind}\" is not supported"));
            };
            if self.tenant.arrays[of].find(&id).is_none() {
                return Err(format!("record_public_id refers to no {kind} of this organization"));
            }
        }
        Ok(())
    }

    /// Writes a row that was checked, and its event.
    pub(super) fn write(&mut self, array: usize, checked: Checked, what: What) {
        let Checked { public_id, set, there } = checked;
        let rows = &mut self.tenant.arrays[array];
        let old = there.map(|place| rows.list[place].json.clone());
        let old = old.as_deref().and_then(|json| std::str::from_utf8(json).ok()).unwrap_or("{}");
        let json = merged(old, &set);
        let deleted = get(std::str::from_utf8(&json).unwrap_or_default(), "deleted_at").is_some();
        let number = if let Some(place) = there {
            let row = &mut rows.list[place];
            (row.json, row.deleted) = (json, deleted);
            row.number
        } else {
            *self.last += 1;
            let (number, public_id) = (*self.last, Box::<str>::from(public_id));
            self.taken.insert(public_id.clone(), (self.place, array));
            rows.push(Row { number, public_id, deleted, json });
            number
        };
        let array = u8::try_from(array).unwrap_or(0);
        self.tenant.events.push(Event { array, row: number, what, at: self.now });
    }
}
