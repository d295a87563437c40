//! The lists per parent that a backup holds, for the next backup.

use super::file::REFUSED_KEYS_MAX;
use super::opened::BackupReader;
use crate::model::{Carried, Error, Kind, Resource, Result, key_of};
use serde_json::Value;

impl BackupReader {
    /// Returns the rows of a list per parent that [may be carried over](Resource::carried), and the
    /// parents of the previous backup. `None` if the backup does not contain both completely, or if they
    /// exceed the memory limit.
    pub async fn carried(&self, resource: &'static Resource) -> Result<Option<Carried>> {
        let (Some(file), Some(parents)) = (self.file(resource.file), resource.parent_resource())
        else {
            return Ok(None);
        };
        let failed = &self.backup().failed;
        let whole = |stem: &str| !failed.contains_key(stem) && self.holds(stem);
        let Some(column) = resource.column_of_parent().filter(|_| resource.carried) else {
            return Ok(None);
        };
        if file.refused.len() >= REFUSED_KEYS_MAX || !whole(resource.file) || !whole(parents.file) {
            return Ok(None);
        }
        let mut carried = Carried::new(file.read_from);
        let mut rows = self.rows(parents.file, true).await?;
        while let Some(row) = rows.next().await? {
            // A list that was refused may be accessible now.
            let key = key_of(parents, row.json).filter(|key| !file.refused.contains(key));
            if key.is_some_and(|key| !carried.parent(&key)) {
                return Ok(None);
            }
        }
        let mut proofs = vec![(parents.file, rows.proof())];
        let mut rows = self.rows(resource.file, true).await?;
        while let Some(row) = rows.next().await? {
            let json: Value = serde_json::from_str(row.json).map_err(|error| {
                Error::new(Kind::Data, "row is not readable").at(resource.file).because(error)
            })?;
            if !carried.row(&json[column].to_string(), row.json) {
                return Ok(None);
            }
        }
        proofs.push((resource.file, rows.proof()));
        let proven = |(stem, proof): &(&str, super::Proof)| {
            self.file(stem).is_some_and(|file| proof.sha256.as_deref() == Some(&*file.sha256))
        };
        Ok(proofs.iter().all(proven).then_some(carried))
    }
}
