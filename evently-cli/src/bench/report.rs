//! What a run has shown.

use std::{fs, time::Duration};

use evently_core::audit::Report;
use serde_json::{Value, json};

use super::{
    OnSale, Steps,
    check::Findings,
    record::{Latencies, Record},
};
use crate::{
    commands::verify,
    reply::Reply,
    table::{Table, facts},
};

/// Everything that was measured.
pub struct Measured {
    options: OnSale,
    event_id: String,
    took: Duration,
    record: Record,
    findings: Findings,
    generator: Generator,
}

/// What the load generator itself has used.
struct Generator {
    cpu: Option<Duration>,
    peak_kib: Option<u64>,
}

impl Measured {
    pub fn new(options: &OnSale, event_id: String, took: Duration, record: Record, findings: Findings) -> Self {
        Self { options: options.clone(), event_id, took, record, findings, generator: Generator::look() }
    }

    fn per_second(&self, count: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let count = count as f64;
        count / self.took.as_secs_f64().max(1e-9)
    }

    fn steps(&self) -> [(&'static str, &Latencies); 3] {
        [("hold", &self.record.hold), ("conflict", &self.record.conflict), ("pay", &self.record.pay)]
    }

    fn unwanted(&self) -> u64 {
        self.record.errors.values().sum()
    }
}

/// The report, which is a no if anything contradicts anything.
pub fn report(measured: &Measured, verified: Option<&Report>) -> Reply {
    let consistent = measured.findings.contradictions.is_empty();
    let holds = verified.is_none_or(|report| report.violations.is_empty());
    Reply::new(in_words(measured, verified), in_json(measured, verified)).only_if(consistent && holds)
}

fn in_words(measured: &Measured, verified: Option<&Report>) -> String {
    let Measured { options, record, findings, generator, .. } = measured;
    let mut table = Table::new(["STEP", "#COUNT", "#PER SECOND", "#P50 MS", "#P90 MS", "#P99 MS", "#MAX MS"]);
    for (step, latencies) in measured.steps() {
        let Some(summary) = latencies.summary() else { continue };
        let [p50, p90, p99, max] = summary.map(|took| format!("{:.2}", took.as_secs_f64() * 1e3));
        let rate = format!("{:.0}", measured.per_second(latencies.len()));
        table.row([step.to_owned(), latencies.len().to_string(), rate, p50, p90, p99, max]);
    }
    let seats = findings.availability;
    let mut text = vec![table.text(), "\n".to_owned()];
    text.push(facts([
        ("event", measured.event_id.clone()),
        ("took", format!("{:.2} s", measured.took.as_secs_f64())),
        ("buyers", format!("{} on {} connections, {}", options.buyers, options.connections, pace(options))),
        (
            "seats",
            format!("{} total, {} booked, {} reserved, {} available", seats.total, seats.booked, seats.reserved, seats.available),
        ),
        ("sold", format!("{} seats in {} bookings", record.sold_seats().count(), record.confirmed.len())),
        (
            "left",
            format!("{} found nothing left, {} gave up, {} abandoned", record.turned_away, record.gave_up, record.abandoned),
        ),
        ("lost answers", format!("{}, of which {} turned out to be answered already", record.lost, record.replayed)),
        ("generator", generator.in_words()),
    ]));
    text.push("\n".to_owned());
    for (code, count) in &record.errors {
        text.push(format!("error: {code} {count} times\n"));
    }
    for contradiction in &findings.contradictions {
        text.push(format!("violation: {contradiction}\n"));
    }
    if findings.contradictions.is_empty() {
        text.push("the service agrees with every answer it gave\n".to_owned());
    }
    if let Some(report) = verified {
        text.extend(["\n".to_owned(), verify::in_words(report)]);
    }
    text.concat()
}

fn pace(options: &OnSale) -> String {
    let steps = if options.steps == Steps::Hold { "holds only" } else { "hold and pay" };
    let pace = options.rate.map_or_else(|| "closed loop".to_owned(), |rate| format!("open loop of {rate} a second"));
    let hot = if options.hot { ", all for the same seats" } else { "" };
    format!("{steps}, {pace}{hot}")
}

fn in_json(measured: &Measured, verified: Option<&Report>) -> Value {
    let Measured { options, record, findings, generator, .. } = measured;
    let steps = measured.steps().into_iter().map(|(step, latencies)| {
        let [p50, p90, p99, max] = latencies.summary().unwrap_or_default().map(|took| took.as_secs_f64() * 1e3);
        let step_json = json!({
            "count": latencies.len(),
            "per_second": measured.per_second(latencies.len()),
            "p50_ms": p50,
            "p90_ms": p90,
            "p99_ms": p99,
            "max_ms": max,
        });
        (step.to_owned(), step_json)
    });
    let seats = findings.availability;
    json!({
        "ok": findings.contradictions.is_empty() && verified.is_none_or(|report| report.violations.is_empty()),
        "event_id": measured.event_id,
        "took_ms": measured.took.as_secs_f64() * 1e3,
        "buyers": options.buyers,
        "connections": options.connections,
        "seats": { "total": seats.total, "available": seats.available, "reserved": seats.reserved, "booked": seats.booked },
        "steps": Value::Object(steps.collect()),
        "sold_seats": record.sold_seats().count(),
        "confirmed": record.confirmed.len(),
        "turned_away": record.turned_away,
        "gave_up": record.gave_up,
        "abandoned": record.abandoned,
        "lost": record.lost,
        "replayed": record.replayed,
        "errors": record.errors,
        "errors_total": measured.unwanted(),
        "violations": findings.contradictions,
        "generator": { "cpu_ms": generator.cpu.map(|cpu| cpu.as_secs_f64() * 1e3), "peak_kib": generator.peak_kib },
        "verify": verified.map(verify::in_json),
    })
}

impl Generator {
    /// What this process has used so far, where the system tells.
    fn look() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak_kib = peak.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        let sched = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
        let cpu = sched.split(' ').next().and_then(|nanos| nanos.parse().ok()).map(Duration::from_nanos);
        Self { cpu, peak_kib }
    }

    fn in_words(&self) -> String {
        let cpu = self.cpu.map(|cpu| format!("{:.2} s of CPU in all", cpu.as_secs_f64()));
        let peak = self.peak_kib.map(|kib| format!("{} MiB at most", kib / 1024));
        [cpu, peak].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use evently_core::audit::{Invariant, Violation};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: OnSale,
    }

    #[test]
    fn it_is_a_no_if_the_service_or_the_store_contradicts_anything() {
        let options = Line::parse_from(["on-sale"]).options;
        let store = |violations| Report { violations, ..Report::default() };
        let violation =
            Violation { invariant: Invariant::Exclusivity, subject: "a seat".to_owned(), what: "sold twice".to_owned() };
        for (contradictions, verified, yes) in [
            (vec![], None, true),
            (vec![], Some(store(vec![])), true),
            (vec!["a seat is gone".to_owned()], None, false),
            (vec!["a seat is gone".to_owned()], Some(store(vec![])), false),
            (vec![], Some(store(vec![violation])), false),
        ] {
            let findings = Findings { contradictions, ..Findings::default() };
            let measured = Measured::new(&options, "an event".to_owned(), Duration::from_secs(1), Record::default(), findings);
            assert_eq!(report(&measured, verified.as_ref()).is_yes(), yes, "{:?} {verified:?}", measured.findings);
        }
    }
}
