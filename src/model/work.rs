//! Counts the work done, for tests that compare it with the size of the input.
//!
//! Outside of tests it counts nothing and costs nothing.

#[cfg(test)]
thread_local! {
    static DONE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts bytes that were read, or members of a list that were visited.
#[inline]
pub(crate) fn count(steps: usize) {
    #[cfg(test)]
    DONE.with(|done| done.set(done.get() + steps as u64));
    #[cfg(not(test))]
    let _ = steps;
}

/// Returns the number of steps that this work takes on this thread.
#[cfg(test)]
pub(crate) fn of(work: impl FnOnce()) -> u64 {
    let before = DONE.with(std::cell::Cell::get);
    work();
    DONE.with(std::cell::Cell::get) - before
}

/// Checks that the work grows with its input. It runs for one, two and four times a size, and may take 2.5
/// times as many steps from one to the next.
#[cfg(test)]
#[track_caller]
pub(crate) fn grows_with_its_input(name: &str, size: usize, mut work: impl FnMut(usize)) {
    let [one, two, four] = [1, 2, 4].map(|times| of(|| work(size * times)));
    assert!(one > 0, "{name}: nothing was counted");
    let linear = |less: u64, more: u64| more * 2 <= less * 5;
    assert!(linear(one, two) && linear(two, four), "{name}: {one}, {two}, {four} steps");
}

/// Returns the rows of a response, without the brackets of their list.
#[cfg(test)]
pub(crate) type Rows = fn(usize) -> String;

/// Rows of a response in which an unusual element occurs this number of times, by kind of element.
#[cfg(test)]
pub(crate) const ODD_ROWS: &[(&str, Rows)] = &[
    ("unknown keys in one row", |times| {
        let pairs = (0..times).map(|n| format!("\"key{n}\":1"));
        format!("{{\"id\":1,{}}}", pairs.collect::<Vec<_>>().join(","))
    }),
    ("another key in every row", |times| {
        let rows = (0..times).map(|n| format!("{{\"id\":{n},\"key{n}\":1}}"));
        rows.collect::<Vec<_>>().join(",")
    }),
    ("unknown nulls in one row", |times| {
        let pairs = (0..times).map(|n| format!("\"a{n}\":1,\"b{n}\":null"));
        format!("{{\"id\":1,{}}}", pairs.collect::<Vec<_>>().join(","))
    }),
    ("one key again and again", |times| {
        format!("{{\"id\":1,{}}}", vec!["\"title\":\"x\""; times].join(","))
    }),
    ("one column of texts and numbers", |times| {
        format!("{{\"id\":1,{}}}", vec!["\"title\":\"x\",\"title\":7"; times].join(","))
    }),
    ("custom fields again and again", |times| {
        format!("{{\"id\":1,{}}}", vec!["\"custom_fields\":{\"a\":1}"; times].join(","))
    }),
    ("unknown custom fields", |times| {
        let pairs = (0..times).map(|n| format!("\"{n:040x}\":1"));
        format!("{{\"id\":1,\"custom_fields\":{{{}}}}}", pairs.collect::<Vec<_>>().join(","))
    }),
    ("empty rows", |times| vec!["{}"; times].join(",")),
    ("nested rows", |times| {
        let row = format!("{{\"id\":1,\"x\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        vec![row; times / 100].join(",")
    }),
    ("a long number", |times| format!("{{\"id\":1,\"value\":{}}}", "7".repeat(times))),
    ("a long text", |times| format!("{{\"id\":1,\"title\":\"{}\"}}", "x".repeat(times))),
    ("a long key", |times| format!("{{\"id\":1,\"{}\":1}}", "k".repeat(times))),
    ("escaped NULs", |times| format!("{{\"id\":1,\"title\":\"{}\"}}", "\\u0000".repeat(times))),
    ("halves of characters", |times| {
        format!("{{\"id\":1,\"title\":\"{}\"}}", "\\ud83d".repeat(times))
    }),
];

#[cfg(test)]
mod tests {
    use super::super::conform::{Conformer, TypeMismatches};
    use super::super::normalize::Normalizer;
    use super::super::page::{Layout, Page};
    use super::super::resource::Resource;
    use super::super::schema::json_schema;
    use super::super::schema_deviation::SURPRISES_MAX;
    use super::*;
    use bytes::Bytes;

    /// The number of unusual elements of a page. The work must double with it.
    const TIMES: usize = 1_000;

    fn page(rows: &str) -> (Bytes, Page) {
        let deals = Resource::named("deals").expect("there are deals");
        let layout = Layout::of(deals, &deals.listings[0]);
        let body = Bytes::from(format!("{{\"success\":true,\"data\":[{rows}]}}"));
        let page = Page::split(&body, &layout).expect("it is a page");
        assert!(page.surprises.len() <= SURPRISES_MAX + 1);
        (body, page)
    }

    #[test]
    fn pages_are_split_in_work_that_grows_with_them() {
        for (name, rows) in ODD_ROWS {
            grows_with_its_input(name, TIMES, |times| drop(page(&rows(times))));
        }
    }

    #[test]
    fn records_are_mended_in_work_that_grows_with_them() {
        let deals = Resource::named("deals").expect("there are deals");
        let schema = json_schema(deals, &[], None);
        let tidy = Normalizer::of(deals, &schema);
        for (name, rows) in ODD_ROWS {
            grows_with_its_input(name, TIMES, |times| {
                let mut fit = Conformer::of(deals, &schema, &schema, &[]);
                for record in page(&rows(times)).1.records {
                    let json = std::str::from_utf8(&record.json).expect("a record is text");
                    // A row without a key is refused only after it was read.
                    let _ = fit.put(json, None, &mut Vec::new(), &mut TypeMismatches::default());
                    let exact = record.exact.as_ref();
                    let _ = fit.put(json, exact, &mut Vec::new(), &mut TypeMismatches::default());
                    tidy.mend(json, &mut Vec::new()).expect("it is an object");
                }
            });
        }
    }
}
