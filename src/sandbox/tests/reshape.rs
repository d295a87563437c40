//! Tests of changes to custom fields, leads that become deals, and merged persons.

use super::super::account_state::AccountState;
use super::super::edit::Edit;
use super::super::reshape::FieldEdit;
use super::{get, plain};
use serde_json::Value;

const DICTIONARY: &str = "deal_fields";

fn rows(state: &mut AccountState, resource: &str) -> Vec<Value> {
    let rows = state.truth(resource).into_iter();
    rows.map(|row| serde_json::from_slice(&row.json).expect("a row is JSON")).collect()
}

/// Returns the definitions of a dictionary that are of this type.
fn of_type(state: &mut AccountState, dictionary: &str, ty: &str) -> Vec<Value> {
    let mut found = rows(state, dictionary);
    found.retain(|row| row["field_type"] == ty && row["is_custom_field"] == true);
    found
}

fn edit(state: &mut AccountState, code: &str, edit: FieldEdit) -> Vec<String> {
    state.edit(Edit::Field { dictionary: DICTIONARY, code: code.to_owned(), edit })
}

fn code(definition: &Value) -> String {
    definition["field_code"].as_str().expect("a code").to_owned()
}

/// Returns the values of a field in deals, without null, and the number of deals with its key.
fn values(state: &mut AccountState, code: &str) -> (Vec<Value>, usize) {
    let rows = rows(state, "deals");
    let with = rows.iter().filter_map(|row| row["custom_fields"].get(code));
    let with: Vec<Value> = with.cloned().collect();
    let all = with.len();
    (with.into_iter().filter(|value| !value.is_null()).collect(), all)
}

fn lead_keys(state: &mut AccountState, code: &str) -> usize {
    let rows = rows(state, "leads");
    let keys = rows.iter().flat_map(|row| row.as_object().expect("an object").keys());
    keys.filter(|key| key.starts_with(code)).count()
}

#[test]
fn a_renamed_field_keeps_code_and_values() {
    let mut state = AccountState::new(1, 0.1);
    let code = code(&of_type(&mut state, DICTIONARY, "enum")[0]);
    let before = (values(&mut state, &code), rows(&mut state, "deals"));
    let name = "Another".to_owned();
    let edited = edit(&mut state, &code, FieldEdit::Rename(name));
    assert_eq!(edited, [code.as_str()]);
    assert_eq!((values(&mut state, &code), rows(&mut state, "deals")), before);
    for (dictionary, key, name) in
        [(DICTIONARY, "field_code", "field_name"), ("lead_fields", "key", "name")]
    {
        let definitions = rows(&mut state, dictionary);
        let renamed = definitions.iter().find(|row| row[key] == code.as_str());
        assert_eq!(renamed.map(|row| &row[name]), Some(&"Another".into()), "{dictionary}");
    }
    assert!(edit(&mut state, "title", FieldEdit::Rename("x".to_owned())).is_empty());
}

#[test]
fn a_deleted_field_leaves_every_row_and_its_code_is_not_given_again() {
    let mut state = AccountState::new(1, 0.1);
    let code = code(&of_type(&mut state, DICTIONARY, "monetary")[0]);
    assert!(values(&mut state, &code).1 > 0 && lead_keys(&mut state, &code) > 0);
    let times = |state: &mut AccountState| -> Vec<Value> {
        rows(state, "deals").into_iter().map(|row| row["update_time"].clone()).collect()
    };
    let before = times(&mut state);
    edit(&mut state, &code, FieldEdit::Delete);
    assert_eq!(values(&mut state, &code).1, 0);
    assert_eq!(lead_keys(&mut state, &code), 0);
    assert_eq!(times(&mut state), before);
    for dictionary in [DICTIONARY, "lead_fields"] {
        let text = format!("{:?}", rows(&mut state, dictionary));
        assert!(!text.contains(&code), "{dictionary}");
    }
    let options = plain();
    assert_eq!(get(&mut state, &options, &format!("/api/v2/dealFields/{code}")).0, 404);
    let mut codes: Vec<_> = rows(&mut state, DICTIONARY).iter().map(self::code).collect();
    for name in ["a", "b"] {
        let added =
            state.add_field(DICTIONARY, name, super::super::custom::Kind::Text, vec![], &[]);
        let added = added.expect("a field");
        assert!(added != code && !codes.contains(&added));
        edit(&mut state, &added, FieldEdit::Delete);
        codes.push(added);
    }
}

#[test]
fn values_of_a_retyped_field_become_what_they_can() {
    type Case = (&'static str, &'static str, fn(&Value) -> bool);
    let cases: [Case; 6] = [
        ("enum", "set", Value::is_array),
        ("set", "enum", Value::is_number),
        ("monetary", "varchar", Value::is_string),
        ("double", "text", Value::is_string),
        ("monetary", "double", Value::is_number),
        ("varchar", "date", |_| false),
    ];
    for (from, to, fits) in cases {
        let mut state = AccountState::new(1, 0.1);
        let code = code(&of_type(&mut state, DICTIONARY, from)[0]);
        let before = values(&mut state, &code);
        assert!(!before.0.is_empty());
        edit(&mut state, &code, FieldEdit::Retype(to));
        let (after, all) = values(&mut state, &code);
        assert_eq!(all, before.1, "{from} {to}");
        assert!(after.iter().all(fits), "{from} {to}: {after:?}");
        assert_eq!(after.is_empty(), to == "date", "{from} {to}");
        let definitions = of_type(&mut state, DICTIONARY, to);
        let definition = definitions.iter().find(|row| row["field_code"] == code.as_str());
        let options = &definition.expect("the field has its new type")["options"];
        assert_eq!(options.is_array(), matches!(from, "enum" | "set"), "{from} {to}");
    }
}

#[test]
fn options_are_renamed_and_deleted() {
    let mut state = AccountState::new(1, 0.1);
    let definition = of_type(&mut state, DICTIONARY, "enum").remove(0);
    let (code, option) = (code(&definition), definition["options"][0]["id"].as_u64());
    let option = option.expect("a number");
    let before = rows(&mut state, "deals");
    let label = "Platinum".to_owned();
    edit(&mut state, &code, FieldEdit::RenameOption(option, label));
    let renamed = of_type(&mut state, DICTIONARY, "enum").remove(0);
    assert_eq!(renamed["options"][0]["label"], "Platinum");
    edit(&mut state, &code, FieldEdit::DeleteOption(option));
    let fewer = of_type(&mut state, DICTIONARY, "enum").remove(0);
    let ids = |row: &Value| row["options"].as_array().expect("options").len();
    assert_eq!(ids(&fewer) + 1, ids(&renamed));
    assert_eq!(rows(&mut state, "deals"), before);
}

#[test]
fn a_lead_becomes_a_deal() {
    let mut state = AccountState::new(1, 0.1);
    state.advance(60);
    let count = rows(&mut state, "deals").len();
    for lead in rows(&mut state, "leads").into_iter().take(12) {
        let key = lead["id"].as_str().expect("an id").to_owned();
        let keys = state.edit(Edit::Convert { lead: key.clone() });
        let deals = rows(&mut state, "deals");
        let deal = deals.iter().find(|row| row["id"].as_u64() == keys[0].parse().ok());
        let deal = deal.expect("the deal is listed");
        assert_eq!(deal["source_lead_id"], key.as_str());
        for (of_deal, of_lead) in
            [("title", "title"), ("person_id", "person_id"), ("org_id", "organization_id")]
        {
            assert_eq!(deal[of_deal], lead[of_lead], "{of_deal}");
        }
        for (code, value) in deal["custom_fields"].as_object().expect("custom fields") {
            assert_eq!(value.is_null(), lead.get(code).is_none(), "{code}");
        }
        assert!(rows(&mut state, "leads").iter().all(|row| row["id"] != key.as_str()));
        let activities = rows(&mut state, "activities");
        assert!(activities.iter().all(|row| row["lead_id"] != key.as_str()));
    }
    assert_eq!(rows(&mut state, "deals").len(), count + 12);
}

#[test]
fn what_named_a_merged_person_names_the_other() {
    let mut state = AccountState::new(1, 0.1);
    let deals = rows(&mut state, "deals");
    let from = deals.iter().find_map(|row| row["person_id"].as_u64().filter(|id| *id != 7));
    let from = from.expect("a person");
    state.advance(60);
    state.edit(Edit::Merge { resource: "persons", from: from.to_string(), into: "7".to_owned() });
    let mut moved = 0;
    for resource in ["deals", "leads", "activities", "notes"] {
        for row in rows(&mut state, resource) {
            // Deals that were deleted before keep their references.
            let gone = row["is_deleted"] == true;
            assert!(gone || row["person_id"] != from, "{resource}");
            moved += usize::from(row["person_id"] == 7);
        }
    }
    assert!(moved > 0);
}
