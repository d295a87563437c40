//! Generates the page about bundles.

use super::{begin, code, table};
use crate::bundle::push::BATCH_BYTES_MAX;
use crate::bundle::{BUNDLE_VERSION, Entity, Field, PUBLIC_ID_MAX, ROW_BYTES_MAX, Shape};
use std::fmt::Write as _;

/// The forms of custom field values in `custom`.
const CUSTOM: &[(&str, &str)] = &[
    ("enum, set", "the label, a list of labels"),
    ("monetary", "`{\"amount\", \"currency\"}`"),
    ("daterange", "`{\"from\", \"until\"}`"),
    ("user, org, people", "an e-mail address, the public id of an account, of a contact"),
    ("time, timerange, address", "the object, as version 2 of the API has it"),
    ("all others", "as they are"),
];

/// The keys of a side-car.
const CONTEXT: &[(&str, &str)] = &[
    ("bundle", "SHA-256 and size of the bundle it belongs to"),
    ("source", "where the rows come from"),
    ("counts", "rows of each array, deleted and archived ones among them"),
    (
        "pipelines",
        "what `pipeline_id` and `pipeline_stage_id` point at: names, types, ids in Pipedrive",
    ),
    ("fields", "the custom fields of each array: name, hash, type, options"),
    ("owners", "who `owner` may name"),
    ("activity_types", "what `activity_type` may name"),
    (
        "unmapped",
        "every field of Pipedrive that has no place in a bundle, and every value that could not be mapped, with the number of rows and the reason",
    ),
    ("id_fields", "by company, the hashes of the custom fields that keep public ids"),
    (
        "forms",
        "by organization of a CRM, what it made of values by its own rules: stages, parents, spellings; a pull hands on what side-cars in its folder know, and what comes back so is no edit",
    ),
    ("lost", "by company, what a push into Pipedrive could not hold, likewise"),
];

/// The points that the CRM's documentation leaves open, and the behaviour of this program.
const OPEN: &[(&str, &str)] = &[
    (
        "names of most fields",
        "all are kept; `--drop` leaves some out, `--strict-fields` all that are not documented",
    ),
    ("type of `version`", "text and numbers are taken, 1 is known"),
    (
        "what an import answers",
        "counts are not needed; rows it names under `errors` (by `index` or `public_id`) are reported",
    ),
    (
        "whether a bad row fails its request",
        "a request that is refused is split until the rows at fault are alone",
    ),
    ("how large a request may be", "`--batch-rows`, and a bound in bytes; 413 splits it"),
    (
        "what an activity may belong to",
        "`--activity-parents`: the first that an activity has and the CRM takes",
    ),
    (
        "whether deleted rows are exported",
        "rows with `deleted_at` that are not in the export are counted apart",
    ),
    (
        "whether a CRM keeps `created_at` and `updated_at`",
        "they are sent, and never a reason to send a row or to call it different",
    ),
    (
        "whether rows in an export carry their internal id",
        "with it change events are matched row by row, without it by count",
    ),
    (
        "whether null and absent differ",
        "an export writes null for what is empty, so that it is emptied; comparisons take both for the same",
    ),
];

pub(super) fn page() -> String {
    let mut page = begin("Bundles");
    let _ = write!(
        page,
        "A bundle is one JSON object: `version` (\"{BUNDLE_VERSION}\"), `exported_at`, `organization_id` and five arrays, \
         each row with a `public_id` of its own. Arrays and fields may be left out, and keys that are not \
         listed here are kept. Beside `FILE` lies its side-car, `FILE.context.json`; a push writes \
         `FILE.journal.ndjson`.\n\n\
         Rows refer to each other by `public_id`, which is unique in the whole bundle and at most {PUBLIC_ID_MAX} bytes long. \
         A reference of Pipedrive to a row that is not there (a person who was deleted) is null, and its \
         external id is beside it (`contact_external_id`). A row of more than {} KiB is not imported.\n\n\
         What a field of the bundle cannot take is left out and counted (`0000-00-00`, an unknown status, \
         an object where text belongs), or converted if nothing is lost (`\"12.50\"` for a number); a \
         row that would be too long loses its longest values. So an export never writes what `bundle \
         validate` refuses.\n\n",
        ROW_BYTES_MAX >> 10
    );
    section(&mut page, "Every row", Entity::common());
    for array in Entity::ALL {
        section(&mut page, &format!("`{}`", array.name()), array.own());
    }
    page.push_str("## Custom fields\n\n");
    page.push_str(
        "By the name of the field; where two share it, with the beginning of their hash. Fields of leads are \
         those of opportunities. Activities have none in Pipedrive.\n\n",
    );
    list(&mut page, &["type in Pipedrive", "value"], CUSTOM, false);
    page.push_str("## The side-car\n\n");
    list(&mut page, &["key", "what it says"], CONTEXT, true);
    let _ = write!(
        page,
        "## Into a CRM\n\nRows go in requests of at most `--batch-rows` rows and {} MiB, in the order of the arrays. \
         A stage of the bundle becomes a stage of the CRM as `--map-stages` says, else the one with its id, with \
         its name in the pipeline of the same name, with its name in the default pipeline or any other, else \
         the first one of its type. A won or lost row always goes to a stage of that type, because there the \
         stage decides the status. What is not documented is met like this:\n\n",
        BATCH_BYTES_MAX >> 20
    );
    list(&mut page, &["open", "what happens"], OPEN, false);
    page.push_str(
        "`--as-copy` gives every row a public id of its own, always the same one for the same target, and changes \
         what refers to it: so one organization can be cloned into another one of the same CRM, where public \
         ids are unique.\n\n\
         ## Into rows that are there\n\n\
         Of a row that the target has only what differs is written, and a value is held exactly, in part, or not at \
         all. What is not held exactly (a stage that no name tells, a reference to a row that is left out, a time \
         of day where Pipedrive has dates, labels that have no name) makes a new row as good as it can be, and replaces \
         nothing that is there: such differences are reported under `kept`. So an account that goes through a CRM and \
         comes back stays as it is, but for what people edited on the way. What a CRM made of a value by its own rules \
         is known from the push into it (`forms`) and is no edit.\n\n\
         Archived deals cannot be changed in Pipedrive: the plan names those that would be, they are not sent, \
         and the push is incomplete (exit 3).\n\n\
         ## Into Pipedrive\n\n\
         The first push creates a custom field \"Portable id\" for organizations, persons and deals (leads have those \
         of deals) and keeps the public id there; an activity keeps it as the last paragraph of its note, \
         `<p>Portable id: act_...</p>`, because activities have no custom fields. An export gives rows the ids \
         they keep, so what went in comes out again under the same id.\n\n\
         The journal and the side-car record these fields by their hash, so renaming one in Pipedrive does no \
         harm. Without journal and side-car a field is found by its type and content. If a recorded field was \
         deleted, or its type was changed, the push stops, because rows that are there already could not be \
         recognized. Other custom fields are found by their hash too. If the public id of a row was removed, \
         the row is found by its Pipedrive id, which the journal has. So keep one journal for each company \
         (`--journal`).\n\n\
         A row that people deleted in Pipedrive is named and counted, stays deleted, and makes the push \
         incomplete (exit 3); `--recreate-deleted` creates it again. Deleted deals say so themselves for 30 \
         days; all others, and rows of every other kind, are known by the journal, and rows that were \
         exported from the same company by their public ids. A lead that became a deal is that row, and its \
         activities are the deal's. In a CRM a row that was deleted there is brought back by `deleted_at: \
         null`, or by the flag.\n\n\
         Custom fields that the company lacks are created: with the type the side-car says, else the one \
         their values have. Missing options are added. Owners are found by e-mail among active users, labels \
         and activity types by name. Custom fields that refer to rows which are created later are written once \
         more at the end. Nothing is ever deleted, and a row with `deleted_at` is left alone.\n\n\
         Lost by nature: `created_at` of deals, leads and activities and all `updated_at` (Pipedrive stamps them), \
         `external_system` and `external_id` (the row's own from then on), pipelines and stages where the \
         company has others, `title`, `birthday` and `address` of contacts (only with contact sync), `source` \
         and `opportunity_public_id` of leads, leads without a contact or account, `completed_at`, unknown fields. \
         The plan lists them with counts, and so does the side-car afterwards.\n",
    );
    page
}

fn section(page: &mut String, title: &str, fields: &[Field]) {
    let _ = write!(page, "## {title}\n\n");
    let rows = fields.iter().map(|field| {
        let documented = if field.documented { "yes" } else { "" };
        vec![code(field.name), shape(field.shape), documented.to_owned(), field.from.to_owned()]
    });
    page.push_str(&table(&["field", "value", "documented by the CRM", "out of Pipedrive"], rows));
    page.push('\n');
}

fn shape(shape: Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Number => "a number".to_owned(),
        Shape::Flag => "true or false".to_owned(),
        Shape::Time => "RFC 3339, or a date".to_owned(),
        Shape::Status => "`open`, `won`, `lost`".to_owned(),
        Shape::Currency => "a currency's code".to_owned(),
        Shape::Reference(to) => format!("a row of `{}`", to.name()),
        Shape::RecordType => "`account`, `contact`, `opportunity`, `lead`".to_owned(),
        Shape::Parent => "a row of that kind".to_owned(),
        Shape::List => "a list".to_owned(),
        Shape::Object => "an object".to_owned(),
    }
}

fn list(page: &mut String, head: &[&str], rows: &[(&str, &str)], keys: bool) {
    let rows = rows.iter().map(|(key, meaning)| {
        vec![if keys { code(key) } else { (*key).to_owned() }, (*meaning).to_owned()]
    });
    page.push_str(&table(head, rows));
    page.push('\n');
}
