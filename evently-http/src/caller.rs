//! Who asks, and under which key.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, OriginalUri, Request};
use evently_core::{
    domain::{Principal, RequestKey, Role},
    ports::Claims,
};
use http::{HeaderMap, header, request::Parts};
use serde::de::DeserializeOwned;

use crate::{
    compose::App,
    context,
    extract::{IdempotencyKey, RawBody, read_json},
    problem::{Code, Problem},
};

/// What the access token of a request says, once somebody has read it and found it good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Presented(pub(crate) Claims);

/// Somebody who has logged in.
#[derive(Debug, Clone, Copy)]
pub struct Caller(pub Principal);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(*caller);
        }
        let principal = match parts.extensions.get() {
            Some(Presented(claims)) => app.auth.principal(claims).await,
            None => app.auth.authenticate(bearer(&parts.headers)?.ok_or_else(Problem::token_missing)?).await,
        };
        let caller = Self(principal?);
        context::note_user(caller.0.user_id);
        parts.extensions.insert(caller);
        Ok(caller)
    }
}

/// A caller who may manage something: an organizer or an admin. It stands before the body, of which nothing is read for anybody else.
#[derive(Debug, Clone, Copy)]
pub struct Manager(pub Principal);

impl FromRequestParts<Arc<App>> for Manager {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Caller(by) = Caller::from_request_parts(parts, app).await?;
        if matches!(by.role, Role::Organizer | Role::Admin) { Ok(Self(by)) } else { Err(Problem::forbidden()) }
    }
}

/// The access token that came with the request.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let malformed = || Problem::new(Code::MalformedHeader, "Authorization must be `Bearer` and an access token");
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(malformed()) }
}

/// Something that is asked for by somebody, possibly under a key. A body that may be left out is one that has a default.
#[derive(Debug, Clone)]
pub struct Submitted<T> {
    /// Who asks.
    pub by: Principal,
    /// The key, scoped to who asks for what.
    pub key: Option<RequestKey>,
    /// The body.
    pub body: T,
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Submitted<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let SubmittedBytes { by, key, body, content_type } = SubmittedBytes::from_request(request, app).await?;
        let body = read_json(content_type.as_ref(), &body)?;
        Ok(Self { by, key, body })
    }
}

/// The same with the body as it came.
#[derive(Debug, Clone)]
pub struct SubmittedBytes {
    /// Who asks.
    pub by: Principal,
    /// The key, scoped to who asks for what.
    pub key: Option<RequestKey>,
    /// The body.
    pub body: bytes::Bytes,
    content_type: Option<http::HeaderValue>,
}

impl FromRequest<Arc<App>> for SubmittedBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Caller(by) = Caller::from_request_parts(&mut parts, app).await?;
        let IdempotencyKey(key) = IdempotencyKey::from_request_parts(&mut parts, app).await?;
        let Ok(OriginalUri(uri)) = OriginalUri::from_request_parts(&mut parts, app).await;
        let content_type = parts.headers.get(header::CONTENT_TYPE).cloned();
        let method = parts.method.clone();
        let RawBody(body) = RawBody::from_request(Request::from_parts(parts, body), app).await?;
        let user = by.user_id.to_string();
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let key = key.map(|key| RequestKey::new(&[&user, method.as_str(), target], &key, &body));
        Ok(Self { by, key, body, content_type })
    }
}
