//! What a test does to the cluster that is no change of its objects: permissions taken away,
//! watches ended, events swallowed, history forgotten, parts of the API absent.

use std::collections::BTreeSet;

use super::cluster::Cluster;
use super::log::Entry;
use super::resource::Resource;

/// How an open watch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In good order, as after its timeout.
    Closed,
    /// The connection breaks.
    Broken,
    /// With an `ERROR` event of 410 `Expired`.
    Expired,
    /// With an `ERROR` event of 403 `Forbidden`.
    Denied,
    /// With an `ERROR` event of 500 `InternalError`.
    Failed,
}

/// How the server says that a version is too old to watch from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// By an `ERROR` event of 410 under HTTP 200, as API servers do it.
    #[default]
    Event,
    /// By HTTP 410, as some aggregated and older servers do it.
    Status,
}

/// What open watches notice when the permission to watch is taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revocation {
    /// They end in good order; the next one is refused.
    #[default]
    Closes,
    /// They end with an `ERROR` event of 403.
    Tells,
    /// Nothing until they time out: API servers judge a request once, at its beginning.
    Unnoticed,
}

/// The switches.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) revocation: Revocation,
    pub(crate) expiry: Expiry,
    pub(crate) no_streaming_lists: bool,
    pub(crate) no_aggregated_discovery: bool,
    /// The version of PodCertificateRequest, when it is not the usual one.
    pod_certificates: Option<&'static str>,
    /// Group versions that are not served.
    pub(crate) absent: BTreeSet<String>,
    /// Their watches get nothing for the time being.
    pub(crate) held: BTreeSet<Resource>,
    swallowed: BTreeSet<Resource>,
    doubled: BTreeSet<Resource>,
}

impl Script {
    /// How often watches are sent a change that happens now.
    pub(crate) fn copies(&self, resource: Resource, is_delete: bool) -> u8 {
        match resource {
            _ if is_delete && self.swallowed.contains(&resource) => 0,
            _ if self.doubled.contains(&resource) => 2,
            _ => 1,
        }
    }
}

/// Permissions.
impl Cluster {
    /// Takes a permission away: `deny("list", "serviceaccounts")`, `deny("*", "pods")`,
    /// `deny("get", "/version")`. Without `watch` open watches of the resource end as
    /// [`Cluster::revoke_by`] says.
    pub fn deny(&mut self, verb: &str, resource: &str) {
        self.denied.insert((verb.to_owned(), resource.to_owned()));
        let ending = match self.script.revocation {
            Revocation::Closes => Ending::Closed,
            Revocation::Tells => Ending::Denied,
            Revocation::Unnoticed => return,
        };
        let watched = Resource::ALL.into_iter().find(|known| known.plural() == resource);
        if let Some(resource) = watched
            && matches!(verb, "watch" | "*")
        {
            self.end_watches(resource, ending);
        }
    }

    /// Gives a permission back, by the words in which it was taken.
    pub fn allow(&mut self, verb: &str, resource: &str) {
        self.denied.remove(&(verb.to_owned(), resource.to_owned()));
    }

    /// Decides what open watches notice when their permission is taken away from now on.
    pub fn revoke_by(&mut self, revocation: Revocation) {
        self.script.revocation = revocation;
    }

    pub(crate) fn is_denied(&self, verb: &str, resource: &str) -> bool {
        let denies = |verb: &str| self.denied.contains(&(verb.to_owned(), resource.to_owned()));
        denies(verb) || denies("*")
    }
}

/// Watches.
impl Cluster {
    /// Ends the open watches of a resource.
    pub fn end_watches(&mut self, resource: Resource, ending: Ending) {
        self.log.push(self.version, resource, Entry::End(ending));
    }

    /// Sends a bookmark to the open watches of a resource that allow them.
    pub fn bookmark(&mut self, resource: Resource) {
        self.log.push(self.version, resource, Entry::Bookmark);
    }

    /// Forgets all history: watches and pages that go on from before are refused with 410.
    pub fn expire_history(&mut self) {
        self.log.forget(self.version);
    }

    /// How a version that is too old is refused from now on.
    pub fn expire_by(&mut self, expiry: Expiry) {
        self.script.expiry = expiry;
    }

    /// From now on objects of this resource go without a `DELETED` event.
    pub fn swallow_deletes(&mut self, resource: Resource) {
        self.script.swallowed.insert(resource);
    }

    /// From now on every event of this resource is sent twice.
    pub fn double_events(&mut self, resource: Resource) {
        self.script.doubled.insert(resource);
    }

    /// From now on watches of this resource get nothing, until [`Cluster::release_events`].
    pub fn hold_events(&mut self, resource: Resource) {
        self.script.held.insert(resource);
    }

    /// Sends what was held back.
    pub fn release_events(&mut self, resource: Resource) {
        self.script.held.remove(&resource);
    }

    /// Ends all swallowing, doubling and holding.
    pub fn behave(&mut self) {
        self.script.swallowed.clear();
        self.script.doubled.clear();
        self.script.held.clear();
    }
}

/// Parts of the API.
impl Cluster {
    /// Serves no lists in watches, like a server before 1.32: they are refused with 422.
    pub fn without_streaming_lists(&mut self) {
        self.script.no_streaming_lists = true;
    }

    /// Answers discovery in the old form only, like a server before 1.26.
    pub fn without_aggregated_discovery(&mut self) {
        self.script.no_aggregated_discovery = true;
    }

    /// Stops serving a group version: `certificates.k8s.io/v1beta1`.
    pub fn without_group(&mut self, group_version: &str) {
        self.script.absent.insert(group_version.to_owned());
    }

    /// Serves a group version again.
    pub fn with_group(&mut self, group_version: &str) {
        self.script.absent.remove(group_version);
    }

    /// Serves PodCertificateRequest in this version and no other: `v1` from Kubernetes 1.37 on,
    /// `v1alpha1` before 1.35.
    pub fn serve_pod_certificates_in(&mut self, version: &'static str) {
        self.script.pod_certificates = Some(version);
    }

    /// The version in which a resource is served; `None` when it is not.
    pub(crate) fn served_version(&self, resource: Resource) -> Option<&'static str> {
        let version = match (resource, self.script.pod_certificates) {
            (Resource::PodCertificateRequests, Some(version)) => version,
            _ => resource.version(),
        };
        let is_absent = self.script.absent.contains(&resource.api_version_in(version));
        (!is_absent).then_some(version)
    }
}
