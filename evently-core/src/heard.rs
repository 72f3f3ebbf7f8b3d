//! What is said in the log, for tests of when it is said.

use std::{
    fmt::{Debug, Write},
    sync::Arc,
};

use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::with_default,
};

use crate::sync::{Mutex, lock};

/// The lines of the log while `act` runs, each with its level, its message and its fields.
pub(crate) fn heard(act: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    // With one listener alone a line is looked at once, by whichever thread comes first, and then for none of them any more.
    let _another = Dispatch::new(Lines::default());
    with_default(lines.clone(), act);
    lock(&lines.0).clone()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        lock(&self.0).push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let name = if field.name() == "message" { String::new() } else { format!("{}=", field.name()) };
        write!(self.0, " {name}{value:?}").expect("a text takes whatever is written");
    }
}
