//! `--resources a,b`: names of people to rows of the table.

use crate::model::{Error, Kind, Resource, Result};

/// Close names that are listed for one that is unknown.
const SUGGESTIONS_MAX: usize = 3;
/// Letters by which a close name may differ.
const TYPOS_MAX: usize = 3;

/// The resources a person listed, by stream name (`deal_fields`) or file stem (`dealFields`), each
/// once, but for those that are excluded; without a list, all but those that are read on request only.
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

/// These resources but for those that are excluded.
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
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let resource = Resource::all()
            .find(|resource| resource.name == name || resource.file == name)
            .ok_or_else(|| unknown(name, flag))?;
        if found.iter().all(|known| known.name != resource.name) {
            found.push(resource);
        }
    }
    Ok(found)
}

fn unknown(name: &str, flag: &str) -> Error {
    let close = close(name);
    let hint = match close.as_slice() {
        [] => "the README lists them all".to_owned(),
        close => format!("close names: {}", close.join(", ")),
    };
    Error::new(Kind::Usage, format!("there is no resource {name:?}; {hint}")).at(flag)
}

/// Names that a slip or a part of a name may have meant, the likeliest first.
fn close(name: &str) -> Vec<&'static str> {
    let name = name.to_lowercase();
    let mut close: Vec<(usize, &str)> = Resource::all()
        .filter_map(|resource| {
            let typos =
                distance(&name, resource.name).min(distance(&name, &resource.file.to_lowercase()));
            let part = name.len() >= TYPOS_MAX && resource.name.contains(&name);
            let near = typos <= TYPOS_MAX.min(name.len() / 2);
            (near || part).then_some((typos, resource.name))
        })
        .collect();
    close.sort_unstable();
    close.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name).collect()
}

/// Letters to change, add or drop to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut corner = row[0];
        row[0] = line + 1;
        for (place, with) in other.iter().enumerate() {
            let changed = corner + usize::from(letter != *with);
            corner = row[place + 1];
            row[place + 1] = changed.min(corner + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
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
            "--exclude: there is no resource \"dealfeilds\"; close names: deal_fields"
        );
    }

    #[test]
    fn an_unknown_name_is_answered_with_close_ones() {
        check(
            "deal",
            "--resources: there is no resource \"deal\"; close names: deals, deal_mail, deal_fields",
        );
        check(
            "organisations",
            "--resources: there is no resource \"organisations\"; close names: organizations",
        );
        check(
            "dealfeilds",
            "--resources: there is no resource \"dealfeilds\"; close names: deal_fields",
        );
        check("x", "--resources: there is no resource \"x\"; the README lists them all");
        check(
            " ,",
            "--resources: names no resource; leave it out to take all but the costly histories",
        );
    }
}
