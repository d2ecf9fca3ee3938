status=0
lakegen status --env "$ENVIRONMENT" --drift --detailed-exitcode > "$RUNNER_TEMP/drift.txt" || status=$?
cat "$RUNNER_TEMP/drift.txt"
{
  printf '### %s\n\n' "$ENVIRONMENT"
  sed 's/^/    /' "$RUNNER_TEMP/drift.txt"
} >> "$GITHUB_STEP_SUMMARY"
exit "$status"
