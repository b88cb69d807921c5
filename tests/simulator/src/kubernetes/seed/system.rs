//! What every cluster brings: roles and bindings of the system, its own accounts, the record of
//! legacy tokens, requests for certificates.

use super::Seeder;
use crate::change::Changed;
use crate::kubernetes::body::{Request, RoleRef, Rule, Subject};
use crate::kubernetes::object::Object;

const DEFAULTS: (&str, &str) = ("kubernetes.io/bootstrapping", "rbac-defaults");
const SYSTEM: &str = "kube-system";

impl Seeder<'_> {
    pub(super) fn system(&mut self) -> Changed<()> {
        self.default_roles()?;
        self.default_bindings()?;
        self.system_accounts()?;
        let since = self.date(650);
        let tracking = "kube-apiserver-legacy-service-account-token-tracking";
        let tracking = Object::config_map(SYSTEM, tracking, &[("since", &since)]);
        self.made(tracking, 650)?;
        self.requests()
    }

    fn default_roles(&mut self) -> Changed<()> {
        for (name, rules) in roles_for_people().into_iter().chain(roles_of_the_system()) {
            let role = Object::cluster_role(name, &rules).label(DEFAULTS.0, DEFAULTS.1);
            self.made(role, 1000)?;
        }
        Ok(())
    }

    fn default_bindings(&mut self) -> Changed<()> {
        let group = Subject::group;
        let bindings = [
            ("cluster-admin", "cluster-admin", vec![group("system:masters")]),
            ("system:basic-user", "system:basic-user", vec![group("system:authenticated")]),
            ("system:discovery", "system:discovery", vec![group("system:authenticated")]),
            (
                "system:public-info-viewer",
                "system:public-info-viewer",
                vec![group("system:authenticated"), group("system:unauthenticated")],
            ),
            (
                "system:service-account-issuer-discovery",
                "system:service-account-issuer-discovery",
                vec![group("system:serviceaccounts")],
            ),
            ("system:coredns", "system:coredns", vec![Subject::account(SYSTEM, "coredns")]),
            (
                "system:controller:generic-garbage-collector",
                "system:controller:generic-garbage-collector",
                vec![Subject::account(SYSTEM, "generic-garbage-collector")],
            ),
        ];
        for (name, role, subjects) in bindings {
            let role = RoleRef::cluster_role(role);
            let binding = Object::cluster_role_binding(name, role, &subjects);
            self.made(binding.label(DEFAULTS.0, DEFAULTS.1), 1000)?;
        }
        Ok(())
    }

    fn system_accounts(&mut self) -> Changed<()> {
        for name in ["coredns", "generic-garbage-collector"] {
            self.made(Object::service_account(SYSTEM, name), 1000)?;
        }
        Ok(())
    }

    /// Certificates are asked for by people and kubelets, and wait, are denied or are issued.
    fn requests(&mut self) -> Changed<()> {
        let client = "kubernetes.io/kube-apiserver-client";
        let kubelet = "kubernetes.io/kube-apiserver-client-kubelet";
        let requests = [
            ("csr-waiting", Request::client(client, "ada.allen@example.com")),
            (
                "csr-year",
                Request::client(client, "system:serviceaccount:kube-system:coredns")
                    .lasting(31_536_000)
                    .approved(),
            ),
            ("csr-node", Request::client(kubelet, "system:node:node-1").approved()),
            ("csr-denied", Request::client(client, "mallory").denied()),
        ];
        for (name, request) in requests {
            self.made(Object::certificate_request(name, request), 1)?;
        }
        Ok(())
    }
}

const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

fn roles_for_people() -> Vec<(&'static str, Vec<Rule>)> {
    let things = ["configmaps", "pods", "services", "serviceaccounts"];
    let both = [&READ[..], &WRITE[..]].concat();
    let everything = vec![Rule::new(&["*"], &["*"], &["*"]), Rule::on_urls(&["*"], &["*"])];
    let admin = vec![
        Rule::new(&[""], &things, &both),
        Rule::new(&[""], &["secrets", "pods/exec"], &both),
        Rule::new(&["rbac.authorization.k8s.io"], &["roles", "rolebindings"], &both),
    ];
    let edit = vec![
        Rule::new(&[""], &things, &both),
        Rule::new(&[""], &["secrets", "pods/exec"], &both),
        Rule::new(&[""], &["serviceaccounts"], &["impersonate"]),
    ];
    let view = vec![Rule::new(&[""], &things, &READ)];
    vec![("cluster-admin", everything), ("admin", admin), ("edit", edit), ("view", view)]
}

fn roles_of_the_system() -> Vec<(&'static str, Vec<Rule>)> {
    let review = ["selfsubjectaccessreviews"];
    let issuer = ["/.well-known/openid-configuration", "/openid/v1/jwks"];
    let collect = ["delete", "get", "list", "patch", "update", "watch"];
    vec![
        ("system:basic-user", vec![Rule::new(&["authorization.k8s.io"], &review, &["create"])]),
        ("system:discovery", vec![Rule::on_urls(&["/api", "/apis", "/version"], &["get"])]),
        ("system:public-info-viewer", vec![Rule::on_urls(&["/healthz", "/version"], &["get"])]),
        ("system:service-account-issuer-discovery", vec![Rule::on_urls(&issuer, &["get"])]),
        ("system:coredns", vec![Rule::new(&[""], &["pods", "namespaces"], &READ[1..])]),
        ("system:controller:generic-garbage-collector", vec![Rule::new(&["*"], &["*"], &collect)]),
    ]
}
