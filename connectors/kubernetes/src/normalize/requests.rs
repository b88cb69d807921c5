//! Certificate requests of users and pods, for as long as they live: the API server removes them
//! within an hour or a day, and the certificate outlives its request.

use headcount_sdk::{Class, Expiry, Observation, Status, Usage};

use super::{Wanted, observation};
use crate::keep::Request;
use crate::kinds::Kind;
use crate::world::World;

/// Who signs what nodes need to be nodes.
/// <https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers>
const NODES: &[&str] =
    &["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"];

/// Hands on the requests of one of both kinds.
pub(crate) fn record(
    world: &World,
    kind: Kind,
    wanted: Wanted<'_>,
    sink: &mut dyn FnMut(Observation),
) {
    for request in world.requests(kind) {
        if wanted.has(&request.meta.uid) {
            sink(observe(world, request));
        }
    }
}

fn observe(world: &World, request: &Request) -> Observation {
    let uid = &request.meta.uid;
    let (id, kind) = match request.kind {
        Kind::PodCertificateRequests => {
            (world.place.pod_certificate_request(uid), "pod-certificate-request")
        }
        _ => (world.place.certificate_request(uid), "certificate-request"),
    };
    let mut made = observation((Class::Credential, kind), id, &request.meta);
    made.native = format!("{} {}", request.kind.resource().kind, made.name);
    made.parent = request.account_uid.as_deref().map(|uid| world.place.service_account(uid));
    made.status = status(request);
    made.expiry = match request.not_after {
        Some(at) => Expiry::At { at },
        // The certificate itself is not read.
        None => Expiry::Unknown,
    };
    let reason = "Kubernetes does not record the use of certificates".to_owned();
    made.usage = Usage::NotObservable { reason };
    let mut say = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            made.attributes.insert(name.to_owned(), value);
        }
    };
    say("signer", Some(request.signer.to_string()));
    say("requester", request.requester.as_deref().map(str::to_owned));
    say("pod", request.pod.as_deref().map(str::to_owned));
    say("requested_seconds", request.seconds.map(|seconds| seconds.to_string()));
    say("is_issued", Some(request.is_issued.to_string()));
    // Nodes ask for themselves, all the time.
    let is_of_node = NODES.contains(&&*request.signer);
    say("system", is_of_node.then(|| "true".to_owned()));
    let conditions = request.conditions.join(",");
    say("conditions", (!conditions.is_empty()).then_some(conditions));
    made.evidence.push(world.evidence(request.kind.resource().list, &made.native));
    made
}

/// Refused requests give no certificate; those not yet decided may.
fn status(request: &Request) -> Status {
    let holds = |wanted: &str| request.conditions.iter().any(|held| &**held == wanted);
    if holds("Denied") || holds("Failed") {
        Status::Disabled
    } else if request.is_issued || holds("Approved") || holds("Issued") {
        Status::Active
    } else {
        Status::Unknown
    }
}
