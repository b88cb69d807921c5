//! Record ids, built from keys that Kubernetes never re-uses. The only file that builds one.
//!
//! A name can be given to another object after a deletion; `metadata.uid` cannot
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#uids>). The place is
//! the uid of the namespace `kube-system`, which lives as long as its cluster; contexts and
//! addresses are names. Shipped ids never change: `tests/golden/ids.txt` holds one of each.

use std::fmt;

use headcount_sdk::RecordId;

/// One cluster, printed as record ids begin: `kubernetes:<uid of kube-system>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(String);

impl Place {
    /// `uid` is that of the namespace `kube-system`.
    pub(crate) fn new(uid: &str) -> Self {
        Self(format!("kubernetes:{uid}"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn id(&self, kind: &str, key: &str) -> RecordId {
        RecordId::new(&self.0, kind, key)
    }

    pub(crate) fn service_account(&self, uid: &str) -> RecordId {
        self.id("service-account", uid)
    }

    /// A binding names several subjects, and each is a grant. Subjects are names by nature: a
    /// binding to an account that is made anew gives the new one its power, and is the same grant.
    pub(crate) fn binding(&self, kind: &str, key: &str) -> RecordId {
        self.id(kind, key)
    }

    pub(crate) fn workload(&self, uid: &str) -> RecordId {
        self.id("workload", uid)
    }

    pub(crate) fn service_account_token(&self, uid: &str) -> RecordId {
        self.id("service-account-token", uid)
    }

    /// Pull secrets are known by reference only, and a reference is a name in a namespace; the
    /// secret's own uid stands where nobody may look. A secret made anew under the same name
    /// serves the same references.
    pub(crate) fn pull_secret(&self, key: &str) -> RecordId {
        self.id("pull-secret", key)
    }

    pub(crate) fn certificate_request(&self, uid: &str) -> RecordId {
        self.id("certificate-request", uid)
    }

    pub(crate) fn pod_certificate_request(&self, uid: &str) -> RecordId {
        self.id("pod-certificate-request", uid)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The part of a grant's id after its kind; hints carry it.
pub(crate) fn binding_key(uid: &str, subject: &str) -> String {
    format!("{uid}/{subject}")
}

/// The part of a pull secret's id after its kind; hints carry it.
pub(crate) fn pull_secret_key(namespace_uid: &str, name: &str) -> String {
    format!("{namespace_uid}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_ids_never_change() {
        let place = Place::new("11111111-2222-3333-4444-555555555555");
        let uid = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
        let account = "system:serviceaccount:shop:web";
        let ids = [
            place.service_account(uid),
            place.binding("role-binding", &binding_key(uid, account)),
            place.binding("cluster-role-binding", &binding_key(uid, "system:serviceaccounts")),
            place.workload(uid),
            place.service_account_token(uid),
            place.pull_secret(&pull_secret_key(uid, "registry")),
            place.certificate_request(uid),
            place.pod_certificate_request(uid),
        ];
        let printed: String = ids.iter().map(|id| format!("{id}\n")).collect();
        assert_eq!(printed, include_str!("../tests/golden/ids.txt"));
    }
}
