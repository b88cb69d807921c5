//! Label and field selectors.

use super::body::Body;
use super::object::Object;
use super::resource::Resource;
use super::status::Status;

/// What a request selects by labels and fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Term>,
    fields: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    key: String,
    wants: Wants,
}

#[derive(Clone, Debug)]
enum Wants {
    Equal(String),
    Other(String),
    Present,
    Absent,
}

impl Selector {
    pub(crate) fn parse(
        resource: Resource,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Self, Status> {
        let selector = Self { labels: terms(labels)?, fields: terms(fields)? };
        for term in &selector.fields {
            if !is_field(resource, &term.key)
                || !matches!(term.wants, Wants::Equal(_) | Wants::Other(_))
            {
                let message = format!("field label not supported: {}", term.key);
                return Err(Status::bad_request(&message));
            }
        }
        Ok(selector)
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn selects(&self, object: &Object) -> bool {
        self.labels.iter().all(|term| term.holds(object.label_value(&term.key)))
            && self.fields.iter().all(|term| term.holds(Some(field(object, &term.key))))
    }
}

impl Term {
    fn holds(&self, value: Option<&str>) -> bool {
        match &self.wants {
            Wants::Equal(wanted) => value == Some(wanted),
            Wants::Other(unwanted) => value != Some(unwanted),
            Wants::Present => value.is_some(),
            Wants::Absent => value.is_none(),
        }
    }
}

fn terms(text: Option<&str>) -> Result<Vec<Term>, Status> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
    text.split(',').map(|term| one(term.trim())).collect()
}

/// Sets (`in (…)`) are refused rather than misread.
fn one(term: &str) -> Result<Term, Status> {
    let (key, wants) = if let Some((key, value)) = term.split_once("!=") {
        (key, Wants::Other(value.trim().to_owned()))
    } else if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (key, Wants::Equal(value.trim().to_owned()))
    } else if let Some(key) = term.strip_prefix('!') {
        (key, Wants::Absent)
    } else {
        (term, Wants::Present)
    };
    let key = key.trim();
    if key.is_empty() || key.contains([' ', '(', ')']) {
        return Err(Status::bad_request("unable to parse requirement"));
    }
    Ok(Term { key: key.to_owned(), wants })
}

fn is_field(resource: Resource, key: &str) -> bool {
    match key {
        "metadata.name" => true,
        "metadata.namespace" => resource.is_namespaced(),
        "type" => resource == Resource::Secrets,
        "status.phase" | "spec.nodeName" | "spec.serviceAccountName" => resource == Resource::Pods,
        "spec.signerName" => matches!(
            resource,
            Resource::CertificateSigningRequests | Resource::PodCertificateRequests
        ),
        _ => false,
    }
}

/// Fields that are not set count as empty.
fn field<'a>(object: &'a Object, key: &str) -> &'a str {
    match (key, &object.body) {
        ("metadata.name", _) => &object.name,
        ("metadata.namespace", _) => &object.namespace,
        ("type", Body::Secret { kind }) => kind,
        ("status.phase", Body::Pod { phase, .. }) => phase,
        ("spec.nodeName", Body::Pod { node, .. }) => node.as_deref().unwrap_or_default(),
        ("spec.serviceAccountName", Body::Pod { template, .. }) => {
            template.service_account.as_deref().unwrap_or("default")
        }
        ("spec.signerName", Body::Request(request)) => &request.signer,
        ("spec.signerName", Body::PodRequest { signer, .. }) => signer,
        _ => "",
    }
}
