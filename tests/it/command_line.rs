use crate::seeded::Seeded;

#[test]
fn look() {
    let seeded = Seeded::new();
    for args in [
        "inventory",
        "inventory --format ndjson --people",
        "inventory --format csv",
        "inventory show deploy-bot",
        "inventory show reader",
        "inventory show deploy-bot --at 2026-03-01T12:00:00Z",
        "inventory show iam-user",
        "inventory --at 2026-03-01",
        "findings",
        "findings --format ndjson",
        "findings --format ocsf",
        "findings --fail-on low --severity critical",
        "findings show f_",
        "diff 2026-03-01 2026-03-04",
        "diff 2026-03-01 2026-03-04 --format json",
        "sinks",
        "sinks test foo",
        "explain",
        "explain stale-identity",
        "explain stale-idenity",
        "completions bash",
        "scan",
        "--help",
        "findings --help",
        "inventory list --help",
    ] {
        let out = assert_cmd::Command::cargo_bin("headcount")
            .unwrap()
            .env_clear()
            .args(args.split(' '))
            .args(["--config", seeded.config().to_str().unwrap()])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        let text: String = text.chars().take(3500).collect();
        println!(
            "$ headcount {args}\n{text}[stderr] {}[exit {:?}]\n",
            String::from_utf8_lossy(&out.stderr),
            out.status.code()
        );
    }
}
