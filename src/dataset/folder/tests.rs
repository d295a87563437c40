use super::*;
use std::path::PathBuf;

/// Runs a check with both implementations on the same folder.
macro_rules! with_both {
    ($folder:expr, $check:expr) => {{
        #[cfg(unix)]
        $check(&|path, access| unix::Handle::open($folder, false)?.file(path, access).map(drop));
        $check(&|path, access| paths::Handle::open($folder, false)?.file(path, access).map(drop));
    }};
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("folder-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(path.join("inside/deep")).expect("it is made");
        std::fs::create_dir_all(path.join("outside")).expect("it is made");
        std::fs::write(path.join("inside/a"), "a").expect("it is written");
        std::fs::write(path.join("inside/deep/b"), "bb").expect("it is written");
        std::fs::write(path.join("outside/secret"), "theirs").expect("it is written");
        Self(path)
    }

    fn inside(&self) -> PathBuf {
        self.0.join("inside")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Remaining files are harmless.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

type Open<'o> = &'o dyn Fn(&str, Access) -> Result<()>;

#[track_caller]
fn refuses(open: Open<'_>, path: &str, words: &str) {
    for access in [Access::Read, Access::Write, Access::WriteOrCreate] {
        let error = open(path, access).expect_err(path);
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{path} {access:?}: {error}");
        assert!(error.to_string().contains(words), "{path} {access:?}: {error}");
    }
}

#[test]
fn only_names_below_the_folder_are_opened() {
    let scratch = Scratch::new("names");
    let long = format!("/{}", scratch.0.join("outside/secret").display());
    with_both!(&scratch.inside(), |open: Open<'_>| {
        for path in ["", ".", "..", "../outside/secret", "deep/../a", "deep//b", "a\0b", "deep/"] {
            refuses(open, path, "no name below");
        }
        refuses(open, &long, "no name below");
        open("a", Access::Read).expect("it is there");
        open("deep/b", Access::Write).expect("it is there");
        assert!(open("deep", Access::Read).is_err());
        let missing = open("deep/c", Access::Read).expect_err("it is not there");
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    });
}

#[cfg(unix)]
#[test]
fn nothing_is_opened_through_a_link() {
    use std::os::unix::fs::symlink;
    let scratch = Scratch::new("links");
    let inside = scratch.inside();
    symlink("../outside/secret", inside.join("file")).expect("it is linked");
    symlink("../outside", inside.join("folder")).expect("it is linked");
    symlink("nowhere", inside.join("broken")).expect("it is linked");
    symlink("a", inside.join("own")).expect("it is linked");
    with_both!(&inside, |open: Open<'_>| {
        for path in ["file", "folder/secret", "broken", "own", "folder"] {
            refuses(open, path, "link");
        }
    });
    std::fs::hard_link(scratch.0.join("outside/secret"), inside.join("second")).expect("linked");
    let folder = Folder::open(&inside, false).expect("it is there");
    folder.read("second").expect("reading changes nothing");
    let error = folder.write("second", false).expect_err("it has two names");
    assert!(error.to_string().contains("hard link"), "{error}");
    for act in [
        folder.rename("a", "file"),
        folder.rename("file", "c"),
        folder.rename("a", "folder/c"),
        folder.remove("file"),
        folder.remove("folder"),
        folder.remove("folder/secret"),
        folder.make_folder("folder"),
        folder.make_folder("folder/c"),
        folder.sync_names("folder/secret"),
        folder.list(Some("folder")).map(drop),
        folder.create_pending("folder/c").map(drop),
        folder.create_pending("file").and_then(PendingFile::persist),
    ] {
        let error = act.expect_err("it would go through a link");
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    }
    let outside = std::fs::read_dir(scratch.0.join("outside")).expect("it is there");
    assert_eq!(outside.count(), 1);
    let secret = std::fs::read_to_string(scratch.0.join("outside/secret")).expect("it is there");
    assert_eq!(secret, "theirs");
    let listed = folder.list(None).expect("it is listed");
    let shown: Vec<_> = listed.others.iter().map(|(path, other)| (&**path, *other)).collect();
    assert_eq!(
        shown,
        [
            ("broken", Other::Link),
            ("deep", Other::Folder),
            ("file", Other::Link),
            ("folder", Other::Link),
            ("own", Other::Link),
        ]
    );
    let files: Vec<_> = listed.files.into_iter().collect();
    assert_eq!(files, [("a".into(), 1), ("deep/b".into(), 2), ("second".into(), 6)]);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_listed_and_never_waited_for() {
    let scratch = Scratch::new("special");
    let inside = scratch.inside();
    let socket = std::os::unix::net::UnixListener::bind(inside.join("socket"));
    nix::unistd::mkfifo(&inside.join("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("it is made");
    let folder = Folder::open(&inside, false).expect("it is there");
    let names = if socket.is_ok() { &["pipe", "socket"][..] } else { &["pipe"] };
    for name in names {
        let error = folder.read(name).expect_err("it is no file");
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
        assert_eq!(folder.list(None).expect("listed").others.get(*name), Some(&Other::Special));
    }
}

#[test]
fn a_file_that_is_not_settled_leaves_nothing() {
    let scratch = Scratch::new("arriving");
    let folder = Folder::open(&scratch.inside(), false).expect("it is there");
    let names = || folder.list(None).expect("it is listed").files.into_keys().collect::<Vec<_>>();
    let mut dropped = folder.create_pending("c").expect("it is begun");
    dropped.write(b"half").expect("it is written");
    assert_eq!(names().len(), 3);
    drop(dropped);
    let mut whole = folder.create_pending("a").expect("it is begun");
    whole.write(b"whole").expect("it is written");
    whole.persist().expect("it is settled");
    assert_eq!(names(), ["a", "deep/b"]);
    assert_eq!(std::fs::read(scratch.inside().join("a")).expect("it is there"), b"whole");
}
