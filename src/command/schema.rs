//! `lakegen schema`

use super::Context;
use crate::failure::Failure;
use crate::schema::schema_text;

pub fn run(context: &Context<'_>) -> Result<(), Failure> {
    Ok(context.console.result(&schema_text())?)
}
