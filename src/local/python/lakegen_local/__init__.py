"""The engines of lakegen's local environment: what Glue, Athena, DataBrew and SageMaker do, on this machine."""
