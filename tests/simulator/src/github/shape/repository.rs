//! How a repository looks: much of it is addresses.

use serde_json::{Value, json};

use super::{Shape, node, when};
use crate::github::model::Repo;

impl Shape<'_> {
    pub(in crate::github) fn repository(&self, repo: &Repo) -> Value {
        let full = self.full_name(repo);
        let url = format!("{}/repos/{full}", self.api);
        let mut shape = json!({
            "id": repo.id, "node_id": node("R", repo.id), "name": repo.name, "full_name": full,
            "owner": self.organization_as_actor(), "private": repo.visibility != "public",
            "html_url": format!("https://github.test/{full}"), "description": null,
            "fork": false, "url": url, "archived": repo.archived, "disabled": false,
            "visibility": repo.visibility, "default_branch": "main",
            "created_at": when(repo.created_at), "updated_at": when(repo.created_at),
            "pushed_at": repo.pushed_at.map(when),
        });
        for (name, tail) in REPOSITORY_URLS {
            shape[name] = json!(format!("{url}/{tail}"));
        }
        for name in ["clone_url", "git_url", "ssh_url", "svn_url"] {
            shape[name] = json!(format!("https://github.test/{full}.git"));
        }
        for name in REPOSITORY_COUNTS {
            shape[name] = json!(0);
        }
        for name in ["has_downloads", "has_issues", "has_projects", "has_wiki", "has_pages"] {
            shape[name] = json!(false);
        }
        for name in ["homepage", "language", "mirror_url", "license"] {
            shape[name] = Value::Null;
        }
        shape
    }
}

const REPOSITORY_COUNTS: [&str; 8] = [
    "forks",
    "forks_count",
    "open_issues",
    "open_issues_count",
    "size",
    "stargazers_count",
    "watchers",
    "watchers_count",
];

const REPOSITORY_URLS: [(&str, &str); 36] = [
    ("archive_url", "{archive_format}{/ref}"),
    ("assignees_url", "assignees{/user}"),
    ("blobs_url", "git/blobs{/sha}"),
    ("branches_url", "branches{/branch}"),
    ("collaborators_url", "collaborators{/collaborator}"),
    ("comments_url", "comments{/number}"),
    ("commits_url", "commits{/sha}"),
    ("compare_url", "compare/{base}...{head}"),
    ("contents_url", "contents/{+path}"),
    ("contributors_url", "contributors"),
    ("deployments_url", "deployments"),
    ("downloads_url", "downloads"),
    ("events_url", "events"),
    ("forks_url", "forks"),
    ("git_commits_url", "git/commits{/sha}"),
    ("git_refs_url", "git/refs{/sha}"),
    ("git_tags_url", "git/tags{/sha}"),
    ("hooks_url", "hooks"),
    ("issue_comment_url", "issues/comments{/number}"),
    ("issue_events_url", "issues/events{/number}"),
    ("issues_url", "issues{/number}"),
    ("keys_url", "keys{/key_id}"),
    ("labels_url", "labels{/name}"),
    ("languages_url", "languages"),
    ("merges_url", "merges"),
    ("milestones_url", "milestones{/number}"),
    ("notifications_url", "notifications{?since,all,participating}"),
    ("pulls_url", "pulls{/number}"),
    ("releases_url", "releases{/id}"),
    ("stargazers_url", "stargazers"),
    ("statuses_url", "statuses/{sha}"),
    ("subscribers_url", "subscribers"),
    ("subscription_url", "subscription"),
    ("tags_url", "tags"),
    ("teams_url", "teams"),
    ("trees_url", "git/trees{/sha}"),
];
