//! What a picture shows: cards with rows, and wires between them.
//!
//! A step and the tables that it makes are one card, so a lake needs half the columns that its nodes would.

use std::collections::{BTreeSet, HashMap};

use super::layout::{Block, End, Wire};
use super::text::width;
use super::{Flow, Graph, Kind, Relations};

pub(super) const HEADER: f64 = 42.0;
pub(super) const ROW: f64 = 22.0;
/// Texts are cut to this many pixels; the whole text is in the tooltip.
pub(super) const TEXT_LIMIT: f64 = 230.0;
const BELOW: f64 = 6.0;

/// A colour of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Tone {
    Kind(Kind),
    Zone(usize),
}

const ZONES: [(&str, &str); 6] = [
    ("#a8701f", "#d9a25f"),
    ("#7d8794", "#aab4c0"),
    ("#b58900", "#f2cf3f"),
    ("#3f7d20", "#7ac25a"),
    ("#0b87a8", "#4cc3e0"),
    ("#9a4f9e", "#d08ad3"),
];

impl Tone {
    /// On a light and on a dark ground, as `#rrggbb`.
    pub(super) fn colors(self) -> (&'static str, &'static str) {
        match self {
            Self::Kind(kind) => kind.color(),
            Self::Zone(zone) => ZONES[zone % ZONES.len()],
        }
    }

    /// The name of its style.
    pub(super) fn class(self) -> String {
        match self {
            Self::Kind(kind) => format!("k-{}", kind.word()),
            Self::Zone(zone) => format!("z-{}", zone % ZONES.len()),
        }
    }
}

/// A picture before anything has a place.
pub(super) struct Sheet {
    pub title: String,
    pub description: String,
    pub cards: Vec<Card>,
    pub wires: Vec<Wire>,
    /// The tone of each wire style, and whether it is dashed.
    pub styles: Vec<(Tone, bool)>,
    /// Whether ends of wires are drawn as in an entity-relationship diagram.
    pub relational: bool,
    pub legend: Vec<(Tone, String)>,
}

pub(super) struct Card {
    pub tone: Tone,
    /// The service.
    pub label: String,
    pub name: String,
    pub tooltip: String,
    pub rows: Vec<Row>,
}

pub(super) struct Row {
    pub mark: Mark,
    pub text: String,
    /// At the right edge.
    pub note: String,
    pub tooltip: String,
}

/// What stands before a row's text.
#[derive(Clone, Copy)]
pub(super) enum Mark {
    /// Nothing; the text is only a remark.
    Remark,
    Dot(Tone),
    Word(&'static str),
}

impl Card {
    pub(super) fn block(&self) -> Block {
        let row = |row: &Row| {
            let mark = match row.mark {
                Mark::Remark => 0.0,
                Mark::Dot(_) => 15.0,
                Mark::Word(_) => 24.0,
            };
            let note = if row.note.is_empty() { 0.0 } else { 14.0 + width(&row.note, 11.0) };
            mark + width(&row.text, 12.0).min(TEXT_LIMIT) + note
        };
        let header =
            (width(&self.name, 13.0) * 1.06).min(TEXT_LIMIT).max(width(&self.label.to_uppercase(), 9.0) * 1.12);
        let inner = self.rows.iter().map(row).fold(header, f64::max);
        let rows = if self.rows.is_empty() { 0.0 } else { ROW * self.rows.len() as f64 + BELOW };
        Block { width: (inner + 26.0).ceil().max(112.0), height: HEADER + rows }
    }
}

/// Pixels from a card's top to the middle of its header or of a row.
fn middle(row: Option<usize>) -> f64 {
    row.map_or(HEADER / 2.0, |row| HEADER + ROW * row as f64 + ROW / 2.0)
}

impl Graph {
    pub(super) fn sheet(&self) -> Sheet {
        let mut sheet = Sheet {
            title: self.title.clone(),
            description: self.description.clone().unwrap_or_default(),
            cards: Vec::new(),
            wires: Vec::new(),
            styles: Vec::new(),
            relational: false,
            legend: self.legend(),
        };
        let places = self.cards(&mut sheet.cards);
        let mut styles: HashMap<(Tone, bool), usize> = HashMap::new();
        for edge in &self.edges {
            let (from, to) = (&self.nodes[edge.from], &self.nodes[edge.to]);
            if from.kind == Kind::File && to.kind == Kind::Pipeline {
                continue;
            }
            let (Some(begin), Some(mut end)) = (places[edge.from], places[edge.to]) else { continue };
            let made = from.owner.filter(|_| from.kind == Kind::File && to.kind == Kind::Crawler);
            if let Some(table) = made.and_then(|table| places[table]) {
                end = table;
            }
            if begin.0 == end.0 {
                continue;
            }
            let key = (sheet.cards[begin.0].tone, edge.flow == Flow::Start);
            let style = *styles.entry(key).or_insert_with(|| {
                sheet.styles.push(key);
                sheet.styles.len() - 1
            });
            sheet.wires.push(Wire {
                from: End { block: begin.0, y: middle(begin.1) },
                to: End { block: end.0, y: middle(end.1) },
                spread: if end.1.is_none() { HEADER - 18.0 } else { 0.0 },
                style,
            });
        }
        sheet
    }

    /// The card, and the row in it, of each node.
    fn cards(&self, cards: &mut Vec<Card>) -> Vec<Option<(usize, Option<usize>)>> {
        let mut places = vec![None; self.nodes.len()];
        let mut sources: HashMap<Option<usize>, usize> = HashMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            match node.kind {
                Kind::File => {
                    let card = *sources.entry(node.zone).or_insert_with(|| {
                        let zone = self.zone_of(node).to_owned();
                        let tooltip = format!("files in the zone {zone}");
                        let (tone, label) = (Tone::Kind(Kind::File), "S3 files".to_owned());
                        cards.push(Card { tone, label, name: zone, tooltip, rows: Vec::new() });
                        cards.len() - 1
                    });
                    let mark = node.zone.map_or(Mark::Remark, |zone| Mark::Dot(Tone::Zone(zone)));
                    places[at] = Some((card, Some(cards[card].rows.len())));
                    let (text, tooltip) = (node.name.clone(), node.name.clone());
                    cards[card].rows.push(Row { mark, text, note: String::new(), tooltip });
                }
                _ if node.owner.is_some() || node.kind == Kind::Table => {}
                _ => {
                    let remark = (node.kind == Kind::Pipeline).then(|| Row {
                        mark: Mark::Remark,
                        text: node.detail.clone(),
                        note: String::new(),
                        tooltip: node.detail.clone(),
                    });
                    places[at] = Some((cards.len(), None));
                    cards.push(Card {
                        tone: Tone::Kind(node.kind),
                        label: node.kind.label().to_owned(),
                        name: node.name.clone(),
                        tooltip: join(&[node.kind.label(), &node.name, &node.detail]),
                        rows: remark.into_iter().collect(),
                    });
                }
            }
        }
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.kind != Kind::File) {
            let Some((card, _)) = node.owner.and_then(|owner| places[owner]) else { continue };
            let (mark, text) = match node.kind {
                Kind::Table => (Tone::Zone(node.zone.unwrap_or_default()), node.name.clone()),
                Kind::Endpoint => (Tone::Kind(node.kind), format!("{} endpoint", node.detail)),
                _ => (Tone::Kind(node.kind), node.name.clone()),
            };
            let zone = self.zone_of(node);
            places[at] = Some((card, Some(cards[card].rows.len())));
            let tooltip = join(&[node.kind.label(), &node.name, zone, &node.detail]);
            cards[card].rows.push(Row { mark: Mark::Dot(mark), text, note: String::new(), tooltip });
        }
        // A table that nobody makes is the file that it comes from.
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.kind == Kind::File) {
            if let Some(table) = node.owner.filter(|table| places[*table].is_none()) {
                places[table] = places[at];
            }
        }
        places
    }

    fn legend(&self) -> Vec<(Tone, String)> {
        let kinds: BTreeSet<Kind> = self.nodes.iter().map(|node| node.kind).collect();
        let zones: BTreeSet<usize> = self.nodes.iter().filter_map(|node| node.zone).collect();
        let shown = Kind::ALL.into_iter().filter(|kind| kinds.contains(kind) && *kind != Kind::Table);
        let mut legend: Vec<(Tone, String)> = shown.map(|kind| (Tone::Kind(kind), kind.label().to_owned())).collect();
        legend.extend(zone_legend(&zones, &self.zones));
        legend
    }
}

impl Relations {
    pub(super) fn sheet(&self) -> Sheet {
        let tone = |zone: Option<usize>| zone.map_or(Tone::Kind(Kind::KeyValue), Tone::Zone);
        let cards = self.tables.iter().map(|table| {
            let zone = table.zone.and_then(|zone| self.zones.get(zone)).map(String::as_str);
            let label = zone.map_or(table.format.to_owned(), |zone| format!("{zone} · {}", table.format));
            let columns = table.columns.iter().map(|column| {
                let mark = match (column.key, column.references.is_some()) {
                    (true, _) => "PK",
                    (false, true) => "FK",
                    (false, false) => "",
                };
                let refers = column.references.map(|(table, column)| {
                    format!("references {}.{}", self.tables[table].name, self.tables[table].columns[column].name)
                });
                Row {
                    mark: Mark::Word(mark),
                    text: column.name.clone(),
                    note: column.ty.clone(),
                    tooltip: join(&[&column.name, &column.ty, &refers.unwrap_or_default()]),
                }
            });
            let mut rows: Vec<Row> = columns.collect();
            if table.more > 0 {
                let other = if rows.is_empty() { "" } else { "other " };
                let noun = if table.more == 1 { "column" } else { "columns" };
                let text = format!("{} {other}{noun}", table.more);
                rows.push(Row { mark: Mark::Remark, text, note: String::new(), tooltip: String::new() });
            }
            let tooltip = join(&[&table.name, &label]);
            Card { tone: tone(table.zone), label, name: table.name.clone(), tooltip, rows }
        });
        let mut styles: Vec<(Tone, bool)> = Vec::new();
        let mut wires = Vec::new();
        for (at, table) in self.tables.iter().enumerate() {
            for (row, column) in table.columns.iter().enumerate() {
                let Some((to, target)) = column.references else { continue };
                let key = (tone(table.zone), false);
                let style = styles.iter().position(|style| *style == key).unwrap_or_else(|| {
                    styles.push(key);
                    styles.len() - 1
                });
                wires.push(Wire {
                    from: End { block: at, y: middle(Some(row)) },
                    to: End { block: to, y: middle(Some(target)) },
                    spread: 0.0,
                    style,
                });
            }
        }
        let zones: BTreeSet<usize> = self.tables.iter().filter_map(|table| table.zone).collect();
        let mut legend: Vec<(Tone, String)> = zone_legend(&zones, &self.zones).collect();
        if self.tables.iter().any(|table| table.zone.is_none()) {
            legend.push((Tone::Kind(Kind::KeyValue), Kind::KeyValue.label().to_owned()));
        }
        Sheet {
            title: self.title.clone(),
            description: self.description.clone().unwrap_or_default(),
            cards: cards.collect(),
            wires,
            styles,
            relational: true,
            legend,
        }
    }
}

fn zone_legend<'a>(zones: &'a BTreeSet<usize>, names: &'a [String]) -> impl Iterator<Item = (Tone, String)> + 'a {
    let named = zones.iter().filter_map(|zone| Some((*zone, names.get(*zone)?)));
    named.map(|(zone, name)| (Tone::Zone(zone), format!("zone {name}")))
}

fn join(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" · ")
}
