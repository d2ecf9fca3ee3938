//! Mermaid, which GitHub and GitLab draw.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::text::mermaid as escaped;
use super::{Flow, Graph, Kind, Node, Relations, outside};

impl Graph {
    /// A flow chart; files from outside lie in a box for their zone.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut out = format!("---\ntitle: \"{}\"\n---\nflowchart LR\n", escaped(&self.title));
        for (zone, name) in self.zones.iter().enumerate() {
            let inside: Vec<usize> = self.positions(|node| outside(node) == Some(zone));
            if inside.is_empty() {
                continue;
            }
            let _ = writeln!(out, "  subgraph zone{zone}[\"zone {}\"]", escaped(name));
            for at in inside {
                self.mermaid_node(at, "    ", &mut out);
            }
            out.push_str("  end\n");
        }
        for at in self.positions(|node| outside(node).is_none()) {
            self.mermaid_node(at, "  ", &mut out);
        }
        for edge in &self.edges {
            let arrow = match edge.flow {
                Flow::Data => "-->",
                Flow::Start => "-.->",
            };
            let _ = writeln!(out, "  n{} {arrow} n{}", edge.from, edge.to);
        }
        let kinds: BTreeSet<Kind> = self.nodes.iter().map(|node| node.kind).collect();
        for kind in kinds {
            let _ = writeln!(
                out,
                "  classDef {} fill:{},stroke:{},color:#fff",
                kind.word(),
                kind.color().0,
                kind.color().0
            );
        }
        out
    }

    fn positions(&self, wanted: impl Fn(&Node) -> bool) -> Vec<usize> {
        self.nodes.iter().enumerate().filter(|(_, node)| wanted(node)).map(|(at, _)| at).collect()
    }

    fn mermaid_node(&self, at: usize, indent: &str, out: &mut String) {
        let node = &self.nodes[at];
        let (open, close) = match node.kind {
            Kind::Table | Kind::KeyValue => ("[(", ")]"),
            Kind::Pipeline => ("([", "])"),
            Kind::Route => ("{{", "}}"),
            Kind::Function => ("[[", "]]"),
            Kind::File | Kind::Crawler | Kind::Recipe | Kind::Query | Kind::Job | Kind::Model | Kind::Endpoint => {
                ("[", "]")
            }
        };
        let name = escaped(&node.name);
        let label = match node.kind {
            Kind::File => name,
            Kind::Table => format!("{name}<br/>{}", escaped(self.zone_of(node))),
            Kind::Pipeline | Kind::Endpoint => {
                format!("{}<br/>{name}<br/>{}", node.kind.label(), escaped(&node.detail))
            }
            _ => format!("{}<br/>{name}", node.kind.label()),
        };
        let _ = writeln!(out, "{indent}n{at}{open}\"{label}\"{close}:::{}", node.kind.word());
    }
}

impl Relations {
    /// An entity-relationship diagram.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut out = format!("---\ntitle: \"{}\"\n---\nerDiagram\n", escaped(&self.title));
        // Quoted, because names like `style` mean something to Mermaid.
        for table in &self.tables {
            let name = escaped(&table.name);
            if table.columns.is_empty() {
                let _ = writeln!(out, "  \"{name}\"");
                continue;
            }
            let _ = writeln!(out, "  \"{name}\" {{");
            for column in &table.columns {
                let ty = column.ty.replace(',', "-").replace('<', "(").replace('>', ")").replace(':', "_");
                let keys = match (column.key, column.references.is_some()) {
                    (true, true) => " PK, FK",
                    (true, false) => " PK",
                    (false, true) => " FK",
                    (false, false) => "",
                };
                let name = column_name(&column.name);
                let _ = writeln!(out, "    {ty} {name}{keys}");
            }
            out.push_str("  }\n");
        }
        for table in &self.tables {
            for column in &table.columns {
                let Some((target, _)) = column.references else { continue };
                let (target, table) = (escaped(&self.tables[target].name), escaped(&table.name));
                let _ = writeln!(out, "  \"{target}\" ||--o{{ \"{table}\" : \"{}\"", escaped(&column.name));
            }
        }
        out
    }
}

/// The names of keys cannot be names of columns in Mermaid, nor can columns be quoted.
fn column_name(name: &str) -> String {
    let word: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if matches!(word.as_str(), "pk" | "fk" | "uk") { format!("{word}_") } else { word }
}
