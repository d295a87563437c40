"use strict";
(() => {
  const PAGE_ROWS = 200, PRINT_ROWS_MAX = 5000;
  const at = (id) => document.getElementById(id);
  const shown = (value) => value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
  const rows = JSON.parse(at("changes").textContent).map((row, order) => {
    const cells = [row.resource, row.id, row.change, shown(row.field), shown(row.oldValue), shown(row.newValue)];
    return { cells, order, text: cells.join("\u0000").toLowerCase() };
  });
  const columns = ["Resource", "ID", "Change", "Field", "Old", "New"];
  const classes = ["", "id", "", "", "old", "new"];
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
  function ordered(list) {
    if (sort.column < 0) return list;
    const keyed = list.map((row) => ({ row, text: row.cells[sort.column], number: number(row.cells[sort.column]) }));
    const sign = sort.down ? -1 : 1;
    keyed.sort((a, b) => {
      let order;
      if (a.number !== null && b.number !== null) order = a.number - b.number;
      else if (a.number !== null || b.number !== null) order = a.number !== null ? -1 : 1;
      else order = words.compare(a.text, b.text);
      return order * sign || a.row.order - b.row.order;
    });
    return keyed.map((one) => one.row);
  }
  function update() {
    const search = at("search").value.trim().toLowerCase(), resource = at("resource").value, kind = at("kind").value;
    found = ordered(rows.filter((row) => (!resource || row.cells[0] === resource) && (!kind || row.cells[2] === kind) && (!search || row.text.includes(search))));
    [...head.cells].forEach((cell, column) => {
      if (column === sort.column) cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    show();
  }
  function line(row) {
    const element = document.createElement("tr");
    element.className = row.cells[2];
    row.cells.forEach((text, column) => {
      const cell = document.createElement("td");
      cell.className = classes[column];
      cell.textContent = text;
      element.append(cell);
    });
    return element;
  }
  function fill(list) {
    body.replaceChildren(...list.map(line));
    if (list.length === 0) {
      const element = document.createElement("tr"), cell = document.createElement("td");
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
    at("count").textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} changes`;
    at("where").textContent = `Page ${(page + 1).toLocaleString("en")} of ${pages.toLocaleString("en")}`;
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
  window.addEventListener("beforeprint", () => fill(found.slice(0, PRINT_ROWS_MAX)));
  window.addEventListener("afterprint", show);
  update();
})();
