//! Gets a whole Pipedrive account out, completely and repeatedly.
//!
//! This page is the architecture document; the README tells how to use the program.
//!
//! # Rooms
//!
//! | room | holds | uses |
//! | --- | --- | --- |
//! | [`model`] | the vocabulary, pure: resources, records, pages, progress, state, schema, settings, errors | nothing |
//! | [`api`] | Pipedrive over HTTP: budget and retry as pure tables, one client; a small one for the CRM of bundles, so that HTTP stays in one room | `model` |
//! | [`sandbox`] | a small Pipedrive in a box: invented account, strict answers and writes, limits, faults; and the CRM beside it | `model` |
//! | [`extract`] | reading: from a selection to jobs, a task per job, one bounded channel | `model`, `api` |
//! | [`dataset`] | records at rest, on disk or S3, made visible by a manifest: `warehouse`, `backup` and what reads one (`snapshot`, `verify`, `diff`), and the current rows of either (`current`) for other programs (`export`) | `model` |
//! | [`bundle`] | the portable CRM bundle: its form, the mapping from and to Pipedrive (pure), validation, and pushing it somewhere: plan, carry out, journal, verify | `model`, `api`, `dataset` |
//! | [`protocol`] | speaking JSON lines, over any `io::Write`: `airbyte`, `singer`, and the states both take; no clock, no network | `model` |
//! | [`cli`] | commands, files, exit codes | all |
//!
//! `extract`, `dataset` and `protocol` never see each other: they exchange [`model::Event`], and only
//! `cli` joins them. A test reads the sources and compares them with this table.
//!
//! # One row adds a resource
//!
//! [`model::Resource`] is a row of facts. The request, the catalog entry, the JSON Schema, the
//! sandbox's endpoint and its data, and the page in `docs/` are derived from it. So are forms, checks
//! and docs of the configuration from [`model::KEYS`], and man pages from the command lines. How a list
//! changes ([`model::Changes`]) belongs to each of its listings and not to the resource, because
//! live and archived leads are one stream over two lists of different kinds.
//!
//! # One page of deals
//!
//! ```text
//! HTTP body: Bytes               api::Client       budget, retry; one allocation
//!   -> Page { records, next }    model::Page       one scan; records are slices of the body
//!   -> Event::Batch              extract::Reader   rows to deliver, and the state they prove
//!   (a) -> RECORD lines, STATE   protocol          prefix + the record's own bytes + suffix; for
//!                                                  Singer, what does not fit its schema is mended,
//!                                                  what it lacks is null, and keys are in its order
//!   (b) -> columns -> part ->    dataset           builders fill; encode; PUT the part;
//!          manifest                                replace the manifest
//!   (c) -> deals.json, manifest  dataset::backup   append the rows; say how far they are safe
//!   (d) -> opportunities         bundle::map       members by name; ids minted, labels and e-mails
//!                                                  looked up; what has no place is counted
//! ```
//!
//! Four hops each, no cycle. Backward there are three signals only: the saved state at the start,
//! asking for the next event, which says that the last one is dealt with (a backup reads in step with
//! that, [`extract::Backpressure`]), and dropping the [`extract::Reader`] to stop.
//!
//! # What always holds
//!
//! - **Bytes stay bytes.** A record goes out as Pipedrive sent it, `1.50` and 23-digit numbers
//!   included. Exceptions are four: dates and times that no loader takes (`0000-00-00`, empty text,
//!   zoneless) are mended, and Airbyte's records name those that become null; a text cut inside a character gets
//!   U+FFFD, with a warning; secrets of webhooks are masked, in a backup unless told otherwise; and
//!   `custom_fields: name` and `columns` rename keys on request. To Singer targets, which
//!   end a load at the first value of another type, such values go converted where that says the same
//!   (`1` and `true`, `"7"` and `7`), and else as null, counted by field.
//! - **Progress travels with the records that prove it.** A state is written after the rows it
//!   covers, so a kill at any moment loses nothing, and repeats nothing that a state covered.
//! - **One atomic write is the commit.** A warehouse's files are invisible until the manifest names
//!   them, and the states they prove stand in the same manifest. In a folder it is replaced by a
//!   rename, under a lock that dies with its owner. In a bucket a commit is an object that may only
//!   be created, not an overwrite by `ETag`: an S3 server in wide use refuses every quoted `ETag`, and
//!   of two writers the second fails all the same.
//! - **A backup that stands is replaced, never written over.** A new one grows in `_next/`, its checkpoints
//!   stand in the same manifest, and one write of it makes the new one the backup; files that still lie
//!   apart then are named `staged` until they have their names.
//! - **No value is lost in a column.** What a typed column cannot say exactly stands in `_extra`; what says
//!   the same in another type stands in both.
//! - **Who had a name keeps it.** Custom fields by name are pinned: in the state of a stream, in the manifest
//!   of a warehouse. A field that is renamed, or deleted, or followed by one of the same name takes no
//!   column away.
//! - **A push takes nothing away.** It writes of rows that are there only what differs, and nothing that the bundle, or
//!   the CRM it passed through, did not hold exactly: such differences are told. It asks before it writes.
//! - **A push is a plan first**, made against the target's own rows: the same bundle twice changes nothing, and
//!   what happened is proved by the target's export afterwards. An import is an upsert and may arrive twice; a
//!   row of Pipedrive may not, so one whose answer was lost is looked for by the public id it keeps before it is
//!   created again. Nothing is sent without an entry in the journal. Rows and fields are known by ids and
//!   hashes, never by names that people can edit, and a row that was deleted there stays so unless asked.
//! - **A state is one object in every tongue**, and survives being merged with an older one: a seal tells.
//! - **The watermark is low.** Every row below `since` was delivered; rows at or above it that went
//!   out are known by key and digest ([`model::Progress`]). No clock decides what is lost: a watermark
//!   is the time of a row that was seen, and a list without rows promises nothing.
//! - **An incremental read is bounded above** by the server's clock at the run's first answer, so it
//!   ends on a busy account. A walk of all rows is not: it delivers each row it meets, and is followed
//!   in the same run by a read of what changed since it began, up to the clock at its end. Only then is
//!   it complete. (An unsorted list that loses its place begins again and may repeat rows, with a
//!   warning.)
//! - **Order is relied on by the second**, and no finer than the overlap ([`model::Sorting`]). A list that is
//!   out of order beyond that is read in full, in the same run; a place of an earlier run that no longer can be
//!   read from is given up. No state keeps a stream from being read.
//! - **What is asked alike is asked once**: field lists, and what changed of a list that several streams watch.
//! - **Only a said end is an end** ([`model::Layout::doubt`]). A cursor list ends with `next_cursor:
//!   null`, an offset list with `more_items_in_collection: false`; anything else after a page that was
//!   followed is asked for again, then an error, and so is an answer without rows until it comes twice.
//!   A 200 with cut JSON, a web page, `null` or `success: false` is a failed attempt, whatever was asked
//!   ([`api::Client::http_request`]). Lists that step
//!   back, loop or repeat are errors.
//! - **Nothing is silently empty.** What could not be read is named, and the run fails.
//! - **One bad thing stops no sibling.** A row without a usable id, a field definition that is odd, a
//!   dictionary that cannot be read: each is counted and named, its resource is incomplete where something
//!   is missing, and everything else goes on. Custom fields without a definition stand under the names they had, or their hashes.
//! - **What a company has not is no failure.** The first page of a whole list that is refused, after `/users/me` was
//!   answered, says that plan, add-on or setting lack it ([`api::Client::whole_list`], the one place that decides):
//!   [`model::Event::Unavailable`] names it, with Pipedrive's words, and nothing of it is written or deleted. Only
//!   asked for by name it is an error. A refused parameter is left out and remembered in the state, a refused
//!   parent is one parent.
//! - **Other people's words stay words.** Whatever people look at goes through [`model::plain`], in the few
//!   modules that write to a terminal: no control character, no line break, nothing that turns the direction
//!   of writing gets there. JSON of ours escapes the same characters; records are bytes, and stay so.
//! - **Memory is bounded by pages and parts**: one in the hands of each stream that is read (for a list per
//!   parent, those of 20 parents or of a batch of 100), a few in the channel, and at most 10,000
//!   remembered keys a listing; answers kept for others who ask alike are at most 8 MiB, rows that a backup
//!   carries over 64 MiB; a warehouse holds rows of at most 64 MiB before they go to disk. The only
//!   exceptions are 8 bytes a row, and 8 for each key that rows name, while a backup is written or verified, so that
//!   no key is there twice and none that leads nowhere goes unnoticed, 32 a row
//!   while two are compared, 40 a key of a table that is exported, 24 a row of a bundle that is checked, compared or pushed (16 more of one that is pushed as a copy, and of organizations and persons of an account), and some 40 for the ids
//!   that later rows of an export, or of a push into Pipedrive, refer to, and for those that its journal knows.
//! - **One error type**, whose [`model::Kind`] says who must act. Exit code, retry and Airbyte's
//!   `failure_type` are three exhaustive matches over it.
//!
//! # What is deliberately absent
//!
//! No trait for sources or sinks, since there is one of each and `cli` joins them; no Cargo
//! features; no counters from `include_fields`, which move without `update_time` and would be stale
//! after the next incremental read; no v1 endpoints of the core entities, which went out of support.

pub mod api;
pub mod bundle;
pub mod cli;
pub mod dataset;
pub mod extract;
pub mod model;
pub mod protocol;
pub mod sandbox;
