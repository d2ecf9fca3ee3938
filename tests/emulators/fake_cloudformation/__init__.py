"""A CloudFormation in which things go wrong: `README.md` says how."""
