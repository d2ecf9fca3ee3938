"""What Glue scripts import from `awsglue`, for the local environment: arguments, context, job and data frames."""
