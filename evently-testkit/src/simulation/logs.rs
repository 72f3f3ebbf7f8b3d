//! What is said in the log while a run goes on: whether it has anything that must not stand there.

use std::{
    error::Error,
    fmt::{Debug, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    dispatcher::{DefaultGuard, set_default},
    field::{Field, Visit},
    span,
};

use super::{executor::lock, gateway};

/// What nobody may find in a log, and how it is known. Everything of that kind looks like this in a run, and nothing else does.
const NEVER: [(&str, &str); 5] = [
    ("somebody's address", "@example.com"),
    ("somebody's name", "Buyer "),
    ("what stands for somebody's card", gateway::TOKEN),
    ("the secret of a payment", gateway::SECRET),
    ("the code of a ticket", "EVT-"),
];

/// What has been said in the log.
#[derive(Default)]
pub(super) struct Logs {
    lines: AtomicU64,
    is_wrong: AtomicBool,
    /// The first line that has what must not be.
    wrong: Mutex<Option<String>>,
}

impl Logs {
    /// Listens to what this thread says, until the guard is dropped.
    pub fn listen(self: &Arc<Self>) -> Listening {
        let listener = Dispatch::new(Listener(Arc::clone(self)));
        // With one listener alone a line is looked at once, by whichever thread comes first, and then for none of them any more.
        let another = Dispatch::new(Listener(Arc::clone(self)));
        Listening { _ours: set_default(&listener), _another: another }
    }

    /// What is wrong with a line, if anything is.
    pub fn wrong(&self) -> Option<String> {
        if self.is_wrong.load(Relaxed) { lock(&self.wrong).clone() } else { None }
    }

    fn heard(&self, line: Line) {
        let Line(line) = line;
        self.lines.fetch_add(1, Relaxed);
        if let Some((what, _)) = NEVER.iter().find(|(_, known_by)| line.contains(known_by)) {
            lock(&self.wrong).get_or_insert_with(|| format!("the log has {what}: {line}"));
            self.is_wrong.store(true, Relaxed);
        }
    }
}

/// Somebody listens.
pub(super) struct Listening {
    _ours: DefaultGuard,
    _another: Dispatch,
}

struct Listener(Arc<Logs>);

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut line = Line(span.metadata().name().to_owned());
        span.record(&mut line);
        self.0.heard(line);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.0.heard(line);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.heard(line);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// A line as it is read by people: its level, its message and its fields.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let name = if field.name() == "message" { String::new() } else { format!("{}=", field.name()) };
        write!(self.0, " {name}{value:?}").expect("a text takes whatever is written");
    }

    /// With what is behind it, as a log shows it.
    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        write!(self.0, " {}={error}", field.name()).expect("a text takes whatever is written");
        let mut source = error.source();
        while let Some(error) = source {
            write!(self.0, ": {error}").expect("a text takes whatever is written");
            source = error.source();
        }
    }
}

#[cfg(test)]
mod tests {
    use evently_core::{
        domain::{Email, TicketCode, Timestamp},
        ports::{LocksAway, StoreError, StoreErrorKind},
    };
    use tracing::{error, info, trace, trace_span};

    use super::*;
    use crate::simulation::{Plan, build, executor::Executor, play_out};

    /// What is found while something is said.
    fn found(say: impl FnOnce()) -> Option<String> {
        let logs = Arc::<Logs>::default();
        let listening = logs.listen();
        say();
        drop(listening);
        assert!(logs.lines.load(Relaxed) > 0, "it was heard");
        logs.wrong()
    }

    #[test]
    fn what_must_not_be_said_is_found_wherever_it_stands() {
        let email = Email::parse("buyer1@example.com").unwrap();
        let code = TicketCode::new(7);
        let hidden = StoreError::new(StoreErrorKind::Corrupt, "test", format!("duplicate key {email}"));
        let within = LocksAway(Box::new(hidden));
        let says: [(&str, &dyn Fn()); 7] = [
            ("address", &|| info!("no mail to {email}")),
            ("address", &|| error!(error = &within as &dyn Error, "the locks are away")),
            ("address", &|| _ = trace_span!("mail", to = email.as_str())),
            ("name", &|| trace!(name = "Buyer 3", "they are here")),
            ("card", &|| info!(card = gateway::token("good"), "it is charged")),
            ("secret", &|| info!(answer = ?Some(gateway::SECRET), "the buyer is asked")),
            ("code", &|| info!(%code, "the door is open")),
        ];
        for (what, say) in says {
            assert!(found(say).is_some_and(|line| line.contains(what)), "{what}");
        }
    }

    #[test]
    fn what_hides_itself_and_who_is_known_by_a_number_may_be_said() {
        let (email, code) = (Email::parse("buyer1@example.com").unwrap(), TicketCode::new(7));
        assert_eq!(found(|| info!(?email, ?code, buyer = 3, "a seat is sold")), None);
    }

    #[test]
    fn a_run_is_listened_to() {
        let lines = |seed| {
            let (plan, begin) = (Plan::of(seed), Timestamp::from_secs(1_800_000_000));
            let mut executor = Executor::new(begin, plan.order);
            let world = Arc::new(build(&plan, begin, &executor, false));
            play_out(&world, &mut executor, &mut 0);
            lock(&world.instances).clear();
            world.logs.lines.load(Relaxed)
        };
        assert!((0..10).map(lines).sum::<u64>() > 0);
    }
}
