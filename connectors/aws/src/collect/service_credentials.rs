//! Scope `service-specific-credentials`: Bedrock API keys, CodeCommit passwords and their like.

use std::sync::Arc;

use aws_sdk_iam::types::{ServiceSpecificCredentialMetadata, StatusType};
use headcount_sdk::{Class, Complete, Expiry, Observation, Recorder, ScanError, Status};

use super::Collector;
use super::named::Named;
use crate::client::malformed;
use crate::normalize::{evidence, not_observable, timestamp};

const LIST: &str = "iam:ListServiceSpecificCredentials";

/// Asked for one by one where the call for all of them is refused
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html>).
const SERVICES: &[&str] = &[
    "bedrock.amazonaws.com",
    "cassandra.amazonaws.com",
    "codecommit.amazonaws.com",
    "logs.amazonaws.com",
];

/// Error codes by which a server says that it wants a user or a service named.
const REFUSALS: &[&str] = &["HTTP 400 InvalidInput", "HTTP 400 ValidationError"];

/// All service-specific credentials of an account.
pub(crate) struct ServiceCredentials {
    pub(crate) credentials: Vec<ServiceSpecificCredentialMetadata>,
    /// Why they were read service by service.
    narrowed: Option<ScanError>,
}

impl Collector<'_> {
    /// Shared with the users, who may work with nothing else.
    pub(super) async fn all_service_credentials(
        &self,
    ) -> Result<Arc<ServiceCredentials>, ScanError> {
        self.cx.memo.once("service credentials", self.read_service_credentials()).await
    }

    async fn read_service_credentials(&self) -> Result<ServiceCredentials, ScanError> {
        let refused = match self.account.service_specific_credentials(None).await {
            Ok(credentials) => return Ok(ServiceCredentials { credentials, narrowed: None }),
            Err(ScanError::Unavailable { reason, .. }) if REFUSALS.contains(&reason.as_str()) => {
                reason
            }
            Err(error) => return Err(error),
        };
        let mut credentials = Vec::new();
        for service in SERVICES {
            match self.account.service_specific_credentials(Some(service)).await {
                Ok(of_service) => credentials.extend(of_service),
                // The partition does not have the service, so nobody has a credential for it.
                Err(ScanError::Unavailable { reason, .. })
                    if reason.ends_with("ServiceNotSupported") => {}
                Err(error) => return Err(error),
            }
        }
        let narrowed = ScanError::NotSupported {
            operation: LIST.to_owned(),
            reason: format!("all services at once: {refused}; {} were read", SERVICES.join(", ")),
        };
        Ok(ServiceCredentials { credentials, narrowed: Some(narrowed) })
    }

    /// Reads all of them, or those of the users that hints name.
    pub(super) async fn service_credentials(
        &self,
        mut recorder: Recorder<'_>,
        named: Option<&Named>,
    ) -> Result<Complete, ScanError> {
        let authorization = self.authorization().await?;
        let all = self.all_service_credentials().await?;
        if let Some(narrowed) = &all.narrowed {
            recorder.degrade("services", narrowed.clone());
        }
        let ids: std::collections::BTreeMap<&str, &str> = authorization
            .users
            .values()
            .map(|user| (user.holder.name.as_str(), user.holder.id.as_str()))
            .collect();
        for credential in &all.credentials {
            let user =
                ids.get(credential.user_name.as_str()).ok_or_else(|| ScanError::Unavailable {
                    operation: LIST.to_owned(),
                    reason: "a user was made while the account was read".to_owned(),
                })?;
            if named.is_none_or(|named| named.users.contains(*user)) {
                recorder.record(self.service_credential(credential, user)?);
            }
        }
        Ok(match named {
            Some(named) => recorder.complete_for_parents(named.records(self.place()), 0),
            None => recorder.complete(),
        })
    }

    fn service_credential(
        &self,
        credential: &ServiceSpecificCredentialMetadata,
        user_id: &str,
    ) -> Result<Observation, ScanError> {
        let refused =
            |member: &str| malformed(LIST, format!("ServiceSpecificCredentials/{member}"));
        let credential_id = credential.service_specific_credential_id.as_str();
        if credential_id.is_empty() {
            return Err(refused("ServiceSpecificCredentialId"));
        }
        let id = self.place().service_specific_credential(credential_id);
        let alias = credential.service_credential_alias.as_deref();
        let name = alias.unwrap_or(&credential.service_user_name);
        let name = if name.is_empty() { credential_id } else { name };
        let mut observation =
            Observation::new(id, Class::Credential, "service-specific-credential", name);
        observation.native = credential_id.to_owned();
        observation.parent = Some(self.place().user(user_id));
        observation.status = match credential.status {
            StatusType::Active => Status::Active,
            StatusType::Inactive | StatusType::Expired => Status::Disabled,
            _ => return Err(refused("Status")),
        };
        observation.created_at =
            Some(timestamp(&credential.create_date).ok_or_else(|| refused("CreateDate"))?);
        observation.expiry = match &credential.expiration_date {
            Some(at) => Expiry::At { at: timestamp(at).ok_or_else(|| refused("ExpirationDate"))? },
            None => Expiry::Never,
        };
        observation.usage = not_observable("AWS records no use of service-specific credentials");
        observation.attributes.insert("service".to_owned(), credential.service_name.clone());
        observation.evidence.push(evidence(LIST, credential_id, self.cx.now));
        Ok(observation)
    }
}
