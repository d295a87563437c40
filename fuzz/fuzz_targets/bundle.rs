//! A bundle and, after a byte 0, its side-car: validated, indexed, compared with itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use source_pipedrive::bundle::{Sidecar, Diff, Index, beside, validate};
use std::path::PathBuf;
use std::sync::LazyLock;
use tokio::runtime::{Builder, Runtime};

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fuzz-bundle-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
    folder.join("a.bundle")
});
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime starts"));

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == 0);
    let (bundle, side_car) = input.split_at(end.unwrap_or(input.len()));
    std::fs::write(&*FILE, bundle).expect("the folder can be written");
    let context = beside(&FILE);
    match side_car.split_first() {
        Some((_, side_car)) => std::fs::write(&context, side_car).expect("so can a side-car"),
        // It may never have been there.
        None => drop(std::fs::remove_file(&context)),
    }
    RUNTIME.block_on(async {
        let context = Sidecar::read(&FILE).ok().flatten();
        let valid = validate(&FILE, context.as_ref(), |_, _| false).await;
        let indexed = Index::of(&FILE).await;
        if valid.is_ok_and(|validation| validation.total == 0) {
            assert!(indexed.is_ok(), "a valid bundle can be indexed");
            let mut diff = Diff::open(&FILE, &FILE, &[]).await.expect("a valid bundle is compared");
            assert!(diff.next().await.expect("it is read").is_none(), "it is itself");
        }
    });
});
