//! A believable cluster of any size, the same for the same seed.
//!
//! Objects take turns through every shape that a reader must tell apart, so that even a small
//! cluster holds one of each; ages vary by the seed. Everything is made through the public
//! changes, and the history is forgotten at the end, as if the cluster had run for long.

mod accounts;
mod rights;
mod system;
mod workloads;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

use super::cluster::{Cluster, Setup};
use super::object::Object;
use crate::change::Changed;
use crate::seed::names;

const DAY: i64 = 24 * 60 * 60;

/// How much a seeded cluster holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Namespaces beside those of the system; at least 1.
    pub namespaces: usize,
    /// Service accounts beside the `default` ones and the system's.
    pub service_accounts: usize,
    /// Pods, with the workloads that they need.
    pub pods: usize,
}

impl Default for Size {
    /// At least one object of every shape.
    fn default() -> Self {
        Self { namespaces: 7, service_accounts: 45, pods: 80 }
    }
}

impl Cluster {
    /// A cluster as of 2026-01-15T09:00:00Z.
    pub fn seeded(seed: u64, size: Size) -> Self {
        Self::seeded_in(&Setup::new(seed), size)
    }

    /// A cluster with clock, issuer and cloud roles chosen. Its history goes back three years
    /// before the clock, which is not moved.
    pub fn seeded_in(setup: &Setup, size: Size) -> Self {
        let mut cluster = Self::set_up(setup);
        let mut seeder = Seeder {
            start: setup.clock.now(),
            rng: Rng::with_seed(setup.seed.rotate_left(17) ^ 0x5eed),
            roles: &setup.role_arns,
            size: Size { namespaces: size.namespaces.max(1), ..size },
            cluster: &mut cluster,
        };
        if let Err(error) = seeder.cluster() {
            unreachable!("seeded names are unique: {error}");
        }
        cluster.expire_history();
        cluster
    }
}

/// What the seeding of one cluster carries along.
struct Seeder<'a> {
    cluster: &'a mut Cluster,
    rng: Rng,
    start: Timestamp,
    roles: &'a [String],
    size: Size,
}

impl Seeder<'_> {
    fn cluster(&mut self) -> Changed<()> {
        self.system()?;
        for n in 0..self.size.namespaces {
            self.name_space(n)?;
        }
        for n in 0..self.size.service_accounts {
            self.account(n)?;
        }
        self.group_bindings()?;
        self.dangling_bindings()?;
        self.workloads()
    }

    fn name_space(&mut self, n: usize) -> Changed<()> {
        let (name, team) = (self.namespace_of(n), names::team(n));
        let space = Object::new_namespace(&name).label("kubernetes.io/metadata.name", &name);
        let space = match n % 5 {
            0 => space.label("team", team),
            1 => space.annotation("owner", &names::email(n)),
            2 => space.label("backstage.io/kubernetes-id", team).managed_by("argocd-controller"),
            3 => space.label("owner", team),
            _ => space,
        };
        let space = self.aged(space, 900);
        self.cluster.create(space)?;
        let pull = Object::secret(&name, "registry-login", "kubernetes.io/dockerconfigjson");
        let pull = self.aged(pull, 700);
        self.cluster.create(pull)?;
        Ok(())
    }

    /// The namespace in which the `n`th thing lives.
    fn namespace_of(&self, n: usize) -> String {
        let n = n % self.size.namespaces;
        format!("{}-{n:03}", names::team(n))
    }

    /// The name of the `n`th service account; it lives in `namespace_of(n)`.
    fn account_name(n: usize) -> String {
        format!("{}-{n:05}", names::purpose(n))
    }

    /// Creates an object up to so many days ago and hands it back with its uid.
    fn made(&mut self, object: Object, days: i64) -> Changed<Object> {
        let mut object = self.aged(object, days);
        object.uid = self.cluster.create(object.clone())?;
        Ok(object)
    }

    fn aged(&mut self, object: Object, days: i64) -> Object {
        let seconds = self.rng.i64(60..days * DAY);
        object.created_at(self.start - SignedDuration::from_secs(seconds))
    }

    /// A day so many days ago, as label values write it.
    fn date(&self, days: i64) -> String {
        let moment = self.start - SignedDuration::from_secs(days * DAY);
        moment.strftime("%Y-%m-%d").to_string()
    }
}
