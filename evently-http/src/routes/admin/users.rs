//! Accounts and their roles.

use std::sync::Arc;

use axum::{Json, extract::State};
use evently_core::domain::{Role, UserId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    compose::App,
    context,
    extract::{Json as Body, List, Part, Path, Query},
    problem::Problem,
    routes::{accounts::UserBody, openapi::Listed},
};

/// Accounts.
#[utoipa::path(get, path = "/api/v1/admin/users", tag = "administration", security(("bearer" = [])), params(Part),
    responses((status = 200, body = Listed<UserBody>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Caller(by): Caller,
    Query(part): Query<Part>,
) -> Result<Json<List<UserBody>>, Problem> {
    let users = app.auth.users(&by, part.page()?).await?;
    Ok(Json(List::of(users, part.limit, |user| user.id, |user| (&user).into())))
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
