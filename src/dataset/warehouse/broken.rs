//! Resources that could not be stored while the others were.

use crate::model::{Error, Kind, Resource, Result};

/// The resources whose files could not be written, with the errors. Rows that a run received of them
/// since the last commit are not committed.
#[derive(Debug, Default)]
pub(super) struct Broken(Vec<(&'static Resource, Kind, String)>);

impl Broken {
    pub(super) fn add(&mut self, resource: &'static Resource, error: &Error) {
        self.0.push((resource, error.kind(), error.to_string()));
    }

    pub(super) fn holds(&self, resource: &Resource) -> bool {
        self.0.iter().any(|(broken, ..)| broken.name == resource.name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn errors(&self) -> impl Iterator<Item = (&'static Resource, Error)> {
        self.0.iter().map(|(resource, kind, text)| (*resource, Error::new(*kind, text.clone())))
    }

    /// Fails if there is an error. The run must then accept no more rows.
    pub(super) fn check(&self) -> Result<()> {
        self.errors().next().map_or(Ok(()), |(_, error)| Err(error))
    }
}
