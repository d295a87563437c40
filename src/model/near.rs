//! Suggests a known name for an unknown one. The module is pure.

/// Known names that are offered for one that is unknown.
const NEAR_MAX: usize = 3;
/// Letters by which a name may differ from the one that was meant.
const TYPOS_MAX: usize = 3;

/// Returns a name for comparison without case and separators: `Deal fields`, `dealFields` and `deal-fields`
/// are all `dealfields`.
pub fn folded(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Returns the known names that a misspelling, or a part of the name, may mean: the most similar first, at
/// most three.
pub fn near<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let name = folded(name);
    let letters = name.chars().count();
    let mut near: Vec<(usize, bool, &str)> = known
        .into_iter()
        .filter_map(|known| {
            let other = folded(known);
            let typos = strsim::osa_distance(&name, &other);
            let part = letters >= TYPOS_MAX && other.contains(&name);
            (typos <= TYPOS_MAX.min(letters / 2) || part).then_some((typos, part, known))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    // Of misspellings, only those with the fewest differences are likely.
    let least = near.first().map_or(0, |(typos, ..)| *typos);
    let likely = near.into_iter().filter(|(typos, part, _)| *part || *typos == least);
    likely.take(NEAR_MAX).map(|(.., name)| name).collect()
}

/// Returns unknown names for a sentence, each with the suggested known names: `"dael" (did you mean deals?),
/// "x"`.
pub fn mistyped<'n>(
    names: impl IntoIterator<Item = impl AsRef<str>>,
    near: impl Fn(&str) -> Vec<&'n str>,
) -> String {
    let one = |name: &str| match near(name).as_slice() {
        [] => format!("\"{name}\""),
        [one] => format!("\"{name}\" (did you mean {one}?)"),
        [most @ .., last] => format!("\"{name}\" (did you mean {} or {last}?)", most.join(", ")),
    };
    let all: Vec<String> = names.into_iter().map(|name| one(name.as_ref())).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["deals", "deal_fields", "title", "job_title", "id"];

    #[track_caller]
    fn check(names: &[&str], expected: &str) {
        assert_eq!(mistyped(names, |name| near(name, KNOWN)), expected);
    }

    #[test]
    fn a_slip_is_answered_with_what_may_have_been_meant() {
        check(&["Deals"], "\"Deals\" (did you mean deals?)");
        check(&["titel"], "\"titel\" (did you mean title?)");
        check(&["title"], "\"title\" (did you mean title or job_title?)");
        check(&["dealfeilds", "x"], "\"dealfeilds\" (did you mean deal_fields?), \"x\"");
        check(&["dael"], "\"dael\" (did you mean deals?)");
        check(&["", "ö", "quite another thing"], "\"\", \"ö\", \"quite another thing\"");
    }

    #[test]
    fn letters_are_compared_not_bytes() {
        assert_eq!(near("Größ", ["Größe", "Grosse"]), ["Größe"]);
        assert_eq!([folded("Deal fields"), folded("dealFields")], ["dealfields", "dealfields"]);
    }
}
