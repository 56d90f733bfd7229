//! Files that users upload through one instance and download through any.

use std::fmt::Write;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Was;
use super::refusal::Refusal;

/// Stores the body, or the first part of a form, under a name of our own.
pub(super) async fn put(
    State(was): State<Arc<Was>>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let content = content(request).await?;
    let name = Uuid::new_v4().simple().to_string();
    tokio::fs::create_dir_all(&was.uploads).await?;
    // Written aside and renamed: nobody downloads half a file, whoever dies in between.
    let aside = was.uploads.join(format!(".{name}"));
    tokio::fs::write(&aside, &content).await?;
    tokio::fs::rename(&aside, was.uploads.join(&name)).await?;
    let told = json!({ "name": name, "sha256": sha256(&content), "bytes": content.len() });
    Ok((StatusCode::CREATED, Json(told)))
}

pub(super) async fn get(
    State(was): State<Arc<Was>>,
    Path(name): Path<String>,
) -> Result<([(header::HeaderName, &'static str); 1], Vec<u8>), Refusal> {
    // Only names of our own making: anything else could lead out of the directory.
    let name = Uuid::try_parse(&name).map_err(|_| Refusal::NotFound)?.simple().to_string();
    let content = tokio::fs::read(was.uploads.join(name)).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            Refusal::NotFound
        } else {
            Refusal::Uploads(error)
        }
    })?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], content))
}

async fn content(request: Request) -> Result<Bytes, Refusal> {
    let unreadable = |error: &dyn std::error::Error| Refusal::Unreadable(error.to_string());
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
        return Bytes::from_request(request, &()).await.map_err(|error| unreadable(&error));
    }
    let mut form = Multipart::from_request(request, &()).await.map_err(|e| unreadable(&e))?;
    let part = form.next_field().await.map_err(|error| unreadable(&error))?;
    let part = part.ok_or_else(|| Refusal::Unreadable("the form has no part".into()))?;
    part.bytes().await.map_err(|error| unreadable(&error))
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
