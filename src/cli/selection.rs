//! Parses `--resources a,b`: resolves names to resources of the table.

use crate::model::{Error, Kind, Resource, Result, folded, mistyped, near};

/// The words that users and other products use for rows, and the corresponding streams.
const WORDS: &[(&[&str], &str)] = &[
    (&["people", "contact", "contacts"], "persons"),
    (&["account", "accounts", "company", "companies", "org", "orgs"], "organizations"),
    (&["opportunity", "opportunities"], "deals"),
    (&["task", "meetings", "calls"], "activities"),
    (&["attachments", "documents"], "files"),
];

/// Returns the listed resources without the excluded ones. Resources are listed by stream name
/// (`deal_fields`) or file stem (`dealFields`), each once. Without a list, returns all resources except
/// those that are read on request only.
pub(super) fn resources(
    list: Option<&str>,
    exclude: Option<&str>,
) -> Result<Vec<&'static Resource>> {
    let usual = Resource::all().filter(|resource| !resource.on_request);
    let listed = match list {
        Some(list) => named(list, "--resources")?,
        None => usual.collect(),
    };
    if listed.is_empty() {
        let message = "names no resource; leave it out to take all but the costly histories";
        return Err(Error::new(Kind::Usage, message).at("--resources"));
    }
    without(listed, exclude)
}

/// Returns these resources without the excluded ones.
pub(super) fn without(
    mut resources: Vec<&'static Resource>,
    exclude: Option<&str>,
) -> Result<Vec<&'static Resource>> {
    let Some(list) = exclude else { return Ok(resources) };
    let excluded = named(list, "--exclude")?;
    if excluded.is_empty() {
        return Err(Error::new(Kind::Usage, "names no resource").at("--exclude"));
    }
    resources.retain(|resource| excluded.iter().all(|other| other.name != resource.name));
    if resources.is_empty() {
        return Err(Error::new(Kind::Usage, "leaves no resource to read").at("--exclude"));
    }
    Ok(resources)
}

fn named(list: &str, flag: &str) -> Result<Vec<&'static Resource>> {
    let mut found: Vec<&'static Resource> = Vec::new();
    let mut unknown = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match meant(name) {
            Some(resource) if found.iter().all(|known| known.name != resource.name) => {
                found.push(resource);
            }
            Some(_) => {}
            None => unknown.push(name),
        }
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let message = format!(
        "there is no resource {}; `source-pipedrive resources` lists them all",
        mistyped(unknown, close)
    );
    Err(Error::new(Kind::Usage, message).at(flag))
}

/// Returns the resource with a stream name or file stem, ignoring case and word separators.
fn meant(name: &str) -> Option<&'static Resource> {
    let name = folded(name);
    Resource::all().find(|known| folded(known.name) == name || folded(known.file) == name)
}

/// Returns stream names that are similar to a name, contain it, or correspond to another product's word.
fn close(name: &str) -> Vec<&'static str> {
    let lower = name.to_lowercase();
    let word = WORDS.iter().find(|(theirs, _)| theirs.contains(&lower.as_str()));
    match word {
        Some((_, ours)) => vec![ours],
        None => near(name, Resource::all().map(|resource| resource.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expected: &str) {
        let shown = match resources(Some(list), None) {
            Ok(found) => found.iter().map(|r| r.name).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn names_and_file_stems_are_taken() {
        check("deals, dealFields,deal_fields,", "deals deal_fields");
        check("Deals,DEAL-FIELDS,Deal Changelog", "deals deal_fields deal_changelog");
        check("deal_changelog", "deal_changelog");
        assert!(resources(None, None).expect("the default").iter().all(|r| !r.on_request));
    }

    #[test]
    fn what_is_excluded_is_left_out() {
        let some = |list, exclude| match resources(list, Some(exclude)) {
            Ok(found) => found.iter().map(|r| r.name).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        };
        assert_eq!(some(Some("deals,persons,dealFields"), "deal_fields, persons"), "deals");
        assert!(!some(None, "deals").split(' ').any(|name| name == "deals"));
        assert_eq!(some(Some("deals"), "deals"), "--exclude: leaves no resource to read");
        assert_eq!(some(None, ","), "--exclude: names no resource");
        assert_eq!(
            some(None, "dealfeilds"),
            "--exclude: there is no resource \"dealfeilds\" (did you mean deal_fields?); \
             `source-pipedrive resources` lists them all"
        );
    }

    #[test]
    fn unknown_names_are_answered_with_close_ones_all_at_once() {
        let lists = "; `source-pipedrive resources` lists them all";
        for (said, expected) in [
            ("deal", "\"deal\" (did you mean deals, deal_mail or deal_fields?)"),
            ("organisations", "\"organisations\" (did you mean organizations?)"),
            ("dealfeilds", "\"dealfeilds\" (did you mean deal_fields?)"),
            ("x", "\"x\""),
            (
                "Deals,People,notes,ntoes",
                "\"People\" (did you mean persons?), \"ntoes\" (did you mean notes?)",
            ),
        ] {
            check(said, &format!("--resources: there is no resource {expected}{lists}"));
        }
        check(
            " ,",
            "--resources: names no resource; leave it out to take all but the costly histories",
        );
    }

    #[test]
    fn no_two_resources_are_spelled_alike() {
        for resource in Resource::all() {
            for name in [resource.name, resource.file, &resource.name.to_uppercase()] {
                assert_eq!(meant(name).map(|found| found.name), Some(resource.name), "{name}");
            }
        }
        for (theirs, ours) in WORDS {
            assert!(Resource::named(ours).is_some(), "{ours}");
            assert!(theirs.iter().all(|word| meant(word).is_none()), "{theirs:?}");
        }
    }
}
