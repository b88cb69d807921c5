//! The formats and filters that several subcommands share.

use clap::ValueEnum;
use headcount_core::findings::Severity;
use headcount_sdk::Class;

/// How records and changes are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; may change between versions
    #[default]
    Table,
    /// One JSON array
    Json,
    /// One JSON object a line
    Ndjson,
    /// With a header line; cells that a spreadsheet would run are defused with a `'`
    Csv,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FindingFormat {
    /// For people; may change between versions
    #[default]
    Table,
    /// One JSON array
    Json,
    /// One JSON object a line
    Ndjson,
    /// With a header line; cells that a spreadsheet would run are defused with a `'`
    Csv,
    /// One OCSF Detection Finding (2004, schema 1.6.0) a line
    Ocsf,
}

/// How one thing is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PageFormat {
    /// For people; may change between versions
    #[default]
    Table,
    /// One JSON object
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SeverityArg {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl From<SeverityArg> for Severity {
    fn from(arg: SeverityArg) -> Self {
        match arg {
            SeverityArg::Info => Self::Info,
            SeverityArg::Low => Self::Low,
            SeverityArg::Medium => Self::Medium,
            SeverityArg::High => Self::High,
            SeverityArg::Critical => Self::Critical,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClassArg {
    /// Roles, service accounts, apps, bots
    Identity,
    /// Agents of AI: identities that a directory or an AI platform keeps for them
    #[value(alias = "ai_agent")]
    AiAgent,
    /// Keys, tokens, certificates (metadata only)
    Credential,
    /// Policies and other powers
    Grant,
    /// People: kept because they own identities, never counted
    Principal,
    /// Deployments, repositories, environments: kept because they act as identities, never counted
    Workload,
}

impl From<ClassArg> for Class {
    fn from(arg: ClassArg) -> Self {
        match arg {
            ClassArg::Identity => Self::Identity,
            ClassArg::AiAgent => Self::AiAgent,
            ClassArg::Credential => Self::Credential,
            ClassArg::Grant => Self::Grant,
            ClassArg::Principal => Self::Principal,
            ClassArg::Workload => Self::Workload,
        }
    }
}

pub use crate::view::COUNTED;
