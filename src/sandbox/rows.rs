//! Generates rows as finished JSON, each from the seed of the account and the number of the row only.

use super::account::{Account, BULK, START};
use super::features::Features;
use super::fill::{self, Cell, Presence};
use super::json::Spelling;
use super::values;
use crate::model::{Resource, Time, Type};
use bytes::Bytes;
use fastrand::Rng;

/// A row, with the values by which lists filter and sort.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The number: the id if ids are numbers, else an internal number.
    pub(super) id: u64,
    /// The id if it is text.
    pub(super) name: Option<Box<str>>,
    /// The time of creation.
    pub(super) add: Time,
    /// The time of the last write. `None` if the row contains null.
    pub(super) update: Option<Time>,
    /// The status of the row.
    pub(super) status: Status,
    /// Whether the row is archived.
    pub(super) archived: bool,
    /// The time of deletion, if the row was deleted.
    pub(super) deleted: Option<Time>,
    /// The object as it appears in lists.
    pub(super) json: Bytes,
}

/// The status of a deal or project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    None,
    Open,
    Won,
    Lost,
    Completed,
    Canceled,
    Deleted,
}

impl Status {
    /// Returns the name in rows and filters.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Open => "open",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
            Self::Deleted => "deleted",
        }
    }

    /// Returns the status of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Open, Self::Won, Self::Lost, Self::Completed, Self::Canceled, Self::Deleted]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// A resource, prepared for generating rows.
#[derive(Debug)]
pub(super) struct Plan {
    /// The resource.
    pub(super) resource: &'static Resource,
    cells: Vec<Cell>,
    spelling: Spelling,
    text_key: bool,
}

/// The facts about a row before it is written.
pub(super) struct RowContext<'a> {
    pub(super) account: &'a Account,
    pub(super) resource: &'static Resource,
    pub(super) id: u64,
    pub(super) parent: u64,
    /// The index among the rows of its parent.
    pub(super) place: u64,
    pub(super) add: Time,
    pub(super) update: Option<Time>,
    pub(super) touched: Time,
    pub(super) status: Status,
    pub(super) archived: bool,
    pub(super) deleted: Option<Time>,
    pub(super) stage: u64,
}

impl Plan {
    /// Returns the plan for rows of a resource, in a company with these features.
    pub(super) fn of(resource: &'static Resource, features: Features) -> Self {
        let alone = resource.key.first().filter(|_| resource.key.len() == 1);
        let text_key = alone
            .and_then(|key| resource.column(key))
            .is_some_and(|column| matches!(column.ty, Type::Text));
        Self {
            resource,
            cells: fill::cells(resource, features),
            spelling: fill::spelling(resource),
            text_key,
        }
    }

    /// Returns the row of this number, as the account was at its start.
    pub(super) fn row(&self, account: &Account, id: u64) -> Row {
        self.child(account, id, 0, 0)
    }

    /// Returns a row that belongs to a parent, with this index among its siblings.
    pub(super) fn child(&self, account: &Account, id: u64, parent: u64, place: u64) -> Row {
        let mut rng = account.dice(self.resource.name, id);
        let row_context = self.row_context(account, id, parent, place, &mut rng);
        self.write(&row_context, &mut rng)
    }

    /// Returns a row that is created now.
    pub(super) fn fresh(&self, account: &Account, id: u64, now: Time) -> Row {
        let mut rng = account.dice(self.resource.name, id);
        let mut row_context = self.row_context(account, id, 0, 0, &mut rng);
        row_context.add = now;
        row_context.update = Some(now);
        row_context.touched = now;
        row_context.archived = false;
        row_context.deleted = None;
        row_context.status =
            if row_context.status == Status::None { Status::None } else { Status::Open };
        self.write(&row_context, &mut rng)
    }

    fn row_context<'a>(
        &self,
        account: &'a Account,
        id: u64,
        parent: u64,
        place: u64,
        rng: &mut Rng,
    ) -> RowContext<'a> {
        let name = self.resource.name;
        let mut add = START.plus_seconds(-rng.i64(2 * 86_400..729 * 86_400));
        let span = START.seconds() - 3_600 - add.seconds();
        let mut touched = add.plus_seconds(rng.i64(0..span));
        if id % 20 == 11 && parent == 0 {
            touched = BULK;
            add = add.min(BULK.plus_seconds(-90_000 - rng.i64(0..90_000)));
        }
        let (mut archived, mut deleted, mut status) = (false, None, Status::None);
        match name {
            "deals" => {
                archived = id % 11 == 6;
                status = [Status::Open, Status::Won, Status::Lost, Status::Open]
                    [rng.usize(..if id > 8 { 4 } else { 3 })];
                if id % 37 == 20 {
                    deleted = Some(START.plus_seconds(-rng.i64(3_600..25 * 86_400)));
                } else if purged(name, id) {
                    deleted = Some(START.plus_seconds(-rng.i64(31 * 86_400..300 * 86_400)));
                }
            }
            "projects" => {
                archived = id % 10 == 4;
                status = [Status::Open, Status::Completed, Status::Canceled][rng.usize(..3)];
                deleted = (id % 15 == 7).then(|| START.plus_seconds(-rng.i64(3_600..25 * 86_400)));
            }
            "leads" => archived = id % 11 == 6,
            _ => {}
        }
        if let Some(gone) = deleted {
            touched = gone;
            add = add.min(gone.plus_seconds(-90_000));
            status = Status::Deleted;
        }
        if self.spelling == Spelling::Millis {
            let naked = matches!(
                self.resource.column("update_time").map(|column| column.ty),
                Some(Type::Naked)
            );
            if !naked {
                add = Time::from_millis(add.millis() + rng.i64(0..1_000));
                touched = Time::from_millis(touched.millis() + [0, 7, 250, 999][rng.usize(..4)]);
                add = add.min(touched);
            }
        }
        let update = (!untouched(name, id)).then_some(touched);
        let stage = 1 + rng.u64(..18);
        RowContext {
            account,
            resource: self.resource,
            id,
            parent,
            place,
            add,
            update,
            touched,
            status,
            archived,
            deleted,
            stage,
        }
    }

    fn write(&self, row_context: &RowContext<'_>, rng: &mut Rng) -> Row {
        let mut json = Vec::with_capacity(if self.cells.len() > 20 { 2_048 } else { 512 });
        json.push(b'{');
        // One row in eight has every value, and one lacks every value that may be missing.
        let (full, bare) = (row_context.id % 8 == 1, row_context.id % 8 == 2);
        for cell in &self.cells {
            let without = match cell.presence {
                Presence::Always => false,
                Presence::Nullable | Presence::Optional => bare || (!full && rng.u8(..3) == 0),
            };
            if without && bare && cell.presence == Presence::Optional {
                continue;
            }
            if json.len() > 1 {
                json.push(b',');
            }
            json.extend_from_slice(&cell.prefix);
            if without {
                json.extend_from_slice(b"null");
            } else {
                values::write(&mut json, cell, row_context, rng);
            }
        }
        if self.resource.name == "leads" {
            let (fields, targets) =
                (row_context.account.fields("leads"), row_context.account.targets());
            super::custom::flat(&mut json, fields, row_context.id, rng, &targets);
        }
        json.push(b'}');
        Row {
            id: row_context.id,
            name: self.text_key.then(|| self.name(&json)),
            add: row_context.add,
            update: row_context.update,
            status: row_context.status,
            archived: row_context.archived,
            deleted: row_context.deleted,
            // The bytes are copied without spare capacity, because a hundred thousand rows are stored.
            json: Bytes::copy_from_slice(&json),
        }
    }

    fn name(&self, json: &[u8]) -> Box<str> {
        let raw = super::json::find(json, self.resource.key[0]).unwrap_or_default();
        serde_json::from_str::<String>(raw).unwrap_or_default().into()
    }
}

/// Returns whether a row is old and was not written since Pipedrive began to store the time
/// (pipedrive-api.md 8.4).
fn untouched(resource: &str, id: u64) -> bool {
    match resource {
        "persons" | "products" | "organizations" => id % 40 == 5,
        "pipelines" | "stages" | "activity_types" | "filters" | "lead_labels" => id % 3 == 2,
        _ => false,
    }
}

/// Returns whether a row was deleted so long ago that Pipedrive has purged it, with all references to it.
pub(super) fn purged(resource: &str, id: u64) -> bool {
    resource == "deals" && id % 97 == 60 && id % 37 != 20
}
