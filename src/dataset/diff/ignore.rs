//! Parses the fields that a command line excludes from a comparison. The module is pure.

use super::fields::FieldChange;
use crate::model::{Error, Kind, Result};

/// Fields to leave out of a comparison. It records which of their names matched.
///
/// The syntax is a comma-separated list of names. A name is a field (`title`, or the name or hash of a
/// custom field) or a path into it (`address.locality`). A resource and a dot before it limit it to that
/// resource. A part in double quotes is literal, including commas and dots: `"Net, yearly"`,
/// `deals."No. of seats"`. Two double quotes within quotes stand for one.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    items: Vec<Item>,
}

/// A field to leave out.
#[derive(Debug, Clone)]
struct Item {
    /// The name as it is written on the command line.
    said: String,
    parts: Vec<Part>,
    /// Whether a compared field matched the name.
    met: bool,
}

#[derive(Debug, Clone, Default)]
struct Part {
    text: String,
    quoted: bool,
}

/// The names that apply to one resource: the index of the item, and its path in that resource.
#[derive(Debug, Default)]
pub(crate) struct Meanings(Vec<(usize, Vec<String>)>);

impl Ignore {
    /// Parses the values of the flag. Fails if a quote is not closed.
    pub fn parse(values: &[String]) -> Result<Self> {
        let mut items = Vec::new();
        for value in values {
            let fail = |message: &str| {
                Err(Error::new(Kind::Usage, message).at(format!("--ignore {value}")))
            };
            let (mut parts, mut said) = (vec![Part::default()], String::new());
            let mut letters = value.chars().peekable();
            while let Some(letter) = letters.next() {
                if letter == ',' {
                    items.extend(Item::of(&mut said, &mut parts));
                    continue;
                }
                said.push(letter);
                let last = parts.len() - 1;
                match letter {
                    '.' => parts.push(Part::default()),
                    '"' if parts[last].text.trim().is_empty() => {
                        parts[last] = Part { text: String::new(), quoted: true };
                        loop {
                            match letters.next() {
                                Some('"') if letters.peek() == Some(&'"') => {
                                    letters.next();
                                    said.push_str("\"\"");
                                    parts[last].text.push('"');
                                }
                                Some('"') => break said.push('"'),
                                Some(letter) => {
                                    said.push(letter);
                                    parts[last].text.push(letter);
                                }
                                None => return fail("a double quote is not closed"),
                            }
                        }
                    }
                    ' ' if parts[last].quoted => {}
                    _ if parts[last].quoted => {
                        return fail("after a quoted name a comma or a dot must follow");
                    }
                    letter => parts[last].text.push(letter),
                }
            }
            items.extend(Item::of(&mut said, &mut parts));
        }
        Ok(Self { items })
    }

    /// Returns the number of names.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns the names as the user wrote them.
    pub(crate) fn said(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.said.as_str())
    }

    /// Returns the first part of each name that has more parts. It may be the name of a resource.
    pub(crate) fn firsts(&self) -> impl Iterator<Item = Option<&str>> {
        self.items.iter().map(|item| match item.parts.as_slice() {
            [first, _, ..] if !first.quoted => Some(first.text.as_str()),
            _ => None,
        })
    }

    /// Returns the path of each name for a resource, as [`Self::of`] resolves it, and whether the path
    /// begins with a known field.
    pub(crate) fn paths(
        &self,
        names: &[&str],
        known: impl Fn(&str) -> bool,
    ) -> Vec<(bool, Vec<String>)> {
        let mut fresh = self.clone();
        fresh.items.iter_mut().for_each(|item| item.met = false);
        let meanings = fresh.of(names, known);
        let met = fresh.items.iter().map(|item| item.met);
        met.zip(meanings.0).map(|(met, (_, path))| (met, path)).collect()
    }

    /// Adds a field to leave out.
    pub(crate) fn with(mut self, name: &str) -> Self {
        let parts = vec![Part { text: name.to_owned(), quoted: true }];
        self.items.push(Item { said: name.to_owned(), parts, met: true });
        self
    }

    /// Resolves the names for a resource with these `names` and `known` fields. An exact name, including
    /// its dots, takes precedence over a path.
    pub(crate) fn of(&mut self, names: &[&str], known: impl Fn(&str) -> bool) -> Meanings {
        let mut meanings = Meanings::default();
        for (place, item) in self.items.iter_mut().enumerate() {
            let plain = item.parts.iter().all(|part| !part.quoted);
            let own = item.parts.len() > 1
                && !item.parts[0].quoted
                && names.contains(&item.parts[0].text.as_str());
            let whole = |from: usize| {
                let texts: Vec<&str> = item.parts[from..].iter().map(|p| p.text.as_str()).collect();
                texts.join(".")
            };
            let exact = [whole(0), whole(usize::from(own))].into_iter().find(|name| known(name));
            let path = match exact.filter(|_| plain) {
                Some(exact) => {
                    item.met = true;
                    vec![exact]
                }
                None => item.parts[usize::from(own)..].iter().flat_map(Part::steps).collect(),
            };
            item.met |= path.first().is_some_and(|first| known(first));
            meanings.0.push((place, path));
        }
        meanings
    }

    /// Returns whether a field is left out, and records the match.
    pub(crate) fn takes(&mut self, meanings: &Meanings, field: &FieldChange) -> bool {
        let mut taken = false;
        for (place, path) in &meanings.0 {
            if leads_to(path, field) {
                self.items[*place].met = true;
                taken = true;
            }
        }
        taken
    }

    /// Returns the names that matched no compared field.
    pub fn unmet(&self) -> Vec<&str> {
        let unmet = self.items.iter().filter(|item| !item.met);
        unmet.map(|item| item.said.as_str()).collect()
    }
}

impl Item {
    fn of(said: &mut String, parts: &mut Vec<Part>) -> Option<Self> {
        let said = std::mem::take(said).trim().to_owned();
        let mut parts = std::mem::replace(parts, vec![Part::default()]);
        for part in parts.iter_mut().filter(|part| !part.quoted) {
            part.text = part.text.trim().to_owned();
        }
        (!said.is_empty()).then_some(Self { said, parts, met: false })
    }
}

impl Part {
    /// Splits `emails[0]` into a field and an index.
    fn steps(&self) -> Vec<String> {
        match self.text.split_once('[') {
            Some((name, rest)) if !self.quoted && rest.ends_with(']') => {
                vec![name.to_owned(), format!("[{rest}")]
            }
            _ => vec![self.text.clone()],
        }
    }
}

/// Returns whether a path leads to a field or to a value that contains it. The path may omit list
/// indexes and the object that holds custom fields.
fn leads_to(path: &[String], field: &FieldChange) -> bool {
    let steps: Vec<(&str, &str)> = field
        .keys
        .iter()
        .zip(&field.names)
        .map(|(key, name)| (key.as_str(), name.as_str()))
        .collect();
    let custom = steps.first().is_some_and(|(key, _)| *key == "custom_fields") && steps.len() > 1;
    begins(path, &steps) || custom && begins(path, &steps[1..])
}

fn begins(path: &[String], steps: &[(&str, &str)]) -> bool {
    let mut steps = steps.iter();
    path.iter().all(|part| {
        steps
            .by_ref()
            .find(|(key, name)| part == key || part == name || !name.starts_with('['))
            .is_some_and(|(key, name)| part == key || part == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(keys: &[&str], names: &[&str]) -> FieldChange {
        let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let (label, path) = (String::new(), String::new());
        FieldChange { label, path, keys: all(keys), names: all(names), old: None, new: None }
    }

    /// Checks names against `deals` with a title and custom fields of unusual names. `expected` lists
    /// the fields that are left out, and the names that matched nothing.
    #[track_caller]
    fn check(said: &str, expected: &str) {
        let odd = ["Region", "Region.old", "Net, yearly", "deals.title", "say \"so\""];
        let known = |name: &str| name == "title" || name == "address" || odd.contains(&name);
        let mut ignore = Ignore::parse(&[said.to_owned()]).expect("it can be read");
        let meanings = ignore.of(&["deals"], known);
        let mut fields = vec![
            field(&["title"], &["title"]),
            field(&["address", "locality"], &["address", "locality"]),
            field(&["emails", "0", "value"], &["emails", "[0]", "value"]),
        ];
        let custom = |name| field(&["custom_fields", "hash"], &["custom_fields", name]);
        fields.extend(odd.into_iter().map(custom));
        let taken = fields.iter().filter(|field| ignore.takes(&meanings, field));
        let taken: Vec<String> = taken.map(|field| field.names.join("/")).collect();
        let unmet = ignore.unmet().into_iter().map(|name| format!("nothing: {name}"));
        assert_eq!(taken.into_iter().chain(unmet).collect::<Vec<_>>().join("; "), expected);
    }

    #[test]
    fn exact_names_come_first() {
        check("title", "title");
        check("Region", "custom_fields/Region");
        check("Region.old", "custom_fields/Region.old");
        check("deals.title", "custom_fields/deals.title");
        check("deals.\"title\"", "title");
        check("deals.Region.old", "custom_fields/Region.old");
        check("custom_fields.Region", "custom_fields/Region");
    }

    #[test]
    fn paths_lead_into_fields() {
        check("address", "address/locality");
        check("address.locality", "address/locality");
        check("emails.value, emails[0]", "emails/[0]/value");
        check("emails[1]", "nothing: emails[1]");
        check("address.street", "");
    }

    #[test]
    fn names_may_be_quoted() {
        check(
            "\"Net, yearly\",\"Region.old\"",
            "custom_fields/Region.old; custom_fields/Net, yearly",
        );
        check(
            "\"say \"\"so\"\"\" ,deals.\"Region\"",
            "custom_fields/Region; custom_fields/say \"so\"",
        );
        check("\"address.locality\"", "nothing: \"address.locality\"");
        for (said, wrong) in [("\"a", "not closed"), ("\"a\"b", "a comma or a dot must follow")] {
            let error = Ignore::parse(&[said.to_owned()]).expect_err("it cannot be read");
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }

    #[test]
    fn what_matches_nothing_is_told() {
        check("titel,,Net, yearly", "nothing: titel; nothing: Net; nothing: yearly");
        check("persons.title", "nothing: persons.title");
    }
}
