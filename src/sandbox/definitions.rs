//! Field definitions: the built-in columns of the table first, then the custom fields of the account.

use super::account::{Account, START};
use super::custom::{Field, Kind};
use super::features::Features;
use super::habits::{Habit, Habits};
use super::json::{pair, quoted};
use super::rows::{Row, Status};
use crate::model::{Column, Resource, Type};
use bytes::Bytes;
use std::fmt::Write as _;

/// Returns the rows of a field dictionary. `None` for other resources.
pub(super) fn rows(account: &Account, resource: &Resource) -> Option<Vec<Row>> {
    let of = match resource.name {
        "deal_fields" => "deals",
        "person_fields" => "persons",
        "organization_fields" => "organizations",
        "product_fields" => "products",
        "project_fields" => "projects",
        "activity_fields" => "activities",
        "lead_fields" => "leads",
        "note_fields" => "notes",
        _ => return None,
    };
    let v1 = matches!(resource.name, "lead_fields" | "note_fields");
    let described = Resource::named(of).expect("dictionaries describe resources of the table");
    let features = account.features;
    let columns = described.columns.iter().filter(|column| column.name != "custom_fields");
    let columns = columns.filter(|column| features.sends(of, column.name));
    let columns = columns.map(|column| built_in(of, column, account.habits));
    let custom =
        account.fields(resource.name).iter().map(|field| Definition::of(field, account.habits));
    let rows = columns.chain(custom).zip(1..).map(|(definition, id)| Row {
        id,
        name: Some(definition.code.as_str().into()),
        add: START.plus_seconds(-86_400 * 700),
        update: None,
        status: Status::None,
        archived: false,
        deleted: None,
        json: Bytes::from(if v1 {
            definition.v1(id)
        } else {
            definition.v2(id, resource.name, features)
        }),
    });
    Some(rows.collect())
}

/// Returns the definition of a custom field, as v2 lists it in this dictionary.
pub(super) fn of(account: &Account, dictionary: &str, field: &Field, id: u64) -> Row {
    Row {
        id,
        name: Some(field.code.as_str().into()),
        add: START.plus_seconds(-86_400 * 700),
        update: None,
        status: Status::None,
        archived: false,
        deleted: None,
        json: Bytes::from(Definition::of(field, account.habits).v2(
            id,
            dictionary,
            account.features,
        )),
    }
}

/// Returns an option of a custom field.
pub(super) fn option(id: u64, label: &str, habits: Habits) -> String {
    let label = quoted(label);
    let (color, more) = if habits.has(Habit::YesNoOptions) {
        let color = ["\"green\"", "\"red\"", "null"][usize::try_from(id % 3).unwrap_or(0)];
        (color, format!(",\"alt_id\":{}", quoted(&format!("option_{id}"))))
    } else {
        ("null", String::new())
    };
    format!(
        "{{\"id\":{id},\"label\":{label},\"color\":{color},\"add_time\":\"2025-02-01T08:00:00Z\",\"update_time\":null{more}}}"
    )
}

struct Definition {
    code: String,
    name: String,
    kind: &'static str,
    options: String,
    parts: String,
    custom: bool,
    optional: bool,
}

fn built_in(of: &str, column: &Column, habits: Habits) -> Definition {
    let Column { name, ty, optional, .. } = *column;
    let code = match (of, name) {
        // Records contain `phones` and `emails`, and their definitions have the singular.
        ("persons", "phones" | "emails") => name.trim_end_matches('s'),
        _ => name,
    };
    let yes_no = matches!(ty, Type::Bool) && habits.has(Habit::YesNoOptions);
    let options = match name {
        "status" if of == "deals" => {
            r#"[{"id":"open","label":"Open"},{"id":"won","label":"Won"},{"id":"lost","label":"Lost"},{"id":"deleted","label":"Deleted"}]"#
        }
        "visible_to" => r#"[{"id":1,"label":"Item owner"},{"id":3,"label":"All users"}]"#,
        "label_ids" if of != "leads" => {
            r#"[{"id":5,"label":"Hot","color":"red"},{"id":6,"label":"Kühl","color":null},{"id":7,"label":"温かい","color":"blue"},{"id":8,"label":"Customer","color":"green"}]"#
        }
        "type" if of == "activities" => {
            r#"[{"id":"call","label":"Call"},{"id":"visit_jp","label":"訪問"}]"#
        }
        "channel" => r#"[{"id":1,"label":"Prospector"},{"id":2,"label":"Web forms"}]"#,
        "category" => r#"[{"id":31,"label":"Hardware"},{"id":32,"label":"Dienste"}]"#,
        _ if yes_no => {
            r#"[{"id":true,"label":"Yes","alt_id":"yes"},{"id":false,"label":"No","alt_id":"no"}]"#
        }
        _ => "null",
    };
    let kind = match (name, ty) {
        _ if options != "null" && !yes_no => "enum",
        ("value", _) => "monetary",
        ("address" | "postal_address" | "location", _) => "address",
        ("person_id", _) => "people",
        ("org_id" | "organization_id", _) => "org",
        ("stage_id", _) => "stage",
        ("deal_id", _) => "deal",
        ("phones", _) => "phone",
        (name, _) if name.ends_with("user_id") || name == "owner_id" || name == "creator_id" => {
            "user"
        }
        (_, Type::Bool) => "boolean",
        (_, Type::Int | Type::OptionId) => "int",
        (_, Type::Num) => "double",
        (_, Type::Date | Type::Time | Type::Naked) => "date",
        (_, Type::Clock) => "time",
        (_, Type::Object(_) | Type::List(_) | Type::Json) => "json",
        (_, Type::Text | Type::TextOrObject) => "varchar",
    };
    Definition {
        code: code.to_owned(),
        name: code.replace('_', " "),
        kind,
        options: options.to_owned(),
        parts: if kind == "address" { parts(name, Kind::Address) } else { "null".to_owned() },
        custom: false,
        optional,
    }
}

impl Definition {
    fn of(field: &Field, habits: Habits) -> Self {
        let options = field.options.iter().map(|(id, label)| option(*id, label, habits));
        Self {
            code: field.code.clone(),
            name: field.name.clone(),
            kind: field.kind.name(),
            options: list(options),
            parts: parts(&field.name, field.kind),
            custom: true,
            optional: false,
        }
    }

    fn v2(&self, id: u64, dictionary: &str, features: Features) -> Vec<u8> {
        let mut out = vec![b'{'];
        pair(&mut out, "field_name", &quoted(&self.name));
        pair(&mut out, "field_code", &quoted(&self.code));
        pair(&mut out, "field_type", &quoted(self.kind));
        pair(&mut out, "options", &self.options);
        pair(&mut out, "subfields", &self.parts);
        pair(&mut out, "is_custom_field", bool(self.custom));
        pair(&mut out, "is_optional_response_field", bool(self.optional && !self.custom));
        pair(
            &mut out,
            "description",
            if id % 4 == 1 { "\"What \\\"it\\\" says\"" } else { "null" },
        );
        pair(&mut out, "ui_visibility", UI);
        if features.sends(dictionary, "important_fields") {
            pair(&mut out, "important_fields", "{\"enabled\":false,\"stage_ids\":[]}");
            let required = "{\"enabled\":true,\"stage_ids\":[2],\"statuses\":{\"1\":[\"won\"]}}";
            pair(&mut out, "required_fields", if id % 5 == 1 { required } else { "null" });
        }
        out.push(b'}');
        out
    }

    fn v1(&self, id: u64) -> Vec<u8> {
        let mut out = vec![b'{'];
        pair(&mut out, "id", &(12_000 + id).to_string());
        pair(&mut out, "key", &quoted(&self.code));
        pair(&mut out, "name", &quoted(&self.name));
        pair(&mut out, "order_nr", &id.to_string());
        pair(&mut out, "field_type", &quoted(self.kind));
        pair(&mut out, "add_time", "\"2025-02-01 08:00:00\"");
        pair(
            &mut out,
            "update_time",
            if id.is_multiple_of(3) { "null" } else { "\"2025-03-01 09:30:00\"" },
        );
        pair(&mut out, "created_by_user_id", if self.custom || id == 1 { "1" } else { "null" });
        pair(&mut out, "last_updated_by_user_id", if id % 4 == 1 { "2" } else { "null" });
        for flag in FLAGS {
            let up = if *flag == "edit_flag" { self.custom } else { *flag == "active_flag" };
            pair(&mut out, flag, bool(up));
        }
        let mandatory = "{\"stage_ids\":[2]}";
        pair(&mut out, "mandatory_flag", if id % 7 == 3 { mandatory } else { "true" });
        if self.options != "null" || id == 1 {
            pair(&mut out, "options", if id == 1 { "[]" } else { &self.options });
        }
        if id % 6 == 1 {
            pair(&mut out, "options_deleted", "[{\"id\":9,\"label\":\"gone\"}]");
        }
        pair(&mut out, "is_subfield", "false");
        pair(&mut out, "subfields", if self.parts == "null" { "[]" } else { &self.parts });
        if id % 3 == 1 {
            pair(&mut out, "group_id", &(id % 5 + 1).to_string());
            pair(&mut out, "json_column_flag", bool(self.parts != "null"));
            pair(&mut out, "use_field", "\"id\"");
            pair(&mut out, "link", "\"/users/details/\"");
            pair(&mut out, "description", "\"What it says\"");
            pair(&mut out, "projects_detail_visible_flag", "false");
            // The names are alphabetical, as in the text that tests expect for an object in a text column.
            let shown = "{\"pipeline_ids\":[],\"show_in_all\":true}";
            pair(&mut out, "show_in_pipelines", shown);
        }
        out.push(b'}');
        out
    }
}

/// Returns the keys inside a value object, as definitions list them.
fn parts(of: &str, kind: Kind) -> String {
    list(kind.parts().iter().map(|(code, kind)| {
        let name = quoted(&format!("{code} of {of}"));
        format!("{{\"field_code\":\"{code}\",\"field_name\":{name},\"field_type\":\"{kind}\"}}")
    }))
}

const UI: &str = r#"{"add_visible_flag":true,"details_visible_flag":true,"show_in_pipelines":{"show_in_all":true,"pipeline_ids":[]}}"#;

const FLAGS: &[&str] = &[
    "active_flag",
    "edit_flag",
    "index_visible_flag",
    "details_visible_flag",
    "add_visible_flag",
    "important_flag",
    "bulk_edit_allowed",
    "searchable_flag",
    "filtering_allowed",
    "sortable_flag",
];

fn list(items: impl Iterator<Item = String>) -> String {
    let mut out = String::new();
    for item in items {
        let _ = write!(out, "{}{item}", if out.is_empty() { "[" } else { "," });
    }
    if out.is_empty() { "null".to_owned() } else { out + "]" }
}

const fn bool(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
