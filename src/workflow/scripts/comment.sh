lakegen github comment "$RUNNER_TEMP"/plans/*.md
