//! Lines and tables for people. Text from outside is made safe for a terminal.

use crate::model::printable;
use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Table,
    TableStyle, presets,
};

/// Fewest columns of a terminal that tables are fitted to.
pub(super) const WIDTH_MIN: u16 = 80;

/// The table style of pdcli: lines around the table, between columns and below the header.
const FRAME: TableStyle = TableStyle::new()
    .top_border(LineStyle::new('┌', '─', '┬', '┐'))
    .header_lines(ContentLineStyle::new('│', '│', '│'))
    .header_separator(LineStyle::new('├', '─', '┼', '┤'))
    .content_lines(ContentLineStyle::new('│', '│', '│'))
    .bottom_border(LineStyle::new('└', '─', '┴', '┘'));

/// A text for a terminal or a log. Every line begins with text of this program, and no character controls
/// the terminal.
#[derive(Debug, Default)]
pub(super) struct Text(Vec<Part>);

#[derive(Debug)]
enum Part {
    Line(String),
    Grid(Grid),
}

/// A table. Each cell is one line. It is wrapped between words if a terminal is too narrow.
#[derive(Debug)]
pub(super) struct Grid {
    framed: bool,
    head: Vec<String>,
    /// The indexes of right-aligned columns with numbers. They are never wrapped.
    figures: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Text {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Creates a text of one line.
    pub(super) fn of(text: impl AsRef<str>) -> Self {
        let mut one = Self::new();
        one.line(text);
        one
    }

    /// Adds one line. Line breaks in it are escaped.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.0.push(Part::Line(printable(text.as_ref()).into_owned()));
    }

    /// Adds a table, unless it has no rows.
    pub(super) fn grid(&mut self, grid: Grid) {
        if !grid.rows.is_empty() {
            self.0.push(Part::Grid(grid));
        }
    }

    /// Returns the text after applying `mask` to every line and cell.
    pub(super) fn masked(mut self, mask: impl Fn(&str) -> String) -> Self {
        for part in &mut self.0 {
            match part {
                Part::Line(line) => *line = mask(line),
                Part::Grid(grid) => {
                    grid.rows.iter_mut().flatten().for_each(|cell| *cell = mask(cell));
                }
            }
        }
        self
    }

    /// Renders the text. On a terminal lines and tables are wrapped to its width. No line ends with a
    /// space.
    pub(super) fn render(&self, width: Option<u16>) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Line(line) => match width {
                    Some(width) => wrap(line, usize::from(width.max(WIDTH_MIN)), &mut out),
                    None => out.push_str(line.trim_end()),
                },
                Part::Grid(grid) => out.push_str(&grid.table(width).trim_fmt()),
            }
            out.push('\n');
        }
        out
    }
}

/// Adds a line that is wrapped between words. Continuation lines are indented, so that text from outside
/// never begins a line.
fn wrap(line: &str, width: usize, out: &mut String) {
    let mut taken = 0;
    for piece in line.trim_end().split_inclusive(' ') {
        let letters = piece.trim_end().chars().count();
        if taken > 0 && taken + letters > width {
            out.truncate(out.trim_end_matches(' ').len());
            out.push_str("\n  ");
            taken = 2;
        }
        out.push_str(piece);
        taken += piece.chars().count();
    }
}

impl Grid {
    /// Creates a table without lines. The columns with these indexes contain numbers.
    pub(super) fn new<const N: usize>(head: [&str; N], figures: &[usize]) -> Self {
        Self::of(false, head, figures)
    }

    /// Creates a table without lines and header.
    pub(super) fn bare() -> Self {
        Self::of(false, [], &[])
    }

    /// Creates a table with lines.
    pub(super) fn framed<const N: usize>(head: [&str; N]) -> Self {
        Self::of(true, head, &[])
    }

    fn of<const N: usize>(framed: bool, head: [&str; N], figures: &[usize]) -> Self {
        let head = head.map(str::to_owned).to_vec();
        Self { framed, head, figures: figures.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [impl AsRef<str>; N]) {
        self.rows.push(cells.map(|cell| printable(cell.as_ref()).into_owned()).to_vec());
    }

    /// Removes the columns in which every cell is one of these texts.
    pub(super) fn without_columns_of(mut self, nothing: &[&str]) -> Self {
        for column in (0..self.head.len()).rev() {
            let mut cells = self.rows.iter().map(|row| row[column].as_str());
            if cells.all(|cell| nothing.contains(&cell)) {
                self.head.remove(column);
                self.rows.iter_mut().for_each(|row| drop(row.remove(column)));
                self.figures.retain(|figure| *figure != column);
                self.figures.iter_mut().filter(|f| **f > column).for_each(|f| *f -= 1);
            }
        }
        self
    }

    fn table(&self, width: Option<u16>) -> Table {
        let mut table = Table::new();
        if self.framed {
            table.load_style(FRAME);
        } else {
            table.load_style(presets::NOTHING);
        }
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width.max(WIDTH_MIN));
        }
        if !self.head.is_empty() {
            table.set_header(&self.head);
        }
        for row in &self.rows {
            table.add_row(row);
        }
        for (number, column) in table.column_iter_mut().enumerate() {
            if self.figures.contains(&number) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            // The first column of a table without lines is not wrapped either.
            if self.figures.contains(&number) || !self.framed && number == 0 {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        table
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
        text.grid(grid);
        let shown = text.render(None);
        assert_eq!(shown.lines().count(), 3, "{shown}");
        assert!(shown.starts_with("one\\nerror: two\n"));
        assert!(!shown.contains('\x1b'));
    }

    #[test]
    fn tables_fit_the_terminal_and_no_line_ends_with_a_blank() {
        for framed in [false, true] {
            let head = ["resource", "rows", "outcome"];
            let mut grid = if framed { Grid::framed(head) } else { Grid::new(head, &[1]) };
            let long = "a sentence of many words ".repeat(20);
            grid.row(["organization_relationships", "1,234,567", long.trim()]);
            grid.row(["deals", "1", ""]);
            let mut text = Text::of("a line ");
            text.grid(grid);
            for width in [None, Some(20), Some(80), Some(120)] {
                let shown = text.render(width);
                let widest = shown.lines().map(|line| line.chars().count()).max();
                let most = width.map_or(usize::MAX, |width| usize::from(width.max(WIDTH_MIN)));
                assert!(widest <= Some(most), "{shown}");
                assert!(shown.contains("1,234,567"), "{shown}");
                assert!(shown.lines().all(|line| !line.ends_with(' ')), "{shown}");
            }
        }
    }

    #[test]
    fn sentences_are_broken_between_words_on_a_terminal() {
        let words = "twelve words ".repeat(12);
        let shown = Text::of(&words).render(Some(80));
        assert_eq!(shown.lines().count(), 2, "{shown}");
        assert!(shown.lines().nth(1).is_some_and(|line| line.starts_with("  ")), "{shown}");
        assert!(shown.lines().all(|line| line.len() <= 80 && !line.ends_with(' ')), "{shown}");
        assert_eq!(shown.split_whitespace().count(), 24);
        assert_eq!(Text::of(&words).render(None).lines().count(), 1);
        let long = "x".repeat(200);
        assert_eq!(Text::of(&long).render(Some(80)), format!("{long}\n"));
    }

    #[test]
    fn columns_without_a_word_are_left_out() {
        let mut grid = Grid::new(["a", "gone", "b"], &[1, 2]);
        grid.row(["x", "0", "7"]);
        let mut text = Text::new();
        text.grid(grid.without_columns_of(&["0", ""]));
        assert_eq!(text.render(None), " a  b\n x  7\n");
        text.grid(Grid::new(["a"], &[]));
        assert_eq!(text.render(None).lines().count(), 2, "a table without rows is none");
    }
}
