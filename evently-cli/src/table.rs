//! Tables for people: aligned columns, no lines, no colour.

use std::io::IsTerminal;

use comfy_table::{CellAlignment, ContentArrangement, Table as Comfy, presets::NOTHING};

/// A table under construction.
pub struct Table(Comfy);

impl Table {
    /// A table with these headings. Columns whose heading begins with `#` hold numbers, and stand to the right.
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        let mut table = Comfy::new();
        table.load_style(NOTHING).set_header(headings.map(|heading| heading.trim_start_matches('#')));
        if let Some(width) = width() {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        for (i, heading) in headings.iter().enumerate() {
            let column = table.column_mut(i).expect("there is a column for each heading");
            column.set_padding((0, 2));
            if heading.starts_with('#') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self(table)
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.add_row(cells);
    }

    /// The table as text, with `what` there is none of if it has no rows.
    pub fn or_none(&self, what: &str) -> String {
        if self.0.is_empty() { format!("no {what}\n") } else { self.text() }
    }

    /// The table as text.
    pub fn text(&self) -> String {
        self.0.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

/// Names and values, one below the other.
pub fn facts<const N: usize>(facts: [(&str, String); N]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let said = facts.into_iter().filter(|(_, value)| !value.is_empty());
    said.map(|(name, value)| format!("{name:width$}  {value}\n")).collect::<Vec<_>>().concat()
}

/// How wide a line may be; nothing where it is read by a program.
fn width() -> Option<u16> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || rustix::termios::tcgetwinsize(stdout).ok().map(|size| size.ws_col);
    columns.or_else(terminal).filter(|columns| *columns >= 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_tail() {
        let mut table = Table::new(["NAME", "#SEATS"]);
        table.row(["Hall".to_owned(), "1500".to_owned()]);
        table.row(["A club".to_owned(), "20".to_owned()]);
        assert_eq!(table.text(), "NAME    SEATS\nHall     1500\nA club     20\n");
        assert_eq!(Table::new(["NAME"]).or_none("venues"), "no venues\n");
    }

    #[test]
    fn facts_that_are_not_known_are_left_out() {
        assert_eq!(
            facts([("id", "1".to_owned()), ("code", String::new()), ("state", "new".to_owned())]),
            "id     1\nstate  new\n"
        );
    }
}
