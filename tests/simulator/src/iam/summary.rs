//! Counts and aliases of an account.

use crate::call::{ApiError, Request, own};
use crate::organization::{Account, User};
use crate::server::World;
use crate::xml::Xml;

pub(super) fn get_account_summary(
    world: &mut World,
    request: &Request,
) -> Result<String, ApiError> {
    let account = own(world.org, request)?;
    let mut xml = Xml::new();
    xml.nest("SummaryMap", |xml| {
        for (key, value) in counts(account) {
            xml.nest("entry", |xml| {
                xml.text("key", key);
                xml.text("value", &value.to_string());
            });
        }
    });
    Ok(xml.into_string())
}

fn counts(account: &Account) -> Vec<(&'static str, usize)> {
    let users = || account.users.values();
    let versions: usize = account.policies.values().map(|policy| policy.versions.len()).sum();
    let profiles = account.roles.values().filter(|role| role.instance_profile.is_some()).count();
    let mfa = users().filter(|user: &&User| user.mfa).count();
    vec![
        ("Users", account.users.len()),
        ("UsersQuota", 5000),
        ("Groups", account.groups.len()),
        ("GroupsQuota", 300),
        ("Roles", account.roles.len()),
        ("RolesQuota", 1000),
        ("Policies", account.policies.len()),
        ("PoliciesQuota", 1500),
        ("PolicyVersionsInUse", versions),
        ("PolicyVersionsInUseQuota", 10_000),
        ("InstanceProfiles", profiles),
        ("InstanceProfilesQuota", 1000),
        ("Providers", account.oidc.len() + account.saml.len()),
        ("ServerCertificates", account.server_certificates.len()),
        ("ServerCertificatesQuota", 20),
        ("MFADevices", mfa),
        ("MFADevicesInUse", mfa),
        ("AccountMFAEnabled", usize::from(account.root.mfa)),
        ("AccountAccessKeysPresent", usize::from(!account.root.access_keys.is_empty())),
        ("AccountSigningCertificatesPresent", 0),
        ("AccountPasswordPresent", 1),
        ("AccessKeysPerUserQuota", 2),
        ("SigningCertificatesPerUserQuota", 2),
        ("GroupsPerUserQuota", 10),
        ("AttachedPoliciesPerUserQuota", 10),
        ("AttachedPoliciesPerRoleQuota", 10),
        ("AttachedPoliciesPerGroupQuota", 10),
        ("VersionsPerPolicyQuota", 5),
        ("AssumeRolePolicySizeQuota", 2048),
        ("PolicySizeQuota", 6144),
        ("GlobalEndpointTokenVersion", 2),
    ]
}

pub(super) fn list_account_aliases(
    world: &mut World,
    request: &Request,
) -> Result<String, ApiError> {
    let account = own(world.org, request)?;
    let mut xml = Xml::new();
    xml.nest("AccountAliases", |xml| xml.maybe("member", account.alias.as_deref()));
    xml.text("IsTruncated", "false");
    Ok(xml.into_string())
}
