//! `/v1`: the inventory, findings and what people decide about them, over HTTP.

use axum::Router;

use super::Face;

/// Every route of `/v1`, each behind the guard of its role.
pub(super) fn routes(_face: &Face) -> Router<Face> {
    Router::new()
}
