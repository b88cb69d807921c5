//! The contract between Headcount and the systems it counts.
//!
//! Read in this order:
//! 1. [`model`]: what a connector reports, the [`Observation`].
//! 2. [`contract`]: the [`Connector`] trait, and [`Complete`], the proof that a scope was read to its end.
//! 3. [`manifest`]: the static facts from which permissions, checks and pages are generated.
//! 4. [`governor`]: how many calls a credential may make, hints before scans; [`owner`]: the words
//!    that name an owner.
//! 5. [`secret`]: references to secrets in a connector's settings.
//! 6. `testkit` (feature): the conformance suite that every connector runs.
//!
//! A connector observes. It never writes to its source, never judges, never stores.

pub mod contract;
pub mod governor;
pub mod manifest;
pub mod model;
pub mod owner;
pub mod secret;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use contract::{
    Cache, Complete, Connector, Degradation, Extent, Handled, Hint, Hinted, Hints, Inbound, Memo,
    MemoryCache, Pass, Priority, Probe, ProbeOutcome, Recorder, Refused, ScanContext, ScanError,
    Scope,
};
pub use manifest::Manifest;
pub use model::{
    Affiliation, Class, Confidence, Endpoint, Evidence, Expiry, ExternalId, FederatedSubject,
    Level, Link, LinkKind, Nature, NatureKind, Observation, OwnerBasis, OwnerEvidence, OwnerKind,
    Privilege, Purpose, RecordId, Standing, Status, Trust, Usage,
};
