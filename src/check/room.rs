//! Whether the lake fits into CloudFormation's stacks.

use super::Check;
use crate::lake::Lake;
use crate::placement::{self, Homeless, Thing};
use crate::source::Span;

impl Check<'_> {
    /// What CloudFormation would not take, into whichever stack it went.
    pub(super) fn homeless(&mut self, lake: &Lake) {
        for homeless in placement::homeless(lake) {
            match homeless {
                Homeless::Thing(thing, why) => {
                    let (section, name) = thing.section(lake);
                    self.error(self.written(thing), format!("`{section}.{name}` {why}"))
                        .help("make several smaller ones of it");
                }
                Homeless::Resource(at, why) => {
                    let (id, _) = &self.blueprint.resources.0[at];
                    self.error(id.span, format!("there is no room for `{}`: {why}", id.value))
                        .help("put some of the resources into another stack with `stack`, or make a lake of their own of them");
                }
            }
        }
    }

    /// Where a thing is written.
    fn written(&self, thing: Thing) -> Span {
        let b = self.blueprint;
        let name = match thing {
            Thing::Zone(id) => &b.zones.0[id.index()].0,
            Thing::Items(id) | Thing::Table(id) => &b.tables.0[id.index()].0,
            Thing::Checks(id) => &b.checks.0[id.index()].0,
            Thing::Profile(id) => &b.profiles.0[id.index()].0,
            Thing::Statement(id) => &b.statements.0[id.index()].0,
            Thing::Step(id) => self.step_key(id),
            Thing::Grant(id) => {
                let grants = b.lake_formation.as_ref().map(|permissions| &permissions.grants.0);
                return grants.map_or_else(Span::default, |grants| grants[id.index()].0.span);
            }
            Thing::Function(id) => &b.functions.0[id.index()].0,
        };
        name.span
    }
}
