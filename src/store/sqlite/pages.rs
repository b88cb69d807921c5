//! Lists page by page, each along an index and over a bounded number of rows.

use headcount_core::findings::{Finding, Severity};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::codec::{
    PRESENT, RECORDS, nanos_clamped, parse, record, severity, severity_of, signed, time, unsigned,
};
use super::fault::Fallible;
use super::findings::list;
use super::query::narrow;
use crate::store::paging::{
    Direction, FindingPlace, FindingQuery, FindingSort, Ownership, Page, RecordPlace, RecordQuery,
    RecordSort, SortKey, WALK,
};
use crate::store::{FindingFilter, PastDrift};
use headcount_core::inventory::Record;

const fn column(sort: RecordSort) -> &'static str {
    match sort {
        RecordSort::Name => "name",
        RecordSort::FirstSeen => "first_seen",
        RecordSort::LastUse => "used",
    }
}

/// How a direction compares and sorts: beyond a place, up to it, before it.
const fn signs(direction: Direction) -> [&'static str; 4] {
    match direction {
        Direction::Ascending => [">", "<=", "<", "ASC"],
        Direction::Descending => ["<", ">=", ">", "DESC"],
    }
}

/// A part of an index that one range reads. A comparison of key and number together would read all
/// rows of the key from its beginning, and half of the records may share one: that of no use.
#[derive(Clone, Debug)]
enum Stretch {
    /// Rows of one key, beyond a number and up to another.
    Key(SortKey, Option<i64>, Option<i64>),
    /// Rows of the keys beyond one and before another.
    Keys(Option<SortKey>, Option<SortKey>),
}

impl Stretch {
    /// Everything beyond a place.
    fn beyond(after: Option<&RecordPlace>) -> Vec<Self> {
        let Some(after) = after else { return vec![Self::Keys(None, None)] };
        vec![
            Self::Key(after.key.clone(), Some(after.number), None),
            Self::Keys(Some(after.key.clone()), None),
        ]
    }

    /// Everything beyond a place and up to another.
    fn between(after: Option<&RecordPlace>, upto: Option<&RecordPlace>) -> Vec<Self> {
        let Some(upto) = upto else { return Self::beyond(after) };
        let (end, last) = (upto.key.clone(), Some(upto.number));
        match after {
            Some(after) if after.key == end => vec![Self::Key(end, Some(after.number), last)],
            _ => {
                let mut parts = Self::beyond(after);
                if let Some(Self::Keys(_, before)) = parts.last_mut() {
                    *before = Some(end.clone());
                }
                parts.push(Self::Key(end, None, last));
                parts
            }
        }
    }

    fn push(&self, query: &mut QueryBuilder<Sqlite>, asked: &RecordQuery) {
        let (column, [more, upto, before, _]) = (column(asked.sort), signs(asked.direction));
        match self {
            Self::Key(key, after, last) => {
                query.push(format_args!(" AND r.{column} = "));
                push_key(query, key);
                for (sign, number) in [(more, after), (upto, last)] {
                    if let Some(number) = number {
                        query.push(format_args!(" AND r.number {sign} ")).push_bind(*number);
                    }
                }
            }
            Self::Keys(after, end) => {
                for (sign, key) in [(more, after), (before, end)] {
                    if let Some(key) = key {
                        query.push(format_args!(" AND r.{column} {sign} "));
                        push_key(query, key);
                    }
                }
            }
        }
    }
}

fn push_key(query: &mut QueryBuilder<Sqlite>, key: &SortKey) {
    match key {
        SortKey::Number(number) => query.push_bind(*number),
        SortKey::Text(text) => query.push_bind(text.clone()),
    };
}

fn key_of(row: &SqliteRow, at: usize, sort: RecordSort) -> Fallible<SortKey> {
    Ok(match sort {
        RecordSort::Name => SortKey::Text(row.try_get(at)?),
        RecordSort::FirstSeen | RecordSort::LastUse => SortKey::Number(row.try_get(at)?),
    })
}

pub(super) async fn records(
    conn: &mut SqliteConnection,
    asked: &RecordQuery,
) -> Fallible<Page<Record, RecordPlace>> {
    let bound = records_bound(conn, asked).await?;
    let mut page = Page { items: Vec::new(), next: None };
    let mut last = None;
    for stretch in Stretch::between(asked.after.as_ref(), bound.as_ref()) {
        let room = (asked.limit as usize).saturating_sub(page.items.len());
        let rows = records_of(conn, asked, &stretch, room).await?;
        for row in rows.iter().take(room) {
            page.items.push(record(row)?);
            last = Some(place_of(row, 12, asked.sort)?);
        }
        if rows.len() > room {
            page.next = last;
            return Ok(page);
        }
    }
    page.next = bound;
    Ok(page)
}

/// Records of one stretch that pass the filter: as many as there is room for, and one more.
async fn records_of(
    conn: &mut SqliteConnection,
    asked: &RecordQuery,
    stretch: &Stretch,
    room: usize,
) -> Fallible<Vec<SqliteRow>> {
    let (column, [.., order]) = (column(asked.sort), signs(asked.direction));
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(format_args!("{PRESENT}, r.{column}, r.number {RECORDS} WHERE true"));
    stretch.push(&mut query, asked);
    narrow(&mut query, "r", &asked.filter);
    if let Some(status) = asked.status {
        query.push(" AND +r.status = ").push_bind(status.as_str());
    }
    if let Some(ownership) = asked.ownership {
        query.push(" AND +r.owned = ").push_bind(i64::from(ownership == Ownership::Owned));
    }
    query.push(format_args!(" ORDER BY r.{column} {order}, r.number {order} LIMIT "));
    query.push_bind(i64::try_from(room).unwrap_or(i64::MAX).saturating_add(1));
    Ok(query.build().fetch_all(conn).await?)
}

/// Where a page stops looking, if the list goes on that far: in each stretch after as many rows.
async fn records_bound(
    conn: &mut SqliteConnection,
    asked: &RecordQuery,
) -> Fallible<Option<RecordPlace>> {
    let (column, [.., order]) = (column(asked.sort), signs(asked.direction));
    for stretch in Stretch::beyond(asked.after.as_ref()) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(format_args!("r.{column}, r.number FROM records r WHERE true"));
        stretch.push(&mut query, asked);
        query.push(format_args!(" ORDER BY r.{column} {order}, r.number {order} LIMIT 1 OFFSET "));
        query.push_bind(i64::from(WALK) - 1);
        if let Some(row) = query.build().fetch_optional(&mut *conn).await? {
            return Ok(Some(place_of(&row, 0, asked.sort)?));
        }
    }
    Ok(None)
}

fn place_of(row: &SqliteRow, at: usize, sort: RecordSort) -> Fallible<RecordPlace> {
    Ok(RecordPlace { key: key_of(row, at, sort)?, number: row.try_get(at + 1)? })
}

const WORST_FIRST: [Severity; 5] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

pub(super) async fn findings(
    conn: &mut SqliteConnection,
    asked: &FindingQuery,
) -> Fallible<Page<Finding, FindingPlace>> {
    if asked.filter.subject.is_some() {
        // As many as there are rules, at most.
        return Ok(Page { items: list(conn, &asked.filter).await?, next: None });
    }
    let mut page = Page { items: Vec::new(), next: None };
    if asked.sort == FindingSort::Newest {
        along(conn, asked, None, &mut page).await?;
        return Ok(page);
    }
    // Severity by severity: each is one stretch of an index, and the place is only in the first.
    let from = asked.after.as_ref().map_or(Severity::Critical, |place| place.severity);
    let least = asked.filter.at_least.unwrap_or(Severity::Info);
    for level in WORST_FIRST.into_iter().filter(|level| *level <= from && *level >= least) {
        along(conn, asked, Some(level), &mut page).await?;
        if page.next.is_some() {
            break;
        }
    }
    Ok(page)
}

/// Adds what one stretch of an index has, up to the page's end.
async fn along(
    conn: &mut SqliteConnection,
    asked: &FindingQuery,
    level: Option<Severity>,
    page: &mut Page<Finding, FindingPlace>,
) -> Fallible<()> {
    let room = i64::from(asked.limit) - i64::try_from(page.items.len()).unwrap_or(i64::MAX);
    let bound = {
        let mut query = stretch("SELECT severity, opened_at, id", asked, level);
        end_of(&mut query, asked.sort, 1);
        query.push(" OFFSET ").push_bind(i64::from(WALK) - 1);
        query.build().fetch_optional(&mut *conn).await?.map(|row| place(&row)).transpose()?
    };
    let mut query = stretch("SELECT severity, opened_at, id, doc", asked, level);
    if let Some(bound) = &bound {
        let sign = if asked.sort == FindingSort::Newest { ">=" } else { "<=" };
        query.push(format_args!(" AND (opened_at, id) {sign} ("));
        query.push_bind(nanos_clamped(bound.opened_at)).push(", ");
        query.push_bind(bound.id.clone()).push(")");
    }
    fitting(&mut query, &asked.filter);
    end_of(&mut query, asked.sort, room + 1);
    let rows = query.build().fetch_all(conn).await?;
    let room = usize::try_from(room).unwrap_or(0);
    for row in rows.iter().take(room) {
        page.items.push(parse("finding", row.try_get(3)?)?);
    }
    page.next = if rows.len() > room { last_place(page) } else { bound };
    Ok(())
}

fn last_place(page: &Page<Finding, FindingPlace>) -> Option<FindingPlace> {
    page.items.last().map(|finding| FindingPlace {
        severity: finding.severity,
        opened_at: finding.opened_at,
        id: finding.id.clone(),
    })
}

fn place(row: &SqliteRow) -> Fallible<FindingPlace> {
    Ok(FindingPlace {
        severity: severity_of(row.try_get(0)?)?,
        opened_at: time(row.try_get(1)?)?,
        id: row.try_get(2)?,
    })
}

/// The part of an index that a page goes along: a status and a severity if they are given, beyond
/// the place.
fn stretch(select: &str, asked: &FindingQuery, level: Option<Severity>) -> QueryBuilder<Sqlite> {
    let status = asked.filter.status;
    let index = match (asked.sort, status) {
        (FindingSort::Newest, _) => "findings_by_opened",
        (FindingSort::Severity, Some(_)) => "findings_by_rank",
        (FindingSort::Severity, None) => "findings_by_page",
    };
    let mut query = QueryBuilder::new(select);
    query.push(format_args!(" FROM findings INDEXED BY {index} WHERE true"));
    if let Some(status) = status {
        query.push(" AND status = ").push_bind(status.as_str());
    }
    if let Some(level) = level {
        query.push(" AND severity = ").push_bind(severity(level));
    }
    let place = asked.after.as_ref();
    let sign = if asked.sort == FindingSort::Newest { "<" } else { ">" };
    if let Some(place) = place.filter(|place| level.is_none_or(|level| level == place.severity)) {
        query.push(format_args!(" AND (opened_at, id) {sign} ("));
        query.push_bind(nanos_clamped(place.opened_at)).push(", ");
        query.push_bind(place.id.clone()).push(")");
    }
    query
}

fn end_of(query: &mut QueryBuilder<Sqlite>, sort: FindingSort, limit: i64) {
    query.push(match sort {
        FindingSort::Severity => " ORDER BY opened_at, id LIMIT ",
        FindingSort::Newest => " ORDER BY opened_at DESC, id DESC LIMIT ",
    });
    query.push_bind(limit);
}

fn fitting(query: &mut QueryBuilder<Sqlite>, filter: &FindingFilter) {
    for (column, value) in [("rule", &filter.rule), ("source", &filter.source)] {
        if let Some(value) = value {
            query.push(format_args!(" AND +{column} = ")).push_bind(value.clone());
        }
    }
    if let Some(least) = filter.at_least {
        query.push(" AND +severity >= ").push_bind(severity(least));
    }
}

/// Drift after `from` and up to `to`, oldest first, beyond a place.
pub(super) async fn drift(
    conn: &mut SqliteConnection,
    (from, to): (Timestamp, Timestamp),
    after: Option<(Timestamp, u64)>,
    limit: u32,
) -> Fallible<Vec<(u64, PastDrift)>> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT d.number, d.at, s.name, d.doc FROM drift d \
         CROSS JOIN sources s ON s.number = d.source WHERE d.at > ",
    );
    query.push_bind(nanos_clamped(from)).push(" AND d.at <= ").push_bind(nanos_clamped(to));
    if let Some((at, number)) = after {
        query.push(" AND (d.at, d.number) > (").push_bind(nanos_clamped(at));
        query.push(", ").push_bind(signed(number)?).push(")");
    }
    query.push(" ORDER BY d.at, d.number LIMIT ").push_bind(limit);
    let rows = query.build().fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            let drift = PastDrift {
                at: time(row.try_get(1)?)?,
                source: row.try_get(2)?,
                drift: parse("drift", row.try_get(3)?)?,
            };
            Ok((unsigned("drift", row.try_get(0)?)?, drift))
        })
        .collect()
}
