//! Tests of folders that others changed: names in manifests, links, and files that are not ours.
//! Nothing outside the folder is touched, and nothing of others in it.

#![cfg(unix)]

use crate::support::backup::{BackupFixture, sha256};
use crate::support::warehouse::{CommandOutput, WarehouseFixture};
use crate::support::{BINARY, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Options, Sandbox};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names, types, modes, links and contents of all that lies below a folder.
fn digest(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            let meta = fs::symlink_metadata(&path).expect("it is there");
            let content = if meta.is_symlink() {
                fs::read_link(&path).expect("it is a link").display().to_string()
            } else if meta.is_dir() {
                folders.push(path.clone());
                String::new()
            } else if meta.is_file() {
                sha256(&fs::read(&path).expect("it can be read"))
            } else {
                "special".to_owned()
            };
            found.insert(path, format!("{:o} {content}", meta.mode()));
        }
    }
    found
}

/// What differs between two digests.
fn changes(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
    let all = before.keys().chain(after.keys());
    all.filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

/// A command whose folder is hostile.
struct Act<'a> {
    name: &'a str,
    run: Box<dyn Fn() -> CommandOutput + 'a>,
}

fn command(arguments: &[&str], folder: &Path) -> CommandOutput {
    let mut command = Command::new(BINARY);
    let output = command.args(arguments).current_dir(folder).output().expect("the binary starts");
    CommandOutput::of_text(&output)
}

fn above(dir: &Path) -> PathBuf {
    dir.parent().expect("it lies in a folder").to_owned()
}

/// All commands that take a backup.
fn on_backup<'a>(backups: &'a BackupFixture) -> Vec<Act<'a>> {
    let dir = backups.dir().display().to_string();
    let reader = move |name: &'a str, arguments: &'static [&'static str]| {
        let dir = dir.clone();
        let run = move || {
            let arguments: Vec<&str> =
                arguments.iter().map(|part| if *part == "DIR" { &*dir } else { *part }).collect();
            command(&arguments, &above(Path::new(&dir)))
        };
        Act { name, run: Box::new(run) }
    };
    vec![
        Act { name: "backup", run: Box::new(|| backups.run(&["--include", "file_contents"])) },
        Act { name: "backup --restart", run: Box::new(|| backups.run(&["--restart"])) },
        Act { name: "backup --break-lock", run: Box::new(|| backups.run(&["--break-lock"])) },
        reader("backup verify", &["backup", "verify", "DIR", "-o", "json"]),
        reader("backup diff", &["backup", "diff", "DIR", "DIR", "-o", "json"]),
        reader("bundle export", &["bundle", "export", "--from", "DIR", "--out", "out.json"]),
    ]
}

/// All commands that take a warehouse.
fn on_warehouse(warehouse: &WarehouseFixture) -> Vec<Act<'_>> {
    let dir = warehouse.dir().display().to_string();
    let plan = move || {
        let arguments = ["plan", "--sandbox", "--resources", "stages", "--dir", &dir, "-o", "json"];
        command(&arguments, &above(Path::new(&dir)))
    };
    vec![
        Act { name: "sync", run: Box::new(|| warehouse.sync(&[])) },
        Act { name: "sync --full", run: Box::new(|| warehouse.sync(&["--full"])) },
        Act { name: "plan", run: Box::new(plan) },
    ]
}

/// Runs commands, each of which must refuse and touch nothing.
#[track_caller]
fn refuse(acts: &[Act<'_>], folder: &Path, what: &str, word: &str) {
    let before = digest(folder);
    for Act { name, run } in acts {
        let said = run();
        let error = said.stderr;
        assert_eq!(said.code, Some(65), "{name}, {what}: {error}");
        assert!(error.contains(word), "{name}, {what}: no {word:?} in {error}");
        assert_eq!(changes(&before, &digest(folder)), [""; 0].map(PathBuf::from), "{name}, {what}");
    }
}

/// A folder outside with a private file, and names that lead to it.
fn hostile(folder: &Path) -> Vec<String> {
    let outside = folder.join("outside");
    fs::create_dir_all(&outside).expect("it is made");
    for name in ["victim", "victim.json", "victim.ndjson"] {
        fs::write(outside.join(name), "[\n{\"id\":1}\n]\n").expect("it is written");
    }
    let absolute = outside.join("victim").display().to_string();
    let names =
        ["../outside/victim", "", ".", "..", "deals/../../outside/victim", "a\0b", "thesis.txt"];
    names.map(str::to_owned).into_iter().chain([absolute, "x".repeat(5_000)]).collect()
}

fn backed_up(account: &Sandbox) -> BackupFixture {
    let backups = BackupFixture::of(account, &["deals", "stages", "files"]);
    backups.run(&["--include", "file_contents"]).succeeded();
    backups
}

fn write(dir: &Path, manifest: &Value) {
    fs::write(dir.join("manifest.json"), manifest.to_string()).expect("it is written");
}

/// A manifest in which a name stands under a key; and how the error calls the key.
fn backup_with(whole: &Value, key: &str, next: bool, name: &str) -> (Value, String) {
    let mut manifest = whole.clone();
    let file = whole["files"]["deals"].clone();
    let growing = json!({"path": "deals.json.part", "bytes": 4, "rows": 1, "sha256": "",
        "read_from": "2026-01-01T00:00:00Z", "state": null});
    if next {
        manifest["next"] = json!({"version": 1, "completed": [], "resources": ["deals"]});
    }
    let part = if next { &mut manifest["next"] } else { &mut manifest };
    match key {
        "completed" | "resources" => part[key] = json!(["stages", name]),
        "counts" => part[key] = json!({name: 3}),
        "files" => part[key] = json!({"deals": file.clone(), name: file}),
        "in_progress" => part[key] = json!({name: growing}),
        "failed" => part[key] = json!({name: {"error": "upstream", "message": "no"}}),
        "files.deals.staged" => {
            part["files"] = json!({"deals": file});
            part["files"]["deals"]["staged"] = name.into();
        }
        _ => {
            part["in_progress"] = json!({"deals": growing});
            part["in_progress"]["deals"]["path"] = name.into();
        }
    }
    (manifest, format!("{}{key}", if next && key.contains('.') { "next." } else { "" }))
}

#[test]
fn a_backups_manifest_leads_nowhere_else() {
    let account = sandbox(small());
    let backups = backed_up(&account);
    let whole = backups.manifest();
    let folder = above(&backups.dir());
    let acts = on_backup(&backups);
    let keys = [
        "completed",
        "resources",
        "counts",
        "files",
        "in_progress",
        "failed",
        "files.deals.staged",
        "in_progress.deals.path",
    ];
    for (number, name) in hostile(&folder).into_iter().enumerate() {
        for (place, key) in keys.into_iter().enumerate() {
            let next = (number + place) % 2 == 1;
            let (manifest, called) = backup_with(&whole, key, next, &name);
            write(&backups.dir(), &manifest);
            refuse(&acts, &folder, &format!("{key} {name:.40}"), &called);
        }
    }
    // Names of other files of ours are no names of this one.
    for name in ["stages.json", "manifest.json", "_next/stages.json", "files/x", "_next/_pieces/x"]
    {
        for key in ["files.deals.staged", "in_progress.deals.path"] {
            let (manifest, called) = backup_with(&whole, key, false, name);
            write(&backups.dir(), &manifest);
            refuse(&acts, &folder, &format!("{key} {name}"), &called);
        }
    }
    let mut index: Value = serde_json::from_str(&backups.text("fileContents.json")).expect("JSON");
    write(&backups.dir(), &whole);
    for name in hostile(&folder) {
        index[0]["sha256"] = name.clone().into();
        fs::write(backups.dir().join("fileContents.json"), index.to_string()).expect("written");
        // Attachments are no part of a bundle or a comparison.
        refuse(&acts[..4], &folder, &format!("attachment {name:.40}"), "sha256 of file");
    }
}

#[test]
fn the_seeds_manifest_leads_nowhere_else() {
    let account = sandbox(small());
    let backups = backed_up(&account);
    let folder = above(&backups.dir());
    let acts = on_backup(&backups);
    for name in hostile(&folder) {
        for key in ["completed", "counts"] {
            let mut manifest = json!({"started_at": "2026-06-04T09:00:00.000Z",
                "completed": ["deals", "stages"], "counts": {}, "updated_at": "2026-06-04T09:01:12.000Z"});
            manifest[key] = if key == "counts" { json!({&*name: 1}) } else { json!([name]) };
            write(&backups.dir(), &manifest);
            refuse(&acts, &folder, &format!("{key} {name:.40}"), key);
        }
    }
}

#[test]
fn a_warehouses_manifest_leads_nowhere_else() {
    let account = sandbox(small());
    for format in ["ndjson", "parquet"] {
        let warehouse = WarehouseFixture::of(&account, format, &["deals", "stages", "currencies"]);
        warehouse.sync(&[]).succeeded();
        let whole = warehouse.manifest();
        let folder = above(&warehouse.dir());
        let acts = on_warehouse(&warehouse);
        let mut names = hostile(&folder);
        names.extend(["stages.ndjson", "manifest.json", "deals/part-x.parquet"].map(str::to_owned));
        for name in names {
            let file = whole["files"]["deals"][0].clone();
            for key in [
                "streams",
                "files",
                "files.deals[0].path",
                "files.deals[0].staged",
                "indexes.currencies",
            ] {
                for rebuild in [false, true] {
                    let mut manifest = whole.clone();
                    if rebuild {
                        manifest["rebuild"] = json!({"streams": {}, "files": {}});
                    }
                    let part = if rebuild { &mut manifest["rebuild"] } else { &mut manifest };
                    match key {
                        "streams" => part[key][&*name] = json!({}),
                        "files" => part[key][&*name] = json!([file]),
                        "indexes.currencies" => part["indexes"] = json!({"currencies": name}),
                        _ => {
                            let last = key.rsplit('.').next().expect("a key");
                            part["files"]["deals"] = json!([file]);
                            part["files"]["deals"][0][last] = name.clone().into();
                        }
                    }
                    write(&warehouse.dir(), &manifest);
                    refuse(&acts, &folder, &format!("{format} {key} {name:.40}"), key);
                }
            }
        }
    }
}

/// Puts a link where this lies, which lies outside from then on. Gives back what undoes it.
fn linked(dir: &Path, name: &str, folder: bool) -> impl FnOnce() + use<> {
    let (here, there) = (dir.join(name), above(dir).join("outside").join(name.replace('/', "-")));
    let was = here.exists();
    if was {
        fs::rename(&here, &there).expect("it is moved");
    } else if folder {
        fs::create_dir_all(&there).expect("it is made");
        fs::write(there.join("mine.txt"), "mine").expect("it is written");
    } else {
        fs::write(&there, "mine").expect("it is written");
    }
    let made = here.parent().filter(|parent| !parent.exists()).map(Path::to_owned);
    fs::create_dir_all(here.parent().expect("it lies in a folder")).expect("it is made");
    symlink(&there, &here).expect("it is linked");
    move || {
        fs::remove_file(&here).expect("the link is there");
        if was {
            fs::rename(&there, &here).expect("it is moved back");
        }
        if let Some(made) = made {
            fs::remove_dir(made).expect("it is empty");
        }
    }
}

#[test]
fn no_link_in_a_backup_is_followed() {
    let account = sandbox(small());
    let backups = backed_up(&account);
    let folder = above(&backups.dir());
    hostile(&folder);
    let acts = on_backup(&backups);
    let attachment = fs::read_dir(backups.dir().join("files")).expect("it is there").next();
    let attachment = attachment.expect("there is one").expect("it is there").file_name();
    let attachment = format!("files/{}", attachment.to_string_lossy());
    for (name, is_folder) in [
        ("manifest.json", false),
        ("manifest.lock", false),
        ("deals.json", false),
        ("persons.json", false),
        ("deals.json.part", false),
        ("deals.once.json.part", false),
        ("fileContents.json", false),
        ("files", true),
        (attachment.as_str(), false),
        ("_next", true),
        ("_next/deals.json", false),
        ("_next/deals.once.json", false),
        ("_pieces", true),
    ] {
        let undo = linked(&backups.dir(), name, is_folder);
        refuse(&acts, &folder, name, "link");
        undo();
    }
    backups.run(&["--include", "file_contents"]).succeeded();
}

#[test]
fn no_link_in_a_warehouse_is_followed() {
    let account = sandbox(small());
    for format in ["ndjson", "parquet"] {
        let warehouse = WarehouseFixture::of(&account, format, &["deals", "currencies"]);
        warehouse.sync(&[]).succeeded();
        let folder = above(&warehouse.dir());
        hostile(&folder);
        let acts = on_warehouse(&warehouse);
        let files = warehouse.files("deals").into_iter();
        let files = files.map(|file| file.strip_prefix(warehouse.dir()).expect("below").to_owned());
        let mut places: Vec<_> = files.map(|file| (file.display().to_string(), false)).collect();
        let index = warehouse.manifest()["indexes"]["currencies"].clone();
        places.push((index.as_str().expect("a path").to_owned(), false));
        for name in ["manifest.lock", "_fields.json", "persons.ndjson"] {
            places.push((name.to_owned(), false));
        }
        for name in ["_keys", "persons"] {
            places.push((name.to_owned(), true));
        }
        for (name, is_folder) in places {
            let undo = linked(&warehouse.dir(), &name, is_folder);
            // A plan looks at the manifest alone.
            refuse(&acts[..2], &folder, &format!("{format} {name}"), "link");
            undo();
        }
        let undo = linked(&warehouse.dir(), "manifest.json", false);
        refuse(&acts, &folder, "manifest.json", "link");
        undo();
        warehouse.sync(&[]).succeeded();
        warehouse.assert_current(&account);
    }
}

#[test]
fn a_second_name_of_a_file_is_not_written_to() {
    let account = sandbox(small());
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["deals"]);
    warehouse.sync(&[]).succeeded();
    let outside = above(&warehouse.dir()).join("copy");
    fs::hard_link(warehouse.dir().join("deals.ndjson"), &outside).expect("it is linked");
    crate::support::change(&account, &[("deals", 3)]);
    let before = fs::read(&outside).expect("it is there");
    warehouse.sync(&[]).failed(65, &["deals.ndjson", "hard link"]);
    assert_eq!(fs::read(&outside).expect("it is there"), before);
    fs::remove_file(&outside).expect("it is there");
    warehouse.sync(&[]).succeeded();
    warehouse.assert_current(&account);
}

#[test]
fn a_lock_of_somebody_elses_is_not_written_over() {
    let account = sandbox(small());
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["stages"]);
    let backups = BackupFixture::of(&account, &["stages"]);
    for dir in [warehouse.dir(), backups.dir()] {
        fs::create_dir_all(&dir).expect("it is made");
        fs::write(dir.join("manifest.lock"), "the key is under the mat").expect("it is written");
    }
    let sync = Act { name: "sync", run: Box::new(|| warehouse.sync(&[])) };
    let broken = Act { name: "sync", run: Box::new(|| warehouse.sync(&["--break-lock"])) };
    refuse(&[sync, broken], &warehouse.dir(), "lock", "no lock of ours");
    refuse(&on_backup(&backups)[..3], &backups.dir(), "lock", "no lock of ours");
}

/// Files, folders and links of others in each folder, under names much like ours.
fn furnish(dir: &Path, folders: &[&str], names: &[&str]) -> Vec<PathBuf> {
    let mut placed = Vec::new();
    let odd = OsString::from_vec(b"caf\xe9.json".to_vec());
    for folder in folders {
        let folder = dir.join(folder);
        fs::create_dir_all(&folder).expect("it is made");
        for name in names.iter().map(OsString::from).chain([odd.clone()]) {
            let path = folder.join(name);
            fs::write(&path, "mine").expect("it is written");
            placed.push(path);
        }
        symlink("../../outside", folder.join("mine.link")).expect("it is linked");
        placed.push(folder.join("mine.link"));
    }
    placed
}

#[track_caller]
fn untouched(
    placed: &[PathBuf],
    before: &BTreeMap<PathBuf, String>,
    after: &BTreeMap<PathBuf, String>,
) {
    for path in placed {
        assert_eq!(before.get(path), after.get(path), "{}", path.display());
    }
}

#[test]
fn what_others_put_into_a_backup_stays() {
    let account = sandbox(small());
    let backups = backed_up(&account);
    let folder = above(&backups.dir());
    hostile(&folder);
    let names = [
        "thesis.txt",
        "thesis.json",
        "_part-mine",
        "thesis.json.part",
        "deals.json.bak",
        "notes#1",
        "0a0b",
        ".hidden",
    ];
    let folders = ["", "_next", "_next/deeper", "_pieces/deals", "files", "files/mine", "mine"];
    let placed = furnish(&backups.dir(), &folders, &names);
    // What a run of ours left in the same folders goes.
    let ours = ["_next/deals.json", "deals.json.part", "manifest.json#7", "files/_part-17"];
    let forgotten = format!("files/{}", "0a".repeat(32));
    for name in ours.into_iter().chain([forgotten.as_str()]) {
        fs::write(backups.dir().join(name), "ours").expect("it is written");
    }
    let before = digest(&folder);
    for round in 0..2 {
        backups.run(&["--include", "file_contents"]).succeeded();
        backups.run(&["--include", "file_contents"]).succeeded();
        let after = digest(&folder);
        untouched(&placed, &before, &after);
        untouched(&[folder.join("outside"), folder.join("outside/victim")], &before, &after);
        for name in ours.into_iter().chain([forgotten.as_str()]) {
            assert!(!backups.dir().join(name).exists(), "{name}, round {round}");
        }
    }
    let dir = backups.dir().display().to_string();
    let said = command(&["backup", "verify", &dir, "-o", "json", "--ignore", "reference"], &folder);
    // They are reported, and are no damage.
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let findings = said.summary["findings"].as_array().expect("a list").clone();
    let foreign = findings.iter().filter(|finding| finding["kind"] == "foreign").count();
    assert_eq!((foreign, findings.len()), (placed.len(), placed.len()), "{findings:?}");
}

#[test]
fn what_others_put_into_a_warehouse_stays() {
    let account = sandbox(small());
    for format in ["ndjson", "parquet"] {
        let warehouse = WarehouseFixture::of(&account, format, &["deals", "currencies"]);
        warehouse.sync(&[]).succeeded();
        let folder = above(&warehouse.dir());
        hostile(&folder);
        let names = [
            "thesis.txt",
            "part-mine.parquet",
            "deals.ndjson.bak",
            "deals.rebuild-mine.ndjson",
            "currencies-mine.json",
            "notes#1",
        ];
        let placed = furnish(&warehouse.dir(), &["", "_keys", "deals", "persons", "mine"], &names);
        let run = "20260101T000000123456Z-0a0b";
        let ours = [
            format!("deals/part-{run}-00001.parquet"),
            format!("_keys/currencies-{run}-00001.json"),
            format!("deals.rebuild-{run}.ndjson"),
            "manifest.json#7".to_owned(),
        ];
        for name in &ours {
            fs::write(warehouse.dir().join(name), "ours").expect("it is written");
        }
        let before = digest(&folder);
        for more in [&[][..], &["--full"], &[]] {
            crate::support::change(&account, &[("deals", 2)]);
            warehouse.sync(more).succeeded();
            untouched(&placed, &before, &digest(&folder));
            for name in &ours {
                assert!(!warehouse.dir().join(name).exists(), "{name}");
            }
        }
        warehouse.assert_current(&account);
    }
}

#[test]
fn a_folder_with_only_a_strange_name_is_not_empty() {
    let account = sandbox(small());
    let odd = OsString::from_vec(b"caf\xe9".to_vec());
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["stages"]);
    let backups = BackupFixture::of(&account, &["stages"]);
    for dir in [warehouse.dir(), backups.dir()] {
        fs::create_dir_all(&dir).expect("it is made");
        fs::write(dir.join(&odd), "mine").expect("it is written");
    }
    let sync = Act { name: "sync", run: Box::new(|| warehouse.sync(&[])) };
    refuse(&[sync], &warehouse.dir(), "name", "other files");
    refuse(&on_backup(&backups)[..1], &backups.dir(), "name", "other files");
}

#[test]
fn the_folder_itself_may_be_a_link() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["stages"]);
    let warehouse = WarehouseFixture::of(&account, "parquet", &["stages"]);
    for dir in [backups.dir(), warehouse.dir()] {
        fs::create_dir_all(above(&dir).join("elsewhere")).expect("it is made");
        symlink("elsewhere", &dir).expect("it is linked");
    }
    backups.run(&[]).succeeded();
    backups.assert_whole(&account);
    warehouse.sync(&[]).succeeded();
    warehouse.assert_once(&account);
}

#[test]
fn files_and_folders_are_their_owners_alone() {
    let account = sandbox(small());
    let backups = backed_up(&account);
    let warehouse = WarehouseFixture::of(&account, "parquet", &["deals", "currencies"]);
    warehouse.sync(&[]).succeeded();
    for dir in [backups.dir(), warehouse.dir()] {
        for (path, shown) in digest(&dir) {
            let mode = shown.split(' ').next().expect("a mode");
            assert!(mode == "100600" || mode == "40700", "{}: {mode}", path.display());
        }
    }
}

#[test]
fn a_company_that_is_not_named_is_nobodys() {
    let nameless = sandbox(Options { company_id: 0, ..small() });
    let backups = BackupFixture::of(&nameless, &["stages"]);
    backups.run(&[]).failed(69, &["company_id"]);
    assert!(!backups.dir().exists());
    let warehouse = WarehouseFixture::of(&nameless, "ndjson", &["stages"]);
    warehouse.sync(&[]).failed(69, &["company_id"]);
    assert!(!warehouse.dir().exists());
    let bundles = crate::support::bundle::BundleFixture::new().account(&nameless);
    let (code, message) = bundles.run(&["export", "--out", "a.json"]).error();
    assert!(code == 69 && message.contains("company_id"), "{code} {message}");

    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["stages"]);
    backups.run(&[]).succeeded();
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["stages"]);
    warehouse.sync(&[]).succeeded();
    for id in [None, Some(Value::Null), Some(json!(0))] {
        for (dir, mut manifest) in
            [(backups.dir(), backups.manifest()), (warehouse.dir(), warehouse.manifest())]
        {
            let holder = manifest["account"].as_object_mut().expect("an object");
            holder.remove("company_id");
            holder.extend(id.clone().map(|id| ("company_id".to_owned(), id)));
            write(&dir, &manifest);
        }
        backups.run(&[]).failed(78, &["does not say of which company", "account.company_id"]);
        warehouse.sync(&[]).failed(78, &["does not say of which company", "account.company_id"]);
    }
}
