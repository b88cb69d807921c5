//! Refuses a successful answer that does not hold what its operation always answers with.
//!
//! The SDK's XML decoder stops without an error where its input stops, and fills members that are
//! missing with empty values, so a body cut in two reads as a short list
//! (`aws_smithy_xml::decode::Document` calls it the legacy behaviour). A list that was cut must
//! not look like one that became shorter.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Members that IAM sends even when they are empty, by the root element of the answer.
const ALWAYS: &[(&str, &[&str])] = &[
    ("GetAccountAuthorizationDetailsResponse", &["IsTruncated"]),
    ("GetAccountSummaryResponse", &["SummaryMap"]),
    ("GetCredentialReportResponse", &["Content", "GeneratedTime"]),
    ("ListAccessKeysResponse", &["AccessKeyMetadata"]),
    ("ListOpenIDConnectProvidersResponse", &["OpenIDConnectProviderList"]),
    ("ListRolesResponse", &["Roles", "IsTruncated"]),
    ("ListSAMLProvidersResponse", &["SAMLProviderList"]),
    ("ListSSHPublicKeysResponse", &["SSHPublicKeys"]),
    ("ListServerCertificatesResponse", &["ServerCertificateMetadataList", "IsTruncated"]),
    ("ListServiceSpecificCredentialsResponse", &["ServiceSpecificCredentials"]),
    ("ListSigningCertificatesResponse", &["Certificates"]),
];

/// Looks at every XML answer of IAM and STS.
#[derive(Debug)]
pub(super) struct Intact;

impl Intercept for Intact {
    fn name(&self) -> &'static str {
        "Intact"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success() {
            return Ok(());
        }
        let body = response.body().bytes().ok_or("the answer was not read")?;
        check(body).map_err(Into::into)
    }
}

/// The error says what is missing and repeats nothing of the body.
fn check(body: &[u8]) -> Result<(), &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8")?.trim();
    let root = root(text).ok_or("the answer is not XML")?;
    let closed = text
        .strip_suffix('>')
        .map(str::trim_end)
        .and_then(|text| text.strip_suffix(root))
        .is_some_and(|text| text.ends_with("</"));
    if !closed {
        return Err("the answer ends before its last element does");
    }
    let members = ALWAYS.iter().find(|(name, _)| *name == root).map_or(&[][..], |(_, m)| m);
    let has = |member: &&&str| {
        text.match_indices(**member).any(|(at, _)| {
            let after = &text[at + member.len()..];
            text[..at].ends_with('<') && after.starts_with(['>', '/', ' '])
        })
    };
    if members.iter().all(|member| has(&member)) {
        Ok(())
    } else {
        Err("the answer lacks a member that it always has")
    }
}

/// The name of the first element.
fn root(text: &str) -> Option<&str> {
    let text = match text.strip_prefix("<?") {
        Some(declared) => declared.split_once("?>")?.1.trim_start(),
        None => text,
    };
    let name = text.strip_prefix('<')?;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric())?;
    (end > 0).then(|| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "<?xml version=\"1.0\"?>\n<ListRolesResponse xmlns=\"https://iam\"><ListRolesResult>\
        <Roles><member><RoleName>a</RoleName></member></Roles><IsTruncated>false</IsTruncated>\
        </ListRolesResult></ListRolesResponse>\n";

    #[test]
    fn whole_answers_pass() {
        assert_eq!(check(LIST.as_bytes()), Ok(()));
        assert_eq!(
            check(
                LIST.replace("<Roles><member><RoleName>a</RoleName></member></Roles>", "<Roles/>")
                    .as_bytes()
            ),
            Ok(())
        );
        assert_eq!(check(b"<GetCallerIdentityResponse><x/></GetCallerIdentityResponse >"), Ok(()));
    }

    #[test]
    fn no_cut_passes_wherever_it_falls() {
        let whole = LIST.trim_end();
        for end in 0..whole.len() {
            assert!(check(&whole.as_bytes()[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn an_answer_without_its_list_is_no_empty_list() {
        let bare = b"<ListRolesResponse><IsTruncated>false</IsTruncated></ListRolesResponse>";
        assert!(check(bare).is_err());
        let similar =
            b"<ListRolesResponse><IsTruncated>false</IsTruncated><RolesX/></ListRolesResponse>";
        assert!(check(similar).is_err());
        assert!(check(b"<html></html>").is_ok(), "the decoder refuses a foreign root itself");
        assert!(check(b"{}").is_err());
    }
}
