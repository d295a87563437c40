//! Sends rows to the CRM in requests of bounded size.

use super::fates::Fates;
use super::journal::{Journal, Refused};
use super::plan::{Fitted, Plan, in_order, known};
use crate::api::Crm;
use crate::bundle::format::{Entity, public_id_of, value_of};
use crate::bundle::index::Index;
use crate::bundle::reader::{Reader, Survey};
use crate::model::{Error, Kind, Result, text};
use bytes::Bytes;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// Most bytes of a request, unless one row is larger.
pub const BATCH_BYTES_MAX: usize = 2 << 20;
/// The path of the import endpoint.
const IMPORT: &str = "/crm/import";
/// The reason for a refused row that the response does not mention.
const UNSAID: &str = "refused without a word";

/// The rows that are sent in one request.
#[derive(Debug, Default)]
struct Batch {
    rows: Vec<Ready>,
    bytes: usize,
}

/// A row that is ready to send.
#[derive(Debug, Clone)]
struct Ready {
    index: u64,
    json: String,
}

/// The results of a push.
#[derive(Debug, Default)]
pub struct Sent {
    /// The number of rows that were sent and not refused, by array.
    pub rows: [u64; 5],
    /// The rows that were refused.
    pub refused: Vec<Refused>,
    /// The number of requests that got a response.
    pub requests: u64,
}

/// Executes the plan array by array, with a maximum number of rows per request. Calls `seen` after every
/// batch. Each batch has a journal entry before and after it is sent. `target` is the index with which the
/// plan was made.
pub async fn send_plan<F>(
    survey: &Survey,
    plan: &Plan,
    (target, fates): (&mut Index, &Fates),
    (crm, batch_rows): (&Crm, usize),
    journal: &mut Journal,
    mut fit: F,
    mut seen: impl FnMut(&Sent),
) -> Result<Sent>
where
    F: FnMut(Entity, &str, Option<&str>) -> Result<Option<Fitted>>,
{
    let mut sent = Sent::default();
    for span in in_order(survey) {
        let mut rows = Reader::of_array(&survey.path, span)?;
        let mut batch = Batch::default();
        while let Some(row) = rows.next().await? {
            if !plan.sends(row.entity, row.index) {
                continue;
            }
            let there = fates.there(target, row.entity, &known(row.json)?)?;
            let fitted = fit(row.entity, row.json, there.as_deref())?;
            let Some(Fitted { json, .. }) = fitted else { continue };
            if batch.is_full(json.len(), batch_rows) {
                send(std::mem::take(&mut batch), span.entity, crm, journal, &mut sent).await?;
                seen(&sent);
            }
            batch.bytes += json.len() + 1;
            batch.rows.push(Ready { index: row.index, json });
        }
        if !batch.rows.is_empty() {
            send(batch, span.entity, crm, journal, &mut sent).await?;
            seen(&sent);
        }
    }
    Ok(sent)
}

impl Batch {
    fn is_full(&self, more: usize, rows: usize) -> bool {
        let full = self.rows.len() >= rows || self.bytes + more > BATCH_BYTES_MAX;
        full && !self.rows.is_empty()
    }
}

async fn send(
    batch: Batch,
    entity: Entity,
    crm: &Crm,
    journal: &mut Journal,
    sent: &mut Sent,
) -> Result<()> {
    let indexes: Vec<u64> = batch.rows.iter().map(|row| row.index).collect();
    let number = journal.send(entity, &indexes)?;
    let mut refused = Vec::new();
    // A request that is refused as a whole is split until the faulty rows are isolated.
    let mut waiting = vec![batch.rows];
    while let Some(mut rows) = waiting.pop() {
        let reply = crm.post(IMPORT, body(entity, &rows)).await?;
        sent.requests += 1;
        let mut faults = faults(&reply.body, entity, &rows);
        for fault in &mut faults {
            fault.error = crm.masked(&fault.error);
        }
        match reply.status {
            200..=299 => refused.extend(faults),
            404 => {
                let message = format!("there is no import at this address ({})", reply.said());
                return Err(Error::new(Kind::Refused, message).status(404).at(IMPORT));
            }
            _ if rows.len() == 1 => {
                let said = faults.into_iter().next().map_or_else(|| reply.said(), |row| row.error);
                refused.push(refusal(entity, &rows[0], said));
            }
            _ if !faults.is_empty() && faults.len() < rows.len() => {
                rows.retain(|row| faults.iter().all(|fault| fault.index != row.index));
                refused.extend(faults);
                waiting.push(rows);
            }
            _ => {
                let half = rows.split_off(rows.len() / 2);
                waiting.push(half);
                waiting.push(rows);
            }
        }
    }
    refused.sort_by_key(|row| row.index);
    refused.dedup_by_key(|row| row.index);
    sent.rows[entity as usize] += (indexes.len() - refused.len()) as u64;
    sent.refused.extend(refused.iter().cloned());
    journal.done(number, refused)
}

fn body(entity: Entity, rows: &[Ready]) -> Bytes {
    let mut body = format!("{{\"{}\":[", entity.name());
    for (place, row) in rows.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        body.push_str(&row.json);
    }
    body.push_str("]}");
    body.into()
}

fn refusal(entity: Entity, row: &Ready, error: String) -> Refused {
    let public_id = public_id_of(&row.json).unwrap_or_default();
    Refused { entity: entity.name().to_owned(), index: row.index, public_id, error }
}

/// A fault in an import response. The format is not documented, so several are accepted: rows by index
/// within the request or by public id, under `errors`.
#[derive(Deserialize)]
struct Fault {
    #[serde(default, alias = "row", alias = "position")]
    index: Option<usize>,
    #[serde(default)]
    public_id: Option<String>,
    #[serde(default, alias = "message", alias = "reason")]
    error: Option<serde_json::Value>,
}

/// Returns the rows that a response refuses, each once.
fn faults(answer: &[u8], entity: Entity, rows: &[Ready]) -> Vec<Refused> {
    let Some(errors) = std::str::from_utf8(answer).ok().and_then(|text| value_of(text, "errors"))
    else {
        return Vec::new();
    };
    let mut by_id: HashMap<String, usize> = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        if let Some(id) = public_id_of(&row.json) {
            by_id.entry(id).or_insert(place);
        }
    }
    let mut told = HashSet::new();
    let faults = crate::model::list(errors).into_iter().filter_map(|fault| {
        let fault: Fault = serde_json::from_str(fault).ok()?;
        let named = fault.public_id.as_ref().and_then(|id| by_id.get(id).copied());
        let place = named.or(fault.index)?;
        let row = rows.get(place).filter(|_| told.insert(place))?;
        let error = fault.error.map_or_else(
            || UNSAID.to_owned(),
            |error| text(&error.to_string()).unwrap_or_else(|| error.to_string()),
        );
        Some(refusal(entity, row, error))
    });
    faults.collect()
}
