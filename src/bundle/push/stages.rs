//! Chooses the stage of the target for a row: by configuration, by id, by name, or by type.

use crate::bundle::sidecar::{Pipeline, Stage};
use crate::model::{Error, Kind, Members, Result, text};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// The way in which a stage was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By the option `--map-stages`.
    Given,
    /// By the same id in the target.
    Id,
    /// By the names of pipeline and stage.
    Name,
    /// By the name of the stage in another pipeline.
    StageName,
    /// By its type alone: a stage of the pipeline that fits the status.
    Type,
    /// No stage fits, so the target chooses one.
    Target,
}

/// A line of the table of mapped stages.
#[derive(Debug, Clone, Serialize)]
pub struct Used {
    /// The pipeline and stage in the bundle.
    pub from: String,
    /// The status of the rows.
    pub status: String,
    /// The pipeline and stage in the target.
    pub to: String,
    /// The way in which the stage was found.
    pub how: How,
    /// The number of rows.
    pub rows: u64,
}

/// The mapping from the stages of a bundle to the stages of a target.
#[derive(Debug, Clone)]
pub struct Stages {
    source: Vec<Pipeline>,
    /// The indexes of the source's stages and pipelines, by id.
    stage_places: HashMap<String, (usize, usize)>,
    pipeline_places: HashMap<String, usize>,
    target: Vec<Pipeline>,
    given: BTreeMap<String, (usize, usize)>,
    /// Whether a stage determines the status of its rows.
    typed: bool,
    used: BTreeMap<(String, String), (String, How, u64)>,
    /// The results of earlier look-ups. They avoid repeated searches through many stages.
    found: HashMap<RowStage, Found>,
}

/// The pipeline and stage index in the target, and the way in which they were found.
type Found = Option<((usize, usize), How)>;

/// The maximum number of stages, with the status of their rows, that are listed one by one.
const USED_MAX: usize = 1_000;
/// Most standings that are remembered.
const FOUND_MAX: usize = 10_000;

/// The stage of a row according to the bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RowStage {
    pipeline: Option<String>,
    stage: Option<String>,
    /// The names, for bundles without a side-car.
    pipeline_name: Option<String>,
    stage_name: Option<String>,
    status: Option<String>,
    /// The id of the target's pipeline that already contains the row.
    home: Option<String>,
}

impl RowStage {
    /// Reads the stage from the fields of a row.
    pub fn of(fields: &Members<'_>) -> Self {
        let get = |name: &str| {
            let found = fields.iter().rev().find(|(key, _)| key == name);
            found.and_then(|(_, value)| text(value))
        };
        Self {
            pipeline: get("pipeline_id"),
            stage: get("pipeline_stage_id"),
            pipeline_name: get("pipeline_name"),
            stage_name: get("stage_name"),
            status: get("status"),
            home: None,
        }
    }

    /// Sets the pipeline of the target that already contains the row.
    #[must_use]
    pub fn in_pipeline(mut self, id: Option<String>) -> Self {
        self.home = id;
        self
    }
}

impl Stages {
    /// Creates the mapping between these pipelines. `given` maps stages by name or id. An entry that
    /// matches no stage of the target, or several, is a [`Kind::Usage`] error.
    pub fn new(
        source: Vec<Pipeline>,
        target: Vec<Pipeline>,
        given: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let typed = target.iter().flat_map(|p| &p.stages).any(|stage| stage.stage_type != "open");
        let mut stages = Self { target, typed, ..Self::of_source(source) };
        for (from, to) in given {
            let found = stages.all().filter(|(p, s)| is_called(p, s, to)).count();
            let place = stages.places().find(|(p, s)| {
                let pipeline = &stages.target[*p];
                is_called(pipeline, &pipeline.stages[*s], to)
            });
            let (Some(place), 1) = (place, found) else {
                let all: Vec<_> =
                    stages.all().map(|(p, s)| format!("{}/{}", p.name, s.name)).collect();
                let several = if found > 1 { "several stages" } else { "no stage" };
                let message = format!(
                    "\"{to}\" names {several} of the target, whose stages are {}",
                    all.join(", ")
                );
                return Err(Error::new(Kind::Usage, message).at("--map-stages"));
            };
            stages.given.insert(from.clone(), place);
        }
        Ok(stages)
    }

    fn of_source(source: Vec<Pipeline>) -> Self {
        let (mut stages, mut pipelines) = (HashMap::new(), HashMap::new());
        for (p, pipeline) in source.iter().enumerate() {
            pipelines.entry(pipeline.id.clone()).or_insert(p);
            for (s, stage) in pipeline.stages.iter().enumerate() {
                stages.entry(stage.id.clone()).or_insert((p, s));
            }
        }
        Self {
            source,
            stage_places: stages,
            pipeline_places: pipelines,
            target: Vec::new(),
            given: BTreeMap::new(),
            typed: false,
            used: BTreeMap::new(),
            found: HashMap::new(),
        }
    }

    fn all(&self) -> impl Iterator<Item = (&Pipeline, &Stage)> {
        self.target.iter().flat_map(|pipeline| pipeline.stages.iter().map(move |s| (pipeline, s)))
    }

    fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        let pipelines = self.target.iter().enumerate();
        pipelines.flat_map(|(p, pipeline)| (0..pipeline.stages.len()).map(move |s| (p, s)))
    }

    /// Returns the names of a row's pipeline and stage in the bundle.
    fn names(&self, row: &RowStage) -> (Option<String>, Option<String>) {
        let source = self.source_of(row);
        let names = source.map(|(p, s)| (p.name.clone(), s.map(|s| s.name.clone())));
        match names {
            Some((pipeline, stage)) => (Some(pipeline), stage),
            None => (row.pipeline_name.clone(), row.stage_name.clone()),
        }
    }

    fn look(&mut self, row: &RowStage) -> Found {
        if let Some(found) = self.found.get(row) {
            return *found;
        }
        let status = row.status.as_deref().unwrap_or("open");
        let (pipeline, stage) = self.names(row);
        let found = self.find(row, pipeline.as_deref(), stage.as_deref(), status);
        if self.found.len() < FOUND_MAX {
            self.found.insert(row.clone(), found);
        }
        found
    }

    /// Returns whether the target's stage is certain for a row: configured, or found by id or name. For a
    /// row that is already in a pipeline, the name of the stage alone is not sufficient.
    pub fn is_certain(&mut self, row: &RowStage) -> bool {
        self.look(row).is_some_and(|(_, how)| match how {
            How::Given | How::Id | How::Name => true,
            How::StageName => row.home.is_none(),
            How::Type | How::Target => false,
        })
    }

    /// Returns the target's stage for a row, even if it is a guess. The row is not counted.
    pub fn guess(&mut self, row: &RowStage) -> Option<&Stage> {
        let ((p, s), _) = self.look(row)?;
        Some(&self.target[p].stages[s])
    }

    /// Returns whether a stage of the target can contain rows with this status.
    pub fn may_hold(&self, stage: &str, status: &str) -> bool {
        let found = self.all().find(|(_, known)| known.id == stage);
        found.is_some_and(|(_, stage)| !self.typed || stage.stage_type == status)
    }

    /// Returns the target's pipeline and stage for a row and counts the row. Returns `None` if the target
    /// chooses the stage.
    pub fn place(&mut self, row: &RowStage) -> Option<(&Pipeline, &Stage)> {
        let status = row.status.as_deref().unwrap_or("open");
        let (pipeline, stage) = self.names(row);
        let found = self.look(row);
        let shown = |part: Option<&str>, id: Option<&str>| part.or(id).unwrap_or("–").to_owned();
        let from = format!(
            "{}/{}",
            shown(pipeline.as_deref(), row.pipeline.as_deref()),
            shown(stage.as_deref(), row.stage.as_deref())
        );
        let to = found.map(|((p, s), _)| {
            let pipeline = &self.target[p];
            format!("{}/{}", pipeline.name, pipeline.stages[s].name)
        });
        let how = found.map_or(How::Target, |(_, how)| how);
        let to = to.unwrap_or_else(|| "as the target decides".to_owned());
        let mut standing = (from, status.to_owned());
        if self.used.len() >= USED_MAX && !self.used.contains_key(&standing) {
            standing = ("other stages".to_owned(), "any".to_owned());
        }
        let used = self.used.entry(standing).or_insert((to, how, 0));
        used.2 += 1;
        let (p, s) = found?.0;
        Some((&self.target[p], &self.target[p].stages[s]))
    }

    fn find(
        &self,
        row: &RowStage,
        pipeline: Option<&str>,
        stage: Option<&str>,
        status: &str,
    ) -> Option<((usize, usize), How)> {
        let of = |(p, s): (usize, usize)| (&self.target[p], &self.target[p].stages[s]);
        // A stage of another type would change the status of the row.
        let fits = |place: &(usize, usize)| !self.typed || of(*place).1.stage_type == status;
        let told = self.given.iter().find(|(from, _)| {
            let whole = match (pipeline, stage) {
                (Some(pipeline), Some(stage)) => format!("{pipeline}/{stage}"),
                _ => String::new(),
            };
            [Some(whole.as_str()), stage, row.stage.as_deref()]
                .into_iter()
                .flatten()
                .any(|name| !name.is_empty() && alike(name, from))
        });
        if let Some(place) = told.map(|(_, place)| *place).filter(fits) {
            return Some((place, How::Given));
        }
        if let Some(id) = row.stage.as_deref()
            && let Some(place) = self.places().filter(fits).find(|place| of(*place).1.id == id)
        {
            return Some((place, How::Id));
        }
        let main = self.target.iter().position(|p| p.default).unwrap_or(0);
        let standing =
            row.home.as_ref().and_then(|id| self.target.iter().position(|p| p.id == *id));
        let named = |name: &str| self.target.iter().position(|p| alike(&p.name, name));
        let home = pipeline.and_then(named).or(standing);
        if let Some(name) = stage {
            let mut named: Vec<_> = self
                .places()
                .filter(fits)
                .filter(|place| alike(&of(*place).1.name, name))
                .collect();
            named.sort_by_key(|(p, s)| (Some(*p) != home, *p != main, *p, *s));
            if let Some(place) = named.first() {
                let how = if Some(place.0) == home { How::Name } else { How::StageName };
                return Some((*place, how));
            }
        }
        let pipeline = home.unwrap_or(main);
        let mut fitting = self.places().filter(|(p, _)| *p == pipeline).filter(fits);
        // If stages have no type, a won row belongs to the last stage.
        let place = if !self.typed && status == "won" { fitting.last() } else { fitting.next() };
        place.or_else(|| self.places().find(fits)).map(|place| (place, How::Type))
    }

    fn source_of(&self, row: &RowStage) -> Option<(&Pipeline, Option<&Stage>)> {
        if let Some((p, s)) = row.stage.as_ref().and_then(|id| self.stage_places.get(id)) {
            let pipeline = &self.source[*p];
            return Some((pipeline, Some(&pipeline.stages[*s])));
        }
        let place = self.pipeline_places.get(row.pipeline.as_ref()?)?;
        Some((&self.source[*place], None))
    }

    /// Returns the stages used so far, with the number of rows.
    pub fn used(&self) -> Vec<Used> {
        let used = self.used.iter().map(|((from, status), (to, how, rows))| Used {
            from: from.clone(),
            status: status.clone(),
            to: to.clone(),
            how: *how,
            rows: *rows,
        });
        used.collect()
    }
}

/// Returns whether a text names this stage: by id, by name, or by pipeline and name.
fn is_called(pipeline: &Pipeline, stage: &Stage, wish: &str) -> bool {
    stage.id == wish
        || alike(&stage.name, wish)
        || alike(&format!("{}/{}", pipeline.name, stage.name), wish)
}

/// Returns whether two names are equal, ignoring case and surrounding spaces.
fn alike(one: &str, other: &str) -> bool {
    one == other || one.trim().to_lowercase() == other.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(name: &str, stages: &[(&str, &str)]) -> Pipeline {
        let stages = stages.iter().map(|(stage, ty)| Stage {
            id: format!("{name}:{stage}"),
            name: (*stage).to_owned(),
            stage_type: (*ty).to_owned(),
            external_id: None,
        });
        Pipeline {
            id: name.to_owned(),
            name: name.to_owned(),
            default: name == "Main",
            external_id: None,
            stages: stages.collect(),
        }
    }

    fn crm() -> Vec<Pipeline> {
        let main = [
            ("Unassigned", "open"),
            ("Proposal", "open"),
            ("Negotiation", "open"),
            ("Won", "won"),
            ("Lost", "lost"),
        ];
        vec![pipeline("Main", &main), pipeline("Sales", &[("Demo", "open"), ("Proposal", "open")])]
    }

    fn account() -> Vec<Pipeline> {
        vec![
            pipeline("Sales", &[("Demo", "open"), ("Talks", "open")]),
            pipeline("Partners", &[("proposal", "open"), ("Talks", "open")]),
        ]
    }

    #[track_caller]
    fn check(target: Vec<Pipeline>, given: &[(&str, &str)], row: (&str, &str), expected: &str) {
        let given = given.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
        let shown = match Stages::new(account(), target, &given.collect()) {
            Err(error) => error.to_string(),
            Ok(mut stages) => {
                let standing = RowStage {
                    stage: Some(row.0.to_owned()),
                    status: Some(row.1.to_owned()),
                    ..RowStage::default()
                };
                let found = stages.place(&standing).map(|(p, s)| format!("{}/{}", p.name, s.name));
                format!("{} {:?}", found.unwrap_or_default(), stages.used()[0].how)
            }
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn names_come_before_types_and_types_are_kept() {
        check(crm(), &[], ("Sales:Demo", "open"), "Sales/Demo Id");
        check(crm(), &[], ("Partners:proposal", "open"), "Main/Proposal StageName");
        check(crm(), &[], ("Partners:Talks", "open"), "Main/Unassigned Type");
        check(crm(), &[], ("Sales:Talks", "open"), "Sales/Demo Type");
        // Stages determine the status, so won rows get the stage of that type.
        check(crm(), &[], ("Sales:Demo", "won"), "Main/Won Type");
        check(crm(), &[], ("Partners:proposal", "lost"), "Main/Lost Type");
        check(crm(), &[], ("nowhere", "open"), "Main/Unassigned Type");
        check(Vec::new(), &[], ("Sales:Demo", "open"), " Target");
    }

    #[test]
    fn wishes_come_first() {
        let given = [("Sales/Talks", "Negotiation")];
        check(crm(), &given, ("Sales:Talks", "open"), "Main/Negotiation Given");
        check(crm(), &given, ("Partners:Talks", "open"), "Main/Unassigned Type");
        check(
            crm(),
            &[("talks", "Main/Proposal")],
            ("Partners:Talks", "open"),
            "Main/Proposal Given",
        );
        check(crm(), &[("Talks", "Main/Proposal")], ("Sales:Talks", "won"), "Main/Won Type");
        check(
            crm(),
            &[("Talks", "Proposal")],
            ("Sales:Talks", "open"),
            "--map-stages: \"Proposal\" names several stages of the target, whose stages are \
             Main/Unassigned, Main/Proposal, Main/Negotiation, Main/Won, Main/Lost, Sales/Demo, Sales/Proposal",
        );
    }

    #[test]
    fn stages_without_types_leave_the_status_alone() {
        let target = || vec![pipeline("Sales", &[("Demo", "open"), ("Talks", "open")])];
        check(target(), &[], ("Sales:Demo", "won"), "Sales/Demo Id");
        check(target(), &[], ("Partners:proposal", "won"), "Sales/Talks Type");
        check(target(), &[], ("Partners:proposal", "lost"), "Sales/Demo Type");
    }

    #[test]
    fn a_row_that_stands_somewhere_is_moved_by_name_alone() {
        let there = || {
            let sales = pipeline("Sales", &[("Demo", "open"), ("Talks", "open")]);
            vec![sales, pipeline("Renewals", &[("Demo", "open"), ("Review", "open")])]
        };
        let check = |stage: &str, home: &str, expected: Option<&str>| {
            let mut stages = Stages::new(Vec::new(), there(), &BTreeMap::new()).expect("no wishes");
            let row = RowStage { stage_name: Some(stage.to_owned()), ..RowStage::default() };
            let row = row.in_pipeline(Some(home.to_owned()));
            let found = stages.is_certain(&row).then(|| {
                let (pipeline, stage) = stages.place(&row).expect("it is certain");
                format!("{}/{}", pipeline.name, stage.name)
            });
            assert_eq!(found.as_deref(), expected, "{stage} in {home}");
        };
        check("Demo", "Renewals", Some("Renewals/Demo"));
        check("demo ", "Sales", Some("Sales/Demo"));
        check("Talks", "Renewals", None);
        check("Won", "Sales", None);
    }
}
