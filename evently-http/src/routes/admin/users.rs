//! Accounts and their roles.

use std::sync::Arc;

use axum::{Json, extract::State};
use evently_core::domain::{Role, UserId};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    caller::Caller,
    compose::App,
    context,
    extract::{Cursor, Json as Body, Limit, List, Path, Query},
    problem::Problem,
    routes::{accounts::UserBody, openapi::Listed},
};

/// Which accounts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// How many, 1 to 100.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 20)]
    limit: Limit,
    /// The `next_cursor` of the part before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Accounts.
#[utoipa::path(get, path = "/api/v1/admin/users", tag = "administration", security(("bearer" = [])), params(Wanted),
    responses((status = 200, body = Listed<UserBody>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<List<UserBody>>, Problem> {
    let users = app.auth.users(&by, wanted.limit.page(wanted.cursor.as_ref())?).await?;
    Ok(Json(List::of(users, wanted.limit, |user| user.id, |user| (&user).into())))
}

/// Another role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleEdit {
    /// `customer`, `organizer`, `staff` or `admin`.
    #[schema(value_type = String, pattern = "^(customer|organizer|staff|admin)$")]
    role: Role,
}

/// Give an account another role.
#[utoipa::path(patch, path = "/api/v1/admin/users/{user_id}", tag = "administration", security(("bearer" = [])),
    params(("user_id" = Uuid, Path)), request_body = RoleEdit, responses((status = 200, body = UserBody)))]
pub async fn edit(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Path(id): Path<UserId>,
    Body(RoleEdit { role }): Body<RoleEdit>,
) -> Result<Json<UserBody>, Problem> {
    let user = app.auth.set_role(&by, id, role).await?;
    context::note_action("role_changed");
    Ok(Json((&user).into()))
}
