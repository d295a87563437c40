//! Tests of missing features: the sandbox refuses them as Pipedrive does, and the rest shows no trace of
//! them.

use super::super::account_state::AccountState;
use super::super::features::{Feature, Features, Lack};
use super::super::options::{Options, Plan};
use super::{get, plain};
use crate::model::Resource;

/// Returns an account with these features.
fn account(features: Features) -> (AccountState, Options) {
    let options = Options { features, ..plain() };
    (AccountState::new(1, 0.02).with(features, options.habits), options)
}

/// Returns a path to which the first listing of a resource responds.
fn path(state: &mut AccountState, resource: &Resource) -> String {
    let parent = resource.parent_resource().map(|parent| state.truth(parent.name));
    let parent = parent.and_then(|rows| Some(rows.first()?.key.clone())).unwrap_or_default();
    let path = resource.listings[0].path.replace("{id}", &parent);
    match path.as_str() {
        "/api/v2/deals/installments" | "/api/v2/deals/products" => format!("{path}?deal_ids=1"),
        "/api/v2/phases" => format!("{path}?board_id=1"),
        "/api/v1/organizationRelationships" => format!("{path}?org_id=1"),
        _ => path,
    }
}

#[test]
fn every_feature_is_refused_where_it_is_lacked_and_nowhere_else() {
    for feature in Feature::ALL {
        for status in [feature.status(), 403] {
            let (mut state, options) = account(Features::all().lacking(Lack { feature, status }));
            for resource in Resource::all() {
                let (said, body, _) = {
                    let path = path(&mut state, resource);
                    get(&mut state, &options, &path)
                };
                let expected = if feature.covers(resource.name) { status } else { 200 };
                assert_eq!(said, expected, "{} without {}", resource.name, feature.name());
                assert_eq!(body["success"] == true, expected == 200);
            }
        }
    }
}

#[test]
fn the_words_are_those_of_the_api() {
    let cases = [
        ("projects", "/api/v2/projects", 402, "Required suites missing"),
        ("projects", "/api/v2/projectFields", 402, "Required suites missing"),
        (
            "installments",
            "/api/v2/deals/installments?deal_ids=1",
            403,
            "The company does not have access to this feature",
        ),
        ("teams", "/v1/legacyTeams", 403, "Teams feature is not enabled in your company"),
        ("teams:410", "/v1/legacyTeams", 410, "This endpoint has been removed"),
        ("goals", "/v1/goals/find", 415, "Feature is not enabled"),
    ];
    for (lack, path, status, words) in cases {
        let lack = lack.parse().expect("a feature");
        let (mut state, options) = account(Features::all().lacking(lack));
        let (said, body, _) = get(&mut state, &options, path);
        assert_eq!((said, body["error"].as_str()), (status, Some(words)), "{path}");
    }
}

#[test]
fn optional_fields_a_company_lacks_are_refused_and_not_sent() {
    let persons = "/api/v2/persons?include_fields=smart_bcc_email";
    let marketing = "/api/v2/persons?include_fields=marketing_status,smart_bcc_email";
    let details = "/api/v2/dealFields?include_fields=ui_visibility,required_fields";
    for status in [400, 403] {
        let lack = |feature| Lack { feature, status };
        let lacks = [Feature::Marketing, Feature::FieldDetails].map(lack);
        let (mut state, options) =
            account(lacks.into_iter().fold(Features::all(), Features::lacking));
        for (path, expected) in [(persons, 200), (marketing, status), (details, status)] {
            assert_eq!(get(&mut state, &options, path).0, expected, "{path}");
        }
        let sent = |state: &mut AccountState, path: &str, key: &str| {
            let (_, body, _) = get(state, &options, path);
            body["data"].as_array().expect("rows").iter().any(|row| row.get(key).is_some())
        };
        assert!(!sent(&mut state, persons, "doi_status"));
        assert!(!sent(&mut state, "/api/v2/dealFields", "required_fields"));
        assert!(sent(&mut state, persons, "smart_bcc_email"));
    }
    let (mut state, options) = account(Features::all());
    assert_eq!(get(&mut state, &options, marketing).0, 200);
    assert_eq!(get(&mut state, &options, details).0, 200);
}

#[test]
fn names_of_features_are_read_and_the_rest_is_named() {
    for feature in Feature::ALL {
        let lack = Lack { feature, status: feature.status() };
        assert_eq!(feature.name().parse(), Ok(lack));
    }
    let unknown = "project".parse::<Lack>().expect_err("no feature");
    for feature in Feature::ALL {
        assert!(unknown.contains(feature.name()), "{unknown}");
    }
    for wrong in ["projects:200", "marketing:402", "teams:", "goals:x", ""] {
        assert!(wrong.parse::<Lack>().is_err(), "{wrong}");
    }
}

#[test]
fn a_larger_plan_has_what_a_smaller_one_has() {
    let plans = [Plan::Lite, Plan::Growth, Plan::Premium, Plan::Ultimate].map(Features::of);
    for pair in plans.windows(2) {
        for feature in Feature::ALL {
            assert!(pair[1].has(feature) || !pair[0].has(feature), "{}", feature.name());
        }
    }
    assert!(Feature::ALL.iter().all(|feature| !Features::none().has(*feature)));
}
