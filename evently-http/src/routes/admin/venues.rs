//! Venues.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use evently_core::{
    domain::{Invalid, LayoutId, VenueId},
    import::{self, Format, ImportError},
    services::{Error, LayoutView, VenueDraft},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    caller::{Manager, SubmittedBytes},
    compose::App,
    context,
    extract::{List, Part, Path, Query},
    problem::Problem,
    wire::answer,
};

/// How the plan is written.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Plan {
    /// `evently` (this is the default), `pretix` or `csv`.
    format: Option<String>,
    /// What the venue is called; needed where the plan does not say it.
    name: Option<String>,
}

/// A venue.
#[derive(Serialize, ToSchema)]
pub struct VenueDetail {
    #[schema(value_type = Uuid)]
    id: VenueId,
    name: String,
    #[schema(value_type = Uuid)]
    layout_version: LayoutId,
    seats_total: u32,
    sections: Vec<String>,
    /// The names that an event sets prices for.
    categories: Vec<String>,
    /// What of the plan was left out, or looks odd.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl VenueDetail {
    fn new(venue: &evently_core::domain::Venue, layout: &evently_core::domain::Layout) -> Self {
        Self {
            id: venue.id,
            name: venue.name.clone(),
            layout_version: layout.id,
            seats_total: layout.seats_total(),
            sections: layout.sections.iter().map(|section| section.name.clone()).collect(),
            categories: layout.categories.iter().map(|category| category.name.clone()).collect(),
            warnings: Vec::new(),
        }
    }
}

/// A venue in a list.
#[derive(Serialize, ToSchema)]
pub struct VenueSummary {
    #[schema(value_type = Uuid)]
    id: VenueId,
    name: String,
    #[schema(value_type = Uuid)]
    layout_version: LayoutId,
}

/// Add a venue from its plan: own JSON, the open seating-plan JSON (`?format=pretix`), or CSV (`?format=csv`).
#[utoipa::path(post, path = "/api/v1/admin/venues", tag = "administration", security(("bearer" = [])),
    params(Plan, ("idempotency-key" = Option<String>, Header)),
    request_body(content((Object = "application/json"), (String = "text/csv"))),
    responses((status = 201, body = VenueDetail)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Manager(by): Manager,
    Query(plan): Query<Plan>,
    submitted: SubmittedBytes,
) -> Result<Response, Problem> {
    let format = match plan.format.as_deref() {
        None => Format::Own,
        Some(name) => name.parse::<Format>().map_err(|error| Problem::field("format", "unknown_format", error.to_string()))?,
    };
    let id = app.events.new_layout_id();
    // Reading a large plan takes a while, and must not keep others waiting.
    let bytes = submitted.body.clone();
    let read = tokio::task::spawn_blocking(move || import::read(format, &bytes, id)).await;
    let read = read.map_err(|error| {
        tracing::error!(%error, "plan could not be read");
        Problem::internal()
    })?;
    let plan_read = read.map_err(|error| Problem::from(in_fields(error)))?;
    let name = plan.name.or(plan_read.name);
    let name = name.ok_or_else(|| Problem::field("name", "required", "the plan has no name: give one, as in ?name=Odeon"))?;
    let draft = VenueDraft { name, layout: plan_read.layout };
    let created = app.events.create_venue(&by, draft, app.key_or_new(submitted.key)).await?;
    context::note_action("venue_created");
    let (venue, layout) = app.events.venue(created.value.id).await.map_err(Error::after_a_change)?;
    let warnings = plan_read.warnings.iter().map(ToString::to_string).collect();
    let body = VenueDetail { warnings, ..VenueDetail::new(&venue, &layout.layout) };
    Ok(answer(StatusCode::CREATED, &created, body))
}

fn in_fields(error: ImportError) -> Invalid {
    let mut invalid = Invalid::default();
    for problem in error.problems {
        // The file as a whole has no path.
        let field = if problem.path.is_empty() { "body".to_owned() } else { problem.path };
        invalid.add(field, "invalid_plan", problem.message);
    }
    if error.more > 0 {
        invalid.add("body", "invalid_plan", format!("and {} more", error.more));
    }
    invalid
}

/// Venues.
#[utoipa::path(get, path = "/api/v1/admin/venues", tag = "administration", security(("bearer" = [])), params(Part),
    responses((status = 200, body = crate::routes::openapi::Listed<VenueSummary>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    _: Manager,
    Query(part): Query<Part>,
) -> Result<Json<List<VenueSummary>>, Problem> {
    let venues = app.events.venues(part.page()?).await?;
    Ok(Json(List::of(
        venues,
        part.limit,
        |venue| venue.id,
        |venue| VenueSummary { id: venue.id, name: venue.name, layout_version: venue.layout_id },
    )))
}

/// One venue.
#[utoipa::path(get, path = "/api/v1/admin/venues/{venue_id}", tag = "administration", security(("bearer" = [])),
    params(("venue_id" = Uuid, Path)), responses((status = 200, body = VenueDetail)))]
pub async fn show(State(app): State<Arc<App>>, _: Manager, Path(id): Path<VenueId>) -> Result<Json<VenueDetail>, Problem> {
    let (venue, layout): (_, Arc<LayoutView>) = app.events.venue(id).await?;
    Ok(Json(VenueDetail::new(&venue, &layout.layout)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_whole_plan_is_wrong_with_the_body() {
        let error = import::read(Format::Csv, b"{}", LayoutId::new(uuid::Uuid::nil())).unwrap_err();
        let fields = in_fields(error).fields;
        assert_eq!((fields.len(), fields[0].field.as_str()), (1, "body"));
    }
}
