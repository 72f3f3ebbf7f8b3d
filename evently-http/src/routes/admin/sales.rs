//! What has been sold.

use std::sync::Arc;

use axum::{Json, extract::State};
use evently_core::{
    domain::{EventId, Role, SalesRow, Timestamp},
    ports::EventFilter,
    services::{EventReport, EventView},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    caller::Caller,
    compose::App,
    context,
    extract::{Path, Query},
    problem::Problem,
    wire::{Amount, named},
};

/// Which time.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Span {
    /// From the hour that begins then.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before that.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// `hour` (this is the default) or `day`.
    interval: Option<String>,
}

#[derive(Clone, Copy)]
enum Interval {
    Hour,
    Day,
}

impl Span {
    fn interval(&self) -> Result<Interval, Problem> {
        let names = [("hour", Interval::Hour), ("day", Interval::Day)];
        Ok(named(&names, "interval", self.interval.as_deref())?.unwrap_or(Interval::Hour))
    }
}

/// What an event has sold.
#[derive(Serialize, ToSchema)]
pub struct EventSales {
    #[schema(value_type = Uuid)]
    event_id: EventId,
    event_name: String,
    totals: Figures,
    /// Confirmed bookings out of those that began, 0 to 1.
    conversion: f64,
    /// Booked seats out of all, 0 to 1.
    sell_through: f64,
    by_section: Vec<SectionFigures>,
    over_time: Vec<TimeFigures>,
}

/// Figures of sales.
#[derive(Serialize, ToSchema)]
pub struct Figures {
    /// Bookings that began.
    holds: i64,
    /// Bookings that were confirmed.
    confirmed: i64,
    /// Holds that ran out.
    expired: i64,
    /// Bookings that were given up.
    cancelled: i64,
    /// Seats sold, less those that came back.
    seats_sold: i64,
    /// What those seats were sold at.
    seats_value: Amount,
    /// Money captured, less money that goes back.
    revenue: Amount,
    captured: Amount,
    refunded: Amount,
}

/// Figures of a section.
#[derive(Serialize, ToSchema)]
pub struct SectionFigures {
    section: String,
    seats_total: u32,
    seats_sold: i64,
    seats_value: Amount,
    /// Seats sold out of all, 0 to 1.
    sell_through: f64,
}

/// Figures of an hour or a day.
#[derive(Serialize, ToSchema)]
pub struct TimeFigures {
    /// Its start.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[serde(flatten)]
    figures: Figures,
}

fn figures(view: &EventView, row: &SalesRow) -> Figures {
    let money = |amount| Amount::from(view.event.money(amount));
    Figures {
        holds: row.holds,
        confirmed: row.confirmed,
        expired: row.expired,
        cancelled: row.cancelled,
        seats_sold: row.seats,
        seats_value: money(row.value),
        revenue: money(row.captured - row.refunded),
        captured: money(row.captured),
        refunded: money(row.refunded),
    }
}

/// `part` out of `all`, 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "counts of seats and bookings are small")]
fn share(part: i64, all: i64) -> f64 {
    if all > 0 { part as f64 / all as f64 } else { 0.0 }
}

fn body(view: &EventView, report: &EventReport, interval: Interval) -> EventSales {
    let mut over_time = Vec::<(Timestamp, SalesRow)>::new();
    for (hour, row) in &report.by_hour {
        let at = match interval {
            Interval::Hour => *hour,
            Interval::Day => Timestamp::from_secs(hour.as_secs() - hour.as_secs().rem_euclid(86_400)),
        };
        match over_time.last_mut() {
            Some((last, sum)) if *last == at => sum.add(row),
            _ => over_time.push((at, *row)),
        }
    }
    EventSales {
        event_id: report.event_id,
        event_name: view.event.details.name.clone(),
        totals: figures(view, &report.total),
        conversion: share(report.total.confirmed, report.total.holds),
        sell_through: share(i64::from(report.seats.booked), i64::from(report.seats.total)),
        by_section: report
            .by_section
            .iter()
            .map(|section| SectionFigures {
                section: section.section.clone(),
                seats_total: section.seats_total,
                seats_sold: section.sales.seats,
                seats_value: view.event.money(section.sales.value).into(),
                sell_through: share(section.sales.seats, i64::from(section.seats_total)),
            })
            .collect(),
        over_time: over_time.iter().map(|(at, row)| TimeFigures { at: *at, figures: figures(view, row) }).collect(),
    }
}

/// What an event that one manages has sold.
#[utoipa::path(get, path = "/api/v1/admin/events/{event_id}/analytics", tag = "administration", security(("bearer" = [])),
    params(("event_id" = Uuid, Path), Span), responses((status = 200, body = EventSales)))]
pub async fn of_event(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Path(id): Path<EventId>,
    Query(span): Query<Span>,
) -> Result<Json<EventSales>, Problem> {
    context::note_event(id);
    let interval = span.interval()?;
    let report = app.analytics.event(&by, id, span.from, span.to).await?;
    let view = app.events.view(id).await?;
    Ok(Json(body(&view, &report, interval)))
}

/// What all events have sold that one manages.
#[derive(Serialize, ToSchema)]
pub struct Overview {
    events: Vec<EventSales>,
    /// By currency.
    totals: Vec<CurrencyTotals>,
}

/// Figures of all events in one currency.
#[derive(Serialize, ToSchema)]
pub struct CurrencyTotals {
    currency: &'static str,
    seats_sold: i64,
    revenue: Amount,
}

/// What the events that one manages have sold: the hundred that begin last.
#[utoipa::path(get, path = "/api/v1/admin/analytics/overview", tag = "administration", security(("bearer" = [])), params(Span),
    responses((status = 200, body = Overview)))]
pub async fn overview(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Query(span): Query<Span>,
) -> Result<Json<Overview>, Problem> {
    let organizer_id = match by.role {
        Role::Admin => None,
        Role::Organizer => Some(by.user_id),
        Role::Customer | Role::Staff => return Err(Problem::forbidden()),
    };
    let interval = span.interval()?;
    let filter = EventFilter { organizer_id, now: app.clock.now(), ..EventFilter::default() };
    let views = app.events.list_last(&filter).await?;
    let reports = app.analytics.overview(&by, &views, span.from, span.to).await?;
    let events = views.iter().zip(&reports).map(|(view, report)| body(view, report, interval)).collect();
    let mut totals = Vec::<CurrencyTotals>::new();
    for (view, report) in views.iter().zip(&reports) {
        let currency = view.event.currency.code();
        let revenue = report.total.captured - report.total.refunded;
        match totals.iter_mut().find(|totals| totals.currency == currency) {
            Some(totals) => {
                totals.seats_sold += report.total.seats;
                totals.revenue.amount += revenue;
            }
            None => totals.push(CurrencyTotals {
                currency,
                seats_sold: report.total.seats,
                revenue: view.event.money(revenue).into(),
            }),
        }
    }
    Ok(Json(Overview { events, totals }))
}
