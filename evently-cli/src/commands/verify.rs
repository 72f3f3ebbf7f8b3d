//! `evently verify`: whether what the store holds can be.

use evently_core::audit::{Report, Violation, audit_all};
use evently_http::compose::App;
use serde_json::{Value, json};

use crate::{args::Global, failure::Failure, progress, reply::Reply, shop, table::Table};

/// How many violations are told to people one by one; machines get them all.
const TOLD_MAX: usize = 50;

pub async fn run(global: &Global) -> Result<Reply, Failure> {
    let app = shop::open_existing(global).await?;
    let spinner = progress::spinner("checking");
    let report = check(&app).await;
    spinner.finish_and_clear();
    let report = report?;
    Ok(Reply::new(in_words(&report), in_json(&report)).only_if(report.violations.is_empty()))
}

/// Checks everything that can be read from the store.
pub async fn check(app: &App) -> Result<Report, Failure> {
    Ok(audit_all(&app.store, &*app.clock).await?)
}

/// What was looked at, and how much of it there is.
fn counts(report: &Report) -> [(&'static str, u64); 9] {
    [
        ("events", report.events),
        ("seats", report.seats),
        ("bookings", report.bookings),
        ("live_bookings", report.live_bookings),
        ("overdue_holds", report.overdue_holds),
        ("payments", report.payments),
        ("refunds", report.refunds),
        ("tickets", report.tickets),
        ("journal_entries", report.journal_entries),
    ]
}

/// The report for people.
pub fn in_words(report: &Report) -> String {
    let mut table = Table::new(["CHECKED", "#COUNT"]);
    for (what, count) in counts(report) {
        table.row([what.replace('_', " "), count.to_string()]);
    }
    let violations = &report.violations;
    let mut lines = vec![table.text()];
    lines.extend(violations.iter().take(TOLD_MAX).map(|violation| format!("violation: {violation}")));
    let untold = violations.len().saturating_sub(TOLD_MAX);
    lines.extend((untold > 0).then(|| format!("and {untold} more; --json names them all")));
    lines.push(match violations.len() {
        0 => "every invariant holds\n".to_owned(),
        1 => "1 violation\n".to_owned(),
        many => format!("{many} violations\n"),
    });
    lines.join("\n")
}

/// The report for machines.
pub fn in_json(report: &Report) -> Value {
    let checked = counts(report).into_iter().map(|(what, count)| (what.to_owned(), json!(count)));
    let violation = |Violation { invariant, subject, what }: &Violation| json!({ "invariant": invariant.to_string(), "subject": subject, "what": what });
    json!({
        "ok": report.violations.is_empty(),
        "checked": Value::Object(checked.collect()),
        "violations": report.violations.iter().map(violation).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_its_own_name() {
        let report = Report {
            events: 1,
            seats: 2,
            bookings: 3,
            live_bookings: 4,
            overdue_holds: 5,
            payments: 6,
            refunds: 7,
            tickets: 8,
            journal_entries: 9,
            violations: Vec::new(),
        };
        let checked = json!({
            "events": 1, "seats": 2, "bookings": 3, "live_bookings": 4, "overdue_holds": 5, "payments": 6, "refunds": 7, "tickets": 8,
            "journal_entries": 9,
        });
        assert_eq!(in_json(&report), json!({ "ok": true, "checked": checked, "violations": [] }));
    }
}
