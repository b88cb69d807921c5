//! Scope `server-certificates`: TLS certificates kept in IAM.

use std::collections::BTreeMap;

use headcount_sdk::{Class, Complete, Expiry, Observation, Recorder, ScanError, Status};

use super::{Collector, Counted};
use crate::client::malformed;
use crate::normalize::{evidence, not_observable, owner, timestamp};

const LIST: &str = "iam:ListServerCertificates";

impl Collector<'_> {
    pub(super) async fn server_certificates(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let listed = self.account.server_certificates().await?;
        let mut certificates = BTreeMap::new();
        for certificate in listed {
            let certificate_id = certificate.server_certificate_id.clone();
            if certificate_id.is_empty() {
                return Err(malformed(LIST, "ServerCertificateMetadataList/ServerCertificateId"));
            }
            let id = self.place().server_certificate(&certificate_id);
            let name = &certificate.server_certificate_name;
            let mut observation =
                Observation::new(id, Class::Credential, "server-certificate", name);
            observation.native.clone_from(&certificate.arn);
            observation.status = Status::Active;
            observation.created_at = certificate.upload_date.as_ref().and_then(timestamp);
            observation.expiry = match certificate.expiration.as_ref().and_then(timestamp) {
                Some(at) => Expiry::At { at },
                None => Expiry::Unknown,
            };
            observation.usage = not_observable("AWS records no use of server certificates");
            observation.owner_evidence =
                owner::evidence(self.tag_keys, &BTreeMap::new(), &certificate.path, None);
            observation.attributes.insert("path".to_owned(), certificate.path.clone());
            observation.evidence.push(evidence(LIST, &certificate.arn, self.cx.now));
            certificates.insert(certificate_id, observation);
        }
        let read = certificates.len() as u64;
        let counted = Counted { name: "ServerCertificates", read, operation: LIST };
        if let Some(count) = self.verify_count(&mut recorder, &counted).await? {
            recorder.expect(count);
        }
        for certificate in certificates.into_values() {
            recorder.record(certificate);
        }
        Ok(recorder.complete())
    }
}
