//! Scope `signing-certificates`: X.509 certificates with which users sign requests.

use async_trait::async_trait;
use aws_sdk_iam::types::StatusType;
use headcount_sdk::{Class, Complete, Expiry, Observation, Recorder, ScanError, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Collector;
use super::named::Named;
use super::per_user::{Listing, PerUser, Shown};
use crate::client::malformed;
use crate::normalize::authorization::User;
use crate::normalize::{evidence, not_observable, timestamp};
use crate::report::Row;

const LIST: &str = "iam:ListSigningCertificates";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Certificate {
    id: String,
    created_at: Timestamp,
    active: bool,
    listed_at: Timestamp,
}

struct Certificates<'a>(&'a Collector<'a>);

#[async_trait]
impl Listing for Certificates<'_> {
    type Record = Certificate;

    fn kept_as(&self) -> &'static str {
        "signing-certificates"
    }

    fn shown(&self, row: &Row) -> Shown {
        Shown::certificates(row)
    }

    async fn list(&self, user: &User, _: &[Certificate]) -> Result<Vec<Certificate>, ScanError> {
        let listed = self.0.account.signing_certificates(&user.holder.name).await?;
        let certificates = listed.iter().map(|certificate| {
            let refused = |member: &str| malformed(LIST, format!("Certificates/{member}"));
            let created_at = certificate.upload_date().and_then(timestamp);
            Ok(Certificate {
                id: Some(certificate.certificate_id().to_owned())
                    .filter(|id| !id.is_empty())
                    .ok_or_else(|| refused("CertificateId"))?,
                created_at: created_at.ok_or_else(|| refused("UploadDate"))?,
                active: match certificate.status() {
                    StatusType::Active => true,
                    StatusType::Inactive | StatusType::Expired => false,
                    _ => return Err(refused("Status")),
                },
                listed_at: self.0.cx.now,
            })
        });
        certificates.collect()
    }

    fn same(&self, a: &Certificate, b: &Certificate) -> bool {
        a.id == b.id && a.created_at == b.created_at && a.active == b.active
    }
}

impl Collector<'_> {
    pub(super) async fn signing_certificates(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let authorization = self.authorization().await?;
        let report = self.report().await?;
        super::date(&mut recorder, &report);
        let listing = Certificates(self);
        let gathered = self
            .gather(&listing, &authorization, &report, &std::collections::BTreeSet::new())
            .await?;
        for (id, entry) in &gathered.now.users {
            let Some(user) = authorization.users.get(id) else { continue };
            for certificate in &entry.records {
                recorder.record(self.signing_certificate(user, certificate));
            }
        }
        self.settle(&listing, gathered, &report, recorder).await
    }

    /// Lists the certificates of the users whom hints name.
    pub(super) async fn refresh_signing_certificates(
        &self,
        named: &Named,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let authorization = self.authorization().await?;
        let listing = Certificates(self);
        let listed = self.list_named(&listing, &authorization, named).await?;
        let mut cache: PerUser<Certificate> =
            self.cached(listing.kept_as()).await.unwrap_or_default();
        for (id, entry) in listed {
            let Some(user) = authorization.users.get(&id) else { continue };
            for certificate in &entry.records {
                recorder.record(self.signing_certificate(user, certificate));
            }
            cache.users.insert(id, entry);
        }
        self.keep(listing.kept_as(), &cache).await;
        Ok(recorder.complete_for_parents(named.records(self.place()), 0))
    }

    fn signing_certificate(&self, user: &User, certificate: &Certificate) -> Observation {
        let id = self.place().signing_certificate(&certificate.id);
        let mut observation =
            Observation::new(id, Class::Credential, "signing-certificate", &certificate.id);
        observation.native.clone_from(&certificate.id);
        observation.parent = Some(self.place().user(&user.holder.id));
        observation.status = if certificate.active { Status::Active } else { Status::Disabled };
        observation.created_at = Some(certificate.created_at);
        // It stands in the certificate's body, which is not kept.
        observation.expiry = Expiry::Unknown;
        observation.usage = not_observable("AWS records no use of signing certificates");
        observation.evidence.push(evidence(LIST, &user.holder.arn, certificate.listed_at));
        observation
    }
}
