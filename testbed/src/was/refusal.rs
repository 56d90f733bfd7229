//! The answers that are not what the user asked for, as JSON with one sentence.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::store::StoreError;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no valid session")]
    NoSession,
    #[error("wrong password")]
    WrongPassword,
    #[error("not found")]
    NotFound,
    #[error("an order with this id exists")]
    Duplicate,
    #[error("cannot read the request: {0}")]
    Unreadable(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("uploads unavailable: {0}")]
    Uploads(#[from] std::io::Error),
    #[error("no partner is configured")]
    NoPartner,
    #[error("the partner failed: {0}")]
    PartnerFailed(String),
    #[error("the partner did not answer in time")]
    PartnerLate,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NoSession | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Duplicate => StatusCode::CONFLICT,
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::Store(_) | Self::Uploads(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoPartner | Self::PartnerFailed(_) => StatusCode::BAD_GATEWAY,
            Self::PartnerLate => StatusCode::GATEWAY_TIMEOUT,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}
