//! Quotes: a call to the partner, over a pool of connections and never longer than agreed.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::Value;

use super::Was;
use super::refusal::Refusal;
use crate::error::Error;

/// How long a new connection to the partner may take.
const CONNECT_MAX: Duration = Duration::from_millis(200);

/// How to reach the partner.
pub(super) struct Partner {
    client: reqwest::Client,
    quote_url: String,
}

impl Partner {
    pub(super) fn new(url: &str, timeout: Duration) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .timeout(timeout)
            .no_proxy()
            .build()?;
        Ok(Self { client, quote_url: format!("{}/quote", url.trim_end_matches('/')) })
    }
}

/// The partner's quote, unchanged.
pub(super) async fn quote(
    State(was): State<Arc<Was>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    let partner = was.partner.as_ref().ok_or(Refusal::NoPartner)?;
    let url = match query {
        Some(query) => format!("{}?{query}", partner.quote_url),
        None => partner.quote_url.clone(),
    };
    let answer = partner.client.get(url).send().await.map_err(refusal)?;
    let quote = answer.error_for_status().map_err(refusal)?.json().await.map_err(refusal)?;
    Ok(Json(quote))
}

fn refusal(error: reqwest::Error) -> Refusal {
    if error.is_timeout() {
        return Refusal::PartnerLate;
    }
    // Without the URL: users have no business with the inside of the house.
    Refusal::PartnerFailed(error.without_url().to_string())
}
