//! Scalable Vector Graphics: no scripts, no fonts of its own, readable on light and on dark ground.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::cards::{Card, HEADER, Mark, ROW, Sheet, TEXT_LIMIT, Tone};
use super::layout::{Piece, Placed, layout};
use super::text::{cut, width, xml};
use super::{Graph, Relations};

const MARGIN: f64 = 28.0;

impl Graph {
    /// The picture as SVG.
    #[must_use]
    pub fn svg(&self) -> String {
        draw(&self.sheet(), "lineage")
    }
}

impl Relations {
    /// The picture as SVG.
    #[must_use]
    pub fn svg(&self) -> String {
        draw(&self.sheet(), "relational model")
    }
}

fn draw(sheet: &Sheet, view: &str) -> String {
    let blocks: Vec<_> = sheet.cards.iter().map(Card::block).collect();
    let placed = layout(&blocks, &sheet.wires);
    let top = if sheet.description.is_empty() { 72.0 } else { 92.0 };
    let full = (placed.width + 2.0 * MARGIN).max(480.0).ceil();
    let legend = legend(sheet, full);
    let legend_top = top + placed.height + 40.0;
    let height = (legend_top + legend.1 + 16.0).ceil();
    let mut out = String::with_capacity(4_096 + 512 * sheet.cards.len());
    let title = xml(&format!("{}: {view}", sheet.title));
    let _ = write!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full} {height}" width="{full}" height="{height}" role="img" aria-label="{title}">
<title>{title}</title>
<style>
{}</style>
<rect class="ground" width="{full}" height="{height}" rx="14"/>
<text class="title" x="{MARGIN}" y="46">{}<tspan class="view" dx="12">{}</tspan></text>
"#,
        styles(sheet),
        xml(&cut(&sheet.title, 24.0, full / 2.0)),
        xml(view),
    );
    if !sheet.description.is_empty() {
        let text = xml(&cut(&sheet.description, 13.0, full - 2.0 * MARGIN));
        let _ = writeln!(out, r#"<text class="about" x="{MARGIN}" y="68">{text}</text>"#);
    }
    let _ = writeln!(out, r#"<g transform="translate({MARGIN} {top})">"#);
    wires(sheet, &placed, &mut out);
    for (card, (place, block)) in sheet.cards.iter().zip(placed.blocks.iter().zip(&blocks)) {
        draw_card(card, *place, block.height, &mut out);
    }
    let _ = writeln!(out, "</g>\n<g transform=\"translate({MARGIN} {legend_top})\">\n{}</g>\n</svg>", legend.0);
    out
}

const LIGHT: &str = "\
.ground{fill:#f6f8fa}.card{fill:#fff;stroke-opacity:.55}.ink{fill:#1f2328}.title{fill:#1f2328}.view,.about,.note{fill:#59636e}
";
const DARK: &str = "\
.ground{fill:#0d1117}.card{fill:#161b22;stroke-opacity:.6}.ink{fill:#e6edf3}.title{fill:#f0f6fc}.view,.about,.note{fill:#9198a1}
";
const SHAPES: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:12px}
.title{font-size:24px;font-weight:700}.view{font-size:15px;font-weight:400}.about{font-size:13px}
.label{font-size:9px;font-weight:700;letter-spacing:.06em}.name{font-size:13px;font-weight:600}.note{font-size:11px}
.word{font-size:9px;font-weight:700}.wire{fill:none;stroke-width:1.5;stroke-opacity:.75}.start{stroke-dasharray:5 4}.tint{fill-opacity:.12}
";

fn styles(sheet: &Sheet) -> String {
    let rows = sheet.cards.iter().flat_map(|card| &card.rows).filter_map(|row| match row.mark {
        Mark::Dot(tone) => Some(tone),
        Mark::Remark | Mark::Word(_) => None,
    });
    let cards = sheet.cards.iter().map(|card| card.tone);
    let tones: BTreeSet<Tone> = cards.chain(rows).chain(sheet.legend.iter().map(|(tone, _)| *tone)).collect();
    // Several zones may share a colour.
    let pairs: BTreeSet<(String, (&str, &str))> = tones.iter().map(|tone| (tone.class(), tone.colors())).collect();
    let mut out = String::from(SHAPES);
    out.push_str(LIGHT);
    for (class, (light, _)) in &pairs {
        let _ = write!(out, ".{class}{{fill:{light}}}.s{class}{{stroke:{light}}}");
    }
    out.push_str("\n@media (prefers-color-scheme:dark){\n");
    out.push_str(DARK);
    for (class, (_, dark)) in &pairs {
        let _ = write!(out, ".{class}{{fill:{dark}}}.s{class}{{stroke:{dark}}}");
    }
    out.push_str("\n}\n");
    out
}

fn wires(sheet: &Sheet, placed: &Placed, out: &mut String) {
    for trunk in placed.trunks.iter().filter(|trunk| !trunk.pieces.is_empty()) {
        let (tone, dashed) = sheet.styles[trunk.style];
        let class = tone.class();
        let mut path = String::new();
        for piece in &trunk.pieces {
            let _ = match *piece {
                Piece::Curve((x0, y0), (x1, y1)) if y0 == y1 => write!(path, "M{x0} {y0}H{x1}"),
                Piece::Curve((x0, y0), (x1, y1)) => {
                    let half = (x0 + x1) / 2.0;
                    write!(path, "M{x0} {y0}C{half} {y0} {half} {y1} {x1} {y1}")
                }
                Piece::Level((x, y), to) => write!(path, "M{x} {y}H{to}"),
                Piece::Loop((x0, y0), (x1, y1)) => {
                    write!(path, "M{x0} {y0}C{} {y0} {} {y1} {x1} {y1}", x0 + 32.0, x1 + 32.0)
                }
            };
        }
        let start = if dashed { " start" } else { "" };
        let _ = writeln!(out, r#"<path class="wire s{class}{start}" d="{path}"/>"#);
        let (left, top, width) = placed.blocks[trunk.from.block];
        let (x, y) = (left + width, top + trunk.from.y);
        if trunk.ends.is_empty() {
            continue;
        }
        if sheet.relational {
            let _ = write!(out, r#"<path class="wire s{class}" d="M{x} {}L{} {y}L{x} {}"#, y - 4.5, x + 9.0, y + 4.5);
            for (x, y) in &trunk.ends {
                let _ = write!(out, "M{} {}V{}", x - 6.0, y - 4.5, y + 4.5);
            }
            out.push_str("\"/>\n");
        } else {
            let _ = writeln!(out, r#"<circle class="{class}" cx="{x}" cy="{y}" r="2.5"/>"#);
            let mut heads = String::new();
            for (x, y) in &trunk.ends {
                let _ = write!(heads, "M{x} {y}l-6 -3v6z");
            }
            let _ = writeln!(out, r#"<path class="{class}" d="{heads}"/>"#);
        }
    }
}

fn draw_card(card: &Card, (left, top, width): (f64, f64, f64), height: f64, out: &mut String) {
    let tone = card.tone.class();
    let bottom = if card.rows.is_empty() {
        format!("v{}a8 8 0 0 1 -8 8h{}a8 8 0 0 1 -8 -8z", HEADER - 16.0, 16.0 - width)
    } else {
        format!("v{}h{}z", HEADER - 8.0, -width)
    };
    let _ = write!(
        out,
        r#"<g transform="translate({left} {top})"><title>{}</title>
<rect class="card s{tone}" width="{width}" height="{height}" rx="8"/><path class="{tone} tint" d="M0 8a8 8 0 0 1 8 -8h{}a8 8 0 0 1 8 8{bottom}"/>
<text class="label {tone}" x="12" y="16">{}</text><text class="name ink" x="12" y="33">{}</text>
"#,
        xml(&card.tooltip),
        width - 16.0,
        xml(&card.label.to_uppercase()),
        xml(&cut(&card.name, 13.0, TEXT_LIMIT)),
    );
    for (at, row) in card.rows.iter().enumerate() {
        let middle = HEADER + ROW * at as f64 + ROW / 2.0 + 2.0;
        let text = xml(&cut(&row.text, 12.0, TEXT_LIMIT));
        let baseline = middle + 4.0;
        out.push_str("<g>");
        if !row.tooltip.is_empty() {
            let _ = write!(out, "<title>{}</title>", xml(&row.tooltip));
        }
        let _ = match row.mark {
            Mark::Remark => write!(out, r#"<text class="note" x="12" y="{baseline}">{text}</text>"#),
            Mark::Dot(mark) => write!(
                out,
                r#"<rect class="{}" x="12" y="{}" width="8" height="8" rx="2"/><text class="ink" x="27" y="{baseline}">{text}</text>"#,
                mark.class(),
                middle - 4.0,
            ),
            Mark::Word(word) => write!(
                out,
                r#"<text class="word {tone}" x="12" y="{baseline}">{word}</text><text class="ink" x="34" y="{baseline}">{text}</text>"#,
            ),
        };
        if !row.note.is_empty() {
            let x = width - 12.0;
            let _ =
                write!(out, r#"<text class="note" x="{x}" y="{baseline}" text-anchor="end">{}</text>"#, xml(&row.note));
        }
        out.push_str("</g>\n");
    }
    out.push_str("</g>\n");
}

/// The legend's elements and its height.
fn legend(sheet: &Sheet, full: f64) -> (String, f64) {
    let mut out = String::new();
    let (mut x, mut y) = (0.0, 0.0);
    for (tone, text) in &sheet.legend {
        let wide = 16.0 + width(text, 12.0) + 18.0;
        if x > 0.0 && x + wide > full - 2.0 * MARGIN {
            (x, y) = (0.0, y + ROW);
        }
        let class = tone.class();
        let shape = match tone {
            Tone::Kind(_) => format!(r#"<circle class="{class}" cx="{}" cy="{}" r="5"/>"#, x + 5.0, y + 5.0),
            Tone::Zone(_) => {
                format!(r#"<rect class="{class}" x="{}" y="{}" width="8" height="8" rx="2"/>"#, x + 1.0, y + 1.0)
            }
        };
        let text = xml(text);
        let _ = writeln!(
            out,
            r#"{shape}<text class="about" style="font-size:12px" x="{}" y="{}">{text}</text>"#,
            x + 16.0,
            y + 9.5
        );
        x += wide.round();
    }
    (out, y + ROW)
}
