//! IAM: the table of its operations. Each takes a request and gives the inside of its result
//! element.

mod credentials;
mod details;
mod principals;
mod providers;
mod summary;

use crate::call::{ApiError, Request};
use crate::organization::Tags;
use crate::page::Tail;
use crate::report;
use crate::server::World;
use crate::xml::Xml;

/// The XML namespace of every answer.
pub(crate) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// The `Version` parameter of every request.
pub(crate) const VERSION: &str = "2010-05-08";

pub(crate) fn answer(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let operation = match request.action.as_str() {
        "iam:GetAccountSummary" => summary::get_account_summary,
        "iam:ListAccountAliases" => summary::list_account_aliases,
        "iam:GenerateCredentialReport" => report::generate,
        "iam:GetCredentialReport" => report::get,
        "iam:GetAccountAuthorizationDetails" => details::get_account_authorization_details,
        "iam:ListRoles" => principals::list_roles,
        "iam:ListUsers" => principals::list_users,
        "iam:ListAccessKeys" => credentials::list_access_keys,
        "iam:GetAccessKeyLastUsed" => credentials::get_access_key_last_used,
        "iam:ListSigningCertificates" => credentials::list_signing_certificates,
        "iam:ListSSHPublicKeys" => credentials::list_ssh_public_keys,
        "iam:ListServiceSpecificCredentials" => credentials::list_service_specific_credentials,
        "iam:ListServerCertificates" => providers::list_server_certificates,
        "iam:ListOpenIDConnectProviders" => providers::list_oidc,
        "iam:GetOpenIDConnectProvider" => providers::get_oidc,
        "iam:ListSAMLProviders" => providers::list_saml,
        "iam:GetSAMLProvider" => providers::get_saml,
        _ => return Err(unknown_action(&request.action)),
    };
    operation(world, request)
}

pub(crate) fn unknown_action(action: &str) -> ApiError {
    let name = action.rsplit(':').next().unwrap_or(action);
    ApiError::new(400, "InvalidAction", &format!("Could not find operation {name}"))
}

fn write_tail(xml: &mut Xml, tail: &Tail) {
    xml.text("IsTruncated", if tail.truncated { "true" } else { "false" });
    xml.maybe("Marker", tail.marker.as_deref());
}

/// Left out when there are none, as IAM does.
fn write_tags(xml: &mut Xml, tags: &Tags) {
    if tags.is_empty() {
        return;
    }
    xml.nest("Tags", |xml| {
        for (key, value) in tags {
            xml.nest("member", |xml| {
                xml.text("Key", key);
                xml.text("Value", value);
            });
        }
    });
}

fn status(active: bool) -> &'static str {
    if active { "Active" } else { "Inactive" }
}
