//! For those who run things: organizers see and change their own events, admins all of them, staff stand at the door.

mod bookings;
mod check_ins;
mod events;
mod sales;
mod users;
mod venues;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::compose::App;

pub(super) fn routes(import_limit: usize) -> OpenApiRouter<Arc<App>> {
    let imports = OpenApiRouter::new().routes(routes!(venues::create, venues::list)).layer(DefaultBodyLimit::max(import_limit));
    OpenApiRouter::new()
        .merge(imports)
        .routes(routes!(venues::show))
        .routes(routes!(events::create, events::list))
        .routes(routes!(events::show, events::edit))
        .routes(routes!(events::publish))
        .routes(routes!(events::cancel))
        .routes(routes!(events::block))
        .routes(routes!(events::unblock))
        .routes(routes!(bookings::of_event))
        .routes(routes!(bookings::by_code))
        .routes(routes!(bookings::show))
        .routes(routes!(bookings::cancel))
        .routes(routes!(check_ins::check_in))
        .routes(routes!(sales::of_event))
        .routes(routes!(sales::overview))
        .routes(routes!(users::list))
        .routes(routes!(users::edit))
}
