//! x
#![allow(missing_docs)]
mod expr;
