//! Documents in PDF: pages of text and filled rectangles, as small as can be.
//!
//! Text is Unicode. Latin, Greek, Cyrillic, Armenian and Georgian come from fonts that go along in the document, a subset of them;
//! Chinese, Japanese and Korean are left to the reader's own fonts; whatever else shows as a box that copies as the character it
//! stands for. Text runs from left to right.

mod embedded;
mod system;

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr, writers::Resources};

use self::{
    embedded::{BOLD, Embedded, REGULAR},
    system::System,
};

/// How heavy letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// As in a book.
    Regular,
    /// As in a heading.
    Bold,
}

/// A colour: red, green and blue, from 0 to 1.
pub type Colour = [f32; 3];

/// Text of one look: its weight, its size in points, and its colour.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// How heavy it is.
    pub weight: Weight,
    /// How large it is.
    pub size: f32,
    /// What colour it has.
    pub colour: Colour,
}

/// A document that is being written. All lengths are points, from the upper left corner of the page.
pub struct Document {
    size: (f32, f32),
    pages: Vec<Content>,
    regular: Embedded,
    bold: Embedded,
    systems: [bool; System::ALL.len()],
}

/// A part of a text in one font.
enum Run {
    /// In a font that goes along.
    Own(Vec<u8>),
    /// In one that the reader has.
    System(System, Vec<u8>),
}

impl Document {
    /// A document without pages, all of which will have this width and height.
    pub fn new(width: f32, height: f32) -> Self {
        let (regular, bold) = (Embedded::new(&REGULAR), Embedded::new(&BOLD));
        Self { size: (width, height), pages: Vec::new(), regular, bold, systems: [false; System::ALL.len()] }
    }

    /// Begins a page; what is drawn from here on is on it.
    pub fn begin_page(&mut self) {
        self.pages.push(Content::new());
    }

    /// How wide a text is.
    pub fn width(&self, text: &str, style: Style) -> f32 {
        let face = self.face(style.weight);
        text.chars().map(|c| if System::of(c).is_some() { 1000.0 } else { face.width(c) }).sum::<f32>() * style.size / 1000.0
    }

    /// Writes a line of text that begins at `x` and stands on `y`.
    pub fn text(&mut self, text: &str, x: f32, y: f32, style: Style) {
        let runs = self.runs(text, style.weight);
        let y = self.size.1 - y;
        let [red, green, blue] = style.colour;
        let page = self.page();
        page.begin_text().set_fill_rgb(red, green, blue).set_text_matrix([1.0, 0.0, 0.0, 1.0, x, y]);
        for run in &runs {
            let (font, bytes) = match run {
                Run::Own(bytes) => (own_name(style.weight), bytes),
                Run::System(system, bytes) => (system.resource(), bytes),
            };
            page.set_font(font, style.size).show(Str(bytes));
        }
        page.end_text();
    }

    /// Fills rectangles, each with its left and upper edge, its width and its height.
    pub fn fill(&mut self, rectangles: impl IntoIterator<Item = [f32; 4]>, [red, green, blue]: Colour) {
        let height = self.size.1;
        let page = self.page();
        page.set_fill_rgb(red, green, blue);
        for [x, y, w, h] in rectangles {
            page.rect(x, height - y - h, w, h);
        }
        page.fill_nonzero();
    }

    /// The bytes of the document.
    pub fn finish(self, title: &str) -> Vec<u8> {
        let mut pdf = Pdf::new();
        let mut last = 0;
        let mut next = || {
            last += 1;
            Ref::new(last)
        };
        let (catalog, tree, info, regular, bold) = (next(), next(), next(), next(), next());
        let systems = System::ALL.map(|system| (system, next())).into_iter();
        let systems = systems.filter(|(system, _)| self.systems[*system as usize]).collect::<Vec<_>>();
        let pages = self.pages.into_iter().map(|content| (next(), next(), content)).collect::<Vec<_>>();

        pdf.catalog(catalog).pages(tree).lang(TextStr("en")).viewer_preferences().display_doc_title(true);
        pdf.document_info(info).title(TextStr(title)).producer(TextStr("Evently"));
        let count = i32::try_from(pages.len()).expect("nobody has so many pages");
        let mut root = pdf.pages(tree);
        root.kids(pages.iter().map(|(page, ..)| *page)).count(count).media_box(Rect::new(0.0, 0.0, self.size.0, self.size.1));
        fonts(root.resources(), regular, bold, &systems);
        root.finish();
        for (page, stream, content) in pages {
            pdf.page(page).parent(tree).contents(stream);
            pdf.stream(stream, &deflated(&content.finish())).filter(Filter::FlateDecode);
        }
        self.regular.write(&mut pdf, regular, &mut next);
        self.bold.write(&mut pdf, bold, &mut next);
        for (system, font) in systems {
            system.write(&mut pdf, font, &mut next);
        }
        pdf.finish()
    }

    fn page(&mut self) -> &mut Content {
        self.pages.last_mut().expect("a page has begun")
    }

    fn face(&self, weight: Weight) -> &Embedded {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    fn runs(&mut self, text: &str, weight: Weight) -> Vec<Run> {
        let system = System::for_text(text);
        let face = match weight {
            Weight::Regular => &mut self.regular,
            Weight::Bold => &mut self.bold,
        };
        let mut runs = Vec::new();
        for c in text.chars() {
            if System::of(c).is_some() {
                self.systems[system as usize] = true;
                let mut units = [0; 2];
                let bytes = c.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes());
                match runs.last_mut() {
                    Some(Run::System(_, run)) => run.extend(bytes),
                    _ => runs.push(Run::System(system, bytes.collect())),
                }
            } else {
                let bytes = face.cid(c).to_be_bytes();
                match runs.last_mut() {
                    Some(Run::Own(run)) => run.extend(bytes),
                    _ => runs.push(Run::Own(bytes.to_vec())),
                }
            }
        }
        runs
    }
}

fn own_name(weight: Weight) -> Name<'static> {
    match weight {
        Weight::Regular => Name(b"Regular"),
        Weight::Bold => Name(b"Bold"),
    }
}

fn fonts(mut resources: Resources<'_>, regular: Ref, bold: Ref, systems: &[(System, Ref)]) {
    let mut fonts = resources.fonts();
    fonts.pair(own_name(Weight::Regular), regular).pair(own_name(Weight::Bold), bold);
    for (system, font) in systems {
        fonts.pair(system.resource(), font);
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes everything")
}
