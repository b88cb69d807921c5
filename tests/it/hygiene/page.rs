//! Every page that a browser is shown, in a session as people have one.

use std::collections::BTreeSet;

use reqwest::Client;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;

use super::api::Known;
use super::world::World;

/// Where people begin; each way to choose that these offer is followed as well.
const START: [&str; 6] =
    ["/", "/inventory", "/findings", "/findings?status=all", "/findings?group=owner", "/sources"];

struct Visitor {
    http: Client,
    address: String,
    cookie: String,
}

impl Visitor {
    async fn enter(world: &mut World, address: &str, token: &str) -> Self {
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        let form = [("token", token), ("next", "/inventory")];
        let form = reqwest::Url::parse_with_params("http://form.invalid/", form).unwrap();
        let sent = http
            .post(format!("http://{address}/login"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.query().unwrap().to_owned())
            .send();
        let let_in = sent.await.unwrap();
        assert_eq!(let_in.headers()[LOCATION], "/inventory");
        let cookie = let_in.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap();
        let (_, session) = cookie.split_once('=').unwrap();
        world.search.also("a session of the page", session);
        Self { http, address: address.to_owned(), cookie: cookie.to_owned() }
    }

    async fn see(&self, path: &str) -> String {
        let asked = self.http.get(format!("http://{}{path}", self.address));
        let answer = asked.header(COOKIE, &self.cookie).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status == 200 && text.contains("</html>"), "{path}: {status} {text}");
        text
    }
}

/// Walks through the page: lists with what can be chosen in them, records, findings.
pub async fn walked(world: &mut World, address: &str, token: &str, known: &Known) {
    let visitor = Visitor::enter(world, address, token).await;
    let mut paths = BTreeSet::from(START.map(str::to_owned));
    for path in START {
        paths.extend(choices(&visitor.see(path).await));
    }
    paths.extend(known.records.iter().map(|id| path("/record", id)));
    paths.extend(known.findings.iter().map(|id| path("/finding", id)));
    assert!(paths.len() > 80, "{paths:?}");
    for path in paths {
        let text = visitor.see(&path).await;
        // Found in lists, and where one record is shown.
        let page = path.split('?').next().unwrap();
        world.search.keep(&format!("page {page} of {path}"), text.as_bytes());
    }
    let login = visitor.http.get(format!("http://{address}/login")).send().await.unwrap();
    world.search.keep("page /login", login.text().await.unwrap().as_bytes());
}

fn path(page: &str, id: &str) -> String {
    let url = reqwest::Url::parse_with_params("http://page.invalid/", [("id", id)]).unwrap();
    format!("{page}?{}", url.query().unwrap())
}

/// The addresses of lists on a page.
fn choices(text: &str) -> BTreeSet<String> {
    let links = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let links = links.map(|link| link.replace("&#38;", "&").replace("&amp;", "&"));
    let lists = ["/inventory?", "/findings?", "/?"];
    links.filter(|link| lists.iter().any(|list| link.starts_with(list))).collect()
}
