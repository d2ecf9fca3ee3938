//! What pipelines do to each other and to themselves.

use std::collections::{BTreeSet, HashMap};

use super::Check;
use crate::cron;
use crate::diagnostic::Diagnostic;
use crate::kind::job::Minutes;
use crate::kind::pipeline::{Pipeline, StartSpec};
use crate::lake::{Id, Mode, Output, Query, Step, StepId};
use crate::source::Spanned;

impl<'a> Check<'a> {
    /// Warns of clocks that tick faster than a run may take, by the timeouts that the blueprint itself gives.
    pub(super) fn overtaking(&mut self, steps: &[Step], pipelines: &[Option<Pipeline>]) {
        let b = self.blueprint;
        for (pipeline, (_, spec)) in pipelines.iter().zip(&b.pipelines.0) {
            let (Some(pipeline), Some(spec)) = (pipeline, spec) else { continue };
            let StartSpec::Schedule(written) = &spec.start.value else { continue };
            let Some(every) = cron::rate_minutes(written) else { continue };
            // Steps come in an order in which they can run, so what a step waits for has been looked at before.
            let mut ends: HashMap<StepId, u32> = HashMap::new();
            for step in steps {
                let waits = step.after.iter().filter_map(|before| ends.get(before)).max().copied();
                if pipeline.steps.contains(&step.id) || waits.is_some() {
                    let own = self.written_timeout(step.id).map_or(0, |timeout| timeout.value.0);
                    ends.insert(step.id, waits.unwrap_or(0).saturating_add(own));
                }
            }
            let (longest, total) = ends.iter().map(|(id, end)| (*id, *end)).max_by_key(|(id, end)| (*end, *id)).unzip();
            let (Some(longest), Some(total)) = (longest, total) else { continue };
            if total > every {
                let place = self.written_timeout(longest).map(|timeout| timeout.span);
                let message = format!("a run may take {total} minutes, but the next one starts after {every}");
                let help = "starts that come while a run goes on become one: start less often, or shorten the timeouts";
                let places =
                    place.map(|place| (place, format!("`{}` ends a run that takes so long", self.step_name(longest))));
                self.push(Diagnostic::warning(written.span, message).help(help)).places(places);
            }
        }
    }

    /// The timeout that the blueprint gives a step.
    fn written_timeout(&self, step: StepId) -> Option<&'a Spanned<Minutes>> {
        let b = self.blueprint;
        match step {
            StepId::Recipe(id) => b.recipes.0[id.index()].1.as_ref()?.timeout.as_ref(),
            StepId::Job(id) => b.jobs.0[id.index()].1.as_ref()?.timeout.as_ref(),
            StepId::Model(id) => b.models.0[id.index()].1.as_ref()?.timeout.as_ref(),
            StepId::Crawler(_) | StepId::Query(_) => None,
        }
    }

    /// Warns of pipelines that append the same rows. Two different steps that write one table are an error of their own, and runs that
    /// share a step wait for each other, so a table that is replaced or merged into is the same after both.
    pub(super) fn appended_twice(&mut self, steps: &[Step], pipelines: &[Option<Pipeline>], queries: &[Option<Query>]) {
        let appends = queries.iter().enumerate().filter_map(|(at, query)| {
            let Output::Table { table, mode: Mode::Append } = query.as_ref()?.output else { return None };
            Some((Id::new(at), table))
        });
        let appends: Vec<_> = appends.collect();
        if appends.is_empty() {
            return;
        }
        let b = self.blueprint;
        let reached: Vec<_> =
            pipelines.iter().map(|pipeline| pipeline.as_ref().map(|one| reached(one, steps))).collect();
        for (query, table) in appends {
            let step = StepId::Query(query);
            let runs = |steps: &Option<BTreeSet<StepId>>| steps.as_ref().is_some_and(|steps| steps.contains(&step));
            let mut names =
                reached.iter().zip(&b.pipelines.0).filter(|(steps, _)| runs(steps)).map(|(_, (name, _))| name);
            let Some(first) = names.next() else { continue };
            let mode = b.queries.0[query.index()].1.as_ref().and_then(|spec| spec.mode.as_ref());
            let (step, table) = (self.step_name(step), &b.tables.0[table.index()].0.value);
            for other in names {
                let message =
                    format!("`{}` and `{}` both run `{step}`, which appends to `{table}`", first.value, other.value);
                let help = "a run of each adds the rows that it finds: let one of them run it, or write `mode: { merge: [column] }`";
                let mut diagnostic = Diagnostic::warning(other.span, message).related(first.span, "the other pipeline");
                if let Some(mode) = mode {
                    diagnostic = diagnostic.related(mode.span, "appended here");
                }
                self.push(diagnostic.help(help));
            }
        }
    }
}

/// The steps of a pipeline, and those that depend on them.
fn reached(pipeline: &Pipeline, steps: &[Step]) -> BTreeSet<StepId> {
    let mut reached: BTreeSet<_> = pipeline.steps.iter().copied().collect();
    for step in steps {
        if step.after.iter().any(|before| reached.contains(before)) {
            reached.insert(step.id);
        }
    }
    reached
}
