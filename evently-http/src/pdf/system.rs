//! Fonts of Chinese, Japanese and Korean characters, which are too large to go along: whoever reads these languages has them, and
//! every common program that shows documents knows which one is meant by the names here (ISO 32000, 9.7.5.2 and 9.7.3).

use pdf_writer::{
    Finish, Name, Pdf, Rect, Ref, Str,
    types::{CidFontType, FontFlags, SystemInfo},
};

/// A collection of characters that a reader's program has a font for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Chinese,
    Japanese,
    Korean,
}

impl System {
    pub(super) const ALL: [Self; 3] = [Self::Chinese, Self::Japanese, Self::Korean];

    /// The collection that has a character of its own, if it is one of these languages at all. Those that they share are found in
    /// the first one.
    pub(super) fn of(c: char) -> Option<Self> {
        match c {
            '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7a3}' => Some(Self::Korean),
            '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' => Some(Self::Japanese),
            '\u{2e80}'..='\u{303f}'
            | '\u{3100}'..='\u{312f}'
            | '\u{3400}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{ff01}'..='\u{ff60}'
            | '\u{20000}'..='\u{2fa1f}' => Some(Self::Chinese),
            _ => None,
        }
    }

    /// The collection in which a whole text is set: one that has the characters which only one language has.
    pub(super) fn for_text(text: &str) -> Self {
        text.chars().filter_map(Self::of).find(|system| *system != Self::Chinese).unwrap_or(Self::Chinese)
    }

    pub(super) const fn resource(self) -> Name<'static> {
        match self {
            Self::Chinese => Name(b"Chinese"),
            Self::Japanese => Name(b"Japanese"),
            Self::Korean => Name(b"Korean"),
        }
    }

    pub(super) fn write(self, pdf: &mut Pdf, font: Ref, mut next: impl FnMut() -> Ref) {
        let (descendant, descriptor) = (next(), next());
        // Each collection with its latest supplement that ISO 32000 knows, and the encoding for UTF-16.
        let (name, ordering, supplement, encoding) = match self {
            Self::Chinese => ("STSong-Light", "GB1", 5, "UniGB-UTF16-H"),
            Self::Japanese => ("HeiseiKakuGo-W5", "Japan1", 6, "UniJIS-UTF16-H"),
            Self::Korean => ("HYGoThic-Medium", "Korea1", 2, "UniKS-UTF16-H"),
        };
        let name = Name(name.as_bytes());
        let info = SystemInfo { registry: Str(b"Adobe"), ordering: Str(ordering.as_bytes()), supplement };
        pdf.type0_font(font).base_font(name).encoding_predefined(Name(encoding.as_bytes())).descendant_font(descendant);
        let mut cid_font = pdf.cid_font(descendant);
        cid_font.subtype(CidFontType::Type0).base_font(name).system_info(info).font_descriptor(descriptor).default_width(1000.0);
        cid_font.finish();
        pdf.font_descriptor(descriptor)
            .name(name)
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(-150.0, -250.0, 1150.0, 900.0))
            .italic_angle(0.0)
            .ascent(880.0)
            .descent(-120.0)
            .cap_height(880.0)
            .stem_v(90.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_set_in_the_font_of_its_language() {
        for (text, system) in [
            ("東京の夜", System::Japanese),
            ("서울 大劇場", System::Korean),
            ("國家大劇院", System::Chinese),
            ("Odeon", System::Chinese), // in which it then uses nothing
        ] {
            assert_eq!(System::for_text(text), system, "{text}");
        }
        assert!("Čeština Ελλάδα Київ".chars().all(|c| System::of(c).is_none()));
    }
}
