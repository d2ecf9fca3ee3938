//! lakegen: one typed YAML blueprint becomes a data lake with machine learning on AWS, and runs on a laptop.
pub mod cfn;
pub mod sample;
