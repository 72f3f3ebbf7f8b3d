//! How large a plan may be. Far beyond any real venue, and small enough that a hostile file costs little.

/// A plan of 100,000 seats as the public editor writes it, identifiers and all, has about 25 MiB.
pub const BYTES_MAX: usize = 32 << 20;

/// Values in a JSON file, counting every number, text, list and object: a dozen for each of the seats. Bounds the memory that
/// a file of many empty lists can ask for.
pub const VALUES_MAX: u32 = 2_500_000;

/// The largest stadium on earth seats fewer.
pub const SEATS_MAX: usize = 200_000;

/// A stadium has about two hundred blocks.
pub const SECTIONS_MAX: usize = 1_000;

/// In the whole plan; rows of ten seats in the largest plan.
pub const ROWS_MAX: usize = 20_000;

/// Stages, bars, tables and captions: one for every ten seats of a large hall.
pub const AREAS_MAX: usize = 2_000;

/// Corners of one polygon; enough for a coastline.
pub const POINTS_MAX: usize = 1_000;

/// Price levels that a buyer can still tell apart are far fewer.
pub const CATEGORIES_MAX: usize = 100;

/// Characters of what people read on a row or a seat; it must fit on a ticket.
pub const LABEL_CHARS_MAX: usize = 32;

/// Characters of the name of a section or a category; a line on a ticket.
pub const NAME_CHARS_MAX: usize = 80;

/// Characters of the name of the whole plan.
pub const PLAN_NAME_CHARS_MAX: usize = 120;

/// Characters of what is written on an area.
pub const TEXT_CHARS_MAX: usize = 200;

/// Columns of a table; spreadsheets have some of their own, but not many.
pub const COLUMNS_MAX: usize = 100;

/// Largest coordinate or size, either way from zero: a kilometre in millimetres, and exact to a thousandth in every
/// browser.
pub const COORDINATE_MAX: f64 = 1_000_000.0;

/// Problems that are told one by one; whoever fixes so many imports again anyway.
pub const PROBLEMS_MAX: usize = 20;

/// Kinds of warnings that are told; the rest is counted.
pub const WARNINGS_MAX: usize = 50;
