//! What `include_dir!` embeds: a change in it makes the crate compile again.

fn main() {
    for folder in ["src/local/python", "src/starter", "blueprints", "glue-jobs", "sagemaker", "lambdas"] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
