//! Ids as people can tell them apart.

use std::fmt::Write as _;

use rustc_hash::FxHashMap;

const LEN: usize = 36;

/// The lines with a short name in place of each id, in the order in which they are first named: `#1`, `#2`.
pub(super) fn short(lines: &[String]) -> Vec<String> {
    let mut names = FxHashMap::default();
    lines.iter().map(|line| shortened(line, &mut names)).collect()
}

fn shortened<'l>(line: &'l str, names: &mut FxHashMap<&'l str, usize>) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = (0..rest.len()).find(|&at| is_id(rest, at)) {
        let known = names.len();
        let name = *names.entry(&rest[at..at + LEN]).or_insert(known + 1);
        write!(text, "{}#{name}", &rest[..at]).expect("a string takes everything");
        rest = &rest[at + LEN..];
    }
    text + rest
}

/// Whether an id begins there.
fn is_id(text: &str, at: usize) -> bool {
    text.as_bytes().get(at..at + LEN).is_some_and(|id| uuid::Uuid::try_parse_ascii(id).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_has_one_name() {
        let (a, b) = ("01a3185c-5003-74c7-8756-0e67b8f069e7", "01a3185c-5007-78bf-aaec-20bd66070fd1");
        let lines = [format!("é booking {b}, payment {a}"), format!("{a}{b}"), "nothing".to_owned()];
        assert_eq!(short(&lines), ["é booking #1, payment #2", "#2#1", "nothing"]);
    }
}
