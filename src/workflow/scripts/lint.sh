python -m venv "$RUNNER_TEMP/lint"
"$RUNNER_TEMP/lint/bin/pip" install --quiet --require-hashes --requirement "$GITHUB_WORKSPACE/.github/lakegen/requirements.txt"
# Each word is an environment and its region.
for environment in $ENVIRONMENTS; do
  "$RUNNER_TEMP/lint/bin/cfn-lint" --regions "${environment#*=}" -- "$RUNNER_TEMP/templates/${environment%%=*}/$LAKE-"*.yaml
done
