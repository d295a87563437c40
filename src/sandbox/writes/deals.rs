//! The side effects of a write to a deal: its stage, its outcome, whether it is archived.

use super::follow::{Set, Write, column};
use crate::model::{Resource, Time};
use crate::sandbox::account_state::AccountState;
use crate::sandbox::http_request::Refusal;
use crate::sandbox::json::{self, quoted};
use serde_json::Value;

/// Returns the columns that a write to a deal sets in addition to its body.
pub(super) fn follow(account: &mut AccountState, write: &Write<'_>) -> Result<Set, Refusal> {
    archived_stay_as_they_are(write)?;
    let mut set = place(account, write)?;
    let now = quoted(&account.now().to_string());
    set.extend(outcome(write, &now)?);
    set.extend(archive(write, &now)?);
    Ok(set)
}

/// Refuses changes of archived deals, which are read-only since 2025-07-15. The status of the refusal, and
/// whether a deal may be moved out of the archive, are UNVERIFIED.
fn archived_stay_as_they_are(write: &Write<'_>) -> Result<(), Refusal> {
    let archived = write.before("is_archived") == Some(&Value::Bool(true));
    if archived && write.body.get("is_archived") != Some(&Value::Bool(false)) {
        return Err(Refusal::general(403, "Archived deals cannot be changed.", ""));
    }
    Ok(())
}

/// Returns pipeline and stage. A stage determines its pipeline, and a pipeline alone means its first stage.
fn place(account: &mut AccountState, write: &Write<'_>) -> Result<Set, Refusal> {
    let number = |value: Option<&Value>| value.and_then(Value::as_u64);
    let pipeline = number(write.body.get("pipeline_id"));
    let stage = number(write.body.get("stage_id"));
    let before = number(write.before("pipeline_id"));
    let (pipeline, stage) = match (pipeline, stage) {
        (given, Some(stage)) => {
            let home = column(account, "stages", &stage.into(), "pipeline_id");
            let home = home.and_then(|id| id.parse().ok());
            if given.is_some() && given != home {
                return Err(write.no("stage_id: The stage is not in the pipeline"));
            }
            (home.unwrap_or(1), stage)
        }
        (Some(pipeline), None) if before == Some(pipeline) => return Ok(Vec::new()),
        (None, None) if before.is_some() => return Ok(Vec::new()),
        (pipeline, None) => {
            let pipeline = pipeline.or_else(|| first(account, "pipelines", None)).unwrap_or(1);
            let stage = first(account, "stages", Some(pipeline));
            let none = || write.no("pipeline_id: The pipeline has no stages");
            (pipeline, stage.ok_or_else(none)?)
        }
    };
    let mut set = vec![
        ("pipeline_id".to_owned(), pipeline.to_string()),
        ("stage_id".to_owned(), stage.to_string()),
    ];
    if write.old.is_some() && number(write.before("stage_id")) != Some(stage) {
        set.push(("stage_change_time".to_owned(), quoted(&account.now().to_string())));
    }
    Ok(set)
}

/// Returns the row with the lowest position. For stages, only those of a pipeline count.
fn first(account: &mut AccountState, resource: &str, pipeline: Option<u64>) -> Option<u64> {
    let pipeline = pipeline.map(|id| id.to_string());
    let rows = account.table(Resource::named(resource)?).rows().iter();
    let rows = rows.filter(|row| {
        let home = pipeline.as_deref();
        let there = home.is_none() || json::find(&row.json, "pipeline_id") == home;
        row.deleted.is_none() && there
    });
    let place = |json: &[u8]| json::find(json, "order_nr")?.parse::<u64>().ok();
    rows.min_by_key(|row| (place(&row.json), row.id)).map(|row| row.id)
}

/// Returns the times and the reason that belong to a status.
fn outcome(write: &Write<'_>, now: &str) -> Result<Set, Refusal> {
    let body = write.body;
    let before = write.before("status").and_then(Value::as_str).unwrap_or("open");
    let status = body.get("status").and_then(Value::as_str).unwrap_or(before);
    let only = [
        ("lost_reason", status == "lost", "lost"),
        ("won_time", status == "won", "won"),
        ("lost_time", status == "lost", "lost"),
        ("close_time", status != "open", "won or lost"),
    ];
    if let Some((key, _, states)) =
        only.iter().find(|(key, fits, _)| !fits && body.given(key).is_some())
    {
        return Err(write.no(&format!("{key}: Can only be set if the deal is {states}")));
    }
    let keys = ["status", "lost_reason", "won_time", "lost_time", "close_time"];
    if !body.has(&keys) {
        return Ok(Vec::new());
    }
    let changed = status != before || write.old.is_none();
    let given = |key: &str| body.given(key).map(Value::to_string);
    let kept = |key: &str| write.before(key).filter(|_| !changed).map(Value::to_string);
    let ended = |key: &str, account: &str| {
        let when = || given(key).or_else(|| kept(key)).or_else(|| given("close_time"));
        (status == account).then(|| when().unwrap_or_else(|| now.to_owned()))
    };
    let (won, lost) = (ended("won_time", "won"), ended("lost_time", "lost"));
    let close = won.clone().or_else(|| lost.clone()).map(|end| {
        let moved = body.has(&["won_time", "lost_time"]);
        let kept = kept("close_time").filter(|_| !moved);
        given("close_time").or(kept).unwrap_or(end)
    });
    let reason = given("lost_reason").or_else(|| {
        kept("lost_reason").filter(|_| status == "lost" && !body.has(&["lost_reason"]))
    });
    let mut set = Vec::new();
    let columns = [
        ("won_time", "local_won_date", &won),
        ("lost_time", "local_lost_date", &lost),
        ("close_time", "local_close_date", &close),
    ];
    for (time, date, when) in columns {
        set.push((time.to_owned(), or_null(when.clone())));
        let day = when.as_ref().and_then(|when| Time::parse(when.trim_matches('"')));
        set.push((date.to_owned(), or_null(day.map(|day| quoted(&day.date())))));
    }
    set.push(("lost_reason".to_owned(), or_null(reason)));
    if won.is_some() && write.before("first_won_time").is_none_or(Value::is_null) {
        set.push(("first_won_time".to_owned(), or_null(won)));
    }
    Ok(set)
}

/// Returns the time of archiving: the one in the write, or now.
fn archive(write: &Write<'_>, now: &str) -> Result<Set, Refusal> {
    let archived = write.after("is_archived") == &Value::Bool(true);
    let given = write.body.given("archive_time").and_then(Value::as_str).and_then(Time::parse);
    let given = given.map(|when| quoted(&when.to_string()));
    if given.is_some() && !archived {
        return Err(write.no("archive_time: Can only be set if the deal is archived"));
    }
    if !write.body.has(&["is_archived", "archive_time"]) {
        return Ok(Vec::new());
    }
    let when = archived.then(|| given.unwrap_or_else(|| now.to_owned()));
    Ok(vec![("archive_time".to_owned(), or_null(when))])
}

fn or_null(raw: Option<String>) -> String {
    raw.unwrap_or_else(|| "null".to_owned())
}
