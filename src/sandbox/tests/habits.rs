//! Tests of the peculiarities of real accounts against the documentation.

use super::super::account_state::AccountState;
use super::super::features::Features;
use super::super::habits::{Habit, Habits};
use super::super::options::Options;
use super::{get, plain};
use crate::model::{Resource, reference};
use serde_json::Value;
use std::collections::BTreeSet;

/// Returns an account with these habits.
fn account(habits: Habits) -> (AccountState, Options) {
    let options = Options { habits, features: Features::all(), ..plain() };
    (AccountState::new(1, 0.1).with(options.features, habits), options)
}

fn rows(state: &mut AccountState, resource: &str) -> Vec<Value> {
    let rows = state.truth(resource).into_iter();
    rows.map(|row| serde_json::from_slice(&row.json).expect("a row is JSON")).collect()
}

/// Returns the columns of these rows that refer to rows that are not listed.
fn dangling(state: &mut AccountState, resource: &str) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let of = Resource::named(resource).expect("a resource");
    for column in of.columns {
        let Some(target) = reference(resource, column.name) else { continue };
        if !["persons", "organizations", "products", "users"].contains(&target.name) {
            continue;
        }
        let known: BTreeSet<String> =
            state.truth(target.name).into_iter().map(|row| row.key).collect();
        let mut named = rows(state, resource).into_iter().map(|row| row[column.name].clone());
        if named.any(|id| id.is_u64() && !known.contains(&id.to_string())) {
            found.insert(column.name);
        }
    }
    found
}

#[test]
fn rows_name_rows_that_are_gone() {
    let (mut state, _) = account(Habits::none());
    for resource in ["deals", "persons", "activities", "notes", "leads", "deal_products"] {
        assert_eq!(dangling(&mut state, resource), BTreeSet::new(), "{resource}");
    }
    let (mut state, options) = account(Habits::none().with(Habit::GoneReferences));
    let deals = dangling(&mut state, "deals");
    for column in ["person_id", "org_id", "owner_id"] {
        assert!(deals.contains(column), "{deals:?}");
    }
    assert!(dangling(&mut state, "deal_products").contains("product_id"));
    for deal in rows(&mut state, "deals") {
        let person = deal["person_id"].as_u64().filter(|id| *id > 1_000_000);
        if let Some(person) = person {
            assert_eq!(get(&mut state, &options, &format!("/api/v2/persons/{person}")).0, 404);
        }
    }
}

#[test]
fn without_habits_an_account_is_as_documented_and_each_shows() {
    let (mut tidy, options) = account(Habits::none());
    let body = |state: &mut AccountState, options: &Options, path: &str| {
        let (_, body, _) = get(state, options, path);
        body.to_string()
    };
    let goals = "/v1/goals/find?type.name=nothing&is_active=";
    let cases = [
        (Habit::EmptyContacts, "/api/v2/persons", "\"value\":\"\""),
        (Habit::ZeroDates, "/v1/users", "\"last_login\":\"0000-00-00 00:00:00\""),
        (Habit::ZeroDates, "/api/v2/deals", "\"first_won_time\":\"0000-00-00 00:00:00\""),
        (Habit::PagedPlain, "/v1/noteFields", "\"next_start\":10"),
        (Habit::PagedPlain, "/v1/organizationRelationships?org_id=1", "pagination"),
        (Habit::NullGoals, &format!("{goals}true"), "\"goals\":null"),
        (Habit::NullGoals, &format!("{goals}false"), "\"data\":null"),
        (Habit::YesNoOptions, "/api/v2/activityFields", "\"id\":true"),
        (Habit::YesNoOptions, "/api/v2/dealFields", "\"alt_id\":\"option_31\""),
    ];
    for (habit, path, mark) in cases {
        let (mut state, of) = account(Habits::none().with(habit));
        let said = body(&mut state, &of, path);
        assert!(said.contains(mark), "{habit:?}: {said:.2000}");
        let said = body(&mut tidy, &options, path);
        assert!(!said.contains(mark), "{habit:?}: {said:.2000}");
    }
    for habit in Habit::ALL {
        assert!(Habits::all().has(habit) && !Habits::none().has(habit));
        assert!(!Habits::all().without(habit).has(habit));
    }
}

#[test]
fn within_a_second_leads_come_in_any_order() {
    let times = |habits| -> Vec<String> {
        let (mut state, options) = account(habits);
        let path = "/v1/leads?sort=update_time%20ASC&limit=500";
        let (_, body, _) = get(&mut state, &options, path);
        let rows = body["data"].as_array().expect("rows").iter();
        rows.map(|row| row["update_time"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let documented = times(Habits::none());
    assert!(documented.is_sorted());
    let loose = times(Habits::none().with(Habit::SecondOrder));
    assert!(!loose.is_sorted());
    assert!(loose.is_sorted_by_key(|time| time[..19].to_owned()));
}
