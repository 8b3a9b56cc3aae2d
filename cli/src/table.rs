//! Tables for people: columns that line up, nothing around them, so that they can be cut and searched.

use crate::printer::{Printer, Style};

/// A table that is being filled.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell with a meaning.
    pub(crate) fn styled(style: Style, text: impl Into<String>) -> Cell {
        let text: String = text.into();
        // A key may contain anything; a row is a line.
        Cell { text: text.replace(char::is_control, "\u{fffd}"), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::styled(Style::Plain, text)
    }
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(header: &[&'static str]) -> Table {
        Table { header: header.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, with a cell for each column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// Prints it.
    pub(crate) fn print(&self, printer: &Printer) {
        printer.data(&self.to_text(printer));
    }

    fn to_text(&self, printer: &Printer) -> String {
        let widths: Vec<usize> =
            self.header.iter().enumerate().map(|(column, title)| self.width_of(column).max(title.len())).collect();
        let header: Vec<Cell> = self.header.iter().map(|title| Cell::styled(Style::Dim, title.to_uppercase())).collect();
        let lines: Vec<String> =
            std::iter::once(&header).chain(&self.rows).map(|cells| line(cells, &widths, printer)).collect();
        lines.join("\n")
    }

    fn width_of(&self, column: usize) -> usize {
        self.rows.iter().map(|row| row[column].text.chars().count()).max().unwrap_or(0)
    }
}

/// Padding goes behind the colour, and none behind the last cell.
fn line(cells: &[Cell], widths: &[usize], printer: &Printer) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(&printer.style(cell.style, &cell.text));
        line.push_str(&" ".repeat(width - cell.text.chars().count() + 2));
    }
    line.trim_end().to_owned()
}
