lakegen destroy --env "$ENVIRONMENT" --yes "$CONFIRMATION"
