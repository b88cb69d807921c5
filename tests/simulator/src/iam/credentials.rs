//! Credentials of users: metadata only. Nothing here could hand out a secret, there is none.

use std::ops::Bound;

use super::{status, write_tail};
use crate::call::{ApiError, Caller, Request, own};
use crate::organization::{Account, User};
use crate::page;
use crate::server::World;
use crate::xml::Xml;

pub(super) fn list_access_keys(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let World { org, pages } = world;
    let account = own(org, request)?;
    let (ids, name) = match (request.param("UserName"), &request.caller) {
        (None, Caller::Root) => (&account.root.access_keys, "<root_account>"),
        _ => {
            let user = named_user(account, request)?;
            (&user.access_keys, user.name.as_str())
        }
    };
    let page = pages.open(request, page::IAM)?;
    let keys = ids.iter().filter_map(|id| account.access_keys.get_key_value(id));
    let (keys, tail) = pages.cut(request, &page, behind(keys, page.after.as_deref()));
    let mut xml = Xml::new();
    xml.nest("AccessKeyMetadata", |xml| {
        for key in keys {
            xml.nest("member", |xml| {
                xml.text("UserName", name);
                xml.text("AccessKeyId", &key.id);
                xml.text("Status", status(key.active));
                xml.time("CreateDate", key.created_at);
            });
        }
    });
    write_tail(&mut xml, &tail);
    Ok(xml.into_string())
}

/// A key never used has `N/A` for service and region and no date.
pub(super) fn get_access_key_last_used(
    world: &mut World,
    request: &Request,
) -> Result<String, ApiError> {
    let account = own(world.org, request)?;
    let id = request.require("AccessKeyId")?;
    let key = account.access_keys.get(id);
    let key =
        key.ok_or_else(|| ApiError::no_such_entity(&format!("The Access Key with id {id}")))?;
    let mut xml = Xml::new();
    xml.text("UserName", key.user.as_deref().unwrap_or("<root_account>"));
    xml.nest("AccessKeyLastUsed", |xml| match &key.last_used {
        Some(used) => {
            xml.time("LastUsedDate", used.at);
            xml.text("ServiceName", &used.service);
            xml.text("Region", &used.region);
        }
        None => {
            xml.text("ServiceName", "N/A");
            xml.text("Region", "N/A");
        }
    });
    Ok(xml.into_string())
}

pub(super) fn list_signing_certificates(
    world: &mut World,
    request: &Request,
) -> Result<String, ApiError> {
    let World { org, pages } = world;
    let user = named_user(own(org, request)?, request)?;
    let page = pages.open(request, page::IAM)?;
    let all = user.signing_certificates.iter().map(|certificate| (&certificate.id, certificate));
    let (certificates, tail) = pages.cut(request, &page, behind(all, page.after.as_deref()));
    let mut xml = Xml::new();
    xml.nest("Certificates", |xml| {
        for certificate in certificates {
            xml.nest("member", |xml| {
                xml.text("UserName", &user.name);
                xml.text("CertificateId", &certificate.id);
                xml.text(
                    "CertificateBody",
                    "-----BEGIN CERTIFICATE-----\nsimulated\n-----END CERTIFICATE-----",
                );
                xml.text("Status", status(certificate.active));
                xml.time("UploadDate", certificate.uploaded_at);
            });
        }
    });
    write_tail(&mut xml, &tail);
    Ok(xml.into_string())
}

pub(super) fn list_ssh_public_keys(
    world: &mut World,
    request: &Request,
) -> Result<String, ApiError> {
    let World { org, pages } = world;
    let user = named_user(own(org, request)?, request)?;
    let page = pages.open(request, page::IAM)?;
    let all = user.ssh_keys.iter().map(|key| (&key.id, key));
    let (keys, tail) = pages.cut(request, &page, behind(all, page.after.as_deref()));
    let mut xml = Xml::new();
    xml.nest("SSHPublicKeys", |xml| {
        for key in keys {
            xml.nest("member", |xml| {
                xml.text("UserName", &user.name);
                xml.text("SSHPublicKeyId", &key.id);
                xml.text("Status", status(key.active));
                xml.time("UploadDate", key.uploaded_at);
            });
        }
    });
    write_tail(&mut xml, &tail);
    Ok(xml.into_string())
}

/// Of one user, or of all users in bulk, of one service or of all. Whether the live service
/// takes the bulk form without a service is not documented, so an organisation can refuse it.
pub(super) fn list_service_specific_credentials(
    world: &mut World,
    request: &Request,
) -> Result<String, ApiError> {
    let World { org, pages } = world;
    let account = own(org, request)?;
    let service = request.param("ServiceName");
    let of_all = request.param("AllUsers") == Some("true");
    if of_all && request.param("UserName").is_some() {
        return Err(ApiError::new(400, "InvalidInput", "AllUsers and UserName exclude each other"));
    }
    if of_all && service.is_none() && org.refuse_all_services {
        return Err(ApiError::new(400, "InvalidInput", "AllUsers needs a ServiceName"));
    }
    let user = if of_all { None } else { Some(named_user(account, request)?) };
    let page = pages.open(request, page::IAM)?;
    let from = page.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let all = account
        .service_credentials
        .range::<str, _>((from, Bound::Unbounded))
        .filter(|(_, credential)| user.is_none_or(|user| user.name == credential.user))
        .filter(|(_, credential)| service.is_none_or(|service| service == credential.service));
    let (credentials, tail) = pages.cut(request, &page, all);
    let mut xml = Xml::new();
    xml.nest("ServiceSpecificCredentials", |xml| {
        for credential in credentials {
            xml.nest("member", |xml| write_service_credential(xml, account, credential));
        }
    });
    write_tail(&mut xml, &tail);
    Ok(xml.into_string())
}

fn write_service_credential(
    xml: &mut Xml,
    account: &Account,
    credential: &crate::organization::ServiceCredential,
) {
    xml.text("UserName", &credential.user);
    xml.text("Status", status(credential.active));
    xml.text("ServiceUserName", &format!("{}-at-{}", credential.user, account.id));
    xml.time("CreateDate", credential.created_at);
    if let Some(at) = credential.expires_at {
        xml.time("ExpirationDate", at);
    }
    xml.text("ServiceSpecificCredentialId", &credential.id);
    xml.text("ServiceName", &credential.service);
}

/// The user that the request names, or the one that signed it.
fn named_user<'a>(account: &'a Account, request: &Request) -> Result<&'a User, ApiError> {
    let name = match (request.param("UserName"), &request.caller) {
        (Some(name), _) => name,
        (None, Caller::User { name }) => name,
        (None, _) => {
            return Err(ApiError::validation(
                "Must specify userName when calling with non-User credentials",
            ));
        }
    };
    let user = account.users.get(name);
    user.ok_or_else(|| ApiError::no_such_entity(&format!("The user with name {name}")))
}

/// A user's few records behind the one with key `after`, in the order they are kept in.
fn behind<'a, T: 'a>(
    records: impl Iterator<Item = (&'a String, T)>,
    after: Option<&str>,
) -> impl Iterator<Item = (&'a String, T)> {
    let mut passed = after.is_none();
    records.filter(move |(key, _)| {
        let keep = passed;
        passed |= after == Some(key.as_str());
        keep
    })
}
