//! The features that a company has, and how the API refuses requests for those that it lacks.

use super::http_request::Refusal;
use super::options::Plan;
use crate::model::Resource;
use std::str::FromStr;

/// A part of Pipedrive that an account may lack (pipedrive-api.md 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Projects, archived projects, tasks, boards, phases, templates and project fields: an add-on.
    Projects,
    /// Installments of deals. The cheapest plan does not include them.
    Installments,
    /// Teams: a setting of larger plans. The endpoint is being retired (403 or 410).
    Teams,
    /// The marketing app. Without it, `marketing_status` and `doi_status` are not fields of a person, and
    /// `include_fields` with them is refused.
    Marketing,
    /// Assignments of permission sets to users.
    PermissionAssignments,
    /// The stages at which fields are important or required: `include_fields` of field lists.
    FieldDetails,
    /// Goals. A company can disable them.
    Goals,
}

/// The number of features.
const FEATURES: usize = 7;

/// The statuses with which a whole endpoint may be refused.
const ENDPOINT: &[u16] = &[402, 403, 404, 410, 415];
/// The statuses with which a parameter may be refused.
const PARAMETER: &[u16] = &[400, 403];

impl Feature {
    /// All features.
    pub const ALL: [Self; FEATURES] = [
        Self::Projects,
        Self::Installments,
        Self::Teams,
        Self::Marketing,
        Self::PermissionAssignments,
        Self::FieldDetails,
        Self::Goals,
    ];

    /// Returns the name on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Projects => "projects",
            Self::Installments => "installments",
            Self::Teams => "teams",
            Self::Marketing => "marketing",
            Self::PermissionAssignments => "permission-assignments",
            Self::FieldDetails => "field-details",
            Self::Goals => "goals",
        }
    }

    /// Returns the default status of the refusal.
    pub const fn status(self) -> u16 {
        match self {
            Self::Projects => 402,
            Self::Installments | Self::Teams | Self::PermissionAssignments => 403,
            Self::Marketing | Self::FieldDetails => 400,
            Self::Goals => 415,
        }
    }

    /// Returns the possible statuses of the refusal.
    const fn statuses(self) -> &'static [u16] {
        match self {
            Self::Marketing | Self::FieldDetails => PARAMETER,
            _ => ENDPOINT,
        }
    }

    /// Returns whether the endpoints of a resource belong to the feature.
    pub fn covers(self, resource: &str) -> bool {
        match self {
            Self::Projects => {
                matches!(resource, "projects" | "tasks" | "boards" | "phases")
                    || resource.starts_with("project_")
            }
            Self::Installments => resource == "deal_installments",
            Self::Teams => resource == "legacy_teams",
            Self::PermissionAssignments => resource.starts_with("permission_set_"),
            Self::Goals => resource == "goals",
            Self::Marketing | Self::FieldDetails => false,
        }
    }

    /// Returns whether a column of a resource is sent only if the company has the feature.
    fn holds(self, resource: &str, column: &str) -> bool {
        match self {
            Self::Marketing => {
                resource == "persons" && matches!(column, "marketing_status" | "doi_status")
            }
            Self::FieldDetails => {
                resource.ends_with("_fields")
                    && matches!(column, "important_fields" | "required_fields")
            }
            _ => false,
        }
    }

    /// Returns the message of the server.
    const fn words(self, status: u16) -> &'static str {
        match (status, self) {
            (402, _) => "Required suites missing",
            (404, _) => "Unknown method .",
            (410, _) => "This endpoint has been removed",
            (415, _) => "Feature is not enabled",
            (_, Self::Teams) => "Teams feature is not enabled in your company",
            (_, Self::PermissionAssignments) => "You do not have permissions to do this.",
            _ => "The company does not have access to this feature",
        }
    }
}

/// A feature that an account lacks, with the status of the refusal: `projects`, `teams:410`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    /// The missing feature.
    pub feature: Feature,
    /// The status of the refusal.
    pub status: u16,
}

impl FromStr for Lack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, status) = match text.split_once(':') {
            Some((name, status)) => (name, Some(status)),
            None => (text, None),
        };
        let Some(feature) = Feature::ALL.into_iter().find(|feature| feature.name() == name) else {
            let names = Feature::ALL.map(Feature::name).join(", ");
            return Err(format!("\"{name}\" is no feature: {names}"));
        };
        let Some(status) = status else {
            return Ok(Self { feature, status: feature.status() });
        };
        let statuses = feature.statuses();
        match status.parse() {
            Ok(status) if statuses.contains(&status) => Ok(Self { feature, status }),
            _ => {
                let statuses: Vec<_> = statuses.iter().map(ToString::to_string).collect();
                let statuses = statuses.join(", ");
                Err(format!("{name} is refused with one of {statuses}, not with \"{status}\""))
            }
        }
    }
}

/// The features of an account, and the refusal of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// The status of the refusal by feature. `None` for features that the account has.
    refused: [Option<u16>; FEATURES],
}

impl Features {
    /// Returns all features.
    pub const fn all() -> Self {
        Self { refused: [None; FEATURES] }
    }

    /// Returns no features.
    pub fn none() -> Self {
        Feature::ALL.into_iter().fold(Self::all(), Self::without)
    }

    /// Returns the features of a plan without add-ons. The assignment is close to Pipedrive's price list, but
    /// may differ from it.
    pub fn of(plan: Plan) -> Self {
        let lacks: &[Feature] = match plan {
            Plan::Lite => &[
                Feature::Projects,
                Feature::Installments,
                Feature::Teams,
                Feature::Marketing,
                Feature::PermissionAssignments,
                Feature::FieldDetails,
            ],
            Plan::Growth => &[
                Feature::Projects,
                Feature::Teams,
                Feature::Marketing,
                Feature::PermissionAssignments,
            ],
            Plan::Premium => &[Feature::Projects, Feature::Marketing],
            Plan::Ultimate => &[Feature::Marketing],
        };
        lacks.iter().copied().fold(Self::all(), Self::without)
    }

    /// Returns the features without this one, which is refused with its default status.
    #[must_use]
    pub fn without(self, feature: Feature) -> Self {
        self.lacking(Lack { feature, status: feature.status() })
    }

    /// Returns the features without this one.
    #[must_use]
    pub const fn lacking(mut self, lack: Lack) -> Self {
        self.refused[lack.feature as usize] = Some(lack.status);
        self
    }

    /// Returns whether the account has the feature.
    pub const fn has(self, feature: Feature) -> bool {
        self.refused[feature as usize].is_none()
    }

    /// Returns whether the account has the endpoints of a resource.
    pub fn opens(self, resource: &str) -> bool {
        !self.lacks().any(|lack| lack.feature.covers(resource))
    }

    fn lacks(self) -> impl Iterator<Item = Lack> {
        Feature::ALL.into_iter().zip(self.refused).filter_map(|(feature, status)| {
            let status = status?;
            Some(Lack { feature, status })
        })
    }

    /// Returns whether rows of a resource contain a column.
    pub(super) fn sends(self, resource: &str, column: &str) -> bool {
        !self.lacks().any(|lack| lack.feature.holds(resource, column))
    }

    /// Refuses requests for a resource whose endpoints the company lacks.
    pub(super) fn open(self, resource: &Resource) -> Result<(), Refusal> {
        match self.lacks().find(|lack| lack.feature.covers(resource.name)) {
            Some(Lack { feature, status: 402 }) => Err(Refusal::gateway(402, feature.words(402))),
            Some(Lack { feature, status }) => {
                Err(Refusal::general(status, feature.words(status), ""))
            }
            None => Ok(()),
        }
    }

    /// Refuses these comma-separated columns in `include_fields` of a resource, if the company lacks one.
    pub(super) fn included(self, resource: &Resource, columns: &str) -> Result<(), Refusal> {
        for column in columns.split(',') {
            let Some(lack) = self.lacks().find(|lack| lack.feature.holds(resource.name, column))
            else {
                continue;
            };
            return Err(match lack.status {
                400 => Refusal::invalid(&[format!(
                    "include_fields: '{column}' is not available for this company"
                )]),
                status => Refusal::general(status, lack.feature.words(status), ""),
            });
        }
        Ok(())
    }
}
