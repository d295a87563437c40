//! The parameters of a simulated account from which every row is derived: seed, size, start.

use super::custom::{self, Field, Kind, Targets};
use super::features::Features;
use super::habits::{Habit, Habits};
use super::sample_text;
use crate::model::Time;
use fastrand::Rng;

/// The time 2026-11-01T12:00:00Z, at which every account's clock starts.
pub(super) const START: Time = Time::from_seconds(1_793_534_400);

/// The second of a bulk edit, in which one row in twenty was last written.
pub(super) const BULK: Time = START.plus_seconds(-40 * 86_400);

/// The default id of the account's company.
pub(super) const COMPANY: u64 = 900;

/// The seed, size and custom fields of an account.
#[derive(Debug)]
pub(super) struct Account {
    /// The number of the company.
    pub(super) company: u64,
    /// The features that the company has.
    pub(super) features: Features,
    /// The differences from the documentation.
    pub(super) habits: Habits,
    seed: u64,
    scale: f64,
    /// The number of deleted custom fields. It prevents a code from being assigned twice.
    deleted: usize,
    fields: [(&'static str, Vec<Field>); 5],
}

/// Returns the entity whose custom fields a resource's rows contain or define.
fn entity(resource: &str) -> Option<&'static str> {
    match resource {
        "deals" | "leads" | "deal_fields" | "lead_fields" => Some("deal"),
        "persons" | "person_fields" => Some("person"),
        "organizations" | "organization_fields" => Some("organization"),
        "products" | "product_fields" => Some("product"),
        "projects" | "project_fields" => Some("project"),
        _ => None,
    }
}

impl Account {
    /// Returns the account of this seed. Scale 1 is about a thousand deals.
    pub(super) fn new(seed: u64, scale: f64) -> Self {
        let fields = ["deal", "person", "organization", "product", "project"]
            .map(|entity| (entity, custom::fields(seed, entity)));
        Self {
            company: COMPANY,
            features: Features::all(),
            habits: Habits::none(),
            seed,
            scale,
            deleted: 0,
            fields,
        }
    }

    /// Returns the random numbers of one row. They are the same every time.
    pub(super) fn dice(&self, resource: &str, row: u64) -> Rng {
        let name = resource.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ name;
        seed = (seed ^ row).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Rng::with_seed(seed ^ seed >> 29)
    }

    /// Returns the number of rows of a resource at the start, in all states and listings together.
    pub(super) fn count(&self, resource: &str) -> u64 {
        let base = match resource {
            "deals" => 1_140.0,
            "persons" => 1_500.0,
            "organizations" => 600.0,
            "activities" => 4_000.0,
            "products" => 200.0,
            "leads" => 550.0,
            "notes" => 800.0,
            "files" => 300.0,
            "call_logs" => 120.0,
            "mail_threads" | "tasks" => 150.0,
            "projects" => 60.0,
            other => return fixed(other),
        };
        if self.scale <= 0.0 {
            return 0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive count far below 2^53"
        )]
        let count = (base * self.scale).round() as u64;
        count.max(1)
    }

    /// Returns the custom fields in the rows of a resource.
    pub(super) fn fields(&self, resource: &str) -> &[Field] {
        let fields = self.fields.iter().find(|(name, _)| Some(*name) == entity(resource));
        fields.map_or(&[], |(_, fields)| fields)
    }

    /// Adds a custom field. Returns `None` for a resource without custom fields.
    pub(super) fn add_field(
        &mut self,
        resource: &str,
        name: &str,
        kind: Kind,
        labels: Vec<String>,
    ) -> Option<Field> {
        let (seed, deleted) = (self.seed, self.deleted);
        let owner = |(name, _): &&mut (&str, Vec<Field>)| Some(*name) == entity(resource);
        let (entity, fields) = self.fields.iter_mut().find(owner)?;
        let field = custom::added((seed, entity, deleted), fields, name, kind, labels);
        fields.push(field.clone());
        Some(field)
    }

    /// Returns a custom field in the rows of a resource.
    pub(super) fn field_mut(&mut self, resource: &str, code: &str) -> Option<&mut Field> {
        let owner = |(name, _): &&mut (&str, Vec<Field>)| Some(*name) == entity(resource);
        let (_, fields) = self.fields.iter_mut().find(owner)?;
        fields.iter_mut().find(|field| field.code == code)
    }

    /// Removes a custom field.
    pub(super) fn delete_field(&mut self, resource: &str, code: &str) {
        self.deleted += 1;
        for (name, fields) in &mut self.fields {
            if Some(*name) == entity(resource) {
                fields.retain(|field| field.code != code);
            }
        }
    }

    /// Adds options to a custom field, and returns them.
    pub(super) fn add_options(
        &mut self,
        resource: &str,
        code: &str,
        labels: Vec<String>,
    ) -> Option<Vec<(u64, String)>> {
        let owner = |(name, _): &&mut (&str, Vec<Field>)| Some(*name) == entity(resource);
        let (_, fields) = self.fields.iter_mut().find(owner)?;
        let first = custom::next_option(fields);
        let field = fields.iter_mut().find(|field| field.code == code)?;
        if !matches!(field.kind, Kind::Enum | Kind::Set) {
            return None;
        }
        let added: Vec<_> = (first..).zip(labels).collect();
        field.options.extend(added.iter().cloned());
        Some(added)
    }

    /// Returns the rows that custom fields may refer to.
    pub(super) fn targets(&self) -> Targets {
        Targets {
            users: self.count("users"),
            persons: self.count("persons"),
            organizations: self.count("organizations"),
            gone: self.habits.has(Habit::GoneReferences),
            now: START,
        }
    }

    /// Returns the title or name of a row.
    pub(super) fn title(&self, resource: &str, row: u64) -> String {
        let mut rng = self.dice(resource, row ^ 0x7469_746c_6500);
        match resource {
            "persons" => {
                let (first, last) = sample_text::person(&mut rng);
                format!("{first} {last}")
            }
            "users" => {
                let (first, last) = sample_text::person(&mut rng);
                format!("{first} {last} ({row})")
            }
            "organizations" => sample_text::company(&mut rng),
            "deals" | "leads" | "projects" => {
                format!("{} {}", sample_text::company(&mut rng), sample_text::matter(&mut rng))
            }
            "products" | "deal_products" | "product_variations" => sample_text::product(&mut rng),
            _ => sample_text::matter(&mut rng),
        }
    }

    /// Returns the first and last name of a person, which match its title.
    pub(super) fn names(&self, row: u64) -> (&'static str, &'static str) {
        sample_text::person(&mut self.dice("persons", row ^ 0x7469_746c_6500))
    }

    /// Returns a UUID for a row.
    pub(super) fn uuid(&self, resource: &str, row: u64) -> String {
        let mut rng = self.dice(resource, row ^ 0x7575_6964_0000);
        let (a, b, c) = (rng.u32(..), rng.u16(..), rng.u16(..));
        format!("{a:08x}-{b:04x}-11f0-{:04x}-{c:04x}{:08x}", 0x8000 | b >> 2, row & 0xffff_ffff)
    }

    /// Returns hexadecimal digits for a row: its number, followed by random digits up to this length.
    pub(super) fn hex(&self, resource: &str, row: u64, digits: usize) -> String {
        let mut rng = self.dice(resource, row ^ 0x6865_7800);
        let mut hex = format!("{row:08x}");
        while hex.len() < digits {
            hex.push(char::from(b"0123456789abcdef"[rng.usize(..16)]));
        }
        hex
    }
}

/// Returns the number of rows of a resource that does not grow with the account.
fn fixed(resource: &str) -> u64 {
    match resource {
        "users" => 15,
        "pipelines" | "boards" => 3,
        "stages" => 18,
        "filters" => 25,
        "lead_sources" => 12,
        "goals" => 24,
        "activity_types" | "currencies" => 9,
        "webhooks" | "project_templates" => 4,
        "roles" | "legacy_teams" => 5,
        "lead_labels" | "permission_sets" => 6,
        _ => 0,
    }
}
