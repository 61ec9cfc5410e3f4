//! What a request says, with problems as everything else here tells them.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts as Head;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::ApiProblem;
use crate::store::Page;

/// Rows in one answer.
const MOST_ROWS: u32 = 1_000;

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiProblem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::JsonDataError(error)) => {
                Err(ApiProblem::bad_request(plain(&error.body_text())))
            }
            Err(error) => Err(match error.status() {
                StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                    ApiProblem::unsupported("the body is JSON: send it with `Content-Type: application/json`")
                }
                StatusCode::PAYLOAD_TOO_LARGE => ApiProblem::too_large(),
                _ => ApiProblem::bad_request(plain(&error.body_text())),
            }),
        }
    }
}

/// What stands behind the question mark.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiProblem;

    async fn from_request_parts(head: &mut Head, state: &S) -> Result<Self, ApiProblem> {
        Query::<T>::from_request_parts(head, state)
            .await
            .map(|Query(query)| Self(query))
            .map_err(|error: QueryRejection| ApiProblem::bad_request(plain(&error.body_text())))
    }
}

/// Serde's words without the framework's introduction.
fn plain(text: &str) -> String {
    let why = text.split_once(": ").map_or(text, |(_, why)| why);
    why.to_owned()
}

/// A page of a list, as it is asked for.
///
/// # Errors
/// When the limit makes no sense.
pub fn page(limit: Option<u32>, after: Option<String>, usual: u32) -> Result<Page, ApiProblem> {
    let limit = limit.unwrap_or(usual);
    if limit == 0 {
        return Err(ApiProblem::bad_request("`limit` is 1 at least"));
    }
    Ok(Page {
        after: after.filter(|after| !after.is_empty()),
        limit: limit.min(MOST_ROWS),
    })
}

/// A list's answer: the rows under their name, and after which one the list goes on.
/// `rows` may hold one more than the page, which says that there are more.
///
/// # Errors
/// When a row cannot be written as JSON.
pub fn listed<T: Serialize>(
    name: &str,
    mut rows: Vec<T>,
    page: &Page,
    cursor: impl Fn(&T) -> String,
) -> Result<Json<Value>, ApiProblem> {
    let limit = page.limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(cursor);
    let mut answer = Map::new();
    let rows = serde_json::to_value(rows).map_err(|error| ApiProblem::internal(&error))?;
    answer.insert(name.to_owned(), rows);
    answer.insert("next".to_owned(), next.map_or(Value::Null, Value::String));
    Ok(Json(Value::Object(answer)))
}

/// The page with room for one row more, which says that there are more.
#[must_use]
pub fn and_one(page: &Page) -> Page {
    Page {
        after: page.after.clone(),
        limit: page.limit + 1,
    }
}

/// A page of a list that is in memory.
#[must_use]
pub fn cut<T>(rows: Vec<T>, page: &Page, cursor: impl Fn(&T) -> String) -> Vec<T> {
    let begin = match &page.after {
        None => 0,
        Some(after) => rows
            .iter()
            .position(|row| cursor(row) == *after)
            .map_or(rows.len(), |at| at + 1),
    };
    rows.into_iter()
        .skip(begin)
        .take(page.limit as usize + 1)
        .collect()
}
