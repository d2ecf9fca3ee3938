//! Plots of an evaluation, as SVG that takes its colours from the page.

use std::fmt::Write as _;

use super::table::{span, unique};
use super::{Bucket, Calibration, Importance, MODEL, Score};

/// More features than these say nothing.
const FEATURES: usize = 20;
/// Classes of series, `s0` for the model.
const SERIES: usize = 5;

/// Of every plot; on a telephone's screen it shrinks by a third, which text of 14 pixels survives.
const WIDTH: f64 = 480.0;
/// Room for names at the left.
const LEFT: f64 = 150.0;
const RIGHT: f64 = 70.0;
const ROW: f64 = 26.0;

/// A picture in the making.
struct Svg {
    out: String,
}

impl Svg {
    fn new(height: f64, title: &str) -> Self {
        let mut out = String::new();
        let _ = write!(
            out,
            r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{}"><title>{}</title>"#,
            escaped(title),
            escaped(title)
        );
        Self { out }
    }

    fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let _ = write!(self.out, r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#);
    }

    fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64, hint: &str) {
        let _ = write!(
            self.out,
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"><title>{}</title></circle>"#,
            escaped(hint)
        );
    }

    fn bar(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let _ = write!(
            self.out,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2"/>"#
        );
    }

    fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(self.out, r#"<polyline class="{class}" points="{}"/>"#, points.join(" "));
    }

    fn text(&mut self, anchor: &str, (x, y): (f64, f64), text: &str) {
        let _ = write!(self.out, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#, escaped(text));
    }

    fn done(mut self) -> String {
        self.out.push_str("</svg>");
        self.out
    }
}

fn escaped(text: &str) -> String {
    handlebars::html_escape(text)
}

/// Round numbers from 0 to a little above `most`, about five.
fn ticks(most: f64) -> Vec<f64> {
    if most <= 0.0 || !most.is_finite() {
        return vec![0.0, 1.0];
    }
    let rough = most / 5.0;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * magnitude);
    let step = steps.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(10.0 * magnitude);
    let mut ticks = vec![0.0];
    while let Some(last) = ticks.last().copied()
        && last < most * 0.999
    {
        ticks.push(last + step);
    }
    ticks
}

/// As short as it can be said.
fn tick(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A name in at most so many letters.
fn short(name: &str, letters: usize) -> String {
    match name.char_indices().nth(letters) {
        Some(_) => name.chars().take(letters - 1).chain(['…']).collect(),
        None => name.to_owned(),
    }
}

fn series(at: usize) -> String {
    format!("s{}", at.min(SERIES - 1))
}

/// A metric of all rankings, with intervals.
pub(super) fn rankings(scores: &[&Score], metric: &str) -> String {
    let most = scores.iter().filter_map(|score| score.high.or(score.value)).fold(0.0, f64::max);
    let ticks = ticks(most);
    let top = ticks.last().copied().unwrap_or(1.0);
    let height = 20.0 + ROW * scores.len() as f64 + 24.0;
    let mut svg = Svg::new(height, &format!("{metric} of the model and of its baselines"));
    let x = |value: f64| LEFT + value / top * (WIDTH - LEFT - RIGHT);
    for value in &ticks {
        svg.line("grid", (x(*value), 10.0), (x(*value), height - 24.0));
        svg.text("middle", (x(*value), height - 8.0), &tick(*value));
    }
    for (at, score) in scores.iter().enumerate() {
        let y = 20.0 + ROW * (at as f64 + 0.5);
        svg.text("end", (LEFT - 10.0, y + 4.0), &short(&score.ranking, 18));
        let Some(value) = score.value else { continue };
        let class = if score.ranking == MODEL { "s0" } else { "s4" };
        svg.bar(class, (LEFT, y - 8.0), (x(value) - LEFT, 16.0));
        if let (Some(low), Some(high)) = (score.low, score.high) {
            svg.line("whisker", (x(low), y), (x(high), y));
            svg.line("whisker", (x(low), y - 4.0), (x(low), y + 4.0));
            svg.line("whisker", (x(high), y - 4.0), (x(high), y + 4.0));
        }
        svg.text("start", (WIDTH - RIGHT + 8.0, y + 4.0), &format!("{value:.4}"));
    }
    svg.done()
}

/// What came true by what was foretold; on the diagonal when probabilities are right. Most candidates are unlikely, so both axes go by
/// the square root, which spreads what is near zero.
pub(super) fn calibration(calibration: &Calibration) -> String {
    let (left, side, top) = (60.0, 360.0, 16.0);
    let most = calibration.bins.iter().fold(0.0_f64, |most, bin| most.max(bin.foretold).max(bin.came_true));
    let ticks = root_ticks(most);
    let end = ticks.last().copied().unwrap_or(1.0);
    let mut svg = Svg::new(top + side + 48.0, "What came true by the probability that was foretold");
    let part = |value: f64| (value / end).max(0.0).sqrt() * side;
    let at = |foretold: f64, true_part: f64| (left + part(foretold), top + side - part(true_part));
    for value in &ticks {
        svg.line("grid", at(*value, 0.0), at(*value, end));
        svg.line("grid", at(0.0, *value), at(end, *value));
        let (x, y) = at(*value, 0.0);
        svg.text("middle", (x, y + 18.0), &tick(*value));
        let (x, y) = at(0.0, *value);
        svg.text("end", (x - 8.0, y + 4.0), &tick(*value));
    }
    svg.line("ideal", at(0.0, 0.0), at(end, end));
    let points: Vec<(f64, f64)> = calibration.bins.iter().map(|bin| at(bin.foretold, bin.came_true)).collect();
    svg.path("s0 curve", &points);
    for (point, bin) in points.iter().zip(&calibration.bins) {
        let hint = format!("{} rows: foretold {:.4}, true {:.4}", bin.rows, bin.foretold, bin.came_true);
        svg.dot("s0", *point, 3.5, &hint);
    }
    svg.text("middle", (left + side / 2.0, top + side + 40.0), "probability foretold");
    svg.done()
}

/// Round numbers from 0 to a little above `most`, of which no two are close by their square roots.
fn root_ticks(most: f64) -> Vec<f64> {
    let end = ticks(most).last().copied().unwrap_or(1.0);
    let magnitude = 10_f64.powf(end.log10().floor());
    let apart = end.sqrt() / 8.0;
    let mut out = vec![end];
    for value in [5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02].map(|factor| factor * magnitude) {
        let above = out.last().copied().unwrap_or(end);
        if above.sqrt() - value.sqrt() > apart && value.sqrt() > apart {
            out.push(value);
        }
    }
    out.push(0.0);
    out.reverse();
    out
}

/// The part of the gain that each feature carries.
pub(super) fn importance(importance: &[Importance]) -> String {
    let shown = &importance[..importance.len().min(FEATURES)];
    let most = shown.first().map_or(1.0, |first| first.share).max(f64::MIN_POSITIVE);
    let row = 20.0;
    let mut svg = Svg::new(16.0 + row * shown.len() as f64, "The part of the gain that each feature carries");
    let left = 245.0;
    for (at, Importance { feature, share }) in shown.iter().enumerate() {
        let y = 8.0 + row * (at as f64 + 0.5);
        svg.text("end", (left - 10.0, y + 4.0), &short(feature, 31));
        svg.bar("s0", (left, y - 6.0), (share / most * (WIDTH - left - RIGHT), 12.0));
        svg.text(
            "start",
            (left + share / most * (WIDTH - left - RIGHT) + 6.0, y + 4.0),
            &format!("{:.1} %", share * 100.0),
        );
    }
    svg.done()
}

/// A metric by how much is known of a group.
pub(super) fn history(buckets: &[Bucket]) -> String {
    let (left, width, top, height) = (60.0, 400.0, 16.0, 240.0);
    let every = || buckets.iter().flat_map(|bucket| &bucket.scores);
    let most = every().filter_map(|score| score.high.or(score.value)).fold(0.0, f64::max);
    let ticks = ticks(most);
    let end = ticks.last().copied().unwrap_or(1.0);
    let metric = buckets.first().map_or("", |bucket| bucket.metric.as_str());
    let rankings = unique(every().map(|score| score.ranking.as_str()));
    let keys = rankings.len().div_ceil(2) as f64;
    let mut svg = Svg::new(top + height + 52.0 + 20.0 * keys, &format!("{metric} by the length of the history"));
    let step = width / buckets.len().max(1) as f64;
    let x = |at: usize| left + step * (at as f64 + 0.5);
    let y = |value: f64| top + height - value / end * height;
    for value in &ticks {
        svg.line("grid", (left, y(*value)), (left + width, y(*value)));
        svg.text("end", (left - 8.0, y(*value) + 4.0), &tick(*value));
    }
    for (at, bucket) in buckets.iter().enumerate() {
        svg.text("middle", (x(at), top + height + 18.0), &span(bucket));
    }
    svg.text("middle", (left + width / 2.0, top + height + 40.0), "length of the history");
    for (number, ranking) in rankings.into_iter().enumerate() {
        let class = series(number);
        let of_ranking = buckets.iter().enumerate().filter_map(|(at, bucket)| {
            let score = bucket.scores.iter().find(|score| score.ranking == ranking)?;
            Some((at, score, score.value?))
        });
        let points: Vec<_> = of_ranking.collect();
        let places: Vec<(f64, f64)> = points.iter().map(|(at, _, value)| (x(*at), y(*value))).collect();
        svg.path(&format!("{class} curve"), &places);
        for ((at, score, value), place) in points.iter().zip(&places) {
            if let (Some(low), Some(high), MODEL) = (score.low, score.high, ranking) {
                svg.line("whisker", (x(*at), y(low)), (x(*at), y(high)));
            }
            svg.dot(&class, *place, 3.5, &format!("{ranking}: {value:.4}"));
        }
        // Two names a line.
        let (column, line) = ((number % 2) as f64, (number / 2) as f64);
        let (x, y) = (left + column * width / 2.0, top + height + 64.0 + 20.0 * line);
        svg.dot(&format!("{class} key"), (x + 4.0, y - 4.0), 4.0, ranking);
        svg.text("start", (x + 16.0, y), &short(ranking, 24));
    }
    svg.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(
            ticks(0.43).iter().map(|value| tick(*value)).collect::<Vec<_>>(),
            ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]
        );
        assert_eq!(ticks(1.0).last().map(|value| tick(*value)).unwrap(), "1");
        assert_eq!(ticks(0.0), [0.0, 1.0]);
        assert_eq!(ticks(f64::NAN), [0.0, 1.0]);
    }

    #[test]
    fn axes_by_the_square_root_end_there_too() {
        assert_eq!(
            root_ticks(0.57).iter().map(|value| tick(*value)).collect::<Vec<_>>(),
            ["0", "0.02", "0.1", "0.2", "0.6"]
        );
        assert_eq!(root_ticks(0.0).last(), Some(&1.0));
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(short("up_orders", 9), "up_orders");
        assert_eq!(short("up_orders", 8), "up_orde…");
    }

    #[test]
    fn names_cannot_leave_their_text() {
        let one = Importance { feature: "<script>&\"".into(), share: 1.0 };
        let drawn = importance(&[one]);
        assert!(!drawn.contains("<script>") && drawn.contains("&lt;script&gt;&amp;&quot;"), "{drawn}");
    }
}
