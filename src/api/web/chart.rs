//! Lines over time, as numbers that a template draws. Pure: counts and days in, coordinates out.
//!
//! Between two days that were counted one after the other the line is solid. Where nobody counted
//! in between it is dashed, because what happened there is not known.

use std::fmt::Write as _;

use jiff::Timestamp;

/// One count at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub at: Timestamp,
    pub count: u64,
}

/// A line to be drawn, oldest point first.
#[derive(Clone, Debug)]
pub struct Series {
    /// Ends up in a class of the style sheet: `identity`.
    pub class: &'static str,
    pub name: String,
    pub points: Vec<Point>,
}

/// How large the drawing is, in its own units, and how much room its labels take.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub width: u32,
    pub height: u32,
    pub left: u32,
    pub right: u32,
    pub top: u32,
    pub bottom: u32,
}

impl Size {
    /// With axes and a name at the end of each line.
    pub const LARGE: Self =
        Self { width: 720, height: 240, left: 52, right: 120, top: 12, bottom: 28 };
    /// A line in a table, without axes.
    pub const SPARK: Self = Self { width: 120, height: 26, left: 3, right: 3, top: 4, bottom: 4 };
}

#[derive(Debug)]
pub struct Chart {
    pub width: u32,
    pub height: u32,
    pub lines: Vec<Line>,
    pub across: Vec<Tick>,
    pub up: Vec<Tick>,
    /// Where the axes are.
    pub left: u32,
    pub bottom: u32,
    pub right: u32,
}

#[derive(Debug)]
pub struct Line {
    pub class: &'static str,
    pub name: String,
    /// Where days follow each other.
    pub solid: String,
    /// Where nobody counted in between.
    pub dashed: String,
    pub end_x: f64,
    pub end_y: f64,
    pub label_y: f64,
    pub last: u64,
}

#[derive(Debug)]
pub struct Tick {
    pub place: f64,
    pub label: String,
}

/// Two counts further apart than this have days between them on which nobody counted.
const TOGETHER: i64 = 36 * 3_600;
/// Names at the ends of lines stand at least so far apart.
const LABEL: f64 = 15.0;

/// `None` where there is nothing to draw: no line of two points.
#[must_use]
pub fn draw(series: &[Series], size: Size) -> Option<Chart> {
    let all = || series.iter().flat_map(|s| &s.points);
    let from = all().map(|p| p.at.as_second()).min()?;
    let to = all().map(|p| p.at.as_second()).max()?;
    if from == to {
        return None;
    }
    let top = ceiling(all().map(|p| p.count).max()?);
    let frame = Frame { size, from, to, top };
    let mut lines: Vec<Line> = series.iter().filter_map(|series| frame.line(series)).collect();
    keep_apart(&mut lines, f64::from(size.height - size.bottom));
    Some(Chart {
        width: size.width,
        height: size.height,
        lines,
        across: frame.days(),
        up: [0, top / 2, top]
            .into_iter()
            .map(|count| Tick { place: frame.y(count), label: grouped(count) })
            .collect(),
        left: size.left,
        bottom: size.height - size.bottom,
        right: size.width - size.right,
    })
}

struct Frame {
    size: Size,
    from: i64,
    to: i64,
    top: u64,
}

impl Frame {
    fn x(&self, at: i64) -> f64 {
        let wide = f64::from(self.size.width - self.size.left - self.size.right);
        round(f64::from(self.size.left) + wide * ratio(at - self.from, self.to - self.from))
    }

    fn y(&self, count: u64) -> f64 {
        let high = f64::from(self.size.height - self.size.top - self.size.bottom);
        let share = ratio(signed(count), signed(self.top));
        round(f64::from(self.size.top) + high * (1.0 - share))
    }

    fn line(&self, series: &Series) -> Option<Line> {
        let last = series.points.last()?;
        let (mut solid, mut dashed) = (String::new(), String::new());
        for pair in series.points.windows(2) {
            let [a, b] = pair else { continue };
            let apart = b.at.as_second() - a.at.as_second();
            let path = if apart <= TOGETHER { &mut solid } else { &mut dashed };
            let (ax, ay) = (self.x(a.at.as_second()), self.y(a.count));
            let (bx, by) = (self.x(b.at.as_second()), self.y(b.count));
            // Writing to a String cannot fail.
            let _ = write!(path, "M{ax} {ay}L{bx} {by}");
        }
        let (end_x, end_y) = (self.x(last.at.as_second()), self.y(last.count));
        Some(Line {
            class: series.class,
            name: series.name.clone(),
            solid,
            dashed,
            end_x,
            end_y,
            label_y: end_y,
            last: last.count,
        })
    }

    /// The first, the last and a few days between.
    fn days(&self) -> Vec<Tick> {
        const PARTS: i64 = 4;
        let mut ticks: Vec<Tick> = (0..=PARTS)
            .map(|part| self.from + (self.to - self.from) * part / PARTS)
            .filter_map(|at| {
                let label = Timestamp::from_second(at).ok()?.strftime("%Y-%m-%d").to_string();
                Some(Tick { place: self.x(at), label })
            })
            .collect();
        ticks.dedup_by(|a, b| a.label == b.label);
        ticks
    }
}

/// Moves names away from each other, upwards from the lowest.
fn keep_apart(lines: &mut [Line], bottom: f64) {
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by(|a, b| lines[*b].end_y.total_cmp(&lines[*a].end_y));
    let mut below = bottom + LABEL;
    for index in order {
        let line = &mut lines[index];
        line.label_y = line.end_y.min(below - LABEL);
        below = line.label_y;
    }
}

/// The next number at or above that people read easily, and that can be halved.
fn ceiling(count: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for step in [2, 4, 6, 8, 10] {
            let top = power.saturating_mul(step);
            if top >= count {
                return top;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// `1,234,567`
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a drawing has a thousand dots, not 2^52")]
fn ratio(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn series(days: &[(i64, u64)]) -> Series {
        let point = |(day, count): &(i64, u64)| Point {
            at: Timestamp::from_second(day * 86_400).unwrap(),
            count: *count,
        };
        Series {
            class: "identity",
            name: "identities".to_owned(),
            points: days.iter().map(point).collect(),
        }
    }

    #[test]
    fn one_count_is_no_line() {
        assert!(draw(&[], Size::LARGE).is_none());
        assert!(draw(&[series(&[])], Size::LARGE).is_none());
        assert!(draw(&[series(&[(1, 5)])], Size::LARGE).is_none());
    }

    #[test]
    fn days_that_nobody_counted_are_dashed() {
        let chart = draw(&[series(&[(0, 0), (1, 10), (9, 10)])], Size::LARGE).unwrap();
        let line = &chart.lines[0];
        // 548 units for nine days; 200 units for ten records.
        assert_eq!(line.solid, "M52 212L112.9 12");
        assert_eq!(line.dashed, "M112.9 12L600 12");
        assert_eq!((line.end_x, line.end_y, line.last), (600.0, 12.0, 10));
    }

    #[test]
    fn the_axis_begins_at_nothing_and_ends_at_a_round_number() {
        for (count, top) in [(0, 2), (1, 2), (3, 4), (10, 10), (11, 20), (437, 600), (601, 800)] {
            assert_eq!(ceiling(count), top, "{count}");
        }
        let chart = draw(&[series(&[(0, 437), (1, 437)])], Size::LARGE).unwrap();
        let labels: Vec<&str> = chart.up.iter().map(|t| t.label.as_str()).collect();
        assert_eq!(labels, ["0", "300", "600"]);
    }

    #[test]
    fn names_at_the_ends_of_lines_stand_apart() {
        let both = [series(&[(0, 10), (1, 10)]), series(&[(0, 10), (1, 10)])];
        let chart = draw(&both, Size::LARGE).unwrap();
        let apart = chart.lines[0].label_y - chart.lines[1].label_y;
        assert!(apart.abs() >= LABEL, "{apart}");
    }

    #[test]
    fn large_numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
