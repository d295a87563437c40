"use strict";
(() => {
  // Rows on a page of the screen, rows on paper, letters of a value before it is unfolded.
  const PAGE_ROWS = 200, PRINT_ROWS_MAX = 5000, LETTERS_MAX = 400;
  const at = (id) => document.getElementById(id);
  const grouped = (number) => number.toLocaleString("en");
  // Controls, and what turns the direction of writing or cannot be seen, are spelled out.
  const DECEPTIVE = /[\u{0}-\u{8}\u{b}-\u{1f}\u{7f}-\u{9f}\u{ad}\u{61c}\u{115f}-\u{1160}\u{17b4}-\u{17b5}\u{180e}\u{200b}\u{200e}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{3164}\u{feff}\u{ffa0}\u{fff0}-\u{fffb}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e00ff}\u{e01f0}-\u{e0fff}]/gu;
  const plain = (text) => text.replace(DECEPTIVE, (letter) => `\\u{${letter.codePointAt(0).toString(16)}}`);
  // What is not text comes as a list of its spelling.
  const shown = (value) => value === null ? "" : Array.isArray(value) ? value[0] : value;
  // Text that differs from a value in its quotes only is shown with them.
  const told = (value, other) => typeof value === "string" && !(typeof other === "string") && value === shown(other) ? JSON.stringify(value) : shown(value);
  const rows = JSON.parse(at("changes").textContent).map((row, order) => {
    const [resource, id, name, change, field, before, after] = row;
    const cells = [resource, id, shown(name), change, shown(field), told(before, after), told(after, before)].map(plain);
    return { cells, order, text: cells.join("\u0000").toLowerCase() };
  });
  const columns = ["Resource", "ID", "Name", "Change", "Field", "Old", "New"];
  const classes = ["", "id", "name", "", "", "old", "new"], CHANGE = columns.indexOf("Change");
  const head = at("table").tHead.rows[0], body = at("table").tBodies[0];
  let sort = { column: -1, down: false }, page = 0, found = rows;

  columns.forEach((name, column) => {
    const cell = document.createElement("th"), button = document.createElement("button");
    cell.scope = "col";
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => {
      sort = { column, down: sort.column === column && !sort.down };
      page = 0;
      update();
    });
    cell.append(button);
    head.append(cell);
  });
  [...new Set(rows.map((row) => row.cells[0]))].sort().forEach((name) => at("resource").append(new Option(name, name)));

  const words = new Intl.Collator(undefined, { numeric: true });
  const number = (text) => text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : null;
  // Numbers, then texts, then nothing, whichever way each of them is sorted.
  const rank = (one) => one.number !== null ? 0 : one.text !== "" ? 1 : 2;
  function ordered(list) {
    if (sort.column < 0) return list;
    const keyed = list.map((row) => ({ row, text: row.cells[sort.column], number: number(row.cells[sort.column]) }));
    const sign = sort.down ? -1 : 1;
    keyed.sort((a, b) => rank(a) - rank(b)
      || (a.number !== null ? a.number - b.number : words.compare(a.text, b.text)) * sign
      || a.row.order - b.row.order);
    return keyed.map((one) => one.row);
  }
  function update() {
    const search = at("search").value.trim().toLowerCase(), resource = at("resource").value, kind = at("kind").value;
    found = ordered(rows.filter((row) => (!resource || row.cells[0] === resource) && (!kind || row.cells[CHANGE] === kind) && (!search || row.text.includes(search))));
    [...head.cells].forEach((cell, column) => {
      if (column === sort.column) cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    show();
  }
  // A table that is laid out as cards is one still, if it says so.
  const role = (element, name) => { element.setAttribute("role", name); return element; };
  role(at("table"), "table");
  [head.parentNode, body].forEach((group) => role(group, "rowgroup"));
  role(head, "row");
  [...head.cells].forEach((cell) => role(cell, "columnheader"));

  function write(cell, text, whole) {
    if (whole || text.length <= LETTERS_MAX) {
      cell.textContent = text;
      return;
    }
    // Not in the middle of a character.
    const kept = text.slice(0, LETTERS_MAX).replace(/[\ud800-\udbff]$/, "");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "unfold";
    button.textContent = `Show all ${grouped(text.length)} letters`;
    button.addEventListener("click", () => { cell.textContent = text; cell.tabIndex = -1; cell.focus(); });
    cell.replaceChildren(`${kept}… `, button);
  }
  function line(row, whole) {
    const element = role(document.createElement("tr"), "row");
    element.className = row.cells[CHANGE];
    row.cells.forEach((text, column) => {
      const cell = role(document.createElement("td"), "cell");
      cell.className = classes[column];
      cell.dataset.name = columns[column];
      write(cell, text, whole);
      element.append(cell);
    });
    return element;
  }
  function fill(list, whole) {
    body.replaceChildren(...list.map((row) => line(row, whole)));
    if (list.length === 0) {
      const element = role(document.createElement("tr"), "row"), cell = role(document.createElement("td"), "cell");
      cell.colSpan = columns.length;
      cell.className = "none";
      cell.textContent = rows.length === 0 ? "No changes." : "No change matches.";
      element.append(cell);
      body.append(element);
    }
  }
  function show() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE_ROWS));
    page = Math.min(page, pages - 1);
    fill(found.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS));
    at("count").textContent = `${grouped(found.length)} of ${grouped(rows.length)} changes`;
    at("where").textContent = `Page ${grouped(page + 1)} of ${grouped(pages)}`;
    at("before").disabled = page === 0;
    at("after").disabled = page === pages - 1;
  }
  const filter = () => { page = 0; update(); };
  at("search").addEventListener("input", filter);
  at("resource").addEventListener("change", filter);
  at("kind").addEventListener("change", filter);
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("before").addEventListener("click", () => { page -= 1; show(); });
  at("after").addEventListener("click", () => { page += 1; show(); });
  window.addEventListener("beforeprint", () => {
    const most = Math.min(found.length, PRINT_ROWS_MAX);
    at("printed").textContent = `Printed: ${most < found.length ? `the first ${grouped(most)} of ${grouped(found.length)} chosen` : grouped(most)} of ${grouped(rows.length)} changes.`;
    fill(found.slice(0, most), true);
  });
  window.addEventListener("afterprint", show);
  at("browse").hidden = false;
  update();
})();
