//! An arena: two rings of blocks around a floor. The rows run along rectangles with round corners, each a little larger than the
//! one before it.

use std::f64::consts::FRAC_PI_2;

use serde_json::Value;

use super::drawing::{Category, Plan, Point, Row, Section, rectangle, text};

/// Exactly so many; the last rows of the upper ring give way to what is too much.
const SEATS: usize = 20_000;

const ROWS: u32 = 25;

/// From seat to seat along a row.
const SEAT: f64 = 20.0;

/// From row to row.
const ROW: f64 = 23.0;

/// The width of a stairway between two blocks.
const STAIRS: f64 = 44.0;

/// The floor: half of its straight sides, and the radius of its corners.
const HALF_WIDTH: f64 = 460.0;
const HALF_HEIGHT: f64 = 80.0;
const CORNER: f64 = 410.0;

/// The middle of the front of the stage.
const STAGE_FRONT: Point = (-560.0, 0.0);

/// Where the stage is seen and heard best; what a seat costs goes by the distance from here.
const BEST: Point = (-250.0, 0.0);

const CATEGORIES: [Category; 5] = [
    Category { name: "Category 1", color: "#9e2a2b" },
    Category { name: "Category 2", color: "#e09f3e" },
    Category { name: "Category 3", color: "#5f8a4c" },
    Category { name: "Category 4", color: "#335c81" },
    Category { name: "Category 5", color: "#7a6c93" },
];

/// How far each category reaches; the last one takes the rest.
const REACH: [f64; 4] = [780.0, 1080.0, 1400.0, 1850.0];

struct Ring {
    /// The number of its first block.
    first: u32,
    blocks: u32,
    /// From the edge of the floor to the first row.
    distance: f64,
}

const LOWER: Ring = Ring { first: 101, blocks: 24, distance: 60.0 };
const UPPER: Ring = Ring { first: 201, blocks: 32, distance: 60.0 + (ROWS as f64) * ROW + 90.0 };

pub(super) fn plan() -> Plan {
    let lower = LOWER.points();
    let mut upper = UPPER.points();
    let seats = |ring: &[Block]| ring.iter().flatten().map(Vec::len).sum::<usize>();
    let surplus = seats(&lower) + seats(&upper) - SEATS;
    shorten(&mut upper, surplus);
    let mut sections: Vec<_> = (LOWER.first..).zip(lower).map(|(number, block)| section(number, block)).collect();
    for section in &mut sections {
        section.rows.last_mut().expect("a block has rows").wheelchairs_at_both_ends();
    }
    sections.extend((UPPER.first..).zip(upper).map(|(number, block)| section(number, block)));
    Plan { name: "Arena", categories: CATEGORIES.into(), sections, areas: areas() }
}

/// The seats of a block, by rows.
type Block = Vec<Vec<Point>>;

/// Takes seats from the last rows, one from every block in turn, now from the one end and now from the other.
fn shorten(blocks: &mut [Block], seats: usize) {
    let count = blocks.len();
    for n in 0..seats {
        let row = blocks[n % count].last_mut().expect("a block has rows");
        row.remove(if (n / count).is_multiple_of(2) { row.len() - 1 } else { 0 });
    }
}

fn section(number: u32, block: Block) -> Section {
    let rows = (1..=ROWS).zip(block).map(|(number, points)| {
        let middle = middle(&points);
        let mut row = Row::new(number.to_string(), category(middle), points);
        if is_behind_stage(middle) {
            row.mark_all("restricted_view");
        }
        row
    });
    Section { name: number.to_string(), rows: rows.collect() }
}

fn middle(row: &[Point]) -> Point {
    let (first, last) = (row[0], row[row.len() - 1]);
    (f64::midpoint(first.0, last.0), f64::midpoint(first.1, last.1))
}

fn category((x, y): Point) -> &'static str {
    let distance = (x - BEST.0).hypot(y - BEST.1);
    CATEGORIES[REACH.iter().filter(|reach| **reach < distance).count()].name
}

/// Within a wedge that opens from the front of the stage.
fn is_behind_stage((x, y): Point) -> bool {
    STAGE_FRONT.0 - x > 1.7 * y.abs()
}

impl Ring {
    fn points(&self) -> Vec<Block> {
        (0..self.blocks).map(|block| (0..ROWS).map(|row| self.row(block, row)).collect()).collect()
    }

    /// As many seats as fit between two stairways, in the middle between them.
    fn row(&self, block: u32, row: u32) -> Vec<Point> {
        let line = Line { distance: self.distance + f64::from(row) * ROW };
        let (from, to) = (self.edge(block, &line), self.edge(block + 1, &line));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row has room for some dozens of seats")]
        let seats = ((to - from - STAIRS) / SEAT).floor() as u32 + 1;
        let first = f64::midpoint(from, to) - f64::from(seats - 1) / 2.0 * SEAT;
        (0..seats).map(|seat| line.point(first + f64::from(seat) * SEAT)).collect()
    }

    /// Where the stairway before a block meets a line. Blocks are equally wide in the middle of the ring, and stairways lead
    /// straight out.
    fn edge(&self, block: u32, line: &Line) -> f64 {
        let middle = Line { distance: self.distance + f64::from(ROWS) * ROW / 2.0 };
        let total: f64 = middle.pieces().iter().sum();
        let mut along = total * f64::from(block) / f64::from(self.blocks);
        let mut edge = 0.0;
        for (there, here) in middle.pieces().into_iter().zip(line.pieces()) {
            edge += here * (along / there).clamp(0.0, 1.0);
            along -= there;
        }
        edge
    }

    /// Where the number of a block is written: in front of its first row.
    fn number_at(&self, block: u32) -> Point {
        let line = Line { distance: self.distance - 34.0 };
        line.point(f64::midpoint(self.edge(block, &line), self.edge(block + 1, &line)))
    }
}

/// A line around the floor, clockwise from the middle of its upper side.
struct Line {
    /// From the edge of the floor.
    distance: f64,
}

impl Line {
    /// The lengths of its sides and corners in turn.
    fn pieces(&self) -> [f64; 9] {
        let corner = FRAC_PI_2 * (CORNER + self.distance);
        let (wide, high) = (2.0 * HALF_WIDTH, 2.0 * HALF_HEIGHT);
        [HALF_WIDTH, corner, high, corner, wide, corner, high, corner, HALF_WIDTH]
    }

    /// The point that is so far along the line.
    fn point(&self, along: f64) -> Point {
        let radius = CORNER + self.distance;
        let [top, right, bottom, left] = [-HALF_HEIGHT - radius, HALF_WIDTH + radius, HALF_HEIGHT + radius, -HALF_WIDTH - radius];
        let (piece, rest) = self.piece(along);
        // Corners are turned from their first side towards the next one.
        let (sin, cos) = (rest / radius).sin_cos();
        match piece {
            0 => (rest, top),
            1 => (HALF_WIDTH + radius * sin, -HALF_HEIGHT - radius * cos),
            2 => (right, -HALF_HEIGHT + rest),
            3 => (HALF_WIDTH + radius * cos, HALF_HEIGHT + radius * sin),
            4 => (HALF_WIDTH - rest, bottom),
            5 => (-HALF_WIDTH - radius * sin, HALF_HEIGHT + radius * cos),
            6 => (left, HALF_HEIGHT - rest),
            7 => (-HALF_WIDTH - radius * cos, -HALF_HEIGHT - radius * sin),
            _ => (-HALF_WIDTH + rest, top),
        }
    }

    /// The side or corner on which this is, and how far along it.
    fn piece(&self, mut along: f64) -> (usize, f64) {
        let pieces = self.pieces();
        for (i, length) in pieces[..8].iter().enumerate() {
            if along < *length {
                return (i, along);
            }
            along -= length;
        }
        (8, along)
    }
}

fn areas() -> Vec<Value> {
    let mut areas = vec![
        rectangle((STAGE_FRONT.0, -330.0), 1290.0, 660.0, "Floor", "#efece6"),
        rectangle((STAGE_FRONT.0 - 240.0, -210.0), 240.0, 420.0, "Stage", "#4a4e69"),
    ];
    for ring in [LOWER, UPPER] {
        areas.extend((0..ring.blocks).map(|block| text(ring.number_at(block), &(ring.first + block).to_string())));
    }
    areas
}
