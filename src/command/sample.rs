//! `lakegen sample`

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Context;
use crate::cli::Sample;
use crate::failure::Failure;
use crate::sample::{Error, Progress, Spec, Stage, foretell, generate};

pub fn run(args: &Sample, context: &Context<'_>) -> Result<(), Failure> {
    let spec = Spec { users: args.users, seed: args.seed };
    let bar = ProgressBar::new(0);
    if context.console.quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{msg:9} {wide_bar} {human_pos}/{human_len} {elapsed}") {
        bar.set_style(style);
    }
    let mut draw = |progress: Progress| {
        bar.set_message(match progress.stage {
            Stage::Customers => "customers",
            Stage::Baskets => "baskets",
            Stage::Oracle => "oracle",
        });
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let explained = |error| match error {
        Error::Users { .. } => Failure::usage(error.to_string(), Some("choose another `--users`".into())),
        other => Failure::edge(other, Some("check the folder, its permissions and the free space".into())),
    };
    let counts = generate(&spec, &args.out, &mut draw).map_err(explained)?;
    if args.oracle {
        foretell(&spec, &args.out, &mut draw).map_err(explained)?;
    }
    bar.finish_and_clear();
    if context.console.json {
        return Ok(context.console.json(&counts)?);
    }
    let folder = args.out.display();
    context.console.note(&format!(
        "{folder}: {} orders, {} + {} order products, {} products",
        counts.orders, counts.order_products_prior, counts.order_products_train, counts.products
    ));
    Ok(())
}
