//! The endpoints of a CRM that bundles use. Comments say which responses are documented and which are
//! guessed (drippulse.md 2, 3).

use super::format::Entity;
use super::reader::{Reader, Survey};
use super::sidecar::{Pipeline, Sidecar, Source, Stage, Stamp};
use crate::api::Crm;
use crate::dataset::{TempFile, Turn};
use crate::model::{Error, Kind, Result, Time};
use serde::Deserialize;
use std::path::Path;

/// The endpoint that exports the rows of the organization as a bundle.
const EXPORT: &str = "/crm/export";
/// The endpoint that lists pipelines and their stages.
const PIPELINES: &str = "/crm/opportunity_pipelines";
/// The endpoint that lists change events.
const CHANGES: &str = "/crm/change_events";

/// Bytes of an export, or of a list of events, that are taken unless more is asked for: some ten million
/// rows.
pub const ANSWER_BYTES_MAX: u64 = 16 << 30;

/// The list of pipelines. The key varies between CRMs; the list is not paginated.
#[derive(Deserialize, Default)]
struct Pipelines {
    #[serde(default, alias = "pipelines", alias = "data")]
    opportunity_pipelines: Vec<Listed>,
    #[serde(default)]
    default_pipeline_id: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    is_default: Option<bool>,
    #[serde(default)]
    stages: Option<Vec<ListedStage>>,
}

#[derive(Deserialize)]
struct ListedStage {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    stage_type: Option<String>,
    #[serde(default)]
    position: Option<f64>,
}

/// Downloads the export of the organization into an existing file and replaces its content. Returns the
/// time of the server's clock.
///
/// An export of more than `most` bytes is a [`Kind::Data`] error.
pub async fn fetch(crm: &Crm, path: &Path, most: u64) -> Result<Option<Time>> {
    crm.download(EXPORT, &[], path, most).await
}

/// Downloads the change events into a file.
pub async fn changes(
    crm: &Crm,
    record_type: Option<&str>,
    record_id: Option<&str>,
    path: &Path,
    most: u64,
) -> Result<()> {
    let filters = [("record_type", record_type), ("record_id", record_id)];
    let query: Vec<_> =
        filters.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
    crm.download(CHANGES, &query, path, most).await.map(|_| ())
}

/// Returns the pipelines of the organization. The list is empty if the CRM has no such endpoint.
pub async fn pipelines(crm: &Crm) -> Result<Vec<Pipeline>> {
    let found: Pipelines = crm
        .get(PIPELINES, &[], |reply| {
            if reply.status == 404 {
                return Ok(Pipelines::default());
            }
            serde_json::from_slice(reply.success()?).map_err(|error| {
                Error::new(Kind::Shape, "answer is no list of pipelines").because(error)
            })
        })
        .await?;
    let default = found.default_pipeline_id;
    let pipelines = found.opportunity_pipelines.into_iter().map(|pipeline| {
        let mut stages = pipeline.stages.unwrap_or_default();
        stages.sort_by(|one, other| {
            let place = |stage: &ListedStage| stage.position.unwrap_or(0.0);
            place(one).total_cmp(&place(other))
        });
        let stages = stages.into_iter().map(|stage| Stage {
            id: stage.id,
            name: stage.name.unwrap_or_default(),
            stage_type: stage.stage_type.unwrap_or_else(|| "open".to_owned()),
            external_id: None,
        });
        Pipeline {
            default: default.as_ref() == Some(&pipeline.id) || pipeline.is_default == Some(true),
            id: pipeline.id,
            name: pipeline.name.unwrap_or_default(),
            external_id: None,
            stages: stages.collect(),
        }
    });
    Ok(pipelines.collect())
}

/// Writes the export of the organization as a bundle, byte for byte as the CRM sent it, and a side-car. The
/// side-car holds the pipelines, and the value forms that other side-cars in the folder record for this
/// organization.
pub async fn pull(crm: &Crm, path: &Path, most: u64) -> Result<(Survey, Sidecar)> {
    let scrap = TempFile::beside(path, "partial")?;
    fetch(crm, scrap.path(), most).await?;
    let mut reader = Reader::hashed(scrap.path())?;
    let source =
        Source { system: "crm".to_owned(), from: crm.origin().to_owned(), ..Source::default() };
    let stamp = Stamp { sha256: String::new(), bytes: 0 };
    let mut context = Sidecar::empty(stamp, source);
    context.pipelines = pipelines(crm).await?;
    for entity in Entity::ALL {
        context.counts_of(entity);
    }
    while let Some(row) = reader.next().await? {
        let there = |name| super::value_of(row.json, name).is_some_and(|at| at != "null");
        let (deleted, archived) = (there("deleted_at"), there("archived_at"));
        let counts = context.counts_of(row.entity);
        counts.rows += 1;
        counts.deleted += u64::from(deleted);
        counts.archived += u64::from(archived);
    }
    let survey = reader.survey();
    survey.head.check_version()?;
    context.source.organization_id = survey.head.organization();
    if let Some(organization) = survey.head.organization() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let forms = Sidecar::forms_in(folder.unwrap_or(Path::new(".")), &organization);
        context.forms = (!forms.is_empty()).then_some((organization, forms)).into_iter().collect();
    }
    context.bundle = Stamp { sha256: survey.sha256.clone(), bytes: survey.bytes };
    let turn = Turn::beside(path)?;
    context.write(path)?;
    scrap.persist(path)?;
    drop(turn);
    Ok((survey, context))
}
