//! Who is asking: login and the session behind the cookie.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::{Form, Json};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Cookie;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Was;
use super::refusal::Refusal;

const COOKIE: &str = "session";

/// The password that fits every user: load needs many users, and no test needs their secrets.
const PASSWORD: &str = "secret";

/// The user of a valid session; a request without one is refused.
pub(super) struct User(pub(super) String);

#[derive(Deserialize)]
pub(super) struct Credentials {
    user: String,
    password: String,
}

pub(super) async fn login(
    State(was): State<Arc<Was>>,
    jar: CookieJar,
    Form(given): Form<Credentials>,
) -> Result<(CookieJar, Json<Value>), Refusal> {
    if digest(&given.user, &given.password) != digest(&given.user, PASSWORD) {
        return Err(Refusal::WrongPassword);
    }
    let token = Uuid::new_v4().simple().to_string();
    was.sessions.put(&token, &given.user).await?;
    let cookie = Cookie::build((COOKIE, token)).path("/").http_only(true);
    Ok((jar.add(cookie), Json(json!({ "user": given.user }))))
}

pub(super) async fn whoami(User(user): User) -> Json<Value> {
    Json(json!({ "user": user }))
}

impl FromRequestParts<Arc<Was>> for User {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, was: &Arc<Was>) -> Result<Self, Refusal> {
        let jar = CookieJar::from_headers(&parts.headers);
        let token = jar.get(COOKIE).ok_or(Refusal::NoSession)?.value();
        was.sessions.user(token).await?.map(Self).ok_or(Refusal::NoSession)
    }
}

/// One round of a quick hash: a real one would make every load test a test of the hash.
fn digest(user: &str, password: &str) -> [u8; 32] {
    Sha256::new().chain_update(user).chain_update([0]).chain_update(password).finalize().into()
}
