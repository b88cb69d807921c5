//! What stands in `deploy/`: rendered, checked by tools nobody here wrote, and run.

mod alerts;
mod chart;
mod copies;
mod image;
mod permissions;
