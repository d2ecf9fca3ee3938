mkdir -p "$RUNNER_TEMP/plans"
report="$RUNNER_TEMP/plans/$PLACE-$ENVIRONMENT.md"
status=0
lakegen plan --env "$ENVIRONMENT" --format markdown > "$report" 2> "$RUNNER_TEMP/plan.log" || status=$?
cat "$RUNNER_TEMP/plan.log" >&2
if [ "$status" -ne 0 ]; then
  {
    printf '### %s: there is no plan\n\n' "$ENVIRONMENT"
    sed 's/^/    /' "$RUNNER_TEMP/plan.log"
  } > "$report"
fi
cat "$report" >> "$GITHUB_STEP_SUMMARY"
exit "$status"
