//! One function per IAM operation. Lists come back whole or not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput as DetailsPage;
use aws_sdk_iam::operation::get_credential_report::GetCredentialReportError as ReportError;
use aws_sdk_iam::types::{
    AccessKeyMetadata, EntityType, ReportStateType, Role, SamlProviderListEntry,
    ServerCertificateMetadata, ServiceSpecificCredentialMetadata, SigningCertificate,
    SshPublicKeyMetadata, Tag,
};
use headcount_sdk::ScanError;
use jiff::Timestamp;

use super::page::Cursor;
use super::{Account, error, malformed};
use crate::normalize::timestamp;

/// The most that IAM gives per page.
const PAGE: i32 = 1000;

/// What asking for the credential report brought.
pub(crate) enum ReportAnswer {
    Ready {
        content: Vec<u8>,
        generated_at: Timestamp,
    },
    /// It is being built.
    Building,
    /// There is none, or only one that is too old to be given out.
    Missing,
}

/// What only a call per provider tells.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Detail {
    Oidc(OidcDetail),
    Saml(SamlDetail),
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct OidcDetail {
    pub(crate) client_ids: Vec<String>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct SamlDetail {
    pub(crate) uuid: Option<String>,
    /// How many private keys AWS holds for it. The keys themselves are not part of the answer.
    pub(crate) private_keys: usize,
    pub(crate) tags: BTreeMap<String, String>,
}

pub(crate) fn tags(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

impl Account {
    /// AWS's own counts by name: `Users`, `Roles`, `Providers`, `ServerCertificates` …
    pub(crate) async fn summary(&self) -> Result<BTreeMap<String, u64>, ScanError> {
        const OPERATION: &str = "iam:GetAccountSummary";
        let answer = self.line.read(OPERATION, self.iam.get_account_summary().send()).await?;
        let counts = answer.summary_map.ok_or_else(|| malformed(OPERATION, "SummaryMap"))?;
        let counts = counts.into_iter().map(|(name, count)| {
            let count = u64::try_from(count).map_err(|_| malformed(OPERATION, name.as_str()))?;
            Ok((name.as_str().to_owned(), count))
        });
        counts.collect()
    }

    /// Users, roles, groups and customer policies, page by page into `take`.
    pub(crate) async fn authorization_details(
        &self,
        take: &mut (dyn FnMut(DetailsPage) -> Result<(), ScanError> + Send),
    ) -> Result<(), ScanError> {
        let mut cursor = Cursor::new("iam:GetAccountAuthorizationDetails");
        while let Some(marker) = cursor.next() {
            let mut page = self.authorization_page(marker).await?;
            let end = (page.is_truncated, page.marker.take());
            take(page)?;
            cursor.advance(end.0, end.1)?;
        }
        Ok(())
    }

    pub(crate) async fn authorization_page(
        &self,
        marker: Option<String>,
    ) -> Result<DetailsPage, ScanError> {
        // AWS-managed policies are left out: their documents outweigh all else in the account.
        let filter =
            [EntityType::User, EntityType::Role, EntityType::Group, EntityType::LocalManagedPolicy];
        let request = self
            .iam
            .get_account_authorization_details()
            .set_filter(Some(filter.into()))
            .max_items(PAGE)
            .set_marker(marker);
        self.line.read("iam:GetAccountAuthorizationDetails", request.send()).await
    }

    pub(crate) async fn roles(&self) -> Result<Vec<Role>, ScanError> {
        let mut roles = Vec::new();
        let mut cursor = Cursor::new("iam:ListRoles");
        while let Some(marker) = cursor.next() {
            let request = self.iam.list_roles().max_items(PAGE).set_marker(marker);
            let page = self.line.read("iam:ListRoles", request.send()).await?;
            roles.extend(page.roles);
            cursor.advance(page.is_truncated, page.marker)?;
        }
        Ok(roles)
    }

    pub(crate) async fn credential_report(&self) -> Result<ReportAnswer, ScanError> {
        const OPERATION: &str = "iam:GetCredentialReport";
        match self.line.call(OPERATION, self.iam.get_credential_report().send()).await {
            Ok(answer) => {
                let generated_at = answer.generated_time.as_ref().and_then(timestamp);
                Ok(ReportAnswer::Ready {
                    content: answer
                        .content
                        .ok_or_else(|| malformed(OPERATION, "Content"))?
                        .into_inner(),
                    generated_at: generated_at
                        .ok_or_else(|| malformed(OPERATION, "GeneratedTime"))?,
                })
            }
            Err(failure) => match failure.as_service_error() {
                Some(ReportError::CredentialReportNotReadyException(_)) => {
                    Ok(ReportAnswer::Building)
                }
                Some(
                    ReportError::CredentialReportNotPresentException(_)
                    | ReportError::CredentialReportExpiredException(_),
                ) => Ok(ReportAnswer::Missing),
                _ => Err(error::scan_error(OPERATION, &failure)),
            },
        }
    }

    /// Asks AWS to build a report. True if one is ready at once.
    pub(crate) async fn generate_report(&self) -> Result<bool, ScanError> {
        let request = self.iam.generate_credential_report();
        let answer = self.line.read("iam:GenerateCredentialReport", request.send()).await?;
        Ok(answer.state == Some(ReportStateType::Complete))
    }

    /// Waits before the `n`th look at a report that is being built.
    pub(crate) async fn report_pause(&self, n: u32) {
        let wait = self.tuning.report_poll.saturating_mul(1 << n.min(3));
        tokio::time::sleep(wait.min(Duration::from_secs(16))).await;
    }

    pub(crate) async fn access_keys(
        &self,
        user: &str,
    ) -> Result<Vec<AccessKeyMetadata>, ScanError> {
        let mut keys = Vec::new();
        let mut cursor = Cursor::new("iam:ListAccessKeys");
        while let Some(marker) = cursor.next() {
            let request = self.iam.list_access_keys().user_name(user).set_marker(marker);
            let page = self.line.read("iam:ListAccessKeys", request.send()).await?;
            keys.extend(page.access_key_metadata);
            cursor.advance(page.is_truncated, page.marker)?;
        }
        Ok(keys)
    }

    /// When a key was last used; `None` for a key never used since tracking began.
    pub(crate) async fn access_key_used(&self, key: &str) -> Result<Option<Timestamp>, ScanError> {
        const OPERATION: &str = "iam:GetAccessKeyLastUsed";
        let request = self.iam.get_access_key_last_used().access_key_id(key);
        let answer = self.line.read(OPERATION, request.send()).await?;
        let used =
            answer.access_key_last_used.ok_or_else(|| malformed(OPERATION, "AccessKeyLastUsed"))?;
        match &used.last_used_date {
            Some(at) => timestamp(at).map(Some).ok_or_else(|| malformed(OPERATION, "LastUsedDate")),
            // AWS says "never" in the two members that are required.
            None if used.service_name == "N/A" => Ok(None),
            None => Err(malformed(OPERATION, "LastUsedDate")),
        }
    }

    pub(crate) async fn signing_certificates(
        &self,
        user: &str,
    ) -> Result<Vec<SigningCertificate>, ScanError> {
        let mut certificates = Vec::new();
        let mut cursor = Cursor::new("iam:ListSigningCertificates");
        while let Some(marker) = cursor.next() {
            let request = self.iam.list_signing_certificates().user_name(user).set_marker(marker);
            let page = self.line.read("iam:ListSigningCertificates", request.send()).await?;
            certificates.extend(page.certificates);
            cursor.advance(page.is_truncated, page.marker)?;
        }
        Ok(certificates)
    }

    pub(crate) async fn ssh_public_keys(
        &self,
        user: &str,
    ) -> Result<Vec<SshPublicKeyMetadata>, ScanError> {
        let mut keys = Vec::new();
        let mut cursor = Cursor::new("iam:ListSSHPublicKeys");
        while let Some(marker) = cursor.next() {
            let request = self.iam.list_ssh_public_keys().user_name(user).set_marker(marker);
            let page = self.line.read("iam:ListSSHPublicKeys", request.send()).await?;
            keys.extend(page.ssh_public_keys.unwrap_or_default());
            cursor.advance(page.is_truncated, page.marker)?;
        }
        Ok(keys)
    }

    /// Of all users: for one service, or for all of them.
    pub(crate) async fn service_specific_credentials(
        &self,
        service: Option<&str>,
    ) -> Result<Vec<ServiceSpecificCredentialMetadata>, ScanError> {
        const OPERATION: &str = "iam:ListServiceSpecificCredentials";
        let mut credentials = Vec::new();
        let mut cursor = Cursor::new(OPERATION);
        while let Some(marker) = cursor.next() {
            let request = self
                .iam
                .list_service_specific_credentials()
                .all_users(true)
                .set_service_name(service.map(str::to_owned))
                .max_items(PAGE)
                .set_marker(marker);
            let page = self.line.read(OPERATION, request.send()).await?;
            credentials.extend(page.service_specific_credentials.unwrap_or_default());
            cursor.advance(page.is_truncated, page.marker)?;
        }
        Ok(credentials)
    }

    /// ARNs. The list is not paged; there are at most 100.
    pub(crate) async fn oidc_providers(&self) -> Result<Vec<String>, ScanError> {
        const OPERATION: &str = "iam:ListOpenIDConnectProviders";
        let request = self.iam.list_open_id_connect_providers();
        let answer = self.line.read(OPERATION, request.send()).await?;
        let list = answer.open_id_connect_provider_list.unwrap_or_default();
        let arns = list.into_iter().map(|entry| {
            entry.arn.filter(|arn| !arn.is_empty()).ok_or_else(|| malformed(OPERATION, "Arn"))
        });
        arns.collect()
    }

    pub(crate) async fn oidc_provider(&self, arn: &str) -> Result<OidcDetail, ScanError> {
        let request = self.iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn);
        let answer = self.line.read("iam:GetOpenIDConnectProvider", request.send()).await?;
        let mut client_ids = answer.client_id_list.unwrap_or_default();
        client_ids.sort_unstable();
        Ok(OidcDetail {
            client_ids,
            created_at: answer.create_date.as_ref().and_then(timestamp),
            tags: tags(&answer.tags.unwrap_or_default()),
        })
    }

    /// The list is not paged; there are at most 100.
    pub(crate) async fn saml_providers(&self) -> Result<Vec<SamlProviderListEntry>, ScanError> {
        let request = self.iam.list_saml_providers();
        let answer = self.line.read("iam:ListSAMLProviders", request.send()).await?;
        Ok(answer.saml_provider_list.unwrap_or_default())
    }

    pub(crate) async fn saml_provider(&self, arn: &str) -> Result<SamlDetail, ScanError> {
        let request = self.iam.get_saml_provider().saml_provider_arn(arn);
        let answer = self.line.read("iam:GetSAMLProvider", request.send()).await?;
        Ok(SamlDetail {
            uuid: answer.saml_provider_uuid,
            private_keys: answer.private_key_list.unwrap_or_default().len(),
            tags: tags(&answer.tags.unwrap_or_default()),
        })
    }

    pub(crate) async fn server_certificates(
        &self,
    ) -> Result<Vec<ServerCertificateMetadata>, ScanError> {
        let mut certificates = Vec::new();
        let mut cursor = Cursor::new("iam:ListServerCertificates");
        while let Some(marker) = cursor.next() {
            let request = self.iam.list_server_certificates().max_items(PAGE).set_marker(marker);
            let page = self.line.read("iam:ListServerCertificates", request.send()).await?;
            certificates.extend(page.server_certificate_metadata_list);
            cursor.advance(page.is_truncated, page.marker)?;
        }
        Ok(certificates)
    }
}
