//! The location of a data set: a local folder, or a prefix in an S3 bucket.

use super::s3;
use crate::model::{Error, Kind, Result, address, is_deceptive};
use object_store::ObjectStore;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Shortest name of a bucket.
const BUCKET_BYTES_MIN: usize = 3;
/// Longest name of a bucket.
const BUCKET_BYTES_MAX: usize = 63;

/// The location of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A local folder.
    Folder(PathBuf),
    /// A bucket, and the prefix of all names in it. The prefix has no outer slashes and may be empty.
    Bucket {
        /// The bucket's name.
        bucket: String,
        /// The prefix.
        prefix: String,
    },
}

impl Location {
    /// Parses `DIR` or `s3://bucket/prefix`, the value of `--dir`.
    pub fn parse(text: &str) -> Result<Self> {
        Self::named("--dir", text)
    }

    /// Parses the value of another flag or argument, which errors name.
    pub fn named(flag: &str, text: &str) -> Result<Self> {
        // White space around an address has no meaning. The name of a folder may begin or end with it.
        let text = if text.contains("://") { text.trim() } else { text };
        let usage =
            |message: &str| Err(Error::new(Kind::Usage, message).at(format!("{flag} {text}")));
        let Some(rest) = text.strip_prefix("s3://").or_else(|| text.strip_prefix("s3a://")) else {
            return match text.split_once("://") {
                Some(_) => usage("only folders and s3://bucket/prefix are supported"),
                None if text.starts_with("s3:") => usage("must look like s3://bucket/prefix"),
                None if text.is_empty() => usage("a folder or s3://bucket/prefix is needed"),
                None => Ok(Self::Folder(PathBuf::from(text))),
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let odd = |c: char| c.is_control() || is_deceptive(c);
        if bucket.is_empty()
            || prefix.contains(odd)
            || prefix.split('/').any(|part| part == ".." || part == ".")
        {
            return usage("must look like s3://bucket/prefix");
        }
        if prefix.contains("//") {
            return usage("the prefix has two slashes in a row");
        }
        if !is_bucket(bucket) {
            return usage(
                "not a bucket's name: 3 to 63 letters, digits, dots, hyphens and underscores, a \
                 letter or digit at both ends",
            );
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// Opens the object store of a bucket. All names are relative to the prefix.
    pub(super) fn objects(&self) -> Result<Arc<dyn ObjectStore>> {
        let Self::Bucket { bucket, prefix } = self else {
            return Err(Error::new(Kind::Bug, "a folder is no bucket").at(self.to_string()));
        };
        let bucket = s3::bucket(bucket, &|name| std::env::var_os(name)).map_err(|error| {
            // Most errors result from a variable, and name it.
            if error.place().is_some() { error } else { error.at(self.to_string()) }
        })?;
        if prefix.is_empty() {
            return Ok(Arc::new(bucket));
        }
        let prefix = object_store::path::Path::parse(prefix).map_err(|error| {
            Error::new(Kind::Usage, "prefix is not a valid name")
                .at(self.to_string())
                .because(error)
        })?;
        Ok(Arc::new(object_store::prefix::PrefixStore::new(bucket, prefix)))
    }

    /// Returns the folder. `None` for a bucket.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Bucket { .. } => None,
        }
    }

    /// Returns the full name of a path in it, for messages.
    pub(super) fn name_of(&self, path: &str) -> String {
        match self {
            Self::Folder(folder) => folder.join(path).display().to_string(),
            Self::Bucket { .. } => format!("{self}/{path}"),
        }
    }
}

/// Returns whether any kind of S3 server accepts this name of a bucket.
fn is_bucket(name: &str) -> bool {
    let inner = name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
    let ends = [name.bytes().next(), name.bytes().last()];
    let ends = ends.iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()));
    let length = (BUCKET_BYTES_MIN..=BUCKET_BYTES_MAX).contains(&name.len());
    inner && ends && length && !name.contains("..") && address(name).is_none()
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = match Location::parse(text) {
            Ok(Location::Folder(folder)) => format!("folder {}", folder.display()),
            Ok(Location::Bucket { bucket, prefix }) => format!("bucket {bucket} prefix {prefix}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_place_is_a_folder_or_a_bucket() {
        check("./data", "folder ./data");
        check("s3://lake", "bucket lake prefix ");
        check("s3://lake/crm/pipedrive/", "bucket lake prefix crm/pipedrive");
        check("s3:/lake", "--dir s3:/lake: must look like s3://bucket/prefix");
        check("s3:///x", "--dir s3:///x: must look like s3://bucket/prefix");
        check("s3://lake/../x", "--dir s3://lake/../x: must look like s3://bucket/prefix");
        check(" s3://lake/x\n", "bucket lake prefix x");
        check("s3://abc/x//b", "--dir s3://abc/x//b: the prefix has two slashes in a row");
        check("gs://lake", "--dir gs://lake: only folders and s3://bucket/prefix are supported");
    }
}
