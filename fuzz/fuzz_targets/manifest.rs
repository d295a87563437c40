//! A manifest, of a backup and of a warehouse, in a folder with nothing else.
//!
//! Both are looked into as every command does before it does anything else; a backup is verified.
#![no_main]

use libfuzzer_sys::fuzz_target;
use source_pipedrive::dataset::Place;
use source_pipedrive::dataset::snapshot::{Manifest, BackupReader};
use source_pipedrive::dataset::verify::{Options, verify};
use source_pipedrive::dataset::warehouse::Inventory;
use source_pipedrive::model::Resource;
use std::path::PathBuf;
use std::sync::LazyLock;
use tokio::runtime::{Builder, Runtime};

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fuzz-manifest-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
    std::fs::write(folder.join("stages.json"), "[\n{\"id\":1}\n]\n").expect("so can a file");
    folder
});
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime starts"));

fuzz_target!(|input: &[u8]| {
    if let Ok(manifest) = Manifest::from_json(input, "manifest.json") {
        let written = manifest.to_json();
        let again = Manifest::from_json(&written, "manifest.json").expect("what we write we read");
        assert_eq!(again.to_json(), written);
        let (_, _) = (manifest.backup.finished(), manifest.backup.asked());
    }
    std::fs::write(FOLDER.join("manifest.json"), input).expect("the folder can be written");
    let place = Place::parse(&FOLDER.display().to_string()).expect("a folder is a place");
    RUNTIME.block_on(async {
        if let Ok(Some(inventory)) = Inventory::of(&place).await {
            for resource in Resource::all() {
                let (_, _) = (inventory.state(resource), inventory.rows(resource));
            }
        }
        if let Ok(snapshot) = BackupReader::open(&place).await {
            let options = Options { sample: 100.0, ignore: Vec::new() };
            let _ = verify(&snapshot, &options).await;
        }
    });
});
