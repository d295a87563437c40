//! Downloads the attachments of a backup: several at a time, each checked against its size.

use crate::api::{Client, Download, Request, Step};
use crate::cli::format::grouped;
use crate::cli::run::Run;
use crate::cli::setup::{ServerClock, now};
use crate::dataset::backup::{
    Attachment, AttachmentStore, AttachmentUpload, BackupWriter, Content,
};
use crate::model::{Error, Kind, Resource, Result};
use futures_util::stream::{self, StreamExt as _};

/// The number of attachments between two checkpoints.
const PORTION: usize = 16;
/// Downloads under way at a time.
const DOWNLOADS_MAX: usize = 4;
/// The tokens of one download (pipedrive-api.md 2.3).
const COST: u32 = 20;
/// Attachments in a row that could not be had, after which it is not they that are in trouble.
const FAILED_IN_A_ROW_MAX: usize = 8;
/// Largest attachment that is taken when Pipedrive does not tell its size: 5 GiB.
const ATTACHMENT_BYTES_MAX: u64 = 5 << 30;

/// Downloads every attachment that is not stored yet. An attachment that cannot be downloaded is recorded
/// as missing, and the download continues with the next one. Returns an error if the account is the cause
/// (a spent budget, a revoked token), or if many attachments in a row fail. The next run continues after
/// the recorded ones.
pub(super) async fn fetch(
    run: &mut Run,
    archive: &mut BackupWriter,
    clock: ServerClock,
) -> Result<()> {
    let contents = archive.contents().await?;
    let mut attachments = archive.attachments(clock.now()).await?;
    let (mut count, mut bytes, mut in_a_row) = (0, 0, 0);
    loop {
        let portion = attachments.next(PORTION).await?;
        if portion.is_empty() {
            break;
        }
        let client = &run.client;
        let fetches = portion.into_iter().map(|attachment| one(client, &contents, attachment));
        let mut noted = Vec::new();
        let mut fetches = stream::iter(fetches).buffered(DOWNLOADS_MAX);
        let stopped = loop {
            match fetches.next().await {
                Some(Ok(content)) => noted.push(content),
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        drop(fetches);
        archive.note_contents(&noted, now()).await?;
        count += noted.iter().filter(|content| content.sha256.is_some()).count() as u64;
        bytes += noted.iter().filter_map(|content| content.bytes).sum::<u64>();
        run.progress.spent(run.client.spending());
        if let Some(error) = stopped {
            return Err(error);
        }
        for content in &noted {
            in_a_row = match &content.absent {
                Some(_) if content.failed => in_a_row + 1,
                Some(_) => in_a_row,
                None => 0,
            };
        }
        if in_a_row >= FAILED_IN_A_ROW_MAX {
            let message = format!("{in_a_row} attachments in a row could not be had");
            return Err(Error::new(Kind::Upstream, message).at("/api/v1/files/{id}/download"));
        }
    }
    if let (1.., Some(files)) = (attachments.unread(), Resource::named("files")) {
        let message = format!("{} files could not be asked for", grouped(attachments.unread()));
        run.report.lack(files, &Error::new(Kind::Shape, message));
    }
    let failed = archive.finish_contents(clock.now(), now()).await?;
    run.progress.note(&format!("attachments: {}, {} bytes", grouped(count), grouped(bytes)));
    let gone = failed.iter().filter(|content| content.gone).count() as u64;
    if gone > 0 {
        run.progress.note(&format!(
            "attachments: {} are gone for good, Pipedrive lists them and no longer has their bytes; the \
             manifest says so",
            grouped(gone)
        ));
    }
    for content in failed.into_iter().filter(|content| !content.gone) {
        let why = content.absent.unwrap_or_default();
        run.progress.warn(&format!("attachment {}: {why}", content.id));
    }
    Ok(())
}

async fn one(
    client: &Client,
    contents: &AttachmentStore,
    attachment: Attachment,
) -> Result<Content> {
    let Attachment { id, name, .. } = attachment.clone();
    let absent = |why: String, gone: bool, failed: bool| {
        let name = name.clone();
        Ok(Content { id, name, bytes: None, sha256: None, absent: Some(why), gone, failed })
    };
    if attachment.active_flag == Some(false) {
        return absent("deleted".to_owned(), false, false);
    }
    if !attachment.is_stored() {
        return absent(attachment.remote_location.unwrap_or_default(), false, false);
    }
    let found = match contents.known(&attachment) {
        Some(found) => Ok(found),
        None => download(client, contents, &attachment).await,
    };
    match found {
        Ok((sha256, bytes)) => {
            let (sha256, bytes) = (Some(sha256), Some(bytes));
            Ok(Content { id, name, bytes, sha256, absent: None, gone: false, failed: false })
        }
        Err(error) if error.kind().stops_the_run() => Err(error),
        Err(error) if matches!(error.http_status(), Some(404 | 410)) => {
            absent(error.to_string(), true, false)
        }
        Err(error) => absent(error.to_string(), false, true),
    }
}

/// Downloads the bytes of an attachment in as many attempts as needed. Returns its SHA-256 and size. After
/// an interrupted connection the received bytes are kept if the server can send the rest.
async fn download(
    client: &Client,
    contents: &AttachmentStore,
    attachment: &Attachment,
) -> Result<(String, u64)> {
    let most = attachment.file_size.unwrap_or(ATTACHMENT_BYTES_MAX);
    let mut request = Request::for_file(format!("/api/v1/files/{}/download", attachment.id), COST);
    let mut arriving: Option<AttachmentUpload<'_>> = None;
    loop {
        let step = match client.download(&mut request).await? {
            Step::Done(mut coming) => {
                let mut part = match arriving.take() {
                    Some(part) if part.bytes() == coming.from() => part,
                    _ => contents.start_upload(attachment.id).await?,
                };
                match arrived(&mut part, most, &mut coming).await {
                    Err(error) if error.kind() == Kind::Network => {
                        let step = client.broken_off(&mut request, &coming, part.bytes(), error);
                        arriving = Some(part);
                        step?
                    }
                    Err(error) if error.kind() == Kind::Shape => {
                        client.spoilt(&mut request, error)?
                    }
                    Err(error) => return Err(error),
                    Ok(()) if attachment.file_size.is_none_or(|size| size == part.bytes()) => {
                        return part.finish().await;
                    }
                    Ok(()) => client.spoilt(&mut request, wrong_size(part.bytes(), most))?,
                }
            }
            wait @ Step::Wait { .. } => wait,
        };
        if let Step::Wait { pause, .. } = step {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Writes the received chunks. Returns an error as soon as they exceed `most` bytes.
async fn arrived(part: &mut AttachmentUpload<'_>, most: u64, coming: &mut Download) -> Result<()> {
    while let Some(chunk) = coming.chunk().await? {
        part.write(chunk).await?;
        if part.bytes() > most {
            return Err(wrong_size(part.bytes(), most));
        }
    }
    Ok(())
}

fn wrong_size(came: u64, size: u64) -> Error {
    Error::new(Kind::Shape, format!("{came} bytes came of an attachment of {size}"))
}
