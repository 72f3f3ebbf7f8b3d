//! The door.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use evently_core::domain::{Admission, EventId, TicketCode, Timestamp};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{caller::Submitted, compose::App, context, problem::Problem, routes::tickets::TicketBody, wire::answer};

/// What the door has read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The ticket's code.
    code: String,
    /// The event whose door this is; without it tickets of all events are admitted.
    #[schema(value_type = Option<Uuid>)]
    event_id: Option<EventId>,
}

/// What the door is told.
#[derive(Serialize, ToSchema)]
pub struct AdmissionBody {
    /// `admitted`, `already_admitted`, `invalid`, `cancelled` or `wrong_event`.
    result: &'static str,
    /// When somebody came in with this ticket before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    admitted_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<TicketBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_name: Option<String>,
}

/// Use a ticket: it admits one person, once.
#[utoipa::path(post, path = "/api/v1/admin/check-ins", tag = "administration", security(("bearer" = [])), request_body = Reading,
    params(("idempotency-key" = Option<String>, Header)), responses((status = 200, body = AdmissionBody)))]
pub async fn check_in(State(app): State<Arc<App>>, submitted: Submitted<Reading>) -> Result<Response, Problem> {
    let Submitted { by, key, body: Reading { code, event_id } } = submitted;
    // What cannot be a code is the code of no ticket; whoever stands at the door may still only be told so.
    let code = TicketCode::parse(&code.to_uppercase()).unwrap_or(TicketCode::NONE);
    let told = app.bookings.check_in(&by, code, event_id, app.key_or_new(key)).await?;
    context::note_action("check_in");
    let (admission, ticket) = &told.value;
    let (result, admitted_at) = match *admission {
        Admission::Admitted => ("admitted", None),
        Admission::AlreadyAdmitted { at } => ("already_admitted", Some(at)),
        Admission::Invalid => ("invalid", None),
        Admission::Cancelled => ("cancelled", None),
        Admission::WrongEvent => ("wrong_event", None),
    };
    let mut body = AdmissionBody { result, admitted_at, ticket: None, event_name: None };
    if let Some(ticket) = ticket {
        context::note_event(ticket.event_id);
        // Whoever stands at the door is told, even where nobody can say which seat it is.
        if let Ok(view) = app.events.view(ticket.event_id).await {
            body.ticket = TicketBody::new(&view, ticket);
            body.event_name = Some(view.event.details.name.clone());
        }
    }
    Ok(answer(StatusCode::OK, &told, body))
}
