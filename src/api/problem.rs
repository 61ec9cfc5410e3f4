//! Errors as RFC 9457 problem details.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::store::StoreError;

/// A problem with its status.
#[derive(Debug)]
pub struct ApiProblem {
    status: StatusCode,
    detail: String,
    extra: Option<(HeaderName, String)>,
}

impl ApiProblem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            extra: None,
        }
    }

    /// There is no such thing.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// The request is wrong.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// It makes no sense now.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// Not now.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Not from there, or not with this token.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// Not without a token.
    #[must_use]
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// There is such a thing, and this cannot be done with it.
    #[must_use]
    pub fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "this cannot be done here; the header `Allow` says what can",
        )
    }

    /// Not in this form.
    #[must_use]
    pub fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// Too much was sent.
    #[must_use]
    pub fn too_large() -> Self {
        let most = super::guard::LARGEST_REQUEST_BYTES / 1024;
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a body has {most} KiB at most"),
        )
    }

    /// Too often.
    #[must_use]
    pub fn too_many(wait: Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        Self {
            extra: Some((header::RETRY_AFTER, format!("{seconds}"))),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                format!("too many requests from this address; ask again in {seconds}s"),
            )
        }
    }

    /// Something that cannot happen has happened.
    #[must_use]
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request could not be answered");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "haetae itself failed; its log says where",
        )
    }

    /// With how to log in.
    #[must_use]
    pub fn challenge(mut self, how: &str) -> Self {
        self.extra = Some((header::WWW_AUTHENTICATE, how.to_owned()));
        self
    }
}

impl From<StoreError> for ApiProblem {
    fn from(error: StoreError) -> Self {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "a request could not be answered from the store");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the store cannot be read right now",
        )
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, Json(body)).into_response();
        if let Some((name, value)) = self.extra
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
