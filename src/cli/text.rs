//! What people read: lines and tables, whatever words of others are in them.

use crate::model::plain;
use comfy_table::{CellAlignment, ContentLineStyle, LineStyle, Table, TableStyle, presets};

/// The seed tool's table: lines around, between columns, and below the header.
const FRAME: TableStyle = TableStyle::new()
    .top_border(LineStyle::new('┌', '─', '┬', '┐'))
    .header_lines(ContentLineStyle::new('│', '│', '│'))
    .header_separator(LineStyle::new('├', '─', '┼', '┤'))
    .content_lines(ContentLineStyle::new('│', '│', '│'))
    .bottom_border(LineStyle::new('└', '─', '┴', '┘'));

/// Text that is fit for a terminal or a log: every line of it was begun by this program, and no
/// character in it steers the terminal.
#[derive(Debug, Default)]
pub(super) struct Text(String);

/// A table. Each cell is one line.
#[derive(Debug)]
pub(super) struct Grid(Table);

impl Text {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// One line.
    pub(super) fn of(text: impl AsRef<str>) -> Self {
        let mut one = Self::new();
        one.line(text);
        one
    }

    /// Adds one line. A line break in it is spelled out.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.0.push_str(&plain(text.as_ref()));
        self.0.push('\n');
    }

    /// Adds a table.
    pub(super) fn grid(&mut self, grid: &Grid) {
        self.0.push_str(&grid.0.to_string());
        self.0.push('\n');
    }

    /// The text with secrets taken out by `mask`.
    pub(super) fn masked(self, mask: impl Fn(&str) -> String) -> Self {
        Self(mask(&self.0))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Grid {
    /// A table without lines. The columns of these numbers hold figures.
    pub(super) fn new<const N: usize>(head: [&str; N], figures: &[usize]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(head);
        for column in figures {
            if let Some(column) = table.column_mut(*column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self(table)
    }

    /// A table with lines around.
    pub(super) fn framed<const N: usize>(head: [&str; N]) -> Self {
        let mut table = Table::new();
        table.load_style(FRAME);
        table.set_header(head);
        Self(table)
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [impl AsRef<str>; N]) {
        self.0.add_row(cells.map(|cell| plain(cell.as_ref()).into_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_elses_words_begin_a_line() {
        let mut text = Text::of("one\nerror: two");
        let mut grid = Grid::new(["a", "b"], &[1]);
        grid.row(["x\ny", "\x1b[2J"]);
        text.grid(&grid);
        assert_eq!(text.as_str().lines().count(), 3, "{}", text.as_str());
        assert!(text.as_str().starts_with("one\\nerror: two\n"));
        assert!(!text.as_str().contains('\x1b'));
    }
}
