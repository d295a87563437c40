//! Resources that the company does not have.

use super::writer::Warehouse;
use crate::model::{Resource, Result, Time};

impl Warehouse {
    /// A resource is being read: that the company had it not before says nothing any more.
    pub fn starts(&mut self, resource: &Resource) {
        self.manifest.unavailable.remove(resource.name);
    }

    /// Records that the company lacks a resource; `said` is Pipedrive's message. Earlier rows and the
    /// watermark stay. When the resource is available again, the next run continues from there, or
    /// starts.
    pub async fn lacks(
        &mut self,
        resource: &'static Resource,
        said: String,
        now: Time,
    ) -> Result<()> {
        self.manifest.unavailable.insert(resource.name.to_owned(), said);
        self.fail(resource, now).await
    }
}
