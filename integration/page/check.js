// Opens the page of a diff in a real browser: node check.js BINARY FOLDER [SCREENSHOTS]
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [binary, folder, shots = folder] = process.argv.slice(2);
const DEALS = 50_000;
const EVIL = '<script>window.pwned=1</script><img src=x onerror="window.pwned=1">';
const FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
let passed = 0, failed = 0;

function check(what, held, shown = "") {
  held ? (passed += 1) : (failed += 1);
  console.log(`${held ? "ok " : "FAILED"} ${what}${held ? "" : `: ${shown}`}`);
}

// Two backups in pdcli's form.
function backup(name, deal, fields) {
  const dir = join(folder, name);
  mkdirSync(dir, { recursive: true });
  const deals = Array.from({ length: DEALS }, (_, at) => deal(at + 1));
  const files = { deals, dealFields: fields, persons: [{ id: 1, name: name === "old" ? "Mia" : "Mia Berg" }] };
  // By hand: here a number would lose its spelling.
  const [price, code, unit] = name === "old" ? ["1.50", "12345678901234567890123", '"10"'] : ["1.75", "12345678901234567890124", "10"];
  const text = name === "old" ? "short" : "a long description ".repeat(100);
  files.products = { length: 1 };
  writeFileSync(join(dir, "products.json"), `[\n  {"id": 1, "price": ${price}, "code": ${code}, "unit": ${unit}, "description": "${text}"}\n]`);
  for (const [stem, rows] of Object.entries(files)) if (stem !== "products") writeFileSync(join(dir, `${stem}.json`), JSON.stringify(rows, null, 2));
  const manifest = { started_at: "2026-06-10T09:00:00.000Z", completed: Object.keys(files),
    counts: Object.fromEntries(Object.entries(files).map(([stem, rows]) => [stem, rows.length])), updated_at: "2026-06-10T09:01:00.000Z" };
  writeFileSync(join(dir, "manifest.json"), JSON.stringify(manifest, null, 2));
  return dir;
}
const field = (name) => [{ field_name: name, field_code: "a".repeat(40), field_type: "varchar", is_custom_field: true, options: null }];
const old = backup("old", (id) => ({ id, title: `Deal ${id}`, value: id }), field("Region"));
const now = backup("new", (id) => ({ id, title: `Deal ${id}`, value: id === 7 ? 7 : id * 3 }), field(`Area ${EVIL}`));
execFileSync("python3", ["-c", `
import json, sys
path, title = sys.argv[1:]
rows = json.load(open(path))
rows[6]["title"] = title
json.dump(rows, open(path, "w"), indent=2)`, join(now, "deals.json"), EVIL]);
const page = join(folder, "diff.html");
writeFileSync(page, execFileSync(binary, ["backup", "diff", old, now, "-o", "html"], { maxBuffer: 1 << 30 }));
console.log(`   the page holds ${(statSync(page).size / 1e6).toFixed(1)} MB`);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS, chromiumSandbox: false });
for (const scheme of ["light", "dark"]) {
  const tab = await browser.newPage({ colorScheme: scheme, viewport: { width: 1100, height: 900 } });
  const said = [], asked = [];
  tab.on("console", (message) => said.push(message.text()));
  tab.on("pageerror", (error) => said.push(String(error)));
  tab.on("request", (request) => asked.push(request.url()));
  await tab.goto(pathToFileURL(page).href);
  const cells = (column) => tab.locator(`#table tbody td:nth-child(${column})`).allTextContents();
  const count = () => tab.locator("#count").textContent();
  check(`${scheme}: all changes are there`, (await count()) === "50,005 of 50,005 changes", await count());
  await tab.screenshot({ path: join(shots, `${scheme}.png`), fullPage: false });
  if (scheme === "light") {
    await tab.getByRole("button", { name: "New", exact: true }).click();
    const up = await cells(7);
    check("sorted upwards, numbers as numbers", up.slice(0, 3).join() === "1.75,3,6", up.slice(0, 3));
    await tab.getByRole("button", { name: "New", exact: true }).click();
    const down = (await cells(7)).filter((text) => /^\d+$/.test(text));
    check("sorted downwards", down.slice(0, 2).join() === "12345678901234567890124,150000", down.slice(0, 3));
    check("the sorted column says so", (await tab.locator("th[aria-sort=descending]").count()) === 1);
    await tab.locator("#search").fill("window.pwned");
    check("a search narrows", (await count()) === "1 of 50,005 changes", await count());
    check("markup in a title stays text", (await cells(7))[0] === EVIL, await cells(7));
    await tab.locator("#search").fill("");
    await tab.locator("#resource").selectOption("persons");
    check("a resource narrows", (await cells(7)).join() === "Mia Berg", await cells(7));
    await tab.locator("#resource").selectOption("products");
    const products = Object.fromEntries((await cells(5)).map((name, at) => [name, at]));
    const told = async (name) => `${(await cells(6))[products[name]]} ${(await cells(7))[products[name]]}`;
    check("numbers are spelled as they are", (await told("price")) === "1.50 1.75", await told("price"));
    check("long numbers are whole", (await told("code")) === "12345678901234567890123 12345678901234567890124", await told("code"));
    check("text is told from a number", (await told("unit")) === '"10" 10', await told("unit"));
    check("a long value is folded", (await told("description")).length < 500);
    await tab.getByRole("button", { name: "Show all 1,900 letters" }).click();
    check("and unfolds", (await told("description")).length > 1_900);
    await tab.locator("#resource").selectOption("");
    await tab.locator("#kind").selectOption("added");
    check("nothing matches, and it says so", (await cells(1)).join() === "No change matches.");
    await tab.locator("#kind").selectOption("");
    await tab.getByRole("button", { name: "Next" }).click();
    check("there is a second page", (await tab.locator("#where").textContent()).startsWith("Page 2 of 251"));
    check("the schema says that a field was renamed", (await tab.locator("table.schema").innerText()).includes("Region"));
    await tab.emulateMedia({ media: "print" });
    await tab.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    const printed = await tab.locator("#printed").innerText();
    check("paper says what it leaves out", printed === "Printed: the first 5,000 of 50,005 chosen of 50,005 changes.", printed);
    check("paper has no filters", !(await tab.locator("#filters").isVisible()));
    await tab.evaluate(() => window.dispatchEvent(new Event("afterprint")));
    await tab.emulateMedia({ media: null });
    await tab.pdf({ path: join(shots, "print.pdf") });
    await tab.setViewportSize({ width: 400, height: 800 });
    await tab.evaluate(() => document.getElementById("filters").scrollIntoView());
    await tab.screenshot({ path: join(shots, "narrow.png") });
    const wide = await tab.evaluate(() => document.getElementById("table").scrollWidth);
    check("a narrow window shows whole rows", wide <= 400, wide);
    check("and a table still", (await tab.getByRole("row").count()) > 200);
    check("it prints", statSync(join(shots, "print.pdf")).size > 10_000);
  }
  check(`${scheme}: no script of the data ran`, (await tab.evaluate(() => window.pwned)) === undefined);
  check(`${scheme}: the console is quiet`, said.length === 0, said);
  check(`${scheme}: nothing was asked of anybody`, asked.every((url) => url.startsWith("file:")), asked);
  await tab.close();
}
// Without scripts what is summed up is readable, and nothing is there that would not work.
const plain = await browser.newContext({ javaScriptEnabled: false });
const tab = await plain.newPage();
await tab.goto(pathToFileURL(page).href);
const text = await tab.locator("body").innerText();
check("without scripts: totals, schema and chart", ["50,002", "Region", "products"].every((word) => text.includes(word)), text.slice(0, 500));
check("without scripts: no filters", !(await tab.locator("#filters").isVisible()));
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
