//! Fonts that go along in the document, with no more glyphs than it uses.

use pdf_writer::{
    Filter, Finish, Name, Pdf, Rect, Ref, Str,
    types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap},
};
use rustc_hash::FxHashMap;
use subsetter::GlyphRemapper;
use ttf_parser::Face;

use super::deflated;

/// A font of ours.
pub(super) struct Typeface {
    name: &'static str,
    data: &'static [u8],
}

pub(super) static REGULAR: Typeface = Typeface { name: "EVNTLY+DejaVuSans", data: include_bytes!("../../fonts/DejaVuSans.ttf") };
pub(super) static BOLD: Typeface =
    Typeface { name: "EVNTLZ+DejaVuSans-Bold", data: include_bytes!("../../fonts/DejaVuSans-Bold.ttf") };

/// Identity is what a composite font of glyphs in no agreed order calls its order.
const IDENTITY: SystemInfo<'static> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// A font as one document uses it. Characters are numbered in the order of their first use, from 1, whether or not the font has
/// them: one that it does not have shows as a box, and can still be searched for and copied.
pub(super) struct Embedded {
    typeface: &'static Typeface,
    face: Face<'static>,
    cids: FxHashMap<char, u16>,
    used: Vec<char>,
}

impl Embedded {
    pub(super) fn new(typeface: &'static Typeface) -> Self {
        let face = Face::parse(typeface.data, 0).expect("our own fonts can be read");
        Self { typeface, face, cids: FxHashMap::default(), used: Vec::new() }
    }

    /// How wide a character is, in thousandths of the font's size.
    pub(super) fn width(&self, c: char) -> f32 {
        let glyph = self.face.glyph_index(c).unwrap_or_default();
        self.scaled(self.face.glyph_hor_advance(glyph).unwrap_or_default())
    }

    /// The number of a character in this document. Beyond the numbers that there are it is that of no glyph.
    pub(super) fn cid(&mut self, c: char) -> u16 {
        if let Some(cid) = self.cids.get(&c) {
            return *cid;
        }
        let Ok(cid) = u16::try_from(self.used.len() + 1) else { return 0 };
        self.used.push(c);
        self.cids.insert(c, cid);
        cid
    }

    pub(super) fn write(&self, pdf: &mut Pdf, font: Ref, mut next: impl FnMut() -> Ref) {
        let (descendant, descriptor, file, glyphs, unicode) = (next(), next(), next(), next(), next());
        let name = Name(self.typeface.name.as_bytes());
        let mut remapper = GlyphRemapper::new();
        // The box stands for number 0 too, which no character has.
        let mut cid_to_gid = vec![0, 0];
        let mut cmap = UnicodeCmap::new(Name(b"Evently-Unicode"), IDENTITY);
        for (cid, &c) in (1_u16..).zip(&self.used) {
            let glyph = self.face.glyph_index(c).unwrap_or_default();
            cid_to_gid.extend(remapper.remap(glyph.0).to_be_bytes());
            cmap.pair(cid, c);
        }
        let subset = subsetter::subset(self.typeface.data, 0, &remapper).expect("our own fonts can be subset");

        pdf.type0_font(font)
            .base_font(name)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(descendant)
            .to_unicode(unicode);
        let mut cid_font = pdf.cid_font(descendant);
        cid_font.subtype(CidFontType::Type2).base_font(name).system_info(IDENTITY).font_descriptor(descriptor);
        cid_font.cid_to_gid_map_stream(glyphs).default_width(0.0);
        cid_font.widths().consecutive(1, self.used.iter().map(|c| self.width(*c)));
        cid_font.finish();
        self.describe(pdf, descriptor, name, file);
        let length = i32::try_from(subset.len()).expect("our own fonts are small");
        pdf.stream(file, &deflated(&subset)).filter(Filter::FlateDecode).pair(Name(b"Length1"), length);
        pdf.stream(glyphs, &deflated(&cid_to_gid)).filter(Filter::FlateDecode);
        pdf.cmap(unicode, &deflated(&cmap.finish())).filter(Filter::FlateDecode);
    }

    fn describe(&self, pdf: &mut Pdf, descriptor: Ref, name: Name<'_>, file: Ref) {
        let face = &self.face;
        let bounds = face.global_bounding_box();
        let [left, low, right, high] = [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(|edge| self.scaled(edge));
        pdf.font_descriptor(descriptor)
            .name(name)
            // Symbolic is what a font is whose characters are numbered as here.
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(left, low, right, high))
            .italic_angle(0.0)
            .ascent(self.scaled(face.ascender()))
            .descent(self.scaled(face.descender()))
            .cap_height(self.scaled(face.capital_height().unwrap_or(face.ascender())))
            .stem_v(if face.is_bold() { 140.0 } else { 80.0 })
            .font_file2(file);
    }

    /// From the font's own units to thousandths of its size.
    fn scaled(&self, units: impl Into<f32>) -> f32 {
        units.into() * 1000.0 / f32::from(self.face.units_per_em())
    }
}
