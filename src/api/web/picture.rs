//! The trail of a record as a picture: from what uses it, over the record, to what it reaches and
//! to whom it belongs. Pure: a trail in, boxes and lines with coordinates out; a template draws.
//!
//! Reads from left to right. Every way is a branch of its own, so a record that can be reached on
//! two ways stands there twice, and no lines cross. The owner stands beside the record whose
//! evidence names them; the way that the owner took is marked.

use std::collections::BTreeSet;

use headcount_core::inventory::Record;
use headcount_sdk::{Class, RecordId};

use super::address;
use crate::view::text::{safe, short};
use crate::view::trail::{Branch, Branches, Trail, percent};

/// Width and height of a box, and the room between boxes.
const BOX: (f64, f64) = (212.0, 58.0);
const GAP: (f64, f64) = (104.0, 18.0);
const MARGIN: f64 = 6.0;

/// What a picture is made from.
pub struct Subject<'a> {
    pub record: &'a Record,
    pub trail: &'a Trail,
    /// The record that it belongs to, and that one's trail.
    pub parent: Option<(&'a Record, &'a Trail)>,
}

#[derive(Debug)]
pub struct Picture {
    pub width: f64,
    pub height: f64,
    pub cards: Vec<Card>,
    pub lines: Vec<Line>,
}

/// One record, the owner, or how many more there are.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    pub x: f64,
    pub y: f64,
    pub look: Look,
    /// `iam-role`, `owner`
    pub kind: String,
    /// As much as fits.
    pub name: String,
    /// Everything, for whoever points at it.
    pub full: String,
    /// A third line: where it is, or how sure the owner is.
    pub note: String,
    /// Empty where there is no page.
    pub href: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Record,
    /// The record that the page is about.
    Subject,
    Owner,
    /// Nobody is named, or it could not be read.
    Nobody,
    More,
}

impl Look {
    /// A class of the style sheet.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Subject => "subject",
            Self::Owner => "owner",
            Self::Nobody => "nobody",
            Self::More => "more",
        }
    }
}

#[derive(Debug, PartialEq)]
pub struct Line {
    pub path: String,
    pub label: String,
    pub label_x: f64,
    pub label_y: f64,
    /// Which end of the label stands there: `start` or `end`.
    pub anchor: &'static str,
    /// `sure`, `guess` or `owned`.
    pub class: &'static str,
    /// Why they belong together.
    pub basis: String,
}

/// A branch, ready to be placed.
struct Node {
    id: Option<String>,
    card: Card,
    label: String,
    class: &'static str,
    basis: String,
    kids: Vec<Node>,
}

impl Picture {
    #[must_use]
    pub fn of(subject: &Subject<'_>) -> Self {
        let (mut left, mut right) = sides(subject);
        let owner = owner(subject.record);
        let evidence = subject.record.owner.as_ref().and_then(|owner| owner.path.last());
        let drawn = evidence.is_some_and(|id| {
            attach(&mut left, id, &|| owner.node(Side::Left))
                || attach(&mut right, id, &|| owner.node(Side::Right))
        });
        if !drawn {
            right.push(owner.node(Side::Right));
        }
        let way = way(subject.record);
        mark(&mut left, &way);
        mark(&mut right, &way);
        place(subject.record, &left, &right)
    }
}

/// What leads to the record, and what it leads to. A credential stands before its identity, which
/// it proves; a grant behind the identity that holds it.
fn sides(subject: &Subject<'_>) -> (Vec<Node>, Vec<Node>) {
    let place = &subject.record.scope.place;
    let mut left = nodes(&subject.trail.reached_by, Side::Left, place);
    let mut right = nodes(&subject.trail.reaches, Side::Right, place);
    if let Some((parent, trail)) = subject.parent {
        let is_there = |nodes: &[Node]| {
            nodes.iter().any(|node| node.id.as_deref() == Some(parent.id().as_str()))
        };
        if subject.record.observation.class == Class::Credential && !is_there(&right) {
            right.insert(0, of_parent(parent, "proves", nodes(&trail.reaches, Side::Right, place)));
        } else if !is_there(&left) && !is_there(&right) {
            left.insert(0, of_parent(parent, "holds", nodes(&trail.reached_by, Side::Left, place)));
        }
    }
    (left, right)
}

fn of_parent(parent: &Record, label: &str, kids: Vec<Node>) -> Node {
    Node {
        id: Some(parent.id().to_string()),
        card: of_record(parent, Look::Record),
        label: label.to_owned(),
        class: "sure",
        basis: "one belongs to the other".to_owned(),
        kids,
    }
}

fn nodes(branches: &Branches, side: Side, place: &str) -> Vec<Node> {
    let records = branches.records.iter();
    let mut nodes: Vec<Node> = records.map(|branch| node(branch, side, place)).collect();
    if branches.omitted > 0 {
        let text = format!("… {} more", branches.omitted);
        let card = labelled(Look::More, "not drawn", &text, String::new());
        nodes.push(Node {
            id: None,
            card,
            label: String::new(),
            class: "guess",
            basis: String::new(),
            kids: Vec::new(),
        });
    }
    nodes
}

fn node(branch: &Branch, side: Side, place: &str) -> Node {
    let owner = branch.owner.as_ref().map(|o| format!("owner {}", safe(&o.reference)));
    let note = match owner {
        Some(owner) => owner,
        None if branch.place == place => String::new(),
        None => format!("in {}", branch.place),
    };
    let mut card = labelled(Look::Record, &branch.kind, &branch.name, note);
    card.full = format!("{} {} in {}", branch.kind, safe(&branch.name), branch.place);
    card.href = address::record(&branch.id);
    let is_sure = branch.confidence >= 1.0;
    let verb = match side {
        Side::Left => forward(branch.link),
        Side::Right => branch.link,
    };
    let label =
        if is_sure { verb.to_owned() } else { format!("{verb} {}", percent(branch.confidence)) };
    Node {
        id: Some(branch.id.clone()),
        card,
        label,
        class: if is_sure { "sure" } else { "guess" },
        basis: branch.basis.clone().unwrap_or_else(|| "one belongs to the other".to_owned()),
        kids: nodes(&branch.then, side, place),
    }
}

/// The verb from the far end's side: the picture is read from left to right.
fn forward(verb: &'static str) -> &'static str {
    match verb {
        "used by" => "uses",
        "mounted by" => "mounts",
        "issued by" => "issues",
        "held by" => "holds",
        "trusts" => "may become",
        other => other,
    }
}

fn of_record(record: &Record, look: Look) -> Card {
    let seen = &record.observation;
    let mut card = labelled(look, &seen.kind, &seen.name, format!("in {}", record.scope.place));
    card.full = format!("{} {} in {}", seen.kind, safe(&seen.name), record.scope.place);
    card.href = address::record(seen.id.as_str());
    card
}

fn labelled(look: Look, kind: &str, name: &str, note: String) -> Card {
    Card {
        x: 0.0,
        y: 0.0,
        look,
        kind: short(kind, 28),
        name: short(name, 22),
        full: format!("{kind} {}", safe(name)),
        note: short(&note, 32),
        href: String::new(),
    }
}

/// The box of the owner, and how it is named.
struct Named {
    look: Look,
    name: String,
    note: String,
    basis: String,
}

fn owner(record: &Record) -> Named {
    match &record.owner {
        Some(owner) => Named {
            look: Look::Owner,
            name: owner.reference.clone(),
            note: format!("{} % sure", owner.confidence.as_percent()),
            basis: format!("{} ({})", safe(&owner.locator), owner.basis.as_str()),
        },
        None => {
            let is_unread = record.observation.unread.contains_key("owner_evidence");
            let name = if is_unread { "not read" } else { "nobody is named" };
            Named {
                look: Look::Nobody,
                name: name.to_owned(),
                note: String::new(),
                basis: "no evidence".to_owned(),
            }
        }
    }
}

impl Named {
    fn node(&self, side: Side) -> Node {
        Node {
            id: None,
            card: labelled(self.look, "owner", &self.name, self.note.clone()),
            label: match side {
                Side::Left => "owns".to_owned(),
                Side::Right => "owned by".to_owned(),
            },
            class: "owned",
            basis: self.basis.clone(),
            kids: Vec::new(),
        }
    }
}

/// Puts the owner beside the first record of this id; `false`: it is not drawn.
fn attach(nodes: &mut [Node], id: &RecordId, owner: &dyn Fn() -> Node) -> bool {
    for node in nodes {
        if node.id.as_deref() == Some(id.as_str()) {
            node.kids.insert(0, owner());
            return true;
        }
        if attach(&mut node.kids, id, owner) {
            return true;
        }
    }
    false
}

/// The records over which the owner came.
fn way(record: &Record) -> BTreeSet<&str> {
    let path = record.owner.iter().flat_map(|owner| &owner.path);
    path.map(RecordId::as_str).collect()
}

/// Marks the way that the owner took, from the record outwards and no further than it goes.
fn mark(nodes: &mut [Node], way: &BTreeSet<&str>) {
    for node in nodes {
        if node.id.as_deref().is_some_and(|id| way.contains(id)) && leads_to_owner(node) {
            node.class = "owned";
            mark(&mut node.kids, way);
        }
    }
}

fn leads_to_owner(node: &Node) -> bool {
    node.card.look == Look::Owner || node.kids.iter().any(leads_to_owner)
}

/// How many columns and rows a side takes.
fn extent(nodes: &[Node]) -> (u32, u32) {
    let mut most = (0, 0);
    for node in nodes {
        let (deep, high) = extent(&node.kids);
        most = (most.0.max(deep + 1), most.1 + high.max(1));
    }
    most
}

fn place(record: &Record, left: &[Node], right: &[Node]) -> Picture {
    let (left_columns, left_rows) = extent(left);
    let (right_columns, right_rows) = extent(right);
    let rows = left_rows.max(right_rows).max(1);
    let columns = left_columns + right_columns + 1;
    let mut canvas = Canvas { cards: Vec::new(), lines: Vec::new() };
    let middle = (f64::from(rows) - 1.0) / 2.0;
    let mut subject = of_record(record, Look::Subject);
    subject.x = column(left_columns);
    subject.y = row(middle);
    let at = (subject.x, subject.y);
    canvas.cards.push(subject);
    let offset = |of: u32| f64::from(rows - of) / 2.0;
    canvas.side(left, Side::Left, Start { at, column: left_columns, row: offset(left_rows) });
    canvas.side(right, Side::Right, Start { at, column: left_columns, row: offset(right_rows) });
    Picture {
        width: column(columns) - GAP.0 + MARGIN,
        height: row(f64::from(rows)) - GAP.1 + MARGIN,
        cards: canvas.cards,
        lines: canvas.lines,
    }
}

fn column(number: u32) -> f64 {
    MARGIN + f64::from(number) * (BOX.0 + GAP.0)
}

fn row(number: f64) -> f64 {
    MARGIN + number * (BOX.1 + GAP.1)
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// Where a branch begins: the box it grows from, its column, and the first free row.
#[derive(Clone, Copy)]
struct Start {
    at: (f64, f64),
    column: u32,
    row: f64,
}

struct Canvas {
    cards: Vec<Card>,
    lines: Vec<Line>,
}

impl Canvas {
    fn side(&mut self, nodes: &[Node], side: Side, start: Start) {
        let mut free = start.row;
        for node in nodes {
            let high = f64::from(extent(&node.kids).1.max(1));
            let column_of = match side {
                Side::Left => start.column - 1,
                Side::Right => start.column + 1,
            };
            let at = (column(column_of), row(free + (high - 1.0) / 2.0));
            self.cards.push(Card { x: at.0, y: at.1, ..node.card.clone() });
            self.lines.push(line(node, side, start.at, at));
            self.side(&node.kids, side, Start { at, column: column_of, row: free });
            free += high;
        }
    }
}

fn line(node: &Node, side: Side, from: (f64, f64), to: (f64, f64)) -> Line {
    let half = BOX.1 / 2.0;
    let (a, b) = match side {
        Side::Left => ((to.0 + BOX.0, to.1 + half), (from.0, from.1 + half)),
        Side::Right => ((from.0 + BOX.0, from.1 + half), (to.0, to.1 + half)),
    };
    // The label stands at the far end's height, where no other line of the same box passes.
    let label_y = match side {
        Side::Left => a.1,
        Side::Right => b.1,
    };
    let bend = f64::midpoint(a.0, b.0);
    Line {
        path: format!("M{} {}C{bend} {} {bend} {} {} {}", a.0, a.1, a.1, b.1, b.0, b.1),
        label: node.label.clone(),
        label_x: match side {
            Side::Left => a.0 + 6.0,
            Side::Right => b.0 - 6.0,
        },
        label_y: label_y - 5.0,
        anchor: match side {
            Side::Left => "start",
            Side::Right => "end",
        },
        class: node.class,
        basis: safe(&node.basis),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use headcount_core::inventory::{History, Origin, Owner};
    use headcount_sdk::{Confidence, Observation, OwnerBasis, OwnerKind, Scope, Standing};
    use jiff::Timestamp;

    use super::*;
    use crate::view::trail::Accountable;

    fn record(class: Class, kind: &str, name: &str) -> Record {
        let place = "aws:1";
        Record {
            observation: Observation::new(RecordId::new(place, kind, name), class, kind, name),
            source: "aws".to_owned(),
            scope: Scope::new(place, "records"),
            origin: Origin::Baseline,
            first_seen_at: Timestamp::UNIX_EPOCH,
            changed_at: Timestamp::UNIX_EPOCH,
            replaces: None,
            owner: None,
            history: History::default(),
        }
    }

    fn branch(link: &'static str, kind: &str, name: &str, then: Vec<Branch>) -> Branch {
        Branch {
            link,
            id: format!("github:1:{kind}/{name}"),
            kind: kind.to_owned(),
            name: name.to_owned(),
            place: "github:1".to_owned(),
            confidence: 1.0,
            basis: Some("named by its source".to_owned()),
            owner: None,
            then: Branches { records: then, omitted: 0 },
        }
    }

    fn picture(record: &Record, trail: &Trail) -> Picture {
        Picture::of(&Subject { record, trail, parent: None })
    }

    /// Names from left to right, then from the top down.
    fn names(picture: &Picture) -> Vec<&str> {
        let mut cards: Vec<&Card> = picture.cards.iter().collect();
        cards.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
        cards.into_iter().map(|card| card.name.as_str()).collect()
    }

    #[test]
    fn the_owner_stands_beside_the_record_that_names_them() {
        let mut role = record(Class::Identity, "iam-role", "deploy");
        role.owner = Some(Owner {
            reference: "team-shop".to_owned(),
            kind: OwnerKind::Technical,
            basis: OwnerBasis::Label,
            locator: "property:owner".to_owned(),
            confidence: Confidence::percent(85),
            inherited_from: Some(RecordId::new("github:1", "environment", "shop prod")),
            path: vec![
                RecordId::new("github:1", "environment", "shop prod"),
                RecordId::new("github:1", "repository", "shop"),
            ],
            standing: Standing::NotKnown,
        });
        let repository = branch("held by", "repository", "shop", Vec::new());
        let environment = branch("trusts", "environment", "shop prod", vec![repository]);
        let mut trail = Trail::default();
        trail.reached_by.records = vec![environment, branch("used by", "workload", "w", vec![])];
        let picture = picture(&role, &trail);
        assert_eq!(names(&picture), ["team-shop", "shop", "shop prod", "w", "deploy"]);
        let owned: Vec<&str> =
            picture.lines.iter().filter(|l| l.class == "owned").map(|l| l.label.as_str()).collect();
        assert_eq!(owned, ["may become", "holds", "owns"]);
        let other = picture.lines.iter().find(|l| l.class == "sure").unwrap();
        assert_eq!(other.label, "uses");
    }

    #[test]
    fn nobody_and_not_read_are_told_apart() {
        let mut role = record(Class::Identity, "iam-role", "deploy");
        assert_eq!(names(&picture(&role, &Trail::default())), ["deploy", "nobody is named"]);
        let unread = [("owner_evidence".to_owned(), "iam:ListRoleTags".to_owned())];
        role.observation.unread = unread.into();
        assert_eq!(names(&picture(&role, &Trail::default())), ["deploy", "not read"]);
    }

    #[test]
    fn a_key_stands_before_its_identity_and_a_grant_behind_it() {
        let user = record(Class::Identity, "iam-user", "bot");
        let none = Trail::default();
        for (class, expected) in [
            (Class::Credential, ["it", "bot", "nobody is named"]),
            (Class::Grant, ["bot", "it", "nobody is named"]),
        ] {
            let it = record(class, "thing", "it");
            let subject = Subject { record: &it, trail: &none, parent: Some((&user, &none)) };
            let picture = Picture::of(&subject);
            let x = |name: &str| picture.cards.iter().find(|c| c.name == name).unwrap().x;
            assert!(x(expected[0]) < x(expected[1]), "{class:?}");
            assert_eq!(picture.cards.len(), expected.len());
            assert!(picture.cards.iter().any(|card| card.name == expected[2]));
        }
    }

    #[test]
    fn no_two_cards_lie_on_each_other_and_all_lie_in_the_picture() {
        let leaf = |n: u32| branch("uses", "role", &format!("r{n}"), Vec::new());
        let wide = |n: u32| branch("holds", "environment", "e", (0..n).map(leaf).collect());
        let mut trail = Trail::default();
        trail.reaches.records = vec![wide(3), leaf(9), wide(2)];
        trail.reaches.omitted = 4;
        trail.reached_by.records = vec![leaf(7)];
        let picture = picture(&record(Class::Identity, "iam-role", "deploy"), &trail);
        assert!(names(&picture).contains(&"… 4 more"));
        for (i, a) in picture.cards.iter().enumerate() {
            assert!(a.x >= 0.0 && a.x + BOX.0 <= picture.width, "{a:?}");
            assert!(a.y >= 0.0 && a.y + BOX.1 <= picture.height, "{a:?}");
            for b in &picture.cards[i + 1..] {
                let apart = (a.x - b.x).abs() >= BOX.0 || (a.y - b.y).abs() >= BOX.1;
                assert!(apart, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn hostile_names_are_cut_and_their_control_characters_taken_out() {
        let mut trail = Trail::default();
        let mut hostile = branch("uses", "role", "<script>alert(1)</script>\u{202e}\n", vec![]);
        let reference = "a\u{7}b".to_owned();
        hostile.owner = Some(Accountable { reference, confidence: 0.5, from: None });
        trail.reaches.records = vec![hostile];
        let picture = picture(&record(Class::Identity, "iam-role", "deploy"), &trail);
        let card = &picture.cards[1];
        assert!(card.name.chars().count() <= 22 && !card.full.contains('\n'), "{card:?}");
        assert_eq!(card.note, "owner a\u{fffd}b");
    }
}
