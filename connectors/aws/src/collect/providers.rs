//! Scopes `oidc-providers` and `saml-providers`: who may vouch for whom in trust policies.
//!
//! The lists give little more than ARNs. Details take a call per provider, so a scan reads a few:
//! those never read first, then the ones read longest ago; the rest stands on what was kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_iam::types::SamlProviderListEntry;
use headcount_sdk::{Class, Complete, Expiry, Observation, Recorder, ScanError, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Collector, Counted, missing};
use crate::client::{Detail, malformed};
use crate::id::arn_tail;
use crate::normalize::{evidence, not_observable, owner, timestamp};

const OIDC: &str = "iam:ListOpenIDConnectProviders";
const SAML: &str = "iam:ListSAMLProviders";
const OIDC_DETAIL: &str = "iam:GetOpenIDConnectProvider";
const SAML_DETAIL: &str = "iam:GetSAMLProvider";
const KEPT: &str = "provider-details";

/// Details read per scan, of both kinds.
const DETAILS: usize = 4;

/// The most calls that these scopes and the one behind them make: two lists, details, and the
/// list of server certificates.
pub(super) const CALLS: u64 = 3 + DETAILS as u64;

/// Details by ARN.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Details(BTreeMap<String, Kept>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    read_at: Timestamp,
    detail: Detail,
}

/// A provider as the list gives it.
struct Listed {
    arn: String,
    observation: Observation,
}

impl Collector<'_> {
    async fn oidc_list(&self) -> Result<Arc<Vec<String>>, ScanError> {
        self.cx.memo.once("oidc providers", self.account.oidc_providers()).await
    }

    async fn saml_list(&self) -> Result<Arc<Vec<SamlProviderListEntry>>, ScanError> {
        self.cx.memo.once("saml providers", self.account.saml_providers()).await
    }

    /// Calls that the scopes from here on will make in this pass.
    pub(super) async fn provider_calls_ahead(&self) -> u64 {
        let oidc = self.oidc_list().await.map_or(DETAILS, |list| list.len());
        let saml = self.saml_list().await.map_or(DETAILS, |list| list.len());
        1 + (oidc + saml).min(DETAILS) as u64
    }

    pub(super) async fn oidc_providers(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let arns = self.oidc_list().await?;
        let saml = self.saml_list().await.map(|list| list.len());
        self.verify_providers(&mut recorder, arns.len(), &saml, OIDC).await?;
        let listed = arns.iter().collect::<BTreeSet<_>>().into_iter();
        let listed = listed.map(|arn| Listed { arn: arn.clone(), observation: self.oidc(arn) });
        let share = oidc_share(arns.len(), saml.unwrap_or(0));
        self.with_details(listed.collect(), share, OIDC_DETAIL, recorder).await
    }

    pub(super) async fn saml_providers(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let entries = self.saml_list().await?;
        let oidc = self.oidc_list().await.map(|list| list.len());
        self.verify_providers(&mut recorder, entries.len(), &oidc, SAML).await?;
        let mut listed = BTreeMap::new();
        for entry in entries.iter() {
            let (arn, observation) = self.saml(entry)?;
            listed.insert(arn.clone(), Listed { arn, observation });
        }
        let share = DETAILS - oidc_share(oidc.unwrap_or(0), entries.len());
        self.with_details(listed.into_values().collect(), share, SAML_DETAIL, recorder).await
    }

    /// AWS counts both kinds as one.
    async fn verify_providers(
        &self,
        recorder: &mut Recorder<'_>,
        own: usize,
        other: &Result<usize, ScanError>,
        operation: &'static str,
    ) -> Result<(), ScanError> {
        match other {
            Ok(other) => {
                let read = (own + other) as u64;
                self.verify_count(recorder, &Counted { name: "Providers", read, operation })
                    .await?;
            }
            Err(error) => recorder.degrade("count", error.clone()),
        }
        Ok(())
    }

    fn oidc(&self, arn: &str) -> Observation {
        let id = self.place().oidc_provider(arn);
        let issuer = format!("https://{}", arn_tail(arn));
        let mut observation = Observation::new(id, Class::Credential, "oidc-provider", &issuer);
        observation.native = arn.to_owned();
        observation.status = Status::Active;
        observation.expiry = Expiry::NotApplicable;
        observation.usage = not_observable("AWS records no use of identity providers");
        observation.attributes.insert("issuer".to_owned(), issuer);
        observation.evidence.push(evidence(OIDC, arn, self.cx.now));
        observation
    }

    fn saml(&self, entry: &SamlProviderListEntry) -> Result<(String, Observation), ScanError> {
        let refused = |member: &str| malformed(SAML, format!("SAMLProviderList/{member}"));
        let arn = entry.arn().filter(|arn| !arn.is_empty()).ok_or_else(|| refused("Arn"))?;
        let created_at = entry.create_date().and_then(timestamp);
        let created_at = created_at.ok_or_else(|| refused("CreateDate"))?;
        let id = self.place().saml_provider(arn, created_at);
        let mut observation =
            Observation::new(id, Class::Credential, "saml-provider", arn_tail(arn));
        observation.native = arn.to_owned();
        observation.status = Status::Active;
        observation.created_at = Some(created_at);
        observation.expiry = match entry.valid_until() {
            Some(at) => Expiry::At { at: timestamp(at).ok_or_else(|| refused("ValidUntil"))? },
            None => Expiry::Unknown,
        };
        observation.usage = not_observable("AWS records no use of identity providers");
        observation.evidence.push(evidence(SAML, arn, self.cx.now));
        Ok((arn.to_owned(), observation))
    }

    /// Adds what is kept of each provider, and reads the details whose turn it is.
    async fn with_details(
        &self,
        listed: Vec<Listed>,
        share: usize,
        operation: &'static str,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let mut details: Details = self.cached(KEPT).await.unwrap_or_default();
        let before = details.clone();
        let due = details.due(&listed, share);
        let mut failed = None;
        for arn in due {
            match self.detail(&arn, operation).await {
                Ok(detail) => {
                    details.0.insert(arn, Kept { read_at: self.cx.now, detail });
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let lacking = failed.as_ref().map_or_else(|| operation.to_owned(), missing);
        for Listed { arn, mut observation } in listed {
            match details.0.get(&arn) {
                Some(kept) => {
                    self.detailed(&mut observation, &kept.detail);
                    observation.evidence.push(evidence(operation, &arn, kept.read_at));
                }
                None => unread(&mut observation, operation, &lacking),
            }
            recorder.record(observation);
        }
        if let Some(error) = failed {
            for field in fields(operation) {
                recorder.degrade(field, error.clone());
            }
        }
        if details != before {
            self.keep(KEPT, &details).await;
        }
        Ok(recorder.complete())
    }

    async fn detail(&self, arn: &str, operation: &str) -> Result<Detail, ScanError> {
        if operation == OIDC_DETAIL {
            self.account.oidc_provider(arn).await.map(Detail::Oidc)
        } else {
            self.account.saml_provider(arn).await.map(Detail::Saml)
        }
    }

    fn detailed(&self, observation: &mut Observation, detail: &Detail) {
        let mut set = |name: &str, value: String| {
            observation.attributes.insert(name.to_owned(), value);
        };
        let tags = match detail {
            Detail::Oidc(detail) => {
                set("client_ids", detail.client_ids.join(","));
                observation.created_at = detail.created_at;
                &detail.tags
            }
            Detail::Saml(detail) => {
                set("private_keys", detail.private_keys.to_string());
                if let Some(uuid) = &detail.uuid {
                    set("uuid", uuid.clone());
                }
                &detail.tags
            }
        };
        observation.owner_evidence = owner::evidence(self.tag_keys, tags, "/", None);
        observation.purpose = owner::purpose(self.tag_keys, tags, None);
        observation.labels.clone_from(tags);
    }
}

impl Details {
    /// ARNs whose details are read now.
    fn due(&self, listed: &[Listed], share: usize) -> Vec<String> {
        let mut by_age: Vec<(Option<Timestamp>, &str)> = listed
            .iter()
            .map(|listed| (self.0.get(&listed.arn).map(|kept| kept.read_at), listed.arn.as_str()))
            .collect();
        by_age.sort_unstable();
        by_age.into_iter().take(share).map(|(_, arn)| arn.to_owned()).collect()
    }
}

/// How many of the details read per scan are of OIDC providers; SAML providers have the rest.
fn oidc_share(oidc: usize, saml: usize) -> usize {
    oidc.min((DETAILS - saml.min(DETAILS)).max(DETAILS / 2))
}

/// Fields that only a provider's details feed.
fn fields(operation: &str) -> &'static [&'static str] {
    if operation == OIDC_DETAIL {
        &["labels", "owner_evidence", "purpose", "created_at", "attributes.client_ids"]
    } else {
        &["labels", "owner_evidence", "purpose", "attributes.private_keys", "attributes.uuid"]
    }
}

fn unread(observation: &mut Observation, operation: &str, lacking: &str) {
    for field in fields(operation) {
        observation.unread.insert((*field).to_owned(), lacking.to_owned());
    }
}
