//! The OpenAPI document, made from the routes themselves, and a page to try them on.

use std::sync::Arc;

use axum::{Router, middleware, response::Response, routing::get};
use http::{HeaderValue, header};
use serde::Serialize;
use utoipa::{
    OpenApi, ToSchema,
    openapi::{
        ComponentsBuilder, Content, ContentBuilder, InfoBuilder, License, ObjectBuilder, OpenApi as Document, RefOr, Required,
        ResponseBuilder, Type,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_swagger_ui::SwaggerUi;

use crate::compose::App;

/// What the page to try routes on may load: its own files. It writes styles into itself.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// A part of a list.
#[derive(Serialize, ToSchema)]
pub struct Listed<T: ToSchema> {
    items: Vec<T>,
    /// The `cursor` of the next part; nothing at the end.
    next_cursor: Option<String>,
}

/// What every error looks like.
#[derive(Serialize, ToSchema)]
struct Problem {
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    /// A stable word.
    code: String,
    trace_id: Option<String>,
    /// The fields that are wrong.
    errors: Option<Vec<InvalidField>>,
    /// The seats in the way.
    seats: Option<Vec<Seat>>,
    /// What the booking is by now.
    booking_status: Option<String>,
}

/// A field that is wrong.
#[derive(Serialize, ToSchema)]
struct InvalidField {
    field: String,
    code: String,
    message: String,
}

/// A seat in the way.
#[derive(Serialize, ToSchema)]
struct Seat {
    id: uuid::Uuid,
    status: String,
}

#[derive(OpenApi)]
#[openapi(components(schemas(Problem, InvalidField, Seat)))]
struct Common;

/// The statuses that any request may get.
const ALWAYS: [(&str, &str); 5] = [
    ("429", "Too many requests; `Retry-After` says when to try again"),
    ("408", "The request took too long to arrive"),
    ("500", "A bug"),
    ("503", "Too busy, or the store is away; nothing was done, unless the detail says that it is not known"),
    ("422", "Something in the request is not right"),
];

/// Adds what all routes have in common.
pub(super) fn finish(mut document: Document) -> Document {
    document.info = InfoBuilder::new()
        .title("Evently")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Seat booking: exactly one buyer gets each seat."))
        .license(Some(License::new("MIT OR Apache-2.0")))
        .build();
    document.merge(Common::openapi());
    let components = document.components.get_or_insert_with(|| ComponentsBuilder::new().build());
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("bearer", bearer);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in [("get", &mut item.get), ("post", &mut item.post), ("patch", &mut item.patch)] {
            if let Some(operation) = operation {
                operation.operation_id = Some(operation_id(method, path));
                narrow_parameters(path, operation);
                if let Some(RefOr::T(body)) = operation.request_body.as_mut().filter(|_| path.ends_with("/cancel")) {
                    body.required = Some(Required::False); // whoever cancels need not say why
                }
                add_problems(path, operation);
            }
        }
    }
    document
}

/// `post_admin_events_publish` for `POST /api/v1/admin/events/{event_id}/publish`; parameters are named where the path ends in one.
fn operation_id(method: &str, path: &str) -> String {
    let path = path.trim_start_matches("/api/v1");
    let mut parts = vec![method.to_owned()];
    let segments = path.split('/').filter(|segment| !segment.is_empty()).collect::<Vec<_>>();
    for (i, segment) in segments.iter().enumerate() {
        if !segment.starts_with('{') || i + 1 == segments.len() {
            parts.push(segment.trim_matches(['{', '}']).replace(['-', '.'], "_"));
        }
    }
    parts.join("_")
}

/// Says which texts a parameter may be.
fn narrow_parameters(path: &str, operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let pattern = match (parameter.name.as_str(), path) {
            ("idempotency-key", _) => "^[!-~]{1,255}$",
            ("cursor", _) => "^[A-Za-z0-9_-]{1,64}$",
            ("interval", _) => "^(hour|day)$",
            ("format", _) => "^(evently|pretix|csv)$",
            ("code", _) => "^[34679ACDEFGHJKMNPQRTVWXY]{8}$",
            ("status", "/api/v1/events" | "/api/v1/admin/events") => "^(draft|upcoming|ongoing|completed|cancelled)$",
            ("status", "/api/v1/events/{event_id}/seats") => "^(available|reserved|booked|blocked)$",
            ("status", _) => "^(pending|confirmed|expired|cancelled|refunded)$",
            _ => continue,
        };
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build();
        parameter.schema = Some(RefOr::T(text.into()));
    }
}

fn add_problems(path: &str, operation: &mut Operation) {
    let mut add = |status: &str, description: &str| {
        let problem =
            ResponseBuilder::new().description(description).content("application/problem+json", problem_content()).build();
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(problem));
    };
    for (status, description) in ALWAYS {
        add(status, description);
    }
    add("400", "The request cannot be read");
    add("404", "There is no such thing, or the caller may not know of it");
    if operation.security.is_some() || path.starts_with("/auth/") {
        add("401", "A valid token is needed");
        add("403", "The account may not do this");
    }
    if operation.request_body.is_some() || operation.security.is_some() {
        add("402", "The payment was declined");
        add("409", "Something stands in the way");
        add("413", "The body is too large");
        add("415", "The body is of the wrong kind");
    }
}

fn problem_content() -> Content {
    ContentBuilder::new().schema(Some(RefOr::Ref(utoipa::openapi::Ref::from_schema_name("Problem")))).build()
}

/// The OpenAPI document of the service.
pub fn document() -> Document {
    finish(super::documented(0).into_openapi())
}

/// The document and the page.
pub(super) fn routes(document: &Document) -> Router<Arc<App>> {
    let json = document.to_json().expect("the document is plain data");
    let served = get(move || {
        let json = json.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], json) }
    });
    let page = SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from("/openapi.json").validator_url("none"));
    let may_load_its_files = |response: Response| async move { ([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], response) };
    let page = Router::from(page).layer(middleware::map_response(may_load_its_files));
    Router::new().route("/openapi.json", served).merge(page)
}
