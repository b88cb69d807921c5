//! Service accounts with every kind of owner evidence, cloud role, secret and token, by turns.

use jiff::SignedDuration;

use super::{DAY, Seeder, names};
use crate::change::Changed;
use crate::kubernetes::object::{Object, Owner, Uid};

impl Seeder<'_> {
    pub(super) fn account(&mut self, n: usize) -> Changed<()> {
        let namespace = self.namespace_of(n);
        let account = Object::service_account(&namespace, &Self::account_name(n));
        let account = self.owners(account, n);
        let account = self.cloud_role(account, n);
        let account = match n % 11 {
            0 | 4 | 8 => account.automounting(false),
            5 => account.automounting(true),
            _ => account,
        };
        let account =
            if n.is_multiple_of(6) { account.pulling_with("registry-login") } else { account };
        // An old tool wrote the name of the token into the account; most tokens are not there.
        let has_token = n % 10 == 3;
        let token = format!("{}-token", Self::account_name(n));
        let account = if n % 20 == 3 { account.mounting(&token) } else { account };
        let account = self.made(account, 900)?;
        if has_token {
            self.legacy_token(&token, &account, n / 10)?;
        }
        self.rights(&account, n)
    }

    /// Owner evidence, by turns in every spelling, and for one in nine none at all.
    fn owners(&mut self, account: Object, n: usize) -> Object {
        let (team, mail) = (names::team(n), names::email(n));
        let (namespace, release) = (self.namespace_of(n), names::purpose(n));
        let tracked = format!("{release}:/ServiceAccount:{namespace}/{}", account.name());
        match n % 9 {
            0 => account.label("team", team).managed_by("kubectl-client-side-apply"),
            1 => account.annotation("owner", &mail),
            2 => account
                .label("app.kubernetes.io/managed-by", "Helm")
                .label("app.kubernetes.io/instance", release)
                .label("helm.sh/chart", &format!("{release}-1.4.2"))
                .annotation("meta.helm.sh/release-name", release)
                .annotation("meta.helm.sh/release-namespace", &namespace)
                .managed_by("helm"),
            3 => account
                .annotation("argocd.argoproj.io/tracking-id", &tracked)
                .managed_by("argocd-controller"),
            4 => account
                .label("kustomize.toolkit.fluxcd.io/name", release)
                .label("kustomize.toolkit.fluxcd.io/namespace", "flux-system")
                .managed_by("kustomize-controller"),
            5 => account.label("backstage.io/kubernetes-id", release),
            6 => account
                .label("app.kubernetes.io/name", release)
                .label("app.kubernetes.io/part-of", team),
            7 => account.managed_by("database-operator").controlled_by(Owner {
                api_version: "databases.example.com/v1".into(),
                kind: "Database".into(),
                name: release.into(),
                uid: Uid(0xda7a_0000_0000_4000_8000_0000_0000_0000 + n as u128),
            }),
            _ => account,
        }
    }

    /// One in five uses a role of AWS, a few use another cloud's.
    fn cloud_role(&self, account: Object, n: usize) -> Object {
        let made_up = || format!("arn:aws:iam::111122223333:role/{}", names::purpose(n));
        match n % 20 {
            1 | 6 | 11 | 16 => {
                let arn = match self.roles {
                    [] => made_up(),
                    roles => roles[n / 5 % roles.len()].clone(),
                };
                account.annotation("eks.amazonaws.com/role-arn", &arn)
            }
            7 => account.annotation(
                "iam.gke.io/gcp-service-account",
                &format!("{}@example-project.iam.gserviceaccount.com", names::purpose(n)),
            ),
            9 => account.annotation(
                "azure.workload.identity/client-id",
                &Uid(0xa2_0000_0000_4000_8000_0000_0000_0000 + n as u128).to_string(),
            ),
            _ => account,
        }
    }

    /// Used yesterday, long ago, never since tracking began, or invalidated for that.
    fn legacy_token(&mut self, name: &str, account: &Object, turn: usize) -> Changed<()> {
        let token = Object::legacy_token(name, account);
        let token = match turn % 4 {
            0 => token.label("kubernetes.io/legacy-token-last-used", &self.date(1)),
            1 => token.label("kubernetes.io/legacy-token-last-used", &self.date(240)),
            2 => token,
            _ => token
                .label("kubernetes.io/legacy-token-last-used", &self.date(500))
                .label("kubernetes.io/legacy-token-invalid-since", &self.date(130)),
        };
        // Older than any use that is noted on it.
        let created = self.start - SignedDuration::from_secs(950 * DAY);
        self.cluster.create(token.created_at(created))?;
        Ok(())
    }
}
