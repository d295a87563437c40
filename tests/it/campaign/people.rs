//! What people do to the account.

use fastrand::Rng;
use source_pipedrive::model::{Resource, Time};
use source_pipedrive::sandbox::{Edit, ExpectedRows, Sandbox};

/// Who edits the account, and when they last did.
pub(super) struct People {
    last: Option<Time>,
}

/// What is edited: what has an update time, or is read as a whole.
const EDITED: &[&str] = &[
    "deals",
    "persons",
    "organizations",
    "activities",
    "products",
    "leads",
    "notes",
    "files",
    "projects",
    "stages",
    "users",
    "mail_threads",
    "deal_products",
];

/// What is made and deleted.
const MADE: &[&str] = &[
    "deals",
    "persons",
    "organizations",
    "activities",
    "products",
    "leads",
    "notes",
    "files",
    "projects",
    "deal_products",
];

impl People {
    pub(super) fn new() -> Self {
        Self { last: None }
    }

    /// Some edits, with time in between.
    pub(super) fn busy(dice: &mut Rng, account: &Sandbox) -> Vec<Edit> {
        let mut edits = Vec::new();
        for _ in 0..dice.u8(1..6) {
            if dice.bool() {
                edits.push(Edit::Advance(*dice.choice(&[1, 2, 30, 61, 200]).expect("some")));
            }
            let resource = EDITED[dice.usize(..EDITED.len())];
            one(dice, account, resource, &mut edits);
        }
        if dice.bool() {
            edits.push(Edit::Advance(dice.i64(1..120)));
        }
        edits
    }

    pub(super) fn carry_out(&mut self, account: &Sandbox, edits: Vec<Edit>) {
        account.state(|account| {
            for edit in edits {
                if !matches!(edit, Edit::Advance(_)) {
                    self.last = Some(account.now());
                }
                account.edit(edit);
            }
        });
    }

    /// An edit happened during a run.
    pub(super) fn were_seen(&mut self, account: &Sandbox) {
        self.last = Some(account.state(|account| account.now()));
    }

    /// Whether time has passed since the last edit, so that the next run is to bring it.
    pub(super) fn rest(&self, account: &Sandbox) -> bool {
        let now = account.state(|account| account.now());
        self.last.is_none_or(|last| last < now)
    }
}

/// The account as a whole, to see whether it changes.
pub(super) fn looks(account: &Sandbox) -> Vec<ExpectedRows> {
    account.state(|account| EDITED.iter().flat_map(|resource| account.truth(resource)).collect())
}

/// An edit of a resource, as two where they belong together.
fn one(dice: &mut Rng, account: &Sandbox, resource: &'static str, edits: &mut Vec<Edit>) {
    let row = Resource::named(resource).expect("the resource exists");
    let keys: Vec<String> =
        account.state(|account| account.truth(resource)).into_iter().map(|row| row.key).collect();
    let mut key = || dice.choice(&keys).cloned().unwrap_or_default();
    let (key, other) = (key(), key());
    let archives = matches!(resource, "deals" | "leads" | "projects");
    let makes = MADE.contains(&resource);
    match dice.u8(..10) {
        0 | 1 => edits.push(Edit::Bulk { resource, rows: dice.usize(1..10) }),
        2 if row.cursor.is_some() => {
            // Twice in the same second.
            edits.push(Edit::Change { resource, key: key.clone(), set: Vec::new() });
            edits.push(Edit::Touch { resource, key });
        }
        3 | 4 if makes && row.parent.is_some() => {
            let deals = account.state(|account| account.truth("deals"));
            let parent = dice.choice(&deals).and_then(|deal| deal.key.parse().ok());
            edits.extend(parent.map(|parent| Edit::Create { resource, parent: Some(parent) }));
        }
        3 | 4 if makes => edits.push(Edit::Create { resource, parent: None }),
        5 if makes => edits.push(Edit::Delete { resource, key }),
        6 if matches!(resource, "persons" | "organizations") && key != other => {
            edits.push(Edit::Merge { resource, from: key, into: other });
        }
        7 if archives => edits.push(Edit::Archive { resource, key }),
        9 if resource == "leads" && dice.bool() => edits.push(Edit::Convert { lead: key }),
        8 if archives => {
            // Back in the very same form in the very same second is beyond a second's resolution.
            edits.push(Edit::Advance(1));
            edits.push(Edit::Unarchive { resource, key });
        }
        _ => edits.push(Edit::Change { resource, key, set: Vec::new() }),
    }
}
