lakegen deploy --env "$ENVIRONMENT" --yes
