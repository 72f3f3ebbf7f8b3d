//! Text as it comes in files: encodings, labels and names, colours.

use super::{
    limits::{BYTES_MAX, LABEL_CHARS_MAX, NAME_CHARS_MAX, PLAN_NAME_CHARS_MAX, TEXT_CHARS_MAX},
    problem::{ImportError, Path},
};

/// Characters of a value that a message repeats.
const QUOTED_CHARS_MAX: usize = 40;

/// The bytes as text, without a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, ImportError> {
    if bytes.len() > BYTES_MAX {
        let message = format!("the file has {} bytes; at most {BYTES_MAX} are read", bytes.len());
        return Err(ImportError::single(Path::FILE, message));
    }
    if is_utf16(bytes) {
        let message = "the file is UTF-16; save it as UTF-8 (in a spreadsheet: `CSV UTF-8`)";
        return Err(ImportError::single(Path::FILE, message));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    if text.trim().is_empty() {
        return Err(ImportError::single(Path::FILE, "the file is empty"));
    }
    Ok(text)
}

/// By its byte order mark, or by a first character whose other byte is zero.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..])
}

fn not_utf8(bytes: &[u8], at: usize) -> ImportError {
    let line = bytes[..at].split(|byte| *byte == b'\n').count() as u64;
    let message =
        format!("the byte 0x{:02X} is not UTF-8; the file is probably Latin-1 or Windows-1252: save it as UTF-8", bytes[at]);
    ImportError::single(Path::line(line), message)
}

/// What people read on a row or a seat.
pub(super) fn label(given: &str) -> Result<String, String> {
    checked(given, LABEL_CHARS_MAX)
}

/// What people call a section or a category.
pub(super) fn name(given: &str) -> Result<String, String> {
    checked(given, NAME_CHARS_MAX)
}

/// What people call the whole plan.
pub(super) fn plan_name(given: &str) -> Result<String, String> {
    checked(given, PLAN_NAME_CHARS_MAX)
}

/// What is written on an area, on one line; `None` where nothing is.
pub(super) fn caption(given: &str) -> Result<Option<String>, String> {
    let line = given.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { Ok(None) } else { checked(&line, TEXT_CHARS_MAX).map(Some) }
}

fn checked(given: &str, chars_max: usize) -> Result<String, String> {
    let text = given.trim();
    if let Some(invisible) = text.chars().find(|c| is_invisible(*c)) {
        return Err(format!("{} has the invisible character U+{:04X}; take it out", quote(text), u32::from(invisible)));
    }
    if text.chars().all(|c| c.is_whitespace() || is_joiner(c)) {
        return Err(format!("it is empty; it needs 1 to {chars_max} characters"));
    }
    match text.chars().count() {
        chars if chars > chars_max => Err(format!("{} has {chars} characters; at most {chars_max} are allowed", quote(text))),
        _ => Ok(text.to_owned()),
    }
}

/// Control characters, and those without any shape that make two different labels look the same.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
}

/// Without shape too, but some scripts are misspelt without them.
const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// A colour in the ways that plans are drawn with: `#46a`, `#4466aa`, `teal`, `rgb(70, 100, 170)`. Nothing else, as it ends
/// in the attributes of a drawing.
pub(super) fn color(given: &str) -> Result<String, String> {
    let color = given.trim();
    let fine = match color.strip_prefix('#') {
        Some(digits) => matches!(digits.len(), 3 | 4 | 6 | 8) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => is_named(color) || is_function(color),
    };
    if fine { Ok(color.to_owned()) } else { Err(format!("{} is not a colour; write it like `#4466aa`", quote(color))) }
}

fn is_named(color: &str) -> bool {
    (1..=LABEL_CHARS_MAX).contains(&color.len()) && color.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_function(color: &str) -> bool {
    let Some((name, rest)) = color.split_once('(') else { return false };
    let Some(numbers) = rest.strip_suffix(')') else { return false };
    matches!(name, "rgb" | "rgba" | "hsl" | "hsla")
        && numbers.len() <= LABEL_CHARS_MAX
        && numbers.bytes().all(|byte| byte.is_ascii_digit() || b" .,%/".contains(&byte))
}

/// A value as messages repeat it: short, and with everything visible.
pub(super) fn quote(value: &str) -> String {
    let mut quoted = String::from("`");
    for c in value.chars().take(QUOTED_CHARS_MAX) {
        if is_invisible(c) { quoted.extend(c.escape_unicode()) } else { quoted.push(c) }
    }
    if value.chars().nth(QUOTED_CHARS_MAX).is_some() {
        quoted.push('…');
    }
    quoted.push('`');
    quoted
}

/// Values as messages list them: `a`, `b` and `c`.
pub(super) fn listed<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let mut quoted: Vec<String> = values.into_iter().map(quote).collect();
    match quoted.pop() {
        None => "none".to_owned(),
        Some(last) if quoted.is_empty() => last,
        Some(last) => format!("{} and {last}", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_taken_off() {
        assert_eq!(decode(b"\xef\xbb\xbfsection").unwrap(), "section");
    }

    #[test]
    fn utf_16_is_told_apart_with_and_without_a_mark() {
        for bytes in [&b"\xff\xfes\0e\0"[..], b"\xfe\xff\0s\0e", b"s\0e\0", b"\0s\0e"] {
            assert!(decode(bytes).unwrap_err().to_string().contains("save it as UTF-8"));
        }
    }

    #[test]
    fn latin_1_is_named_with_its_line() {
        let error = decode(b"section,row\nBalkon,Z\xfcrich").unwrap_err();
        assert_eq!(error.problems[0].path, "line 2");
        assert!(error.to_string().contains("0xFC is not UTF-8; the file is probably Latin-1"), "{error}");
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert_eq!(decode(b" \n ").unwrap_err().to_string(), "the file is empty");
        assert!(decode(&vec![b' '; BYTES_MAX + 1]).unwrap_err().to_string().contains("at most 33554432 are read"));
        assert_eq!(decode(&vec![b' '; BYTES_MAX]).unwrap_err().to_string(), "the file is empty", "that many are read");
    }

    #[test]
    fn a_label_is_trimmed_and_has_something_to_see() {
        assert_eq!(label(" 12\u{a0}").unwrap(), "12");
        assert_eq!(label(&"ä".repeat(32)).unwrap().chars().count(), 32);
        for bad in ["", "  ", "\u{200d}", "1\u{200b}", "1\u{7}2", "1\n2", "\u{202e}21", &"x".repeat(33)] {
            assert!(label(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_message_shows_what_cannot_be_seen() {
        assert_eq!(label("1\u{200b}").unwrap_err(), r"`1\u{200b}` has the invisible character U+200B; take it out");
    }

    #[test]
    fn values_are_listed_as_people_say_them() {
        let told = [&[][..], &["a"], &["a", "b"], &["a", "b", "c"]].map(|values| listed(values.iter().copied()));
        assert_eq!(told, ["none", "`a`", "`a` and `b`", "`a`, `b` and `c`"]);
    }

    #[test]
    fn a_caption_is_one_line() {
        assert_eq!(caption("Main\n  stage ").unwrap().as_deref(), Some("Main stage"));
        assert_eq!(caption(" \n").unwrap(), None);
    }

    #[test]
    fn colours_are_read_and_markup_is_not() {
        for good in ["#46a", "#4466aa", "#4466aacc", "teal", "rgb(1, 2, 3)", "hsla(10 20% 30% / 0.5)"] {
            assert_eq!(color(good).as_deref(), Ok(good));
        }
        for bad in ["", "#12", "#gggggg", "url(x)", "red\" onload=\"x", "rgb(1;2)", "var(--x)", "calc(1)", "rgb(1"] {
            assert!(color(bad).is_err(), "{bad}");
        }
    }
}
