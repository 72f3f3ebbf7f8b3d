//! What the fuzzer has found worth keeping stays read as it should be, without a fuzzer.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use evently_fuzz::TARGETS;

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let targets = TARGETS.iter().map(|target| target.name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names(&corpora()), targets);
    for target in &targets {
        assert!(!names(&corpora().join(target)).is_empty(), "the corpus of {target} is empty");
    }
}

#[test]
fn everything_in_the_corpora_is_read_as_it_should_be() {
    for target in TARGETS {
        let folder = corpora().join(target.name);
        for file in names(&folder) {
            // Shown only where it panics.
            println!("{}/{file}", target.name);
            (target.run)(&fs::read(folder.join(&file)).unwrap());
        }
    }
}
