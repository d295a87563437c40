//! One organization: its rows, its pipelines, its history.

use super::options::CrmTenant;
use super::rows::{Event, Rows, uuid};

/// The stages of every organization's default pipeline.
const STAGES: [(&str, &str); 7] = [
    ("Unassigned", "open"),
    ("Prospect", "open"),
    ("Qualification", "open"),
    ("Proposal", "open"),
    ("Negotiation", "open"),
    ("Won", "won"),
    ("Lost", "lost"),
];

#[derive(Debug, Clone)]
pub(super) struct Tenant {
    pub(super) key: String,
    pub(super) organization_id: String,
    pub(super) pipelines: Vec<Pipeline>,
    pub(super) arrays: [Rows; 5],
    pub(super) events: Vec<Event>,
}

#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) id: String,
    name: String,
    pub(super) stages: Vec<Stage>,
}

#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) id: String,
    name: String,
    pub(super) ty: String,
}

impl Tenant {
    /// Returns the organization with this index.
    pub(super) fn new(place: usize, options: &CrmTenant) -> Self {
        let default = STAGES.map(|(name, ty)| (name.to_owned(), ty.to_owned()));
        let all = [("Default pipeline".to_owned(), default.to_vec())];
        let mut number = place as u64 * 1_000;
        let mut next = |kind| {
            number += 1;
            uuid(kind, number)
        };
        let pipelines = all.iter().chain(&options.pipelines).map(|(name, stages)| Pipeline {
            id: next(0x919e),
            name: name.clone(),
            stages: stages
                .iter()
                .map(|(name, ty)| Stage { id: next(0x57a9), name: name.clone(), ty: ty.clone() })
                .collect(),
        });
        Self {
            key: options.key.clone(),
            organization_id: options.organization_id.clone(),
            pipelines: pipelines.collect(),
            arrays: Default::default(),
            events: Vec::new(),
        }
    }

    /// Returns the pipelines as a response.
    pub(super) fn shown(&self) -> serde_json::Value {
        let pipelines = self.pipelines.iter().enumerate().map(|(place, pipeline)| {
            let stages = pipeline.stages.iter().enumerate().map(|(position, stage)| {
                serde_json::json!({
                    "id": stage.id,
                    "name": stage.name,
                    "stage_type": stage.ty,
                    "position": position,
                })
            });
            serde_json::json!({
                "id": pipeline.id,
                "name": pipeline.name,
                "is_default": place == 0,
                "stages": stages.collect::<Vec<_>>(),
            })
        });
        serde_json::json!({
            "opportunity_pipelines": pipelines.collect::<Vec<_>>(),
            "default_pipeline_id": self.pipelines[0].id,
            "total_count": self.pipelines.len(),
        })
    }

    /// Returns the stage of a row: pipeline, stage, and the corresponding status.
    ///
    /// A stage determines its pipeline. Without a stage, the first stage of the pipeline is used. Without
    /// both, it is the first stage of the default pipeline, Unassigned.
    pub(super) fn stage(
        &self,
        pipeline: Option<&str>,
        stage: Option<&str>,
    ) -> Result<(&str, &str, &str), &'static str> {
        let home = match pipeline {
            None => None,
            Some(id) => Some(
                self.pipelines
                    .iter()
                    .find(|pipeline| pipeline.id == id)
                    .ok_or("pipeline_id does not belong to this organization")?,
            ),
        };
        let Some(stage) = stage else {
            let pipeline = home.unwrap_or(&self.pipelines[0]);
            let first = pipeline.stages.first().ok_or("the pipeline has no stage")?;
            return Ok((&pipeline.id, &first.id, &first.ty));
        };
        let all = self.pipelines.iter().flat_map(|p| p.stages.iter().map(move |s| (p, s)));
        let found = all.into_iter().find(|(_, known)| known.id == stage);
        let (pipeline, stage) =
            found.ok_or("pipeline_stage_id does not belong to this organization")?;
        if home.is_some_and(|home| home.id != pipeline.id) {
            return Err("pipeline_stage_id is not a stage of pipeline_id");
        }
        Ok((&pipeline.id, &stage.id, &stage.ty))
    }
}
