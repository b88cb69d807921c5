//! Workloads with the pods that controllers would have made of them, and pods without any.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{DAY, Seeder, names};
use crate::change::Changed;
use crate::kubernetes::body::PodTemplate;
use crate::kubernetes::object::{Object, Owner, Text, Uid};
use crate::kubernetes::resource::Resource;

impl Seeder<'_> {
    /// Makes workloads until there are as many pods as wanted.
    pub(super) fn workloads(&mut self) -> Changed<()> {
        self.lone_pods()?;
        let mut turn = 0;
        while self.cluster.count(Resource::Pods) < self.size.pods {
            let (namespace, template) = self.template(turn);
            let name = format!("{}-{turn:05}", names::purpose(turn));
            match turn % 6 {
                0 | 3 => self.deployment(&namespace, &name, template)?,
                1 => self.owning(Resource::StatefulSets, (&namespace, &name), template, 2)?,
                2 => self.owning(Resource::DaemonSets, (&namespace, &name), template, 3)?,
                4 => self.cron_job(&namespace, &name, template)?,
                _ => self.owning(Resource::Jobs, (&namespace, &name), template, 1)?,
            }
            turn += 1;
        }
        Ok(())
    }

    /// What a workload runs, and where. A third of the accounts is used by none, and one workload
    /// in thirteen runs as `default`.
    fn template(&self, turn: usize) -> (String, Arc<PodTemplate>) {
        let account = (turn / 2 * 3 + turn % 2) % self.size.service_accounts.max(1);
        let namespace = self.namespace_of(account);
        let name = Self::account_name(account);
        let template = match turn % 13 {
            12 => PodTemplate::running_as_default(),
            _ if self.size.service_accounts == 0 => PodTemplate::running_as_default(),
            _ => PodTemplate::running_as(&name),
        };
        let app = names::purpose(turn);
        let template = template.label("app.kubernetes.io/name", app);
        let template = match turn % 4 {
            0 => template.label("app.kubernetes.io/part-of", names::team(turn)),
            1 => template.label("app.kubernetes.io/instance", app).automount(false),
            2 => template.token_for("sts.amazonaws.com", 86_400),
            _ => template.pulling_with("registry-login"),
        };
        (namespace, Arc::new(template))
    }

    fn deployment(
        &mut self,
        namespace: &str,
        name: &str,
        template: Arc<PodTemplate>,
    ) -> Changed<()> {
        let shared = Arc::clone(&template);
        let deployment = Object::workload(Resource::Deployments, namespace, name, shared);
        let deployment = self.made(like(deployment, &template), 600)?;
        let set = format!("{name}-7d4b9c6f5d");
        let set = Object::workload(Resource::ReplicaSets, namespace, &set, Arc::clone(&template));
        let set = self.made(like(set.owned_by(&deployment), &template), 90)?;
        // The one before the last rollout: no pods any more.
        let old = format!("{name}-5f6d8b7c9f");
        let old = Object::workload(Resource::ReplicaSets, namespace, &old, Arc::clone(&template));
        self.made(like(old.owned_by(&deployment), &template), 300)?;
        self.pods(&set, &template, 3)
    }

    fn owning(
        &mut self,
        resource: Resource,
        (namespace, name): (&str, &str),
        template: Arc<PodTemplate>,
        pods: usize,
    ) -> Changed<()> {
        let owner = Object::workload(resource, namespace, name, Arc::clone(&template));
        let owner = self.made(like(owner, &template), 600)?;
        self.pods(&owner, &template, pods)
    }

    fn cron_job(&mut self, namespace: &str, name: &str, template: Arc<PodTemplate>) -> Changed<()> {
        let cron = Object::cron_job(namespace, name, Arc::clone(&template));
        let cron = self.made(like(cron, &template), 600)?;
        let job = format!("{name}-29400180");
        let job = Object::workload(Resource::Jobs, namespace, &job, Arc::clone(&template));
        let job = self.made(like(job.owned_by(&cron), &template), 1)?;
        self.pods(&job, &template, 1)
    }

    /// Up to `count` pods of a controller, never more than the cluster is to hold.
    fn pods(&mut self, owner: &Object, template: &Arc<PodTemplate>, count: usize) -> Changed<()> {
        let left = self.size.pods.saturating_sub(self.cluster.count(Resource::Pods));
        for n in 0..count.min(left) {
            let suffix = match owner.resource() {
                Resource::StatefulSets => n.to_string(),
                _ => format!("{:05x}", self.rng.u32(..0x10_0000) / 4 * 4 + n as u32),
            };
            let name = format!("{}-{suffix}", owner.name());
            let pod = Object::pod(owner.namespace(), &name, Arc::clone(template));
            let is_done = owner.resource() == Resource::Jobs;
            let pod = if is_done { pod.in_phase("Succeeded") } else { pod };
            self.made(pod.owned_by(owner), 30)?;
        }
        Ok(())
    }

    /// A pod that nobody controls, one of a controller that this cluster does not know, one that a
    /// node mirrors; and the certificates that the first asked for.
    fn lone_pods(&mut self) -> Changed<()> {
        if self.size.pods < 3 {
            return Ok(());
        }
        let namespace = self.namespace_of(0);
        let as_first = match self.size.service_accounts {
            0 => "default".to_owned(),
            _ => Self::account_name(0),
        };
        let template = Arc::new(PodTemplate::running_as(&as_first).label("run", "debug"));
        let orphan = self.made(Object::pod(&namespace, "debug-shell", template), 3)?;
        let ray = Owner {
            api_version: "ray.io/v1".into(),
            kind: "RayCluster".into(),
            name: "training".into(),
            uid: Uid(0x4a_0000_0000_4000_8000_0000_0000_0001),
        };
        let template =
            Arc::new(PodTemplate::running_as(&as_first).label("ray.io/cluster", "training"));
        let worker = Object::pod(&namespace, "training-worker-1", template);
        self.made(worker.controlled_by(ray), 20)?;
        let node = Owner {
            api_version: "v1".into(),
            kind: "Node".into(),
            name: "node-1".into(),
            uid: Uid(0x40de_0000_0000_4000_8000_0000_0000_0001),
        };
        let template = Arc::new(PodTemplate::running_as_default().label("tier", "control-plane"));
        let mirror = Object::pod("kube-system", "kube-proxy-node-1", template);
        self.made(mirror.controlled_by(node), 200)?;
        self.certificates(&orphan, &as_first)
    }

    fn certificates(&mut self, pod: &Object, account: &str) -> Changed<()> {
        let found = self.cluster.get(Resource::ServiceAccounts, pod.namespace(), account);
        let Some(account) = found.cloned() else { return Ok(()) };
        let signer = "signer.example.com/mesh";
        let request = |name| Object::pod_certificate_request(name, pod, &account, signer);
        let hour = SignedDuration::from_hours(1);
        let until = self.start + SignedDuration::from_secs(DAY) - hour;
        let issued = request("req-1").issued_until(self.start - hour, until);
        self.cluster.create(issued.created_at(self.start - hour))?;
        self.cluster.create(request("req-2").created_at(self.start))?;
        Ok(())
    }
}

/// Workloads carry the labels of their pods.
fn like(object: Object, template: &PodTemplate) -> Object {
    template
        .labels
        .iter()
        .fold(object, |object, (key, value): &(Text, Text)| object.label(key, value))
}
