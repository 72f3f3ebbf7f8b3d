//! The log: one line for each thing that happens, on stderr.

use std::{fmt, io::IsTerminal, panic, sync::Arc};

use evently_core::ports::Clock;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{Format, JsonFields, Writer},
    },
    registry::{LookupSpan, Scope},
};

use crate::{
    config::{Log, LogFormat},
    context,
};

/// Begins to log, and logs panics. Only the first call in a process does anything; the answer is whether this was it.
pub fn install(log: &Log, service: &'static str, clock: Arc<dyn Clock>) -> bool {
    let filter = EnvFilter::new(&log.level.0);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let first = match log.format {
        LogFormat::Text => {
            let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let subscriber = builder.event_format(Text(Format::default().with_target(false).with_ansi(ansi))).finish();
            tracing::subscriber::set_global_default(subscriber).is_ok()
        }
        LogFormat::Json => {
            let subscriber = builder.fmt_fields(JsonFields::new()).event_format(Json { service, clock }).finish();
            tracing::subscriber::set_global_default(subscriber).is_ok()
        }
    };
    if first {
        log_panics();
    }
    first
}

/// A panic is one line of the log like any other, with the trace of the request that it ended.
fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("of a kind without words");
        let location = info.location().map(ToString::to_string);
        tracing::error!(location, panic = message, "a bug: something panicked");
    }));
}

/// A line for people, with the `trace_id` that an error's answer names at its end.
struct Text(Format);

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(trace_id) = context::trace_id() else { return self.0.format_event(ctx, writer, event) };
        let mut line = String::new();
        self.0.format_event(ctx, Writer::new(&mut line), event)?;
        writeln!(writer, "{} trace_id={trace_id}", line.trim_end())
    }
}

/// A line of JSON: `timestamp`, `level`, `service` and `trace_id`, and beside them whatever the event and its spans say.
struct Json {
    service: &'static str,
    clock: Arc<dyn Clock>,
}

impl Json {
    fn line(&self, event: &Event<'_>) -> Map<String, Value> {
        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), self.clock.now().to_string().into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        line.insert("service".to_owned(), self.service.into());
        line.insert("target".to_owned(), metadata.target().into());
        if let Some(trace_id) = context::trace_id() {
            line.insert("trace_id".to_owned(), trace_id.to_string().into());
        }
        line
    }
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = self.line(event);
        for span in ctx.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map_or("", |fields| fields.fields.as_str());
            if let Ok(Value::Object(fields)) = serde_json::from_str(fields) {
                line.extend(fields);
            }
        }
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Takes over the fields of an event. Text is escaped as JSON asks, so that nobody can write a line of their own.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read, Seek},
    };

    use evently_core::domain::{Timestamp, UserId};
    use serde_json::json;

    use super::*;
    use crate::context::{Context, TraceId};

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_secs(1_800_000_000)
        }
    }

    fn paper() -> Arc<File> {
        Arc::new(tempfile::tempfile().unwrap())
    }

    fn read(mut paper: &File) -> String {
        let mut text = String::new();
        paper.rewind().unwrap();
        paper.read_to_string(&mut text).unwrap();
        text
    }

    #[tokio::test]
    async fn a_line_for_people_ends_with_the_trace_of_its_request() {
        let paper = paper();
        let format = Text(Format::default().with_target(false).with_ansi(false));
        let subscriber = tracing_subscriber::fmt().with_writer(paper.clone()).event_format(format).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        tracing::info!("at the start");
        let request = Context::new(TraceId::from_bits(0xabc).unwrap());
        request.scope(async { tracing::warn!(status = 503, text = "a\nb", "request") }).await;
        let text = read(&paper);
        let lines = text.lines().collect::<Vec<_>>();
        assert!(lines[0].ends_with(" INFO at the start"), "{text}");
        let expected = r#" WARN request status=503 text="a\nb" trace_id=00000000000000000000000000000abc"#;
        assert!(lines[1].ends_with(expected), "{text}");
        assert_eq!(lines.len(), 2);
    }

    #[tokio::test]
    async fn a_line_has_the_fields_that_others_read() {
        let paper = paper();
        let format = Json { service: "evently-http", clock: Arc::new(Stopped) };
        let subscriber =
            tracing_subscriber::fmt().with_writer(paper.clone()).fmt_fields(JsonFields::new()).event_format(format).finish();
        let logged = Context::new(TraceId::from_bits(0xabc).unwrap()).scope(async {
            let _guard = tracing::subscriber::set_default(subscriber);
            let _span = tracing::info_span!("chore", batch = 7).entered();
            let user_id = Some(tracing::field::display(UserId::from_uuid(uuid::Uuid::from_u128(1))));
            tracing::info!(action = "a\nb\u{1b}[31m", user_id, duration_ms = 1.5, left_out = None::<u64>, "request");
        });
        logged.await;
        let text = read(&paper);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'));
        let line: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "timestamp": "2027-01-15T08:00:00Z",
            "level": "INFO",
            "service": "evently-http",
            "target": "evently_http::telemetry::tests",
            "trace_id": "00000000000000000000000000000abc",
            "batch": 7,
            "message": "request",
            "action": "a\nb\u{1b}[31m",
            "user_id": "00000000-0000-0000-0000-000000000001",
            "duration_ms": 1.5,
        });
        assert_eq!(line, expected);
    }
}
