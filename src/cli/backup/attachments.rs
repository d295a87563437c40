//! The attachments of a backup: several at a time, each checked against its size.

use crate::api::{Client, Download, Request, Step};
use crate::cli::figures::grouped;
use crate::cli::run::Run;
use crate::cli::setup::{ServerClock, now};
use crate::dataset::backup::{Archive, Attachment, Content, Contents};
use crate::model::{Error, Kind, Resource, Result};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

/// Attachments between two checkpoints.
const PORTION: usize = 16;
/// Downloads under way at a time.
const DOWNLOADS_MAX: usize = 4;
/// Tokens of one (API facts 2.3).
const COST: u32 = 20;

/// Fetches every attachment that is not here yet. One that Pipedrive refuses is noted and leaves a
/// gap; what fails for other reasons is an error, and is gone on with by the next run.
pub(super) async fn fetch(run: &mut Run, archive: &mut Archive, clock: ServerClock) -> Result<()> {
    let contents = archive.contents().await?;
    let mut attachments = archive.attachments(clock.now()).await?;
    let (mut count, mut bytes) = (0, 0);
    loop {
        let portion = attachments.next(PORTION).await?;
        if portion.is_empty() {
            break;
        }
        let client = &run.client;
        let fetches = portion.into_iter().map(|attachment| one(client, &contents, attachment));
        let noted: Vec<Content> =
            stream::iter(fetches).buffered(DOWNLOADS_MAX).try_collect().await?;
        archive.note_contents(&noted, now()).await?;
        count += noted.iter().filter(|content| content.sha256.is_some()).count() as u64;
        bytes += noted.iter().filter_map(|content| content.bytes).sum::<u64>();
        run.progress.spent(run.client.spending());
    }
    if let (1.., Some(files)) = (attachments.unread(), Resource::named("files")) {
        let message = format!("{} files could not be asked for", grouped(attachments.unread()));
        run.report.lack(files, &Error::new(Kind::Shape, message));
    }
    let failed = archive.finish_contents(clock.now(), now()).await?;
    run.progress.note(&format!("attachments: {}, {} bytes", grouped(count), grouped(bytes)));
    for content in failed {
        let why = content.absent.unwrap_or_default();
        run.progress.warn(&format!("attachment {}: {why}", content.id));
    }
    Ok(())
}

async fn one(client: &Client, contents: &Contents, attachment: Attachment) -> Result<Content> {
    let Attachment { id, name, .. } = attachment.clone();
    let absent = |why: String, failed| {
        Ok(Content { id, name: name.clone(), bytes: None, sha256: None, absent: Some(why), failed })
    };
    if attachment.active_flag == Some(false) {
        return absent("deleted".to_owned(), false);
    }
    if !attachment.is_stored() {
        return absent(attachment.remote_location.unwrap_or_default(), false);
    }
    let found = match contents.known(&attachment) {
        Some(found) => Ok(found),
        None => download(client, contents, &attachment).await,
    };
    match found {
        Ok((sha256, bytes)) => {
            let (sha256, bytes) = (Some(sha256), Some(bytes));
            Ok(Content { id, name, bytes, sha256, absent: None, failed: false })
        }
        Err(error) if matches!(error.kind(), Kind::Permission | Kind::Refused | Kind::Shape) => {
            absent(error.to_string(), true)
        }
        Err(error) => Err(error),
    }
}

/// The bytes of an attachment, after as many attempts as it takes: its SHA-256 and size.
async fn download(
    client: &Client,
    contents: &Contents,
    attachment: &Attachment,
) -> Result<(String, u64)> {
    let mut request = Request::for_file(format!("/api/v1/files/{}/download", attachment.id), COST);
    loop {
        let step = match client.download(&mut request).await? {
            Step::Done(coming) => match arrived(contents, attachment, coming).await {
                Ok(stored) => return Ok(stored),
                Err(error) if matches!(error.kind(), Kind::Network | Kind::Shape) => {
                    client.spoilt(&mut request, error)?
                }
                Err(error) => return Err(error),
            },
            wait @ Step::Wait { .. } => wait,
        };
        if let Step::Wait { pause, .. } = step {
            tokio::time::sleep(pause).await;
        }
    }
}

async fn arrived(
    contents: &Contents,
    attachment: &Attachment,
    mut coming: Download,
) -> Result<(String, u64)> {
    let mut arriving = contents.begin(attachment.id).await?;
    while let Some(chunk) = coming.chunk().await? {
        arriving.write(chunk).await?;
    }
    if let Some(size) = attachment.file_size.filter(|size| *size != arriving.bytes()) {
        let message = format!("{} bytes came of an attachment of {size}", arriving.bytes());
        return Err(Error::new(Kind::Shape, message));
    }
    arriving.finish().await
}
