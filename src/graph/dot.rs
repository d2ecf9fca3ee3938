//! The language of Graphviz.

use std::fmt::Write;

use super::text::{dot as escaped, xml};
use super::{Flow, Graph, Kind, Relations, outside};

const HEAD: &str = "  rankdir=LR;
  graph [fontname=\"Helvetica\", labelloc=t, fontsize=18, ranksep=0.7, nodesep=0.25];
  node [fontname=\"Helvetica\", fontsize=11];
  edge [color=\"#7d8794\", arrowsize=0.7];
";

impl Graph {
    /// A directed graph; files from outside lie in a cluster for their zone.
    #[must_use]
    pub fn dot(&self) -> String {
        let title = escaped(&self.title);
        let mut out = format!("digraph \"{title}\" {{\n  label=\"{title}\";\n{HEAD}");
        for (zone, name) in self.zones.iter().enumerate() {
            if !self.nodes.iter().any(|node| outside(node) == Some(zone)) {
                continue;
            }
            let name = escaped(name);
            let _ = writeln!(
                out,
                "  subgraph cluster_{zone} {{\n    label=\"zone {name}\"; fontsize=12; color=\"#d0d7de\"; style=rounded;"
            );
            self.dot_nodes(Some(zone), "    ", &mut out);
            out.push_str("  }\n");
        }
        self.dot_nodes(None, "  ", &mut out);
        for edge in &self.edges {
            let style = match edge.flow {
                Flow::Data => "",
                Flow::Start => " [style=dashed]",
            };
            let _ = writeln!(out, "  n{} -> n{}{style};", edge.from, edge.to);
        }
        out.push_str("}\n");
        out
    }

    fn dot_nodes(&self, zone: Option<usize>, indent: &str, out: &mut String) {
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| outside(node) == zone) {
            let shape = match node.kind {
                Kind::Table | Kind::KeyValue => "cylinder",
                Kind::File => "note",
                Kind::Pipeline => "oval",
                Kind::Route => "cds",
                Kind::Crawler
                | Kind::Recipe
                | Kind::Query
                | Kind::Job
                | Kind::Model
                | Kind::Endpoint
                | Kind::Function => "box",
            };
            let name = escaped(&node.name);
            let label = match node.kind {
                Kind::File => name,
                Kind::Table => format!("{name}\\n{}", escaped(self.zone_of(node))),
                _ => format!("{}\\n{name}", node.kind.label()),
            };
            let tooltip = escaped(&node.detail);
            let color = node.kind.color().0;
            let _ = writeln!(
                out,
                "{indent}n{at} [shape={shape}, label=\"{label}\", tooltip=\"{tooltip}\", color=\"{color}\", fontcolor=\"{color}\"];"
            );
        }
    }
}

impl Relations {
    /// A graph of tables; edges lead from a column to the column that its values come from.
    #[must_use]
    pub fn dot(&self) -> String {
        let title = escaped(&self.title);
        let mut out = format!("digraph \"{title}\" {{\n  label=\"{title}\";\n{HEAD}  node [shape=plain];\n");
        for (at, table) in self.tables.iter().enumerate() {
            let _ = write!(
                out,
                "  t{at} [label=<<table border=\"0\" cellborder=\"1\" cellspacing=\"0\" cellpadding=\"4\" color=\"#7d8794\"><tr><td bgcolor=\"#eaeef2\"><b>{}</b></td></tr>",
                xml(&table.name)
            );
            for (row, column) in table.columns.iter().enumerate() {
                let name = xml(&column.name);
                let name = if column.key { format!("<u>{name}</u>") } else { name };
                let _ = write!(out, "<tr><td align=\"left\" port=\"c{row}\">{name}  {}</td></tr>", xml(&column.ty));
            }
            if table.more > 0 {
                let _ = write!(out, "<tr><td align=\"left\"><i>{} more</i></td></tr>", table.more);
            }
            out.push_str("</table>>];\n");
        }
        for (at, table) in self.tables.iter().enumerate() {
            for (row, column) in table.columns.iter().enumerate() {
                if let Some((target, to)) = column.references {
                    let _ =
                        writeln!(out, "  t{at}:c{row} -> t{target}:c{to} [dir=both, arrowtail=crow, arrowhead=tee];");
                }
            }
        }
        out.push_str("}\n");
        out
    }
}
