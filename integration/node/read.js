// Pipedrive's own client against a sandbox: what it reads, and what plain requests read, are the
// same rows.

import { readFileSync } from "node:fs";
import v1 from "pipedrive/v1";
import v2 from "pipedrive/v2";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const origin = config.base_url;
const token = config.credentials.api_token;
// The client's own paths begin below these prefixes.
const old = new v1.Configuration({ apiKey: token, basePath: `${origin}/api/v1` });
const current = new v2.Configuration({ apiKey: token, basePath: `${origin}/api/v2` });
// Small enough that every list but the field definitions takes several pages.
const limit = 100;

const deals = new v2.DealsApi(current);
const persons = new v2.PersonsApi(current);
const dealFields = new v2.DealFieldsApi(current);
const leads = new v1.LeadsApi(old);
const notes = new v1.NotesApi(old);
const users = new v1.UsersApi(old);

const checks = [
  ["deals", (at) => byCursor((page) => deals.getDeals(page), at), plainCursor("/api/v2/deals")],
  [
    "deals, archived",
    (at) => byCursor((page) => deals.getArchivedDeals(page), at),
    plainCursor("/api/v2/deals/archived"),
  ],
  [
    "deals, deleted",
    (at) => byCursor((page) => deals.getDeals({ ...page, status: "deleted" }), at),
    plainCursor("/api/v2/deals?status=deleted"),
  ],
  ["persons", (at) => byCursor((page) => persons.getPersons(page), at), plainCursor("/api/v2/persons")],
  [
    "dealFields",
    (at) => byCursor((page) => dealFields.getDealFields(page), at),
    plainCursor("/api/v2/dealFields"),
  ],
  ["leads", (at) => byOffset((page) => leads.getLeads(page), at), plainOffset("/api/v1/leads")],
  ["notes", (at) => byOffset((page) => notes.getNotes(page), at), plainOffset("/api/v1/notes")],
  [
    "users/me",
    async (at) => {
      at.pages += 1;
      return [(await users.getCurrentUser()).data];
    },
    async () => [(await plain("/api/v1/users/me")).data],
  ],
];

/** All rows of a v2 list, asked for through the client. */
async function byCursor(ask, at) {
  const rows = [];
  let cursor;
  do {
    const answer = await ask({ limit, cursor });
    at.pages += 1;
    rows.push(...answer.data);
    cursor = answer.additional_data?.next_cursor ?? undefined;
  } while (cursor);
  return rows;
}

/** All rows of a v1 list, asked for through the client. */
async function byOffset(ask, at) {
  const rows = [];
  let start = 0;
  while (start !== undefined) {
    const answer = await ask({ limit, start });
    at.pages += 1;
    rows.push(...(answer.data ?? []));
    start = answer.additional_data?.pagination?.next_start;
  }
  return rows;
}

async function plain(path) {
  const answer = await fetch(origin + path, { headers: { "x-api-token": token } });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

// In pages of another size than the client's, so that a paging fault cannot hide on both sides.
function plainCursor(path) {
  return async () => {
    const rows = [];
    for (let cursor = ""; cursor !== null; ) {
      const glue = path.includes("?") ? "&" : "?";
      const page = await plain(`${path}${glue}limit=500${cursor && `&cursor=${cursor}`}`);
      rows.push(...page.data);
      cursor = page.additional_data?.next_cursor ?? null;
    }
    return rows;
  };
}

function plainOffset(path) {
  return async () => {
    const rows = [];
    for (let start = 0; start !== undefined; ) {
      const page = await plain(`${path}?limit=500&start=${start}`);
      rows.push(...(page.data ?? []));
      start = page.additional_data?.pagination?.next_start;
    }
    return rows;
  };
}

/** Rows in an order of their own, so that two lists compare by content. */
const canonical = (rows) => rows.map((row) => JSON.stringify(row)).sort();

let differences = 0;
console.log(`${"list".padEnd(18)}${"client".padStart(8)}${"pages".padStart(7)}${"plain".padStart(8)}  ok`);
for (const [name, read, readPlain] of checks) {
  const at = { pages: 0 };
  const [theirs, ours] = [await read(at), await readPlain()];
  const same =
    theirs.length > 0 && JSON.stringify(canonical(theirs)) === JSON.stringify(canonical(ours));
  differences += same ? 0 : 1;
  const [client, pages, direct] = [theirs.length, at.pages, ours.length].map(String);
  const counts = client.padStart(8) + pages.padStart(7) + direct.padStart(8);
  console.log(`${name.padEnd(18)}${counts}  ${same ? "yes" : "NO"}`);
}
if (differences > 0) {
  console.error(`FAILED: ${differences} lists differ`);
  process.exit(1);
}
