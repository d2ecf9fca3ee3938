//! Custom resources: what CloudFormation cannot make and a function of ours makes instead.

use super::databrew::Recipe;
use super::glue::Job;
use super::lambda::Function;
use super::shape::resource;
use super::template::Ref;
use super::value::{Arn, Attribute, Name, S3Uri, Text, Value};

resource! {
    /// A published version of a recipe. CloudFormation writes recipes but never publishes them, and jobs run published ones.
    "Custom::PublishedRecipe" PublishedRecipe {
        publisher: Value<Arn<Function>> = "ServiceToken",
        timeout_seconds: u32 = "ServiceTimeout",
        recipe: Value<Name<Recipe>> = "Recipe",
        digest: String = "Digest",
    }
}

resource! {
    /// The nodes of a visual job, registered in Glue Studio. CloudFormation writes jobs, but not their nodes.
    "Custom::VisualJob" VisualJob {
        registrar: Value<Arn<Function>> = "ServiceToken",
        timeout_seconds: u32 = "ServiceTimeout",
        job: Value<Name<Job>> = "Job",
        nodes: Value<Text> = "Nodes",
        script: Value<S3Uri> = "Script",
        digest: String = "Digest",
    }
}

impl Ref<PublishedRecipe> {
    /// The version, such as `3.0`.
    pub fn version(&self) -> Value<Attribute<Recipe>> {
        self.attribute("Version")
    }
}
