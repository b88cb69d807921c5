//! Identity providers and server certificates.

use std::ops::Bound;

use super::{write_tags, write_tail};
use crate::call::{ApiError, Request, own};
use crate::page;
use crate::server::World;
use crate::xml::Xml;

/// ARNs only; not paged.
pub(super) fn list_oidc(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let account = own(world.org, request)?;
    let mut xml = Xml::new();
    xml.nest("OpenIDConnectProviderList", |xml| {
        for issuer in account.oidc.keys() {
            let arn = account.arn(&format!("oidc-provider/{issuer}"));
            xml.nest("member", |xml| xml.text("Arn", &arn));
        }
    });
    Ok(xml.into_string())
}

pub(super) fn get_oidc(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let account = own(world.org, request)?;
    let arn = request.require("OpenIDConnectProviderArn")?;
    let provider = arn
        .strip_prefix(&account.arn("oidc-provider/"))
        .and_then(|issuer| account.oidc.get(issuer))
        .ok_or_else(|| ApiError::no_such_entity(&format!("OpenIDConnect Provider {arn}")))?;
    let mut xml = Xml::new();
    xml.text("Url", &provider.issuer);
    for (list, values) in
        [("ClientIDList", &provider.client_ids), ("ThumbprintList", &provider.thumbprints)]
    {
        xml.nest(list, |xml| values.iter().for_each(|value| xml.text("member", value)));
    }
    xml.time("CreateDate", provider.created_at);
    write_tags(&mut xml, &provider.tags);
    Ok(xml.into_string())
}

/// Not paged.
pub(super) fn list_saml(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let account = own(world.org, request)?;
    let mut xml = Xml::new();
    xml.nest("SAMLProviderList", |xml| {
        for provider in account.saml.values() {
            xml.nest("member", |xml| {
                xml.text("Arn", &account.arn(&format!("saml-provider/{}", provider.name)));
                xml.time("ValidUntil", provider.valid_until);
                xml.time("CreateDate", provider.created_at);
            });
        }
    });
    Ok(xml.into_string())
}

pub(super) fn get_saml(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let account = own(world.org, request)?;
    let arn = request.require("SAMLProviderArn")?;
    let provider = arn
        .strip_prefix(&account.arn("saml-provider/"))
        .and_then(|name| account.saml.get(name))
        .ok_or_else(|| ApiError::no_such_entity(&format!("Manifest for {arn}")))?;
    let mut xml = Xml::new();
    xml.text("SAMLProviderUUID", &provider.uuid);
    xml.text("SAMLMetadataDocument", "<EntityDescriptor entityID=\"https://idp.example.com\"/>");
    xml.time("CreateDate", provider.created_at);
    xml.time("ValidUntil", provider.valid_until);
    write_tags(&mut xml, &provider.tags);
    Ok(xml.into_string())
}

pub(super) fn list_server_certificates(
    world: &mut World,
    request: &Request,
) -> Result<String, ApiError> {
    let World { org, pages } = world;
    let account = own(org, request)?;
    let page = pages.open(request, page::IAM)?;
    let from = page.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let all = account.server_certificates.range::<str, _>((from, Bound::Unbounded));
    let (certificates, tail) = pages.cut(request, &page, all);
    let mut xml = Xml::new();
    xml.nest("ServerCertificateMetadataList", |xml| {
        for certificate in certificates {
            let arn = account.arn(&format!("server-certificate/{}", certificate.name));
            xml.nest("member", |xml| {
                xml.text("Path", "/");
                xml.text("ServerCertificateName", &certificate.name);
                xml.text("ServerCertificateId", &certificate.id);
                xml.text("Arn", &arn);
                xml.time("UploadDate", certificate.uploaded_at);
                xml.time("Expiration", certificate.expires_at);
            });
        }
    });
    write_tail(&mut xml, &tail);
    Ok(xml.into_string())
}
