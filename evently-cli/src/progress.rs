//! Progress of long work, for whoever watches stderr in a terminal. Nobody else sees anything of it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(250);

/// A bar to `total`.
pub fn bar(what: &'static str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:>22} [{bar:24}] {pos}/{len} {msg}").expect("the template is right");
    let bar = ProgressBar::new(total).with_style(style.progress_chars("=> ")).with_prefix(what);
    bar.enable_steady_tick(TICK);
    bar
}

/// Something that takes an unknown time.
pub fn spinner(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:>22} {spinner} {elapsed}").expect("the template is right");
    let spinner = ProgressBar::new_spinner().with_style(style).with_prefix(what);
    spinner.enable_steady_tick(TICK);
    spinner
}
