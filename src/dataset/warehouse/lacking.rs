//! Resources that the company does not have.

use super::writer::Warehouse;
use crate::model::{Resource, Result, Time};

impl Warehouse {
    /// Records that a resource is being read. This removes the entry that the company does not have it.
    pub fn starts(&mut self, resource: &Resource) {
        self.manifest.unavailable.remove(resource.name);
    }

    /// Records that the company does not have a resource. `said` is Pipedrive's message. Earlier rows
    /// and the watermark stay. When the resource is available again, the next run continues from the
    /// watermark, or reads from the beginning if there is none.
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
