//! What is decoded of an object: the few fields that records are made of, for every kind at once.
//!
//! `managedFields`, containers, environment variables and status never reach memory. One type
//! serves all kinds because they share their field names; [`crate::keep`] knows which kind has
//! which. Refuses nothing: what must be there is demanded where it is kept.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::core::{ApiResource, ObjectMeta};
use serde::Deserialize;

/// An object of any kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wire {
    #[serde(default, deserialize_with = "thin")]
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: Option<Spec>,
    pub(crate) status: Option<Status>,
    // Service accounts.
    pub(crate) automount_service_account_token: Option<bool>,
    pub(crate) image_pull_secrets: Option<Vec<NameRef>>,
    // Roles.
    pub(crate) rules: Option<Vec<Rule>>,
    // Bindings.
    pub(crate) role_ref: Option<RoleRef>,
    pub(crate) subjects: Option<Vec<Subject>>,
}

/// `spec` of pods, of what makes pods, and of requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    // Pods, templates, PodCertificateRequests.
    pub(crate) service_account_name: Option<String>,
    /// The older name of the same field.
    pub(crate) service_account: Option<String>,
    pub(crate) automount_service_account_token: Option<bool>,
    pub(crate) image_pull_secrets: Option<Vec<NameRef>>,
    // What makes pods.
    pub(crate) template: Option<Box<Template>>,
    pub(crate) job_template: Option<Box<Template>>,
    pub(crate) replicas: Option<i64>,
    pub(crate) suspend: Option<bool>,
    // Requests.
    pub(crate) signer_name: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) uid: Option<String>,
    pub(crate) expiration_seconds: Option<i64>,
    pub(crate) max_expiration_seconds: Option<i64>,
    #[serde(rename = "serviceAccountUID")]
    pub(crate) service_account_uid: Option<String>,
    pub(crate) pod_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Template {
    pub(crate) spec: Option<Spec>,
}

/// The four facts of `status` that decide something.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) phase: Option<String>,
    pub(crate) conditions: Option<Vec<Condition>>,
    pub(crate) not_after: Option<Timestamp>,
    /// Only whether there is one.
    pub(crate) certificate: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NameRef {
    pub(crate) name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Rule {
    #[serde(deserialize_with = "listed")]
    pub(crate) api_groups: Vec<String>,
    #[serde(deserialize_with = "listed")]
    pub(crate) resources: Vec<String>,
    #[serde(deserialize_with = "listed")]
    pub(crate) verbs: Vec<String>,
    #[serde(deserialize_with = "listed")]
    pub(crate) resource_names: Vec<String>,
    #[serde(rename = "nonResourceURLs", deserialize_with = "listed")]
    pub(crate) non_resource_urls: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RoleRef {
    pub(crate) kind: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Subject {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
}

/// Go writes an empty list as `null`.
fn listed<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::<Vec<String>>::deserialize(from)?.unwrap_or_default())
}

/// Metadata without `managedFields`, which is most of an object.
fn thin<'de, D: serde::Deserializer<'de>>(from: D) -> Result<ObjectMeta, D::Error> {
    let thin = Thin::deserialize(from)?;
    Ok(ObjectMeta {
        name: thin.name,
        namespace: thin.namespace,
        uid: thin.uid,
        resource_version: thin.resource_version,
        creation_timestamp: thin
            .creation_timestamp
            .map(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time),
        labels: thin.labels,
        annotations: thin.annotations.map(|mut annotations| {
            annotations.retain(|_, value| value.len() <= LONGEST_ANNOTATION);
            annotations
        }),
        owner_references: thin.owner_references.map(|owners| {
            let owners = owners.into_iter().map(|owner| {
                k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference {
                    api_version: owner.api_version,
                    kind: owner.kind,
                    name: owner.name,
                    uid: owner.uid,
                    controller: owner.controller,
                    block_owner_deletion: None,
                }
            });
            owners.collect()
        }),
        ..ObjectMeta::default()
    })
}

/// Longer ones are documents (`last-applied-configuration`), not names.
const LONGEST_ANNOTATION: usize = 512;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Thin {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    creation_timestamp: Option<Timestamp>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<ThinOwner>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThinOwner {
    api_version: String,
    kind: String,
    name: String,
    uid: String,
    controller: Option<bool>,
}

impl kube::Resource for Wire {
    type DynamicType = ApiResource;
    type Scope = kube::core::DynamicResourceScope;

    fn kind(api: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&api.kind)
    }

    fn group(api: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&api.group)
    }

    fn version(api: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&api.version)
    }

    fn plural(api: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&api.plural)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// An object of which the server is asked for the metadata alone. For secrets, whose values are
/// then never sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bare(pub(crate) Wire);

impl kube::Resource for Bare {
    type DynamicType = ApiResource;
    type Scope = kube::core::DynamicResourceScope;

    fn kind(api: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&api.kind)
    }

    fn group(api: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&api.group)
    }

    fn version(api: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&api.version)
    }

    fn plural(api: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&api.plural)
    }

    fn metadata_api() -> bool {
        true
    }

    fn meta(&self) -> &ObjectMeta {
        &self.0.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.0.metadata
    }
}

/// Both forms as one.
pub(crate) trait Decoded:
    kube::Resource<DynamicType = ApiResource>
    + Clone
    + std::fmt::Debug
    + serde::de::DeserializeOwned
    + Send
    + Sync
    + 'static
{
    fn wire(self) -> Wire;
}

impl Decoded for Wire {
    fn wire(self) -> Wire {
        self
    }
}

impl Decoded for Bare {
    fn wire(self) -> Wire {
        self.0
    }
}
