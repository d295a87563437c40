//! Readable keys for custom fields, with option labels beside option ids.

use super::definition::Definition;
use super::normalize::beside;
use super::resource::{Custom, Resource, Type};
use super::settings::CustomFields;
use std::collections::{BTreeMap, BTreeSet};

mod spelled;

use spelled::{Form, labels_of};

/// The readable keys of one account's custom fields for one resource.
///
/// A key is derived from the field's name. If another field, a column or a companion has the same key, `_`
/// and the first eight digits of the field's hash are added. A field keeps a key it once had: keys are pinned
/// in the state of a stream, or in the manifest of a warehouse. Without pinned keys, the field that comes
/// first in the dictionary gets the plain name. Dictionaries contain no creation times. They are assumed to
/// list fields in order of creation (unverified), so that a field added later takes no existing name.
#[derive(Debug, Clone)]
pub struct Names {
    custom: Custom,
    /// Whether custom fields are top-level columns, as in a table, each of one type.
    columns: bool,
    /// The columns of the resource that have several types, and their form.
    several: BTreeMap<&'static str, Form>,
    fields: BTreeMap<String, Field>,
    /// The keys of fields that no longer exist, by hash.
    gone: BTreeMap<String, String>,
    renamed: Vec<String>,
}

/// Longest name of a column made of a field's name: what databases have room for.
const COLUMN_BYTES_MAX: usize = 63;
/// The longest key derived from a field's name, in bytes. The key is repeated in every row.
const KEY_BYTES_MAX: usize = 1_024;
/// Most bytes of labels that stand beside one value: with more it is null. A value may name an option
/// as often as it likes, and a label may be long.
pub(crate) const LABELS_BYTES_MAX: usize = 64 << 10;

#[derive(Debug, Clone)]
struct Field {
    key: String,
    /// The key of the option labels.
    label: String,
    set: bool,
    /// The form of the field's values where it is a column.
    form: Form,
    /// The labels by option id, as the API writes them. Empty for fields without options.
    labels: BTreeMap<String, String>,
}

impl Names {
    /// Returns the keys for the rows of a resource on the wire. Fields in `pinned` keep their keys. `None` if
    /// rows keep the hashes of the API.
    pub fn wire(
        keys: CustomFields,
        resource: &Resource,
        definitions: &[Definition],
        pinned: &BTreeMap<String, String>,
    ) -> Option<Self> {
        match keys {
            CustomFields::Hash => None,
            CustomFields::Name => Some(Self::kept(resource, definitions, pinned)),
            CustomFields::Columns => Some(Self::as_columns(resource, definitions, pinned)),
        }
    }

    /// Returns the keys of custom fields as top-level columns of a resource. They are made as by
    /// [`Names::pinned`], but a pinned key that equals a column of the resource is replaced.
    fn as_columns(
        resource: &Resource,
        definitions: &[Definition],
        pinned: &BTreeMap<String, String>,
    ) -> Self {
        let taken = columns(resource);
        let kept =
            |(_, key): &(&String, &String)| !taken.contains(*key) && key.len() <= COLUMN_BYTES_MAX;
        let pinned = pinned.iter().filter(kept).map(|(code, key)| (code.clone(), key.clone()));
        let pinned = pinned.collect();
        let mut names = Self::build(resource, definitions, taken, pinned, true);
        names.columns = true;
        for column in resource.columns {
            match column.ty {
                Type::Json => names.several.insert(column.name, Form::Json),
                Type::TextOrObject => names.several.insert(column.name, Form::Label),
                _ => None,
            };
        }
        names
    }

    /// Returns whether custom fields are top-level columns.
    pub fn are_columns(&self) -> bool {
        self.columns
    }

    /// Returns the keys for these definitions, as they are written on the wire.
    pub fn of(resource: &Resource, definitions: &[Definition]) -> Self {
        Self::kept(resource, definitions, &BTreeMap::new())
    }

    /// Returns the same keys, but fields in `pinned` (key by hash) keep theirs. A pinned key is replaced if
    /// it equals a column of the resource on the same level.
    pub fn kept(
        resource: &Resource,
        definitions: &[Definition],
        pinned: &BTreeMap<String, String>,
    ) -> Self {
        let taken = match resource.custom {
            Custom::Flat => columns(resource),
            Custom::Nested | Custom::None => BTreeSet::new(),
        };
        let pinned = pinned.iter().filter(|(_, key)| !taken.contains(*key));
        let pinned = pinned.map(|(code, key)| (code.clone(), key.clone())).collect();
        Self::build(resource, definitions, taken, pinned, false)
    }

    /// Returns the hashes as columns of a table, without labels. Fields in `pinned` keep their keys.
    pub fn of_hashes(
        resource: &Resource,
        definitions: &[Definition],
        pinned: &BTreeMap<String, String>,
    ) -> Self {
        let field = |code: &String| Field {
            key: pinned.get(code).unwrap_or(code).clone(),
            label: String::new(),
            set: false,
            form: Form::Same,
            labels: BTreeMap::new(),
        };
        let fields = definitions.iter().filter(|definition| definition.custom);
        let fields = fields.map(|definition| (definition.code.clone(), field(&definition.code)));
        let fields: BTreeMap<_, _> = fields.collect();
        let gone = pinned.iter().filter(|(code, _)| !fields.contains_key(*code));
        let gone = gone.map(|(code, key)| (code.clone(), key.clone())).collect();
        let several = BTreeMap::new();
        Self { custom: resource.custom, columns: false, several, fields, gone, renamed: Vec::new() }
    }

    /// Returns the keys for these definitions as columns of a table that outlives them.
    ///
    /// A field in `pinned` (key by hash) keeps its key permanently, also when it is renamed or when a
    /// column of the resource gets the same name. Other fields get keys that avoid every pinned one, all
    /// columns of the resource, and the names of labels and companions.
    pub fn pinned(
        resource: &Resource,
        definitions: &[Definition],
        pinned: &BTreeMap<String, String>,
    ) -> Self {
        Self::build(resource, definitions, columns(resource), pinned.clone(), true)
    }

    fn build(
        resource: &Resource,
        definitions: &[Definition],
        mut taken: BTreeSet<String>,
        pinned: BTreeMap<String, String>,
        table: bool,
    ) -> Self {
        let flat = resource.custom == Custom::Flat;
        // Of two definitions with one code, the first is used.
        let mut seen = BTreeSet::new();
        let fields = definitions.iter().filter(|field| field.custom && seen.insert(&field.code));
        let mut names = Self {
            custom: resource.custom,
            columns: false,
            several: BTreeMap::new(),
            fields: BTreeMap::new(),
            gone: pinned,
            renamed: Vec::new(),
        };
        taken.extend(names.gone.values().cloned());
        // Pinned fields come first, so that no other field takes the names of their labels and companions.
        let (old, new): (Vec<_>, Vec<_>) =
            fields.partition(|field| names.gone.contains_key(&field.code));
        if table {
            // The columns of deleted fields may have label columns.
            let here: BTreeSet<&String> = old.iter().map(|field| &field.code).collect();
            let gone = names.gone.iter().filter(|(code, _)| !here.contains(code));
            let labels = gone.flat_map(|(_, key)| [label_of(key, false), label_of(key, true)]);
            taken.extend(labels);
        }
        for definition in old.into_iter().chain(new) {
            let labels = labels_of(definition);
            let set = definition.ty == "set";
            // A selectable field may get an option at any time, so the name of its labels is reserved.
            let labelled = !labels.is_empty() || table && definition.chosen();
            let beside = |key: &str| {
                let parts = definition.companions(flat).iter().map(|part| part.name);
                let label = labelled.then_some(if set { "labels" } else { "label" });
                parts.chain(label).map(|part| format!("{key}_{part}")).collect::<Vec<_>>()
            };
            let readable = definition.readable();
            let short =
                format!("{readable}_{}", definition.code.get(..8).unwrap_or(&definition.code));
            let cut = cut(definition);
            let typed = format!("{}_{}", definition.code, definition.ty);
            let candidates = [readable, short, cut, definition.code.clone(), typed];
            let key = names.gone.remove(&definition.code).unwrap_or_else(|| {
                // A top-level field on the wire becomes a database column.
                let most = if table || flat { COLUMN_BYTES_MAX } else { KEY_BYTES_MAX };
                let fits = |name: &str| name.len() <= most;
                let free = |name: &str| !taken.contains(name) && fits(name);
                let free = |key: &&String| free(key) && beside(key).iter().all(|name| free(name));
                // The hash is normally free. It is taken only if an earlier column of the field was given up.
                let last = &candidates[3..];
                let last = last.iter().find(|key| !taken.contains(*key)).unwrap_or(&last[1]);
                let wanted = candidates.iter().enumerate().filter(|(nth, _)| table || *nth != CUT);
                wanted.map(|(_, key)| key).find(free).unwrap_or(last).clone()
            });
            if !candidates.contains(&key) {
                names.renamed.push(format!(
                    "field \"{}\" (hash {}) was renamed; its column stays \"{key}\"",
                    definition.name, definition.code
                ));
            }
            let own = label_of(&key, set);
            let label = if taken.contains(&own) { label_of(&definition.code, set) } else { own };
            taken.extend(beside(&key));
            taken.insert(key.clone());
            let form = Form::of(definition, flat);
            names.fields.insert(definition.code.clone(), Field { key, label, set, form, labels });
        }
        names
    }

    /// Returns the key by hash of every field, deleted ones included, for a manifest.
    pub fn pins(&self) -> BTreeMap<String, String> {
        let known = self.fields.iter().map(|(code, field)| (code.clone(), field.key.clone()));
        known.chain(self.gone.clone()).collect()
    }

    /// Returns the keys of the existing fields.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.values().map(|field| field.key.as_str())
    }

    /// Returns sentences about fields whose current name would give another key than the pinned one.
    pub fn renamed(&self) -> &[String] {
        &self.renamed
    }

    /// Returns the readable key of a hash. The hash itself if it is unknown.
    pub fn key<'n>(&'n self, code: &'n str) -> &'n str {
        self.fields.get(code).map_or(code, |field| &field.key)
    }

    /// Returns the key of a field's option labels, for fields with options.
    pub fn label_key(&self, code: &str) -> Option<&str> {
        self.labelled(code).map(|field| field.label.as_str())
    }

    /// Returns the labels by option id as text, for fields with options.
    pub fn labels(&self, code: &str) -> Option<&BTreeMap<String, String>> {
        self.labelled(code).map(|field| &field.labels)
    }

    fn labelled(&self, code: &str) -> Option<&Field> {
        self.fields.get(code).filter(|field| !field.labels.is_empty())
    }
}

/// Returns the names of the columns, and of the additional columns that hold the objects of a text column.
fn columns(resource: &Resource) -> BTreeSet<String> {
    let texts = resource.columns.iter().filter(|column| matches!(column.ty, Type::TextOrObject));
    let objects = texts.map(|column| beside(column.name));
    resource.columns.iter().map(|column| column.name.to_owned()).chain(objects).collect()
}

/// The index of the shortened name among the candidates.
const CUT: usize = 2;

/// Returns the readable name of a field, shortened so that it fits a column together with its longest suffix,
/// and the first digits of its hash.
fn cut(definition: &Definition) -> String {
    /// The longest suffix of an additional column of a field, with its `_`.
    const BESIDE: &str = "_admin_area_level_1";
    let short = definition.code.get(..8).unwrap_or(&definition.code);
    let room = COLUMN_BYTES_MAX.saturating_sub(BESIDE.len() + 1 + short.len());
    let mut name = definition.readable();
    while name.len() > room {
        name.pop();
    }
    format!("{}_{short}", name.trim_end_matches('_'))
}

fn label_of(key: &str, set: bool) -> String {
    format!("{key}_{}", if set { "labels" } else { "label" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definitions() -> Vec<Definition> {
        let field = |name: &str, code: char, ty: &str, options: serde_json::Value| {
            let code: String = std::iter::repeat_n(code, 40).collect();
            let definition = json!({"field_name": name, "field_code": code, "field_type": ty,
                "options": options, "is_custom_field": true});
            serde_json::from_value(definition).expect("it is a definition")
        };
        let options = json!([{"id": 1, "label": "gold"}, {"id": 2, "label": "say \"hi\""}]);
        vec![
            field("Deal Tier", 'b', "enum", options.clone()),
            field("deal   tier!", 'a', "varchar", json!(null)),
            field("Tags", 'c', "set", options),
            field("Wert", 'd', "monetary", json!(null)),
            field("★", 'e', "text", json!(null)),
            field("Title", 'f', "text", json!(null)),
        ]
    }

    #[track_caller]
    fn check(resource: &str, json: &str, expected: &str) {
        let resource = Resource::named(resource).expect("it exists");
        let fill = |text: &str| {
            ['a', 'b', 'c', 'd', 'e', 'f'].iter().fold(text.to_owned(), |text, code| {
                text.replace(&format!("#{code}"), &code.to_string().repeat(40))
            })
        };
        let names = Names::of(resource, &definitions());
        let written = names.apply(&fill(json)).expect("it is an object");
        assert_eq!(String::from_utf8_lossy(&written), fill(expected));
        let mut reversed = definitions();
        reversed.reverse();
        let again = Names::kept(resource, &reversed, &names.pins()).apply(&fill(json));
        assert_eq!(again.expect("it is an object"), written, "who had a key keeps it");
    }

    #[test]
    fn keys_are_readable_and_unique() {
        check(
            "deals",
            r##"{"id":1,"custom_fields":{"#b":1,"#a":"x","#c":[1,2,9],"#e":1.50,"#f":null}}"##,
            r##"{"id":1,"custom_fields":{"deal_tier":1,"deal_tier_label":"gold","deal_tier_aaaaaaaa":"x","tags":[1,2,9],"tags_labels":["gold","say \"hi\"",null],"#e":1.50,"title":null}}"##,
        );
    }

    #[test]
    fn flat_fields_keep_their_companions_and_spare_the_columns() {
        check(
            "leads",
            r##"{"title":"t","#b":"2","#c":"1,2","#d":5,"#d_currency":"EUR","#f":"x"}"##,
            r#"{"title":"t","deal_tier":"2","deal_tier_label":"say \"hi\"","tags":"1,2","tags_labels":["gold","say \"hi\""],"wert":5,"wert_currency":"EUR","title_ffffffff":"x"}"#,
        );
    }

    #[test]
    fn labels_and_companions_are_names_too() {
        let field = |name: &str, code: char, ty: &str, options: serde_json::Value| {
            let code: String = std::iter::repeat_n(code, 40).collect();
            let definition = json!({"field_name": name, "field_code": code, "field_type": ty,
                "options": options, "is_custom_field": true});
            serde_json::from_value::<Definition>(definition).expect("it is a definition")
        };
        let leads = Resource::named("leads").expect("there are leads");
        let names = Names::of(
            leads,
            &[
                field("tags labels", 'a', "varchar", json!(null)),
                field("tags", 'b', "set", json!([{"id": 1, "label": "x"}])),
                field("cost currency", 'c', "varchar", json!(null)),
                field("cost", 'd', "monetary", json!(null)),
            ],
        );
        let keys: Vec<_> = ['a', 'b', 'c', 'd']
            .iter()
            .map(|c| names.key(&c.to_string().repeat(40)).to_owned())
            .collect();
        assert_eq!(keys, ["tags_labels", "tags_bbbbbbbb", "cost_currency", "cost_dddddddd"]);
    }

    #[test]
    fn a_key_is_kept_whatever_is_renamed_added_or_deleted() {
        let deals = Resource::named("deals").expect("there are deals");
        let first = Names::of(deals, &definitions());
        let code = |letter: char| letter.to_string().repeat(40);
        let mut today = definitions();
        today[0].name = "Level".to_owned();
        today.retain(|field| field.code != code('c'));
        // A field added later takes no existing name, whatever its position in the dictionary.
        for (letter, name) in [('0', "Tags"), ('1', "Deal tier")] {
            let field =
                Definition { code: code(letter), name: name.to_owned(), ..today[1].clone() };
            today.insert(0, field);
        }
        let names = Names::kept(deals, &today, &first.pins());
        assert_eq!(names.key(&code('b')), "deal_tier");
        assert_eq!(names.key(&code('a')), "deal_tier_aaaaaaaa");
        assert_eq!(names.key(&code('0')), "tags_00000000");
        assert_eq!(names.key(&code('1')), "deal_tier_11111111");
        assert_eq!(names.pins()[&code('c')], "tags");
        assert_eq!(names.renamed().len(), 1, "{:?}", names.renamed());
        assert!(names.renamed()[0].contains("\"Level\""));
        // If the dictionary cannot be read, a field keeps the key it had.
        let blind = Names::kept(deals, &[], &first.pins());
        let row = format!(r#"{{"custom_fields":{{"{}":1}}}}"#, code('b'));
        let written = blind.apply(&row).expect("it is an object");
        assert_eq!(written, br#"{"custom_fields":{"deal_tier":1}}"#);
        assert_eq!(blind.pins(), first.pins());
    }

    #[test]
    fn an_unknown_field_keeps_its_hash() {
        let unknown = "9".repeat(40);
        let json = format!(r#"{{"custom_fields":{{"{unknown}":1}}}}"#);
        check("deals", &json, &json);
    }
}
