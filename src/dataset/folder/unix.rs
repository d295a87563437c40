//! The handle of a folder on systems that open names relative to a handle.

use super::{Access, Found, Other, is_link, names, refused};
use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::ffi::{CStr, OsString};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Result};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The flags with which every name below the folder is opened: links are not followed, pipes do not
/// block, and the descriptor is closed on exec.
const FLAGS: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);
/// The mode of files: only the owner has access.
const FILE_MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
/// The mode of folders: only the owner has access.
const FOLDER_MODE: u32 = 0o700;

#[derive(Debug)]
pub(super) struct Handle(OwnedFd);

/// A folder on the path of a file.
enum FolderFd<'h> {
    Top(BorrowedFd<'h>),
    Below(OwnedFd),
}

impl FolderFd<'_> {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Top(fd) => *fd,
            Self::Below(fd) => fd.as_fd(),
        }
    }
}

impl Handle {
    pub(super) fn open(path: &Path, make: bool) -> Result<Self> {
        if make {
            DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)?;
        }
        let flags = (OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).bits();
        let folder = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        Ok(Self(folder.into()))
    }

    pub(super) fn file(&self, path: &str, access: Access) -> Result<File> {
        let (folder, name) = self.parent(path)?;
        let flags = FLAGS
            | match access {
                Access::Read => OFlag::O_RDONLY,
                Access::Write => OFlag::O_RDWR,
                Access::WriteOrCreate => OFlag::O_RDWR | OFlag::O_CREAT,
                Access::Create => OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL,
            };
        let file = openat(folder.fd(), name, flags, FILE_MODE)
            .map_err(|errno| explained(&folder, name, path, errno))?;
        let file = File::from(file);
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(refused("is no regular file"));
        }
        if access != Access::Read && found.nlink() > 1 {
            return Err(refused(
                "has a second name (a hard link), whose file would change with it: put a copy there",
            ));
        }
        Ok(file)
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let ((source, old), (target, new)) = (self.parent(from)?, self.parent(to)?);
        must_be_file(&source, old, from)?;
        match must_be_file(&target, new, to) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(renameat(source.fd(), old, target.fd(), new)?)
    }

    pub(super) fn remove(&self, path: &str) -> Result<()> {
        let (folder, name) = self.parent(path)?;
        must_be_file(&folder, name, path)?;
        Ok(unlinkat(folder.fd(), name, UnlinkatFlags::NoRemoveDir)?)
    }

    pub(super) fn make_folder(&self, path: &str) -> Result<()> {
        let (folder, name) = self.parent(path)?;
        match mkdirat(folder.fd(), name, Mode::S_IRWXU) {
            Ok(()) => Ok(()),
            Err(Errno::EEXIST) => enter(&folder, name, path).map(drop),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(super) fn remove_folder(&self, path: &str) -> Result<()> {
        let (folder, name) = self.parent(path)?;
        Ok(unlinkat(folder.fd(), name, UnlinkatFlags::RemoveDir)?)
    }

    pub(super) fn sync_names(&self, path: &str) -> Result<()> {
        let (folder, _) = self.parent(path)?;
        Ok(nix::unistd::fsync(folder.fd())?)
    }

    pub(super) fn entries(&self, path: &str) -> Result<Vec<(OsString, Found)>> {
        let folder = if path.is_empty() {
            // A separate descriptor is required, because its read position is shared with duplicates.
            openat(&self.0, ".", FLAGS | OFlag::O_DIRECTORY, Mode::empty())?
        } else {
            let (folder, name) = self.parent(path)?;
            enter(&folder, name, path)?
        };
        let mut folder = Dir::from_fd(folder)?;
        let mut named = Vec::new();
        for entry in folder.iter() {
            let entry = entry?;
            if ![c".", c".."].contains(&entry.file_name()) {
                named.push((entry.file_name().to_owned(), entry.file_type()));
            }
        }
        let mut entries = Vec::with_capacity(named.len());
        for (name, ty) in named {
            let found = match ty {
                Some(Type::Directory) => Found::Other(Other::Folder),
                Some(Type::Symlink) => Found::Other(Other::Link),
                _ => match fstatat(&folder, &*name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                    Ok(stat) => found(&stat),
                    // The entry was removed in the meantime.
                    Err(Errno::ENOENT) => continue,
                    Err(errno) => return Err(errno.into()),
                },
            };
            entries.push((text(&name), found));
        }
        Ok(entries)
    }

    /// Returns the folder that contains a file, and the name of the file in it.
    fn parent<'p>(&self, path: &'p str) -> Result<(FolderFd<'_>, &'p str)> {
        let (folders, name) = names(path)?;
        let mut place = FolderFd::Top(self.0.as_fd());
        for folder in folders {
            place = FolderFd::Below(enter(&place, folder, path)?);
        }
        Ok((place, name))
    }
}

/// Opens a folder on the path of a file.
fn enter(place: &FolderFd<'_>, name: &str, path: &str) -> Result<OwnedFd> {
    openat(place.fd(), name, FLAGS | OFlag::O_DIRECTORY, Mode::empty())
        .map_err(|errno| explained(place, name, path, errno))
}

fn text(name: &CStr) -> OsString {
    std::ffi::OsStr::from_bytes(name.to_bytes()).to_owned()
}

fn found(stat: &FileStat) -> Found {
    match kind(stat) {
        SFlag::S_IFREG => Found::File(u64::try_from(stat.st_size).unwrap_or_default()),
        SFlag::S_IFDIR => Found::Other(Other::Folder),
        SFlag::S_IFLNK => Found::Other(Other::Link),
        _ => Found::Other(Other::Special),
    }
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn must_be_file(place: &FolderFd<'_>, name: &str, path: &str) -> Result<()> {
    let stat = fstatat(place.fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    match kind(&stat) {
        SFlag::S_IFREG => Ok(()),
        SFlag::S_IFLNK => Err(is_link(name, path)),
        _ => Err(refused("is no regular file")),
    }
}

/// Explains an error. Systems return different errors for a link that must not be followed.
fn explained(place: &FolderFd<'_>, name: &str, path: &str, errno: Errno) -> std::io::Error {
    let stat = fstatat(place.fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW);
    match stat.as_ref().map(kind) {
        Ok(SFlag::S_IFLNK) if errno != Errno::EEXIST => is_link(name, path),
        Ok(kind) if errno == Errno::ENOTDIR && kind != SFlag::S_IFDIR => refused("is no folder"),
        Ok(kind) if errno == Errno::EISDIR && kind == SFlag::S_IFDIR => {
            refused("is no regular file")
        }
        // Opening a socket or a pipe fails in this way.
        Ok(SFlag::S_IFSOCK | SFlag::S_IFIFO) => refused("is no regular file"),
        _ => errno.into(),
    }
}
