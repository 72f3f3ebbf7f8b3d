//! CSV: a line for each seat, as a spreadsheet keeps it.

mod columns;

use std::collections::HashMap;

use csv::StringRecord;

use self::columns::{COLUMNS, Columns};
use super::{
    Import,
    category::Categories,
    category_name,
    draft::{At, Draft, DraftRow, DraftSeat, DraftSection},
    grid,
    json::out_of_bounds,
    limits::{COORDINATE_MAX, SEATS_MAX},
    own::{attribute, attribute_name},
    problem::{Findings, ImportError, Path},
    text::{label, name, quote},
};
use crate::domain::{Attribute, Layout, LayoutId};

pub(super) fn read(text: &str, id: LayoutId) -> Result<Import, ImportError> {
    if text.trim_start().starts_with('{') {
        let message = "this looks like JSON; it is read with the format evently or pretix";
        return Err(ImportError::single(Path::FILE, message));
    }
    let found = Findings::default();
    let draft = Table::read(text, &found).map(Table::into_draft).unwrap_or_default();
    draft.build(id, found)
}

/// Semicolons where the header has more of them, as spreadsheets write where the comma is the decimal point.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if header.matches(';').count() > header.matches(',').count() { b';' } else { b',' }
}

struct Table<'f> {
    columns: Columns,
    found: &'f Findings,
    decimal_comma: bool,
    draft: Draft,
    categories: Categories,
    sections: HashMap<String, usize>,
    rows: HashMap<(usize, String), usize>,
    /// Whether the seats have positions; `None` until the first seat says so.
    is_drawn: Option<bool>,
}

impl<'f> Table<'f> {
    fn read(text: &str, found: &'f Findings) -> Option<Self> {
        let delimiter = delimiter(text);
        let mut lines = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
        let columns = Columns::read(lines.headers().expect("text in memory is read and is UTF-8"), found)?;
        let mut table = Self {
            columns,
            found,
            decimal_comma: delimiter == b';',
            draft: Draft::default(),
            categories: Categories::default(),
            sections: HashMap::new(),
            rows: HashMap::new(),
            is_drawn: None,
        };
        let width = lines.headers().map_or(0, StringRecord::len);
        let mut line = StringRecord::new();
        let mut seats = 0;
        while lines.read_record(&mut line).expect("text in memory is read and is UTF-8") {
            // A spreadsheet leaves lines of nothing but separators behind.
            if line.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            seats += 1;
            if seats > SEATS_MAX {
                found.problem(line_path(&line), format!("there are more than {SEATS_MAX} seats in it, which is the limit"));
                break;
            }
            table.line(&line, width);
        }
        Some(table)
    }

    fn line(&mut self, line: &StringRecord, width: usize) {
        let at = line_path(line);
        if line.iter().skip(width).any(|cell| !cell.trim().is_empty()) {
            let message =
                format!("there are {} cells and {width} columns; put a cell that contains the separator in quotes", line.len());
            self.found.problem(at, message);
            return;
        }
        // In a column that is left out nobody would look, and with a quote that is not closed all lines behind it are in the cell.
        if let Some(cell) = line.iter().position(|cell| cell.trim_end().contains(['\n', '\r'])) {
            let message = format!("cell {} goes over several lines; put it into one, or close its quote", cell + 1);
            self.found.problem(at, message);
            return;
        }
        let cell = |column| self.columns.cell(line, column);
        let section = self.accept(at, "section", name(cell("section")));
        let row = self.accept(at, "row", label(cell("row")));
        let seat = self.accept(at, "seat", label(cell("seat")));
        let category = self.accept(at, "category", name(cell("category")));
        let attributes = self.attributes(at, cell("attributes"));
        let position = self.position(at, cell("x"), cell("y"));
        let (Some(section), Some(row), Some(label), Some(category), Some((x, y))) = (section, row, seat, category, position)
        else {
            return;
        };
        let category = self.categories.find_or_add(category);
        let seat = DraftSeat { at: At::Line(line_number(line)), label, x, y, category, attributes };
        self.row(section, row).seats.push(seat);
    }

    fn accept<T>(&self, at: Path<'_>, column: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.found.problem(at, format!("{column}: {message}"))).ok()
    }

    fn attributes(&self, at: Path<'_>, cell: &str) -> Vec<Attribute> {
        let names = cell.split(|c: char| c == '|' || c.is_whitespace()).filter(|name| !name.is_empty());
        names.filter_map(|name| self.accept(at, "attributes", attribute(&name.to_lowercase()))).collect()
    }

    /// Where the seat is; the origin where no seat says, and all get their places later.
    fn position(&mut self, at: Path<'_>, x: &str, y: &str) -> Option<(f64, f64)> {
        let is_drawn = !x.is_empty() || !y.is_empty();
        if *self.is_drawn.get_or_insert(is_drawn) != is_drawn {
            self.found.problem(at, "some seats have x and y and others have not; give them to all or to none");
            return None;
        }
        if !is_drawn {
            return Some((0.0, 0.0));
        }
        let (x, y) = (self.accept(at, "x", self.number(x)), self.accept(at, "y", self.number(y)));
        Some((x?, y?))
    }

    fn number(&self, cell: &str) -> Result<f64, String> {
        let point = if self.decimal_comma { cell.replacen(',', ".", 1) } else { cell.to_owned() };
        match point.parse::<f64>() {
            Ok(number) if number.abs() <= COORDINATE_MAX => Ok(number),
            Ok(number) if number.is_finite() => Err(out_of_bounds(number)),
            _ => Err(format!("{} is not a number; write it like 12 or 12.5", quote(cell))),
        }
    }

    /// The row of this label, wherever in the file its other seats are.
    fn row(&mut self, section: String, label: String) -> &mut DraftRow {
        let sections = &mut self.draft.sections;
        let s = *self.sections.entry(section).or_insert_with_key(|name| {
            sections.push(DraftSection { name: name.clone(), rows: Vec::new() });
            sections.len() - 1
        });
        let rows = &mut sections[s].rows;
        let r = *self.rows.entry((s, label)).or_insert_with_key(|(_, label)| {
            rows.push(DraftRow { label: label.clone(), seats: Vec::new() });
            rows.len() - 1
        });
        &mut rows[r]
    }

    fn into_draft(mut self) -> Draft {
        self.draft.categories = self.categories.into_list();
        if self.is_drawn == Some(true) {
            self.draft.seat_people(self.found);
            self.draft.sort_categories();
        } else {
            grid::lay_out(&mut self.draft.sections);
        }
        self.draft
    }
}

fn line_path(line: &StringRecord) -> Path<'static> {
    Path::line(line_number(line))
}

fn line_number(line: &StringRecord) -> u64 {
    line.position().map_or(0, csv::Position::line)
}

/// The seats; names of plans, colours and areas have no place in a table.
pub(super) fn write(layout: &Layout) -> Vec<u8> {
    const IN_MEMORY: &str = "memory takes whatever is written";
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS).expect(IN_MEMORY);
    for place in layout.places() {
        let seat = place.seat;
        let attributes: Vec<_> = seat.attributes.iter().copied().map(attribute_name).collect();
        table
            .write_record([
                &place.section.name,
                &place.row.label,
                &seat.label,
                &seat.x.to_string(),
                &seat.y.to_string(),
                category_name(layout, seat),
                &attributes.join("|"),
            ])
            .expect(IN_MEMORY);
    }
    table.into_inner().expect(IN_MEMORY)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn read(text: &str) -> Result<Import, ImportError> {
        super::read(text, LayoutId::new(Uuid::nil()))
    }

    fn seats(import: &Import) -> Vec<String> {
        let seats = import.layout.places().map(|place| {
            let (section, row, seat) = (&place.section.name, &place.row.label, place.seat);
            format!("{section} {row} {} at {} {}", seat.label, seat.x, seat.y)
        });
        seats.collect()
    }

    #[test]
    fn columns_come_in_any_order_and_with_either_separator() {
        for text in [
            "Section,Row,Seat,X,Y,Category,Attributes\nStalls,A,1,10.5,20,Dear,aisle|companion\n",
            "\n category ; y ; x ; attributes ; seat ; row ; section \r\nDear;20;10,5;companion aisle;1;A;Stalls;;\r\n;;;;;;\r\n",
        ] {
            let import = read(text).unwrap();
            assert_eq!(seats(&import), ["Stalls A 1 at 10.5 20"]);
            assert_eq!(import.layout.sections[0].rows[0].seats[0].attributes, [Attribute::Companion, Attribute::Aisle]);
            assert_eq!(import.warnings, []);
        }
    }

    #[test]
    fn a_header_with_as_many_semicolons_as_commas_has_commas() {
        let import = read("section,row,seat,category,note;of;an;usher;1\nS,A,1,C,\n").unwrap();
        assert_eq!(seats(&import), ["S A 1 at 0 0"]);
    }

    #[test]
    fn seats_without_positions_are_laid_out_on_a_grid() {
        let text = "section,row,seat,category\nLeft,A,1,C\nLeft,A,2,C\nLeft,B,1,C\nRight,A,1,C\n";
        let import = read(text).unwrap();
        assert_eq!(seats(&import), ["Left A 1 at 0 0", "Left A 2 at 25 0", "Left B 1 at 12.5 30", "Right A 1 at 125 0"]);
    }

    #[test]
    fn a_row_too_long_for_the_grid_takes_all_the_room_there_is() {
        let seats = (0..50_000).map(|seat| format!("S,A,{seat},C\n")).collect::<Vec<_>>().concat();
        let layout = read(&format!("section,row,seat,category\n{seats}")).unwrap().layout;
        let last = layout.places().last().unwrap().seat.x;
        assert!((0.999 * COORDINATE_MAX..=COORDINATE_MAX).contains(&last), "{last}");
    }

    #[test]
    fn a_row_gathers_its_seats_from_everywhere_in_the_file() {
        let text = "section,row,seat,category\nS,A,1,C\nS,B,1,C\nS,A,2,D\n";
        let layout = read(text).unwrap().layout;
        let rows: Vec<_> = layout.sections[0].rows.iter().map(|row| row.seats.len()).collect();
        assert_eq!((rows, layout.categories.len()), (vec![2, 1], 2));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let text = "section,row,seat,x,y,category,attributes\n\
            S,A,1,0,0,C,steep\nS,A,2,one,inf,C,\nS,,3,0,0,C,\nS,A,4,,,C,\nS,A,5,0,0,,\nS,A,6,0,0,C,,,x\nS,A,7,0,9e9,C\nS,A,1,5,0,C,\n";
        let told: Vec<_> = read(text).unwrap_err().problems.iter().map(ToString::to_string).collect();
        let expected = [
            "line 2: attributes: `steep` is no attribute",
            "line 3: x: `one` is not a number; write it like 12 or 12.5",
            "line 3: y: `inf` is not a number",
            "line 4: row: it is empty; it needs 1 to 32 characters",
            "line 5: some seats have x and y and others have not",
            "line 6: category: it is empty",
            "line 7: there are 9 cells and 7 columns",
            "line 8: y: 9000000000 is out of bounds",
            "line 9: seat `1` in row `A` of `S` is there already, at line 2",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        let half = read("section,row,seat,x,y,category\nS,A,1,5,,C\n").unwrap_err().to_string();
        assert!(half.contains("line 2: y: `` is not a number"), "{half}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}");
        }
    }

    #[test]
    fn the_header_is_needed() {
        let told = read("Stalls,A,1,Dear\n").unwrap_err().to_string();
        assert!(told.starts_with("line 1: the header lacks `section`, `row`, `seat` and `category`"), "{told}");
        let told = read("section,row,seat,category,x\n").unwrap_err().to_string();
        assert!(told.contains("the columns `x` and `y` go together"), "{told}");
        let told = read("section,row,seat,category,seat\n").unwrap_err().to_string();
        assert!(told.contains("the column `seat` is there twice"), "{told}");
        let told = |columns: usize| read(&",".repeat(columns - 1)).unwrap_err().to_string();
        assert!(told(101).contains("there are 101 columns; at most 100 are allowed"), "{}", told(101));
        assert!(told(100).contains("the header lacks"), "{}", told(100));
    }

    #[test]
    fn an_unknown_column_is_left_out_with_a_warning() {
        let import = read("section,row,seat,category,price\nS,A,1,C,10\n").unwrap();
        assert_eq!(import.warnings[0].to_string(), "line 1: the column `price` is not known here and was left out");
    }

    /// In whatever column: the seats behind it would be missing, and nobody told.
    #[test]
    fn a_quote_that_is_not_closed_is_told_with_its_line() {
        for (column, said) in [("note", "of wood"), ("attributes", "of wood"), ("note", "")] {
            let told = read(&format!("section,row,seat,category,{column}\nS,A,1,C,\nS,A,2,C,\"{said}\nS,A,3,C,\n")).unwrap_err();
            assert_eq!(told.to_string(), "line 3: cell 5 goes over several lines; put it into one, or close its quote");
        }
    }

    #[test]
    fn json_is_recognized() {
        assert!(read(r#"{"zones":[]}"#).unwrap_err().to_string().contains("the format evently or pretix"));
    }

    #[test]
    fn too_many_lines_are_not_read_to_the_end() {
        let text = format!("section,row,seat,category\n{}", "S,A,1,C\n".repeat(SEATS_MAX + 5));
        let error = read(&text).unwrap_err();
        assert_eq!(error.more + error.problems.len(), SEATS_MAX);
    }
}
