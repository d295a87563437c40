#!/usr/bin/env bash
# read-excel-file 9.3.17 and xlsx (SheetJS) 0.18.5 with Node.js 20, a workbook written by exceljs 4.4.0, seen on
# 2026-11-30.
#
# Of the 86,400 whole seconds of a day about three in ten are read as the second before: 00:00:07 as 00:00:06.999.
# A workbook holds a time as a fraction of a day, most seconds lie between two of those numbers, and both readers cut
# the result to milliseconds where spreadsheets round it. SheetJS does so with `cellDates`; its formatted text is
# right, and so are the dates that exceljs reads.
#
# Output: seconds read as the one before, of 86400: read-excel-file 26368, SheetJS 22656, SheetJS as text 0, exceljs 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund --no-update-notifier \
    read-excel-file@9.3.17 xlsx@0.18.5 exceljs@4.4.0 >npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat >seconds.js <<'JAVASCRIPT'
import ExcelJS from 'exceljs'
import readExcelFile from 'read-excel-file/node'
import XLSX from 'xlsx'

const seconds = Array.from({ length: 86400 }, (_, second) => new Date(Date.UTC(2026, 4, 4) + second * 1000))
const written = new ExcelJS.Workbook()
const times = written.addWorksheet('times')
for (const second of seconds) {
  times.addRow([second]).getCell(1).numFmt = 'yyyy-mm-dd hh:mm:ss'
}
await written.xlsx.writeFile('times.xlsx')

const text = (time) => time.toISOString().slice(0, 19).replace('T', ' ')
const early = (found) => {
  if (found.length !== seconds.length) throw new Error(`${found.length} rows`)
  return seconds.filter((second, row) => found[row] !== text(second)).length
}
const sheets = await readExcelFile('times.xlsx')
const rows = (options, format) =>
  XLSX.utils.sheet_to_json(XLSX.readFile('times.xlsx', options).Sheets.times, { header: 1, ...format }).map(([cell]) => cell)
const read = new ExcelJS.Workbook()
await read.xlsx.readFile('times.xlsx')
const column = read.getWorksheet('times').getColumn(1).values.slice(1)
const found = [
  early(sheets[0].data.map(([cell]) => text(cell))),
  early(rows({ cellDates: true }, { raw: true }).map(text)),
  early(rows({}, { raw: false })),
  early(column.map(text)),
]
const [first, second, third, fourth] = found
console.log(
  `seconds read as the one before, of 86400: read-excel-file ${first}, SheetJS ${second}, ` +
    `SheetJS as text ${third}, exceljs ${fourth}`,
)
if (found.join() !== '26368,22656,0,0') {
  console.error('the behaviour has changed')
  process.exit(1)
}
JAVASCRIPT
TZ=UTC node seconds.js
