//! Three sources, one graph: owners and verdicts travel over links between them.

use headcount_core::inventory::Record;
use headcount_sdk::{
    Endpoint, ExternalId, FederatedSubject, Level, Link, LinkKind, Privilege, Trust,
};

use super::*;

mod rules;

const CLUSTER: &str = "kubernetes:uid-1";
const ACCOUNT: &str = "aws:123456789012";
const ORGANISATION: &str = "github:1";
const GITHUB: &str = "https://token.actions.githubusercontent.com";
const CHECKOUT: &str = "arn:aws:iam::123456789012:role/checkout";

/// A cluster, an account and an organisation, each a source of its own.
struct Three {
    world: World,
    sources: BTreeMap<&'static str, (Source, Arc<Script>)>,
}

impl Three {
    async fn new() -> Self {
        let mut world = World::new().await;
        let names = ["aws", "github", "k8s"];
        let sources = names
            .into_iter()
            .map(|name| {
                let script = Arc::new(Script::default());
                let connector = Arc::clone(&script) as Arc<dyn Connector>;
                (name, (Source { name: name.to_owned(), connector }, script))
            })
            .collect();
        let settings = Settings {
            sources: names.map(str::to_owned).into(),
            ..world.engine.settings().clone()
        };
        world.engine = Engine::new(
            world.store.clone(),
            settings,
            Arc::new(world.clock.clone()),
            CancellationToken::new(),
        );
        Self { world, sources }
    }

    fn answers(&self, source: &str, scope: (&str, &str), answer: Answer) {
        let scope = Scope::new(scope.0, scope.1);
        self.sources[source].1.scopes.lock().unwrap().insert(scope, answer);
    }

    fn roles(&self, roles: Vec<Observation>) {
        self.answers("aws", (ACCOUNT, "roles"), Ok(roles));
    }

    fn repositories(&self, answer: Answer) {
        self.answers("github", (ORGANISATION, "repositories"), answer);
    }

    fn accounts(&self, answer: Answer) {
        self.answers("k8s", (CLUSTER, "service-accounts"), answer);
    }

    fn workloads(&self, workloads: Vec<Observation>) {
        self.answers("k8s", (CLUSTER, "workloads"), Ok(workloads));
    }

    async fn scan(&self, source: &str) -> ScanReport {
        self.world.clock.advance(SignedDuration::from_hours(1));
        self.world.engine.scan(&self.sources[source].0, &Silent).await.unwrap()
    }

    async fn record(&self, observation: &Observation) -> Record {
        let ids = [observation.id.clone()];
        self.world.store.records(&ids).await.unwrap().remove(0)
    }

    /// `team-a 90 over repository/shop`, or `-`.
    async fn owner(&self, of: &Observation) -> String {
        let Some(owner) = self.record(of).await.owner else { return "-".to_owned() };
        let path: Vec<&str> =
            owner.path.iter().map(|id| id.as_str().rsplit(':').next().unwrap()).collect();
        let over =
            if path.is_empty() { String::new() } else { format!(" over {}", path.join(", ")) };
        format!("{} {}{over}", owner.reference, owner.confidence.as_percent())
    }

    async fn is_ownerless(&self, name: &str) -> bool {
        self.world.open().await.contains(&("ownerless-identity".to_owned(), name.to_owned()))
    }
}

fn thing(place: &str, kind: &str, name: &str, class: Class) -> Observation {
    let mut thing = Observation::new(RecordId::new(place, kind, name), class, kind, name);
    thing.status = Status::Active;
    thing.expiry = Expiry::NotApplicable;
    thing.created_at = Some(at("2025-12-01T00:00:00Z"));
    thing.usage =
        Usage::LastUsed { at: at("2025-12-31T00:00:00Z"), resolution_secs: 900, lag_secs: 0 };
    thing.privilege = Some(Privilege { level: Level::Read, reason: String::new() });
    thing
}

fn repository(name: &str) -> Observation {
    let mut repository = thing(ORGANISATION, "repository", name, Class::Workload);
    repository.native = format!("acme/{name}");
    repository.subjects = vec![FederatedSubject {
        issuer: GITHUB.to_owned(),
        subject: format!("repo:acme/{name}:*"),
    }];
    repository
}

/// A role that a repository's pipelines may become; others are told by the pattern.
fn role(name: &str, pattern: &str) -> Observation {
    let mut role = thing(ACCOUNT, "iam-role", name, Class::Identity);
    role.native = format!("arn:aws:iam::123456789012:role/{name}");
    role.attributes.insert("trust_class".to_owned(), "oidc".to_owned());
    let trust = Trust {
        subjects: vec![pattern.to_owned()],
        audiences: vec!["sts.amazonaws.com".to_owned()],
        external_id: ExternalId::NotApplicable,
        narrowed_by: Vec::new(),
    };
    let to = Endpoint::Federation { issuer: GITHUB.to_owned() };
    role.links = vec![Link { trust: Some(trust), ..Link::new(LinkKind::Trusts, to) }];
    role
}

fn account() -> Observation {
    let mut account = thing(CLUSTER, "service-account", "shop/web", Class::Identity);
    account.native = "system:serviceaccount:shop:web".to_owned();
    account.attributes.insert("trust_class".to_owned(), "none".to_owned());
    account.links = vec![Link::new(
        LinkKind::Uses,
        Endpoint::Native { place: ACCOUNT.to_owned(), native: CHECKOUT.to_owned() },
    )];
    account
}

fn deployment(name: &str) -> Observation {
    let mut deployment = thing(CLUSTER, "workload", name, Class::Workload);
    deployment.links = vec![uses(&account())];
    deployment
}

fn uses(of: &Observation) -> Link {
    Link::new(LinkKind::Uses, Endpoint::Record { id: of.id.clone() })
}

fn lost() -> Answer {
    Err(denied())
}

#[tokio::test]
async fn an_owner_written_on_a_repository_is_the_owner_of_the_role_it_deploys_with() {
    let three = Three::new().await;
    let ci = role("ci", "repo:acme/shop:ref:refs/heads/main");
    three.roles(vec![ci.clone()]);
    three.repositories(Ok(vec![repository("shop"), repository("other")]));
    three.scan("aws").await;
    three.scan("github").await;
    assert_eq!(three.owner(&ci).await, "-");
    assert!(three.is_ownerless("ci").await);

    // The label appears at one source; what it means for the other is part of the same commit.
    let labelled = || owned(repository("shop"), "team-a");
    three.repositories(Ok(vec![labelled(), repository("other")]));
    let report = three.scan("github").await;
    assert_eq!(three.owner(&ci).await, "team-a 85 over repository/shop");
    assert!(!three.is_ownerless("ci").await);
    assert_eq!(report.scopes[0].transitions, 1, "the finding on the role, and no other");

    // Access is lost: nothing follows from what was not read.
    three.repositories(lost());
    three.scan("github").await;
    assert_eq!(three.owner(&ci).await, "team-a 85 over repository/shop");
    assert!(!three.is_ownerless("ci").await);
    three.repositories(Ok(vec![labelled(), repository("other")]));
    three.scan("github").await;
    assert!(!three.is_ownerless("ci").await);

    // The repository goes, and the owner with it.
    three.repositories(Ok(vec![repository("other")]));
    three.scan("github").await;
    assert_eq!(three.owner(&ci).await, "-");
    assert!(three.is_ownerless("ci").await, "reopened");
    let filter =
        FindingFilter { rule: Some("ownerless-identity".to_owned()), ..FindingFilter::default() };
    let findings = three.world.store.list_findings(&filter).await.unwrap();
    assert_eq!(findings.len(), 1, "one finding all the way");
    assert_eq!(findings[0].transitions, 3, "opened, resolved, reopened");
}

#[tokio::test]
async fn an_owner_travels_from_a_deployment_over_its_account_to_a_cloud_role() {
    let three = Three::new().await;
    let mut checkout = role("checkout", "repo:acme/nowhere:*");
    checkout.links.clear();
    three.roles(vec![checkout.clone()]);
    three.accounts(Ok(vec![account()]));
    three.workloads(vec![owned(deployment("shop/web"), "team-a")]);
    three.scan("k8s").await;
    three.scan("aws").await;
    assert_eq!(three.owner(&account()).await, "team-a 90 over workload/shop/web");
    let trail = "team-a 85 over service-account/shop/web, workload/shop/web";
    assert_eq!(three.owner(&checkout).await, trail);

    // A second deployment of the same owner changes nothing, one of another makes it shared.
    let also = |owner: &str| owned(deployment("shop/worker"), owner);
    three.workloads(vec![owned(deployment("shop/web"), "team-a"), also("team-a")]);
    three.scan("k8s").await;
    assert_eq!(three.owner(&checkout).await, trail);
    three.workloads(vec![owned(deployment("shop/web"), "team-a"), also("team-b")]);
    three.scan("k8s").await;
    assert_eq!(three.owner(&account()).await, "-");
    assert_eq!(three.owner(&checkout).await, "-");
    assert!(three.is_ownerless("checkout").await && three.is_ownerless("shop/web").await);

    // The account's own label outranks all of it, and goes on to the role.
    three.accounts(Ok(vec![owned(account(), "team-c")]));
    three.scan("k8s").await;
    assert_eq!(three.owner(&account()).await, "team-c 95");
    assert_eq!(three.owner(&checkout).await, "team-c 90 over service-account/shop/web");
}

#[tokio::test]
async fn links_that_could_not_be_read_keep_their_far_ends() {
    let three = Three::new().await;
    let mut checkout = role("checkout", "x");
    checkout.links.clear();
    three.roles(vec![checkout.clone()]);
    three.accounts(Ok(vec![owned(account(), "team-a")]));
    three.scan("aws").await;
    three.scan("k8s").await;
    let expected = "team-a 90 over service-account/shop/web";
    assert_eq!(three.owner(&checkout).await, expected);

    let mut unread = owned(account(), "team-a");
    unread.links.clear();
    unread.unread.insert("links".to_owned(), "t:Read".to_owned());
    three.accounts(Ok(vec![unread]));
    three.scan("k8s").await;
    three.scan("aws").await;
    assert_eq!(three.owner(&checkout).await, expected);

    let mut cut = owned(account(), "team-a");
    cut.links.clear();
    three.accounts(Ok(vec![cut]));
    three.scan("k8s").await;
    assert_eq!(three.owner(&checkout).await, "-", "read, and no longer there");
}

#[tokio::test]
async fn a_role_that_is_not_there_is_told_when_its_account_has_been_read() {
    let three = Three::new().await;
    let broken = async || {
        let open = three.world.open().await;
        open.into_iter().filter(|(rule, _)| rule == "broken-federation").count()
    };
    let subject = FederatedSubject {
        issuer: "https://oidc.example.com/id/1".to_owned(),
        subject: "system:serviceaccount:shop:web".to_owned(),
    };
    let account = Observation { subjects: vec![subject.clone()], ..account() };
    let mut checkout = role("checkout", &subject.subject);
    checkout.links[0].to = Endpoint::Federation { issuer: subject.issuer.clone() };
    let other = || role("other", "repo:acme/shop:*");

    three.answers("aws", (ACCOUNT, "roles"), lost());
    three.accounts(Ok(vec![account.clone()]));
    three.scan("aws").await;
    three.scan("k8s").await;
    assert_eq!(broken().await, 0, "nobody has looked");
    three.roles(vec![other()]);
    three.scan("aws").await;
    assert_eq!(broken().await, 1, "read to the end, and not there");
    three.roles(vec![other(), checkout.clone()]);
    three.scan("aws").await;
    assert_eq!(broken().await, 0, "there, and it lets the account in");
    three.roles(vec![other()]);
    three.scan("aws").await;
    assert_eq!(broken().await, 1, "gone");
    three.answers("aws", (ACCOUNT, "roles"), lost());
    three.scan("aws").await;
    assert_eq!(broken().await, 1, "lost access proves nothing");

    // Made after the last reading of the account: only the next one can prove anything.
    three.roles(vec![other()]);
    three.scan("aws").await;
    let mut late = Observation { name: "shop/late".to_owned(), ..account.clone() };
    late.id = RecordId::new(CLUSTER, "service-account", "late");
    three.accounts(Ok(vec![account, late]));
    three.scan("k8s").await;
    assert_eq!(broken().await, 1);
    three.scan("aws").await;
    assert_eq!(broken().await, 2, "though nothing changed at either source");
}

/// Everything that the inventory says of owners and findings, without times.
async fn verdicts(three: &Three) -> Vec<String> {
    let records =
        three.world.store.list_records(&RecordFilter::default(), None, 1_000).await.unwrap();
    let mut said: Vec<String> =
        records.iter().map(|r| format!("{} {:?}", r.id(), r.owner)).collect();
    said.extend(three.world.open().await.into_iter().map(|(rule, on)| format!("{rule} {on}")));
    said
}

#[tokio::test]
async fn whichever_source_is_scanned_first_the_verdicts_are_the_same() {
    let orders = [
        ["aws", "github", "k8s"],
        ["aws", "k8s", "github"],
        ["github", "aws", "k8s"],
        ["github", "k8s", "aws"],
        ["k8s", "aws", "github"],
        ["k8s", "github", "aws"],
    ];
    let mut said = Vec::new();
    for order in orders {
        let three = Three::new().await;
        three.roles(vec![
            role("checkout", "repo:acme/shop:*"),
            role("ci", "repo:acme/shop:environment:prod"),
            role("broad", "repo:acme/*"),
            role("alone", "repo:acme/nowhere:*"),
        ]);
        three.repositories(Ok(vec![owned(repository("shop"), "team-a"), repository("other")]));
        three.accounts(Ok(vec![account()]));
        three.workloads(vec![owned(deployment("shop/web"), "team-a"), deployment("shop/job")]);
        for source in order {
            three.scan(source).await;
        }
        said.push(verdicts(&three).await);
    }
    assert!(said[0].iter().any(|line| line.starts_with("ownerless-identity broad")));
    for other in &said[1..] {
        assert_eq!(*other, said[0]);
    }
}

#[tokio::test]
async fn a_baseline_silences_its_own_source_alone() {
    let three = Three::new().await;
    three.roles(vec![role("ci", "repo:acme/shop:*")]);
    three.scan("aws").await;
    let told = three.world.delivered().await.len();
    let bot = thing(ORGANISATION, "app-installation", "bot", Class::Identity);
    let bot = Observation {
        attributes: BTreeMap::from([("trust_class".to_owned(), "none".to_owned())]),
        ..bot
    };
    three.repositories(Ok(vec![owned(repository("shop"), "team-a"), bot]));
    three.scan("github").await;
    assert!(three.is_ownerless("bot").await, "posture, and told in the summary");
    let news = three.world.delivered().await.split_off(told);
    let expected = ["dev.headcount.finding.resolved.v1", "dev.headcount.scan.baseline.v1"];
    assert_eq!(news, expected, "what is resolved at another source is news there");
}

#[tokio::test]
async fn a_long_trail_is_walked_to_its_end() {
    let world = World::new().await;
    // Each uses the one with the smaller key, so that one round moves the owner by one link.
    let chain = |owner: Option<&str>| -> Vec<Observation> {
        (0..8)
            .map(|n: u32| {
                let mut link = user(&n.to_string(), &format!("u{n}"));
                if let Some(below) = n.checked_sub(1) {
                    link.links = vec![uses(&user(&below.to_string(), ""))];
                }
                match owner.filter(|_| n == 7) {
                    Some(owner) => owned(link, owner),
                    None => link,
                }
            })
            .collect()
    };
    world.answers("users", Ok(chain(None)));
    world.scan().await;
    assert_eq!(world.open().await.len(), 8);
    world.answers("users", Ok(chain(Some("team-a"))));
    let report = world.scan().await;
    assert_eq!(report.scopes[0].transitions, 8, "all in the commit that brought the owner");
    assert!(world.open().await.iter().all(|(rule, _)| rule != "ownerless-identity"));
    world.answers("users", Ok(chain(None)));
    world.scan().await;
    let ownerless =
        world.open().await.iter().filter(|(rule, _)| rule == "ownerless-identity").count();
    assert_eq!(ownerless, 8);
}

#[tokio::test]
async fn two_that_use_each_other_do_not_keep_an_owner_alive() {
    let world = World::new().await;
    let pair = |owner: Option<&str>| {
        let (mut a, mut b, mut c) = (user("a", "a"), user("b", "b"), user("c", "c"));
        a.links = vec![uses(&b)];
        b.links = vec![uses(&a)];
        c.links = vec![uses(&a)];
        vec![a, b, owner.map_or(c.clone(), |owner| owned(c, owner))]
    };
    world.answers("users", Ok(pair(Some("team-a"))));
    world.scan().await;
    assert!(world.open().await.is_empty());
    world.answers("users", Ok(pair(None)));
    world.scan().await;
    world.engine.judge_due(&world.source).await.unwrap();
    assert_eq!(world.open().await.len(), 3, "{:?}", world.open().await);
}

/// Each is used by the next and by somebody of its own, so that every answer changes the question.
#[tokio::test]
async fn a_ring_of_several_owners_comes_to_rest() {
    let world = World::new().await;
    let mut ring = Vec::new();
    for n in 0..3_u32 {
        let mut member = user(&n.to_string(), &format!("u{n}"));
        member.links = vec![uses(&user(&((n + 1) % 3).to_string(), ""))];
        let mut outside = owned(user(&format!("x{n}"), &format!("x{n}")), &format!("team-{n}"));
        outside.links = vec![uses(&member)];
        ring.extend([member, outside]);
    }
    world.answers("users", Ok(ring));
    world.scan().await;
    let before = world.store.next_sequence().await.unwrap();
    for _ in 0..3 {
        let report = world.scan().await;
        assert_eq!((report.scopes[0].transitions, report.due), (0, 0));
    }
    assert_eq!(world.store.next_sequence().await.unwrap(), before);
}

#[tokio::test]
async fn who_made_a_record_outlives_the_event_that_told_it() {
    let world = World::new().await;
    let mut told = user("1", "ci");
    told.owner_evidence = vec![OwnerEvidence {
        reference: "ana@example.com".to_owned(),
        basis: OwnerBasis::Creator,
        locator: "event:CreateUser".to_owned(),
        kind: OwnerKind::Technical,
        standing: headcount_sdk::Standing::NotKnown,
    }];
    world.answers("users", Ok(vec![told.clone()]));
    world.scan().await;
    let id = told.id.clone();
    for _ in 0..2 {
        world.answers("users", Ok(vec![user("1", "ci")]));
        let report = world.scan().await;
        assert_eq!(report.scopes[0].changed, 0, "it is no drift");
    }
    let records = world.store.records(std::slice::from_ref(&id)).await.unwrap();
    assert_eq!(records[0].owner.as_ref().unwrap().reference, "ana@example.com");
    assert_eq!(world.store.versions(&id).await.unwrap().len(), 1);
    // What was last reported is what the next reading is compared with: nothing is written.
    let known = world.store.known("s", &scope("users")).await.unwrap();
    let reported = headcount_core::reconcile::fingerprint(&user("1", "ci"));
    assert_eq!(known[0].fingerprint, reported);
}

#[tokio::test]
async fn a_pause_in_use_and_growing_power_are_remembered() {
    let world = World::new().await;
    let seen = |used: &str, level: Level| {
        let mut seen = user("1", "ci");
        seen.usage = Usage::LastUsed { at: at(used), resolution_secs: 900, lag_secs: 0 };
        seen.privilege = Some(Privilege { level, reason: String::new() });
        seen
    };
    let history = async || {
        let id = RecordId::new(PLACE, "user", "1");
        world.store.records(&[id]).await.unwrap().remove(0).history
    };
    world.answers("users", Ok(vec![seen("2026-01-01T00:00:00Z", Level::Read)]));
    world.scan().await;
    world.clock.advance(SignedDuration::from_hours(120 * 24));
    world.scan().await;
    world.answers("users", Ok(vec![seen("2026-05-01T00:00:00Z", Level::Read)]));
    world.scan().await;
    let silence = history().await.silence.unwrap();
    assert_eq!(
        (silence.from, silence.until),
        (at("2026-01-01T00:00:00Z"), at("2026-05-01T00:00:00Z"))
    );

    world.answers("users", Ok(vec![seen("2026-05-01T00:00:00Z", Level::Admin)]));
    world.scan().await;
    let grown = world.clock.now();
    let growth = history().await.growth.unwrap();
    assert_eq!((growth.at, growth.from, growth.to), (grown, Level::Read, Level::Admin));

    // The source stops telling of use, as use alone: nothing else changes.
    let mut silent = seen("2026-05-01T00:00:00Z", Level::Admin);
    silent.usage = Usage::NotObservable { reason: "log switched off".to_owned() };
    world.answers("users", Ok(vec![silent]));
    world.scan().await;
    let history = history().await;
    assert_eq!(history.last_known_use, Some(at("2026-05-01T00:00:00Z")));
    assert_eq!((history.silence, history.growth), (Some(silence), Some(growth)));
}
