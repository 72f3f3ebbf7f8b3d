//! Accounts and logins.

use std::sync::Arc;

use axum::extract::{Extension, State};
use evently_core::{
    domain::{Role, User, UserId},
    services::{AuthError, TokenPair},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::Caller, compose::App, context, extract::Json, middleware::ClientAddress, problem::Problem, routes::seen_through,
};

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    #[schema(example = "ada@example.org")]
    email: String,
    /// 8 characters to 72 bytes.
    #[schema(min_length = 8, max_length = 72)]
    password: String,
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// An account.
#[derive(Serialize, ToSchema)]
pub struct UserBody {
    #[schema(value_type = Uuid)]
    id: UserId,
    email: String,
    name: String,
    /// `customer`, `organizer`, `staff` or `admin`.
    role: &'static str,
}

impl From<&User> for UserBody {
    fn from(user: &User) -> Self {
        Self { id: user.id, email: user.email.to_string(), name: user.name.clone(), role: user.role.name() }
    }
}

/// An e-mail address and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    email: String,
    password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    refresh_token: String,
}

/// What says who one is.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// In seconds.
    expires_in: u64,
    /// Good for one refresh.
    refresh_token: String,
}

impl From<TokenPair> for Tokens {
    fn from(pair: TokenPair) -> Self {
        let TokenPair { access_token, expires_in, refresh_token } = pair;
        Self { access_token, token_type: "Bearer", expires_in: expires_in.as_secs(), refresh_token }
    }
}

/// Make an account.
#[utoipa::path(post, path = "/auth/register", tag = "accounts", request_body = Register,
    responses((status = 201, body = UserBody)))]
pub async fn register(
    State(app): State<Arc<App>>,
    Json(new): Json<Register>,
) -> Result<(StatusCode, axum::Json<UserBody>), Problem> {
    let user = app.auth.register(&new.email, &new.password, &new.name, Role::Customer).await?;
    context::note_user(user.id);
    context::note_action("account_registered");
    Ok((StatusCode::CREATED, axum::Json((&user).into())))
}

/// Log in.
#[utoipa::path(post, path = "/auth/login", tag = "accounts", request_body = Login, responses((status = 200, body = Tokens)))]
pub async fn login(
    State(app): State<Arc<App>>,
    Extension(client): Extension<ClientAddress>,
    Json(login): Json<Login>,
) -> Result<axum::Json<Tokens>, Problem> {
    context::note_action("login");
    // Whoever hangs up while their password is looked at may have known it.
    let pair = seen_through(try_to_log_in(Arc::clone(&app), client, login)).await?;
    if let Ok(claims) = app.tokens.read(&pair.access_token, app.clock.now()) {
        context::note_user(claims.user_id);
    }
    Ok(axum::Json(pair.into()))
}

async fn try_to_log_in(app: Arc<App>, client: ClientAddress, login: Login) -> Result<TokenPair, Problem> {
    let attempt = app.logins.begin(&login.email, client.network()).await.map_err(Problem::rate_limited)?;
    let answer = app.auth.login(&login.email, &login.password).await;
    match &answer {
        Ok(_) => attempt.succeeded().await,
        Err(AuthError::InvalidCredentials) => {}
        Err(_) => attempt.never_happened().await,
    }
    Ok(answer?)
}

/// Spend a refresh token for a new pair. A token that is used twice ends its login.
#[utoipa::path(post, path = "/auth/refresh", tag = "accounts", request_body = Refresh, responses((status = 200, body = Tokens)))]
pub async fn refresh(State(app): State<Arc<App>>, Json(refresh): Json<Refresh>) -> Result<axum::Json<Tokens>, Problem> {
    context::note_action("login_refreshed");
    Ok(axum::Json(app.auth.refresh(&refresh.refresh_token).await?.into()))
}

/// End a login.
#[utoipa::path(post, path = "/auth/logout", tag = "accounts", request_body = Refresh, responses((status = 204)))]
pub async fn logout(State(app): State<Arc<App>>, Json(refresh): Json<Refresh>) -> Result<StatusCode, Problem> {
    context::note_action("logout");
    app.auth.logout(&refresh.refresh_token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The account that asks.
#[utoipa::path(get, path = "/api/v1/me", tag = "accounts", security(("bearer" = [])), responses((status = 200, body = UserBody)))]
pub async fn me(State(app): State<Arc<App>>, Caller(by): Caller) -> Result<axum::Json<UserBody>, Problem> {
    Ok(axum::Json((&app.auth.me(&by).await?).into()))
}
