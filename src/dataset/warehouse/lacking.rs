//! Resources that the company does not have.

use super::writer::Warehouse;
use crate::model::{Resource, Result, Time};

impl Warehouse {
    /// A resource is being read: that the company had it not before says nothing any more.
    pub fn starts(&mut self, resource: &Resource) {
        self.manifest.unavailable.remove(resource.name);
    }

    /// The company has not a resource; `said` is what Pipedrive said. Rows that were read before stay,
    /// and so does how far: when it is there again, the next run goes on from there, or begins.
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
