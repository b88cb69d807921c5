//! Role bindings: one grant for each service account or group of machines that a binding names.

use headcount_sdk::{
    Class, Endpoint, Expiry, Link, LinkKind, Observation, ScanError, Status, Usage,
};

use super::{Wanted, full_name, observation, unread};
use crate::id::binding_key;
use crate::keep::{ACCOUNT_USER, Binding, Holder};
use crate::kinds::Kind;
use crate::world::{Grants, Names, World};

/// How a binding's id names whom it gives to.
pub(crate) fn handle(holder: &Holder) -> String {
    match holder {
        Holder::Account { namespace, name } => format!("{ACCOUNT_USER}{namespace}:{name}"),
        Holder::Group(group) => group.to_string(),
    }
}

/// The kind of record for a kind of binding.
pub(crate) fn record_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::ClusterRoleBindings => "cluster-role-binding",
        _ => "role-binding",
    }
}

/// Why privileges are unread, if they are.
pub(crate) fn degradations(world: &World) -> Vec<(&'static str, ScanError)> {
    let lack = world.lack(&[Kind::Roles, Kind::ClusterRoles]);
    lack.map(|error| ("privilege", error)).into_iter().collect()
}

/// Hands on every grant.
pub(crate) fn record(world: &World, wanted: Wanted<'_>, sink: &mut dyn FnMut(Observation)) {
    let names = Names::of(world);
    let grants = match world.lack(&[Kind::Roles, Kind::ClusterRoles]) {
        Some(error) => Err(error),
        None => Ok(Grants::of(world)),
    };
    for (kind, binding) in world.bindings() {
        for holder in &binding.subjects {
            let handle = handle(holder);
            let key = binding_key(&binding.meta.uid, &handle);
            if wanted.has(&key) {
                let id = world.place.binding(record_kind(kind), &key);
                let made = observation((Class::Grant, record_kind(kind)), id, &binding.meta);
                let mut made = describe(world, made, (kind, binding), &handle);
                hold(world, &mut made, holder, &names);
                match &grants {
                    Ok(grants) => made.privilege = Some(grants.given(kind, binding)),
                    Err(error) => unread(&mut made, "privilege", error),
                }
                sink(made);
            }
        }
    }
}

fn describe(
    world: &World,
    mut made: Observation,
    (kind, binding): (Kind, &Binding),
    handle: &str,
) -> Observation {
    let name = full_name(&binding.meta);
    made.name = format!("{name} to {handle}");
    made.native = format!("{} {name}", kind.resource().kind);
    made.status = Status::Active;
    made.expiry = Expiry::NotApplicable;
    let reason = "Kubernetes does not record the use of bindings".to_owned();
    made.usage = Usage::NotObservable { reason };
    made.attributes.insert("subject".to_owned(), handle.to_owned());
    made.attributes.insert("role_kind".to_owned(), binding.role_kind.to_string());
    made.attributes.insert("role".to_owned(), binding.role.to_string());
    made.evidence.push(world.evidence(kind.resource().list, &made.native));
    made
}

fn hold(world: &World, made: &mut Observation, holder: &Holder, names: &Names<'_>) {
    match holder {
        Holder::Account { namespace, name } => match names.account(namespace, name) {
            Some(account) => made.parent = Some(world.place.service_account(&account.meta.uid)),
            None => {
                // Whoever makes an account of that name gets the power.
                let native = handle(holder);
                made.links.push(Link::new(LinkKind::Uses, Endpoint::Dangling { native }));
            }
        },
        Holder::Group(group) => {
            made.attributes.insert("group".to_owned(), group.to_string());
        }
    }
}
