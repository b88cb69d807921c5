//! The Helm chart with both majors of Helm, and the kustomize base that is rendered from it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::tools::{self, CHECKERS, CHECKOV, HELMS, Helm};

/// Values that the chart is rendered with: none, those of an AWS organisation, all there are.
const CASES: [&str; 3] = ["default", "aws-irsa", "everything"];

/// Versions of Kubernetes that are held: the oldest that the chart allows, and newer ones.
const KUBERNETES: [&str; 3] = ["1.28", "1.33", "1.37"];

/// What checkov would have otherwise, and why it is as it is.
const ACCEPTED: [(&str, &str, &str); 8] = [
    ("CKV_K8S_11", "StatefulSet", "a throttled scan takes longer and saves nothing"),
    ("CKV_K8S_11", "Pod", "as the agent"),
    ("CKV_K8S_35", "StatefulSet", "`extraEnv` is the user's; the chart itself mounts files"),
    ("CKV_K8S_35", "Pod", "as the agent"),
    ("CKV_K8S_38", "StatefulSet", "with a source that reads the cluster, the token is the point"),
    ("CKV_K8S_38", "Pod", "as the agent"),
    ("CKV_K8S_8", "Pod", "`helm test` runs it to its end"),
    ("CKV_K8S_9", "Pod", "`helm test` runs it to its end"),
];

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn chart() -> PathBuf {
    root().join("deploy/helm/headcount")
}

/// The chart rendered with the values of a case and these settings.
pub fn render(helm: Helm, case: &str, settings: &[&str]) -> String {
    tools::output(&mut template(helm, case, settings))
}

fn template(helm: Helm, case: &str, settings: &[&str]) -> Command {
    let mut command = helm.command();
    command.args(["template", "headcount"]).arg(chart()).args(["--namespace", "headcount"]);
    command.arg("--values").arg(chart().join(format!("ci/{case}-values.yaml")));
    for setting in settings {
        command.args(["--set", setting]);
    }
    command
}

/// Each document of rendered YAML.
pub fn manifests(rendered: &str) -> Vec<Value> {
    let documents = rendered.split("\n---\n").map(|text| text.trim_start_matches("---\n"));
    documents.map(|text| serde_saphyr::from_str(text).unwrap()).collect()
}

pub fn of_kind<'a>(manifests: &'a [Value], kind: &str) -> Vec<&'a Value> {
    manifests.iter().filter(|manifest| manifest["kind"] == kind).collect()
}

#[test]
fn both_majors_of_helm_render_the_chart_alike_and_as_before() {
    for case in CASES {
        let [old, new] = HELMS.map(|helm| {
            let mut lint = helm.command();
            lint.args(["lint", "--strict"]).arg(chart());
            lint.arg("--values").arg(chart().join(format!("ci/{case}-values.yaml")));
            tools::output(&mut lint);
            render(helm, case, &[])
        });
        assert_eq!(old, new, "{case}");
        // The dashboards stand in files of their own.
        let is_written_here = |text: &&str| !text.contains("templates/dashboards.yaml");
        let shown: Vec<&str> = new.split("\n---\n").filter(is_written_here).collect();
        insta::assert_snapshot!(format!("chart_{case}"), shown.join("\n---\n"));
    }
}

#[test]
fn manifests_are_what_kubernetes_describes() {
    let home = tempfile::tempdir().unwrap();
    for case in CASES {
        let path = home.path().join(format!("{case}.yaml"));
        let rendered = render(HELMS[1], case, &[]);
        fs::write(&path, &rendered).unwrap();
        let mut check = CHECKERS.python().script("manifests.py");
        let counted = tools::output(check.arg(&path).args(KUBERNETES));
        assert_eq!(counted.trim(), manifests(&rendered).len().to_string(), "{case}");
    }
}

#[test]
fn pods_are_restricted_and_every_exception_has_a_reason() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("rendered.yaml");
    fs::write(&path, render(HELMS[1], "everything", &[])).unwrap();
    let said = tools::output(CHECKOV.python().script("run.py").arg("kubernetes").arg(&path));
    let failed: BTreeSet<(String, String)> = said
        .lines()
        .map(|line| {
            let (check, rest) = line.split_once('\t').unwrap();
            (check.to_owned(), rest.split('.').next().unwrap().to_owned())
        })
        .collect();
    let accepted: BTreeSet<(String, String)> =
        ACCEPTED.iter().map(|(check, kind, _)| ((*check).to_owned(), (*kind).to_owned())).collect();
    assert_eq!(failed, accepted, "\n{said}");
}

#[test]
fn the_chart_asks_the_cluster_for_what_the_connector_calls_and_for_no_secrets() {
    let printed = |arguments: &[&str]| -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
        serde_json::from_str(&tools::output(command.args(arguments))).unwrap()
    };
    let rules = |case: &str, settings: &[&str]| {
        let manifests = manifests(&render(HELMS[1], case, settings));
        of_kind(&manifests, "ClusterRole")
            .iter()
            .map(|role| role["rules"].clone())
            .collect::<Vec<_>>()
    };
    let plain = printed(&["permissions", "kubernetes"])["rules"].clone();
    assert!(!plain.to_string().contains("\"secrets\""));
    assert_eq!(rules("default", &[]), [plain]);
    let opened = printed(&["permissions", "kubernetes", "--secret-metadata"])["rules"].clone();
    assert!(opened.to_string().contains("\"secrets\""));
    assert_eq!(rules("everything", &[]), [opened]);

    // Nothing that reads the cluster: no role, and no token of it in the pod.
    assert!(rules("aws-irsa", &[]).is_empty());
    let manifests = manifests(&render(HELMS[1], "aws-irsa", &[]));
    let pod = &of_kind(&manifests, "StatefulSet")[0]["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    let account = of_kind(&manifests, "ServiceAccount")[0];
    let role = "arn:aws:iam::123456789012:role/headcount";
    assert_eq!(account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"], role);
}

#[test]
fn the_agent_takes_the_configuration_that_the_chart_renders() {
    for case in CASES {
        let rendered = manifests(&render(HELMS[1], case, &[]));
        let maps = of_kind(&rendered, "ConfigMap");
        let text = maps.iter().find_map(|map| map["data"]["headcount.yaml"].as_str()).unwrap();
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("headcount.yaml");
        fs::write(&path, text).unwrap();
        // Reads the whole configuration, and then looks for the inventory that it names.
        let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
        let output = command.args(["findings", "--config"]).arg(&path).output().unwrap();
        let said = tools::text(&output);
        assert!(said.contains("no inventory in /var/lib/headcount/data yet"), "{case}: {said}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn a_mistake_in_the_values_is_told_before_anything_is_installed() {
    let source = "config.sources[0].name=x,config.sources[0].connector=kubernetes";
    let secret_metadata = format!("{source},config.sources[0].secret_metadata=true");
    for (setting, expected) in [
        ("config.agnt=x", "agnt"),
        ("config.rules.stale-identity.dayz=3", "dayz"),
        ("config.sinks[0].type=webhook", "config"),
        ("persistence.sizee=4", "sizee"),
        ("persistence.accessMode=ReadWriteMany", "accessMode"),
        ("image.digest=sha256:12", "digest"),
        ("config.data_dir=/x", "the chart sets it; see `persistence`"),
        ("config.server.listen=127.0.0.1:1", "the chart sets it; see `service.port`"),
        (secret_metadata.as_str(), "`rbac.secretMetadata: true`"),
        ("ingress.enabled=true", "ingress.host"),
    ] {
        for helm in HELMS {
            let output = template(helm, "default", &[setting]).output().unwrap();
            let said = tools::text(&output);
            assert!(!output.status.success(), "{setting}: {said}");
            assert!(said.contains(expected), "{setting} with Helm {}: {said}", helm.major);
        }
    }
}

#[test]
fn the_kustomize_base_is_the_chart_rendered_with_nothing_set() {
    let folder = root().join("deploy/kustomize/base");
    let install = fs::read_to_string(folder.join("install.yaml")).unwrap();
    let helm = HELMS[1].command();
    let rendered = tools::output(
        Command::new(root().join("deploy/kustomize/render")).env("HELM", helm.get_program()),
    );
    let remedy = "run `deploy/kustomize/render > deploy/kustomize/base/install.yaml`";
    assert!(install == rendered, "{remedy}");

    let built = tools::output(HELMS[1].kubectl().arg("kustomize").arg(&folder));
    let names = |text: &str| -> BTreeSet<String> {
        let name = |m: &Value| format!("{} {}", m["kind"], m["metadata"]["name"]);
        manifests(text).iter().map(name).collect()
    };
    let mut expected = names(&install);
    expected.insert("\"Namespace\" \"headcount\"".to_owned());
    assert_eq!(names(&built), expected);
    assert!(built.contains("namespace: headcount"));
}

#[test]
fn the_chart_and_the_program_have_one_version() {
    let chart: Value =
        serde_saphyr::from_str(&fs::read_to_string(chart().join("Chart.yaml")).unwrap()).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn requests_are_no_less_than_what_was_measured() {
    let figures = fs::read_to_string(root().join("docs/benchmarks.md")).unwrap();
    let idle =
        figures.lines().find(|line| line.starts_with("| idle after the first scan")).unwrap();
    let measured: u32 = idle
        .split(" MiB")
        .next()
        .and_then(|text| text.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap();
    let values = fs::read_to_string(Path::new(&chart()).join("values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&values).unwrap();
    let asked = values["resources"]["requests"]["memory"].as_str().unwrap();
    let asked: u32 = asked.strip_suffix("Mi").unwrap().parse().unwrap();
    assert!(asked >= measured, "{asked} MiB are asked for, {measured} MiB were measured");
}
