//! `backup diff`: what it calls a change, what it does not, and how it says so.

use crate::backup::pdcli;
use crate::support::backup::BackupFixture;
use crate::support::{BINARY, Folder, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::Edit;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TIER: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TAGS: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn diff(old: &Path, new: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(["backup", "diff"]).arg(old).arg(new).args(flags);
    command.output().expect("the binary starts")
}

/// A snapshot in pdcli's form, of these files.
fn snapshot(folder: &Folder, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let dir = folder.path().join(name);
    std::fs::create_dir_all(&dir).expect("it can be made");
    for (stem, rows) in files {
        let rows = rows.replace("#tier", TIER).replace("#tags", TAGS);
        std::fs::write(dir.join(format!("{stem}.json")), rows).expect("it can be written");
    }
    let stems: Vec<&str> = files.iter().map(|(stem, _)| *stem).collect();
    let manifest = json!({"completed": stems, "counts": {}});
    std::fs::write(dir.join("manifest.json"), manifest.to_string()).expect("it can be written");
    dir
}

/// The JSON of a diff of two snapshots of these files.
fn compared(old: &[(&str, &str)], new: &[(&str, &str)], flags: &[&str]) -> Value {
    let folder = Folder::new();
    let (old, new) = (snapshot(&folder, "old", old), snapshot(&folder, "new", new));
    let output = diff(&old, &new, &[flags, &["-o", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the diff is JSON")
}

fn lines(diff: &Value) -> Vec<String> {
    let schema = diff["schema"].as_array().into_iter().flatten().map(|row| {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let names = ["resource", "kind", "change", "name", "oldValue", "newValue"].map(text);
        format!("schema {}", names.join(" "))
    });
    let changes = diff["changes"].as_array().into_iter().flatten().map(|row| {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let head = ["resource", "id", "change", "field"].map(text).join(" ");
        if row["change"] == "modified" {
            format!("{head}: {} -> {}", row["oldValue"], row["newValue"])
        } else {
            head
        }
    });
    schema.chain(changes).collect()
}

/// A diff of two lists of deals, with a dictionary.
#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) {
    let diff = compared(
        &[("deals", old), ("dealFields", FIELDS)],
        &[("deals", new), ("dealFields", FIELDS)],
        &[],
    );
    assert_eq!(lines(&diff), expected);
}

const FIELDS: &str = r##"[
  {"field_name":"Tier","field_code":"#tier","field_type":"enum","is_custom_field":true,
   "options":[{"id":31,"label":"gold"},{"id":32,"label":"iron"}]},
  {"field_name":"Tags","field_code":"#tags","field_type":"set","is_custom_field":true,
   "options":[{"id":1,"label":"a"},{"id":2,"label":"b"}]}
]"##;

#[test]
fn added_removed_and_modified_rows() {
    check(
        r#"[{"id":1,"title":"a"},{"id":2,"title":"b"},{"id":3,"title":"c"}]"#,
        r#"[{"id":4,"title":"d"},{"id":3,"title":"c"},{"id":1,"title":"x"}]"#,
        &["deals 4 added -", "deals 1 modified title: \"a\" -> \"x\"", "deals 2 removed -"],
    );
}

#[test]
fn an_archived_deal_is_modified() {
    check(
        r#"[{"id":1,"is_archived":false,"update_time":"2026-01-01T00:00:00Z"}]"#,
        r#"[{"id":1,"is_archived":true,"update_time":"2026-01-02T00:00:00Z"}]"#,
        &["deals 1 modified is_archived: false -> true"],
    );
}

#[test]
fn spelling_is_no_change() {
    check(r#"[{"id":1,"a":1,"b":2}]"#, r#"[ {"b" : 2 , "a": 1, "id":1} ]"#, &[]);
    check(r#"[{"id":1,"value":1.0}]"#, r#"[{"id":1,"value":1}]"#, &[]);
    check(
        r#"[{"id":1,"value":12345678901234567890123}]"#,
        r#"[{"id":1,"value":12345678901234567890124}]"#,
        &["deals 1 modified value: 1.2345678901234568e+22 -> 1.2345678901234568e+22"],
    );
    check(r#"[{"id":1,"title":"\u00e9\ud83d\ude00"}]"#, r#"[{"id":1,"title":"é😀"}]"#, &[]);
    check(r#"[{"id":1,"title":null}]"#, r#"[{"id":1}]"#, &[]);
    check(r#"[{"id":1,"label_ids":[1,2]}]"#, r#"[{"id":1,"label_ids":[2,1]}]"#, &[]);
}

#[test]
fn sets_and_contacts_have_no_order() {
    check(
        r##"[{"id":1,"label_ids":[1,2],"custom_fields":{"#tags":[1,2]}}]"##,
        r##"[{"id":1,"label_ids":[2,1],"custom_fields":{"#tags":[2,1]}}]"##,
        &[],
    );
    check(
        r#"[{"id":1,"label_ids":[1,2]}]"#,
        r#"[{"id":1,"label_ids":[3,1]}]"#,
        &["deals 1 modified label_ids: [1,2] -> [3,1]"],
    );
    let leads = |tags: &str| format!(r##"[{{"id":"x","label_ids":["a","b"],"#tags":"{tags}"}}]"##);
    let (old, new) = (leads("1,2"), leads("2,1").replace(r#""a","b""#, r#""b","a""#));
    let old = [("leads", old.as_str()), ("dealFields", FIELDS)];
    let new = [("leads", new.as_str()), ("dealFields", FIELDS)];
    for flags in [&[][..], &["--raw"]] {
        assert_eq!(lines(&compared(&old, &new, flags)), Vec::<String>::new());
    }
    let persons = |emails: &str| format!(r#"[{{"id":1,"emails":{emails},"phones":null}}]"#);
    let told = |old: &str, new: &str| {
        let (old, new) = (persons(old), persons(new));
        lines(&compared(&[("persons", &old)], &[("persons", &new)], &[]))
    };
    let (a, b) = (r#"{"value":"a","primary":true}"#, r#"{"value":"b","primary":false}"#);
    assert_eq!(told(&format!("[{a},{b}]"), &format!("[{b},{a}]")), Vec::<String>::new());
    assert_eq!(told("[]", r#"[{"value":"","primary":true}]"#), Vec::<String>::new());
    assert_eq!(
        told(&format!("[{a},{b}]"), &format!("[{a},{}]", b.replace("\"b\"", "\"c\""))),
        ["persons 1 modified emails[1].value: \"b\" -> \"c\""]
    );
    let moved = told(&format!("[{a},{b}]"), &format!("[{b}]"));
    assert_eq!(moved.len(), 1, "{moved:?}");
    assert!(moved[0].starts_with("persons 1 modified emails: ["), "{moved:?}");
}

#[test]
fn a_deleted_row_is_told_as_deleted() {
    check(
        r#"[{"id":1,"status":"open","is_deleted":false,"title":"a"},{"id":2,"is_deleted":true}]"#,
        r#"[{"id":1,"status":"deleted","is_deleted":true,"title":"b"},{"id":2,"is_deleted":false}]"#,
        &[
            "deals 1 deleted -",
            "deals 1 modified title: \"a\" -> \"b\"",
            "deals 2 modified is_deleted: true -> false",
        ],
    );
    let flag = |flag: &str| format!(r#"[{{"id":1,"active_flag":{flag}}}]"#);
    for (stem, expected) in
        [("notes", "notes 1 deleted -"), ("users", "users 1 modified active_flag: true -> false")]
    {
        let diff = compared(&[(stem, &flag("true"))], &[(stem, &flag("false"))], &[]);
        assert_eq!(lines(&diff), [expected]);
        assert_eq!(diff["summary"]["deleted"], u64::from(stem == "notes"));
    }
}

/// What only one side can have, as `resource kind name side rows`.
fn one_sided(diff: &Value) -> Vec<String> {
    let all = diff["oneSided"].as_array().expect("a list").iter().map(|one| {
        let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
        let names = ["resource", "kind", "name", "presentIn"].map(text).join(" ");
        format!("{names} {}", one["rows"])
    });
    all.collect()
}

#[test]
fn a_field_that_no_row_of_one_side_has_is_one_line() {
    let rows = |more: &str| {
        let rows = (0..1_000).map(|id| format!(r#"{{"id":{id},"title":"a"{more}}}"#));
        format!("[{}]", rows.collect::<Vec<_>>().join(","))
    };
    let (old, new) = (rows(""), rows(r#","score":7,"sequence_enrollment":null"#));
    for (old, new, expected) in
        [(&old, &new, ["deals field score B 1000"]), (&new, &old, ["deals field score A 1000"])]
    {
        let diff = compared(&[("deals", old)], &[("deals", new)], &[]);
        assert_eq!(
            (lines(&diff), one_sided(&diff)),
            (Vec::new(), expected.map(str::to_owned).to_vec())
        );
        let all = compared(&[("deals", old)], &[("deals", new)], &["--all-fields"]);
        assert_eq!((lines(&all).len(), one_sided(&all)), (1_000, Vec::new()));
    }
    // One row that has it, and it is a change like any other.
    let some = new.replacen("\"title\":\"a\",\"score\":7", "\"title\":\"a\",\"score\":8", 1);
    let diff = compared(&[("deals", &some)], &[("deals", &new)], &[]);
    assert_eq!((lines(&diff).len(), one_sided(&diff)), (1, Vec::new()));
}

#[test]
fn nested_values_are_compared_by_path() {
    check(
        r#"[{"id":1,"address":{"locality":"Riga","x":1},"emails":[{"value":"a"},{"value":"b"}]}]"#,
        r#"[{"id":1,"address":{"locality":"Oslo","x":1},"emails":[{"value":"a"},{"value":"c"}]}]"#,
        &[
            "deals 1 modified address.locality: \"Riga\" -> \"Oslo\"",
            "deals 1 modified emails[1].value: \"b\" -> \"c\"",
        ],
    );
}

#[test]
fn options_are_shown_by_their_labels() {
    check(
        r##"[{"id":1,"custom_fields":{"#tier":31,"#tags":[1]}},{"id":2}]"##,
        r##"[{"id":1,"custom_fields":{"#tier":32,"#tags":[1,2]}},{"id":2,"custom_fields":{"#tier":9}}]"##,
        &[
            "deals 1 modified custom_fields.Tier: \"gold\" -> \"iron\"",
            "deals 1 modified custom_fields.Tags: [\"a\"] -> [\"a\",\"b\"]",
            "deals 2 modified custom_fields.Tier: null -> 9",
        ],
    );
}

#[test]
fn leads_have_names_and_labels_too() {
    let old = &[("leads", r##"[{"id":"x","#tier":"31","#tags":"1"}]"##), ("dealFields", FIELDS)];
    let new = &[("leads", r##"[{"id":"x","#tier":"32","#tags":"1,2"}]"##), ("dealFields", FIELDS)];
    assert_eq!(
        lines(&compared(old, new, &[])),
        [
            "leads x modified Tier: \"gold\" -> \"iron\"",
            "leads x modified Tags: \"a\" -> [\"a\",\"b\"]"
        ]
    );
    let raw = lines(&compared(old, new, &["--raw"]));
    assert_eq!(raw[0], format!("leads x modified {TIER}: \"31\" -> \"32\""));
}

#[test]
fn a_renamed_field_or_option_is_one_change() {
    let deals =
        r##"[{"id":1,"custom_fields":{"#tier":31}},{"id":2,"custom_fields":{"#tier":31}}]"##;
    let renamed = FIELDS.replace("\"Tier\"", "\"Level\"").replace("\"gold\"", "\"silver\"");
    let diff = compared(
        &[("deals", deals), ("dealFields", FIELDS)],
        &[("deals", deals), ("dealFields", &renamed)],
        &[],
    );
    assert_eq!(
        lines(&diff),
        [
            "schema dealFields field renamed Level Tier Level",
            "schema dealFields option renamed Level gold silver",
        ]
    );
}

#[test]
fn a_deleted_field_is_told_with_the_number_of_values_that_went() {
    let diff = compared(
        &[
            ("deals", r##"[{"id":1,"custom_fields":{"#tier":31,"#tags":null}}]"##),
            ("dealFields", FIELDS),
        ],
        &[("deals", r#"[{"id":1,"custom_fields":{}}]"#), ("dealFields", "[]")],
        &[],
    );
    assert_eq!(
        lines(&diff),
        [
            "schema dealFields field removed Tier Tier -",
            "schema dealFields field removed Tags Tags -",
        ]
    );
    assert_eq!(one_sided(&diff), ["deals field custom_fields.Tier A 1"]);
}

#[test]
fn pipelines_and_stages_are_part_of_the_schema() {
    let stages = |name: &str| format!(r#"[{{"id":1,"name":"{name}"}}]"#);
    let diff = compared(&[("stages", &stages("Lead in"))], &[("stages", &stages("New"))], &[]);
    assert_eq!(
        lines(&diff),
        [
            "schema stages stage renamed New Lead in New",
            "stages 1 modified name: \"Lead in\" -> \"New\""
        ]
    );
}

#[test]
fn computed_fields_are_folded_away_unless_asked_for() {
    let (old, new) = (
        &[("deals", r#"[{"id":1,"activities_count":1,"update_time":"2026-01-01T00:00:00Z"}]"#)],
        &[("deals", r#"[{"id":1,"activities_count":2,"update_time":"2026-01-02T00:00:00Z"}]"#)],
    );
    let folded = compared(old, new, &[]);
    assert_eq!((lines(&folded).len(), &folded["summary"]["folded"]), (0, &json!(1)));
    assert_eq!(lines(&compared(old, new, &["--all-fields"])).len(), 2);
}

#[test]
fn what_people_edit_is_never_folded_away() {
    let rows =
        |count: u64| format!(r#"[{{"id":1,"employee_count":{count},"update_time":"x{count}"}}]"#);
    let (old, new) = (rows(5), rows(6));
    let diff = compared(&[("organizations", &old)], &[("organizations", &new)], &[]);
    assert_eq!(lines(&diff), ["organizations 1 modified employee_count: 5 -> 6"]);
    // By the table: what Pipedrive computes is a mark of the column, not an ending of its name.
    for resource in Resource::all() {
        for column in resource.columns.iter().filter(|column| column.name.ends_with("_count")) {
            let edited = ["employee_count"].contains(&column.name);
            assert_eq!(column.computed, !edited, "{}.{}", resource.name, column.name);
        }
        let stamped = resource.column("update_time").is_none_or(|column| column.computed);
        assert!(stamped, "{}", resource.name);
    }
}

#[test]
fn fields_can_be_ignored() {
    let (old, new) = (
        &[
            ("deals", r##"[{"id":1,"title":"a","custom_fields":{"#tier":31}}]"##),
            ("dealFields", FIELDS),
        ],
        &[
            ("deals", r##"[{"id":1,"title":"b","custom_fields":{"#tier":32}}]"##),
            ("dealFields", FIELDS),
        ],
    );
    for ignored in [
        "title,Tier",
        "deals.title,custom_fields.Tier",
        &format!("title,{TIER}"),
        "title,custom_fields",
    ] {
        assert_eq!(
            lines(&compared(old, new, &["--ignore", ignored])),
            Vec::<String>::new(),
            "{ignored}"
        );
    }
    // A name of something that is not compared is reported; a name that matches nothing is refused.
    let none = compared(old, new, &["--ignore", "persons.title", "--ignore", "title"]);
    assert_eq!(lines(&none).len(), 1);
    assert_eq!(none["ignoredNothing"], json!(["persons.title"]));
    let folder = Folder::new();
    let odd = [("deals", r#"[{"id":1,"title":"b","odd_key":{"in":1}}]"#), ("dealFields", FIELDS)];
    let sides = (snapshot(&folder, "old", old), snapshot(&folder, "new", &odd));
    for (ignored, refused) in [
        (
            "titel,Teir,odd_key",
            Some("\"titel\" (did you mean title?), \"Teir\" (did you mean Tier?)"),
        ),
        ("deals.titel", Some("\"deals.titel\" (did you mean title?)")),
        ("custom_fields.Tire", Some("\"custom_fields.Tire\" (did you mean Tier?)")),
        ("odd_key.in,odd_key", None),
    ] {
        let output = diff(&sides.0, &sides.1, &["--ignore", ignored, "-o", "table"]);
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = refused.map(|unknown| {
            format!("error: --ignore: nothing that is compared is called {unknown}\n")
        });
        assert_eq!(said, expected.unwrap_or_default(), "{ignored}");
        assert_eq!(output.status.code(), Some(if refused.is_some() { 64 } else { 0 }), "{ignored}");
    }
}

#[test]
fn names_with_commas_and_dots_can_be_ignored() {
    let fields = FIELDS.replace("\"Tier\"", "\"Net, p.a.\"").replace("\"Tags\"", "\"deals.title\"");
    let rows = |title: &str, tier: u8, tags: &str| {
        format!(
            r##"[{{"id":1,"title":"{title}","custom_fields":{{"#tier":{tier},"#tags":{tags}}}}}]"##
        )
    };
    let (old, new) = (rows("a", 31, "[1]"), rows("b", 32, "[2]"));
    let old = [("deals", old.as_str()), ("dealFields", fields.as_str())];
    let new = [("deals", new.as_str()), ("dealFields", fields.as_str())];
    for (ignored, left) in [
        ("\"Net, p.a.\"", "title custom_fields.deals.title"),
        ("deals.\"Net, p.a.\",title", "custom_fields.deals.title"),
        // The exact name takes precedence; quotes name the other meaning.
        ("deals.title", "title custom_fields.Net, p.a."),
        ("deals.\"title\"", "custom_fields.Net, p.a. custom_fields.deals.title"),
    ] {
        let diff = compared(&old, &new, &["--ignore", ignored]);
        let found: Vec<_> = diff["changes"].as_array().expect("a list").iter().collect();
        let found: Vec<_> = found.iter().filter_map(|row| row["field"].as_str()).collect();
        let found = found.join(" ");
        assert_eq!(found, left, "{ignored}");
        assert_eq!(diff["ignoredNothing"], json!([]), "{ignored}");
    }
}

#[test]
fn the_table_is_the_seed_tools() {
    let folder = Folder::new();
    let old = snapshot(
        &folder,
        "old",
        &[
            ("deals", r##"[{"id":42,"value":100000,"custom_fields":{"#tier":31}}]"##),
            ("dealFields", FIELDS),
            ("persons", r#"[{"id":7}]"#),
        ],
    );
    let new = snapshot(
        &folder,
        "new",
        &[
            ("deals", r##"[{"id":42,"value":150000,"custom_fields":{"#tier":32}},{"id":99}]"##),
            ("dealFields", FIELDS),
            ("persons", "[]"),
            ("files", "[]"),
        ],
    );
    let output = diff(&old, &new, &["-o", "table"]);
    let expected = "\
┌──────────┬────┬──────────┬───────┬────────┬────────┐
│ Resource │ ID │ Change   │ Field │ Old    │ New    │
├──────────┼────┼──────────┼───────┼────────┼────────┤
│ deals    │ 42 │ modified │ value │ 100000 │ 150000 │
│ deals    │ 42 │ modified │ Tier  │ gold   │ iron   │
│ deals    │ 99 │ added    │       │        │        │
│ persons  │ 7  │ removed  │       │        │        │
└──────────┴────┴──────────┴───────┴────────┴────────┘

1 added · 1 removed · 1 modified (2 field changes)
Skipped (present in one snapshot only): files[B]
";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn the_exit_code_tells_when_it_is_asked_to() {
    let folder = Folder::new();
    let old = snapshot(&folder, "old", &[("deals", r#"[{"id":1,"title":"a"}]"#)]);
    let new = snapshot(&folder, "new", &[("deals", r#"[{"id":1,"title":"b"}]"#)]);
    assert_eq!(diff(&old, &new, &["--exit-code"]).status.code(), Some(1));
    assert_eq!(diff(&old, &new, &[]).status.code(), Some(0));
    assert_eq!(diff(&old, &old, &["--exit-code"]).status.code(), Some(0));
}

#[test]
fn a_corrupt_file_is_an_error_and_never_absent() {
    let folder = Folder::new();
    let whole = snapshot(&folder, "whole", &[("deals", r#"[{"id":1}]"#)]);
    for (name, text) in
        [("cut", r#"[{"id":1}"#), ("broken", r#"[{"id":}]"#), ("object", "{}"), ("empty", "")]
    {
        let damaged = snapshot(&folder, name, &[("deals", text)]);
        for (old, new) in [(&whole, &damaged), (&damaged, &whole)] {
            let output = diff(old, new, &[]);
            assert_eq!(output.status.code(), Some(65), "{name}");
            assert!(String::from_utf8_lossy(&output.stderr).contains("deals.json"), "{name}");
        }
    }
    let nothing = Folder::new();
    assert_eq!(diff(&whole, nothing.path(), &[]).status.code(), Some(64));
}

#[test]
fn what_was_edited_between_two_backups_is_found_and_nothing_else() {
    let account = sandbox(small());
    let (old, new) = (BackupFixture::of(&account, &[]), BackupFixture::of(&account, &[]));
    old.run(&[]).succeeded();
    let mut expected = account.state(|account| {
        account.advance(3_600);
        let mut keys = Vec::new();
        for (resource, stem) in [("deals", "deals"), ("persons", "persons"), ("leads", "leads")] {
            let edited = account.edit(Edit::Bulk { resource, rows: 3 });
            keys.extend(edited.into_iter().map(|key| format!("{stem} {key} modified")));
        }
        let key = account.truth("notes").last().expect("there are notes").key.clone();
        account.edit(Edit::Delete { resource: "notes", key: key.clone() });
        keys.push(format!("notes {key} removed"));
        keys
    });
    new.run(&[]).succeeded();
    let output = diff(&old.dir(), &new.dir(), &["-o", "ndjson"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows =
        text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    let mut found: Vec<String> = rows
        .filter(|row| row["resource"].is_string())
        .map(|row| {
            ["resource", "id", "change"]
                .map(|n| row[n].as_str().unwrap_or("-").to_owned())
                .join(" ")
        })
        .collect();
    found.sort();
    found.dedup();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_backup_of_the_seeds_tool_differs_in_what_it_lacks_only() {
    let account = sandbox(small());
    let (old, new) = (BackupFixture::of(&account, &[]), BackupFixture::of(&account, &[]));
    pdcli::write(&account, &old.dir(), 18);
    new.run(&[]).succeeded();
    let output = diff(&old.dir(), &new.dir(), &["-o", "json"]);
    let diff: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let others: Vec<_> = lines(&diff)
        .into_iter()
        // Secrets that ours masks, and numbers that pdcli, being JavaScript, rounds.
        .filter(|line| {
            !line.contains("http_auth_password")
                && !line.contains("custom_fields.Score: 1.2345678901234567e+19")
        })
        .collect();
    assert_eq!(others, Vec::<String>::new());
    assert_eq!(diff["skipped"][0]["presentIn"], "B");
    // Archived and deleted deals, and archived leads.
    let told = one_sided(&diff);
    let of = |what: &str| told.iter().filter(|one| one.starts_with(what)).count();
    assert_eq!(
        [of("deals rows archived B"), of("deals rows deleted B"), of("leads rows archived B")],
        [1; 3],
        "{told:?}"
    );
    // And what is asked for in `include_fields`.
    let fields = told.iter().filter(|one| one.contains(" field ") && one.contains(" B ")).count();
    assert_eq!(fields + 3, told.len(), "{told:?}");
    assert!(fields > 3, "{told:?}");
    let table = diff_of(&old, &new, &["-o", "table"]);
    let said = |words: &str| table.matches(words).count();
    assert_eq!(said("the tool that made the older one does not read them"), 3, "{table}");
    assert_eq!(said("no row of the older one has that field"), fields, "{table}");
}

fn diff_of(old: &BackupFixture, new: &BackupFixture, flags: &[&str]) -> String {
    let output = diff(&old.dir(), &new.dir(), flags);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
