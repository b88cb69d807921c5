//! What service accounts may do: little, much, everything, by every kind of binding.

use super::Seeder;
use crate::change::Changed;
use crate::kubernetes::body::{RoleRef, Rule, Subject};
use crate::kubernetes::object::Object;

impl Seeder<'_> {
    /// Binds an account, by turns in every way that there is, and three in eight not at all.
    pub(super) fn rights(&mut self, account: &Object, n: usize) -> Changed<()> {
        let (namespace, name) = (account.namespace().to_owned(), account.name().to_owned());
        let subjects = [Subject::account(&namespace, &name)];
        let within = |role| Object::role_binding(&namespace, &name, role, &subjects);
        let everywhere = |role: &str| {
            let name = format!("{namespace}-{name}");
            Object::cluster_role_binding(&name, RoleRef::cluster_role(role), &subjects)
        };
        let binding = match n % 8 {
            0 => within(RoleRef::cluster_role("view")),
            1 => {
                let rules = own_role(n / 8);
                self.made(Object::role(&namespace, &name, &rules), 800)?;
                within(RoleRef::role(&name))
            }
            2 => within(RoleRef::cluster_role("edit")),
            4 => everywhere(["view", "secret-reader"][n / 8 % 2]),
            5 if n % 40 == 5 => everywhere("cluster-admin"),
            5 if n % 40 == 13 => everywhere("role-keeper"),
            5 => within(RoleRef::cluster_role("admin")),
            _ => return Ok(()),
        };
        self.made(binding, 800)?;
        Ok(())
    }

    /// Whole groups are bound too: one namespace's accounts, all accounts, everybody.
    pub(super) fn group_bindings(&mut self) -> Changed<()> {
        let read = ["get", "list", "watch"];
        let roles = [
            ("secret-reader", vec![Rule::new(&[""], &["secrets"], &read)]),
            (
                "role-keeper",
                vec![Rule::new(
                    &["rbac.authorization.k8s.io"],
                    &["clusterroles", "roles"],
                    &["bind", "escalate", "update"],
                )],
            ),
            ("log-reader", vec![Rule::new(&[""], &["pods/log"], &["get"])]),
            ("node-proxy", vec![Rule::new(&[""], &["nodes/proxy"], &["get", "create"])]),
        ];
        for (name, rules) in roles {
            self.made(Object::cluster_role(name, &rules), 800)?;
        }
        for n in (0..self.size.namespaces).step_by(3) {
            let namespace = self.namespace_of(n);
            let group = Subject::group(&format!("system:serviceaccounts:{namespace}"));
            let role = RoleRef::cluster_role(["view", "secret-reader"][n / 3 % 2]);
            self.made(Object::role_binding(&namespace, "everyone-here", role, &[group]), 800)?;
        }
        for (name, role, group) in [
            ("all-accounts-read-logs", "log-reader", "system:serviceaccounts"),
            ("anybody-proxies", "node-proxy", "system:authenticated"),
            ("nobody-views", "view", "system:unauthenticated"),
        ] {
            let binding = Object::cluster_role_binding(
                name,
                RoleRef::cluster_role(role),
                &[Subject::group(group), Subject::user("ada.allen@example.com")],
            );
            self.made(binding, 800)?;
        }
        Ok(())
    }

    /// Rights that wait for an account of the right name, and bindings to a role that is gone.
    pub(super) fn dangling_bindings(&mut self) -> Changed<()> {
        for n in (0..self.size.namespaces).step_by(7) {
            let namespace = self.namespace_of(n);
            let gone = Subject::account(&namespace, "migrated-away");
            let role = RoleRef::cluster_role("edit");
            self.made(Object::role_binding(&namespace, "left-behind", role, &[gone]), 800)?;
            let role = RoleRef::role("deleted-role");
            let subject = Subject::account(&namespace, "default");
            self.made(Object::role_binding(&namespace, "leads-nowhere", role, &[subject]), 800)?;
        }
        let gone = Subject::account("retired-namespace", "operator");
        let role = RoleRef::cluster_role("cluster-admin");
        self.made(Object::cluster_role_binding("retired-operator", role, &[gone]), 800)?;
        let empty = Object::cluster_role_binding("for-nobody", RoleRef::cluster_role("view"), &[]);
        self.made(empty, 800)?;
        Ok(())
    }
}

/// Rules of roles that accounts have for themselves.
fn own_role(turn: usize) -> Vec<Rule> {
    match turn % 5 {
        0 => vec![Rule::new(&[""], &["configmaps"], &["get"]).named("settings")],
        1 => vec![Rule::new(&[""], &["pods/exec"], &["create"])],
        2 => vec![Rule::new(&[""], &["serviceaccounts/token"], &["create"])],
        3 => vec![Rule::new(&["apps"], &["deployments"], &["get", "list", "patch", "update"])],
        _ => vec![Rule::new(&["*"], &["*"], &["*"])],
    }
}
