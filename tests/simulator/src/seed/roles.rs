//! Seeded roles: one of each way to trust, by turns.

use super::{Seeder, names};
use crate::change::{Changed, Holder};
use crate::trust::{GITHUB_ISSUER, Trust};

/// A partner's account, and one that nobody remembers. Neither is in any organisation here:
/// ids of ours never begin with 0.
const PARTNERS: [&str; 2] = ["012345678901", "098765432109"];

impl Seeder<'_> {
    pub(super) fn role(&mut self, account: &str, n: usize) -> Changed<()> {
        let (full, trust) = self.kind(account, n);
        let age = self.rng.i64(420..950);
        self.days_ago(self.start, age);
        self.org.create_role(account, &full, &trust)?;
        let name = full.rsplit('/').next().unwrap_or(&full).to_owned();
        let role = Holder::Role(&name);
        if n % 20 == 1 {
            self.org.create_instance_profile(account, &name)?;
        }
        if !full.contains("/aws-") {
            self.owners(account, role, n)?;
            self.powers(account, role, n)?;
        }
        match n % 4 {
            1 => {
                let text = format!("Runs {}. Owner: {}", names::purpose(n), names::email(n));
                self.org.describe_role(account, &name, &text)?;
            }
            2 => self.org.describe_role(account, &name, "Managed by Terraform <do not edit>")?,
            _ => {}
        }
        // Used today, last week, long ago, before AWS forgets, never.
        let days = match n % 5 {
            0 => 0,
            1 => 6,
            2 => 150,
            3 => 405,
            _ => return Ok(()),
        };
        self.days_ago(self.start, days);
        self.org.use_role(account, &name, "eu-west-1")
    }

    /// Full name and trust of the `n`th role.
    fn kind(&mut self, account: &str, n: usize) -> (String, Trust) {
        let plain = |what: &str| format!("{}-{what}-{n:05}", names::purpose(n));
        let repository = format!("repo:acme/{}", names::purpose(n));
        match n % 20 {
            0 => (plain("lambda"), Trust::service("lambda.amazonaws.com")),
            1 => (plain("instance"), Trust::service("ec2.amazonaws.com")),
            2 => (
                format!("/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS{n}"),
                Trust::service("ecs.amazonaws.com"),
            ),
            3 => (plain("sibling"), Trust::account(&self.sibling(account, n))),
            4 => (plain("partner"), Trust::account(PARTNERS[n / 20 % 2])),
            5 => (plain("vendor"), Trust::account_with_external_id(PARTNERS[0], "acme-4711")),
            6 => {
                let subject = format!("{repository}:ref:refs/heads/main");
                (plain("github"), Trust::github(Some(&subject)))
            }
            7 => (plain("github-wide"), Trust::github(Some(&format!("{repository}:*")))),
            8 => (plain("github-open"), Trust::github(None)),
            9 => (plain("github-no-audience"), github_without_audience(&repository)),
            10 => (plain("pod"), irsa(account, self.org, n)),
            11 => (plain("saml"), Trust::Saml("corporate-idp".to_owned())),
            12 => {
                let path = "/aws-reserved/sso.amazonaws.com/eu-west-1/";
                let name = format!("{path}AWSReservedSSO_Developer_{n:016x}");
                (name, Trust::Saml(names::SSO_PROVIDER.to_owned()))
            }
            13 => (plain("pod-identity"), Trust::PodIdentity),
            14 => (plain("datacenter"), self.roles_anywhere(account, n)),
            15 => (
                format!("/service-role/{}", plain("codebuild")),
                Trust::service("codebuild.amazonaws.com"),
            ),
            16 => (plain("anyone"), Trust::account("*")),
            17 => (plain("dangling"), Trust::account(&self.org.ids.unique("AROA"))),
            18 => (plain("github-everything"), Trust::github(Some("repo:*"))),
            _ => (plain("task"), Trust::service("ecs-tasks.amazonaws.com")),
        }
    }

    /// Another account of the organisation; the account itself where it is alone.
    fn sibling(&self, account: &str, n: usize) -> String {
        let others: Vec<_> =
            self.org.accounts().keys().take(16).filter(|id| *id != account).collect();
        others.get(n % others.len().max(1)).map_or(account, |id| id.as_str()).to_owned()
    }

    fn roles_anywhere(&mut self, account: &str, n: usize) -> Trust {
        let id = self.org.ids.uuid();
        let partition = self.org.partition();
        let arn = format!("arn:{partition}:rolesanywhere:eu-west-1:{account}:trust-anchor/{id}");
        // Every other one is not bound to its trust anchor.
        Trust::RolesAnywhere { trust_anchor: (n / 20).is_multiple_of(2).then_some(arn) }
    }
}

fn github_without_audience(repository: &str) -> Trust {
    Trust::WebIdentity {
        issuer: GITHUB_ISSUER.to_owned(),
        subject: Some(format!("{repository}:environment:production")),
        audience: None,
    }
}

fn irsa(account: &str, org: &crate::organization::Organization, n: usize) -> Trust {
    let issuer = org
        .account(account)
        .and_then(|account| account.oidc().keys().find(|issuer| issuer.contains(".eks.")).cloned())
        .unwrap_or_default();
    Trust::WebIdentity {
        issuer,
        subject: Some(format!("system:serviceaccount:{}:{}", names::team(n), names::purpose(n))),
        audience: Some("sts.amazonaws.com".to_owned()),
    }
}
