# The first parent of the commit that GitHub has made for a pull request is the branch that it goes into.
mkdir -p "$RUNNER_TEMP/plans"
report="$RUNNER_TEMP/plans/0-templates.md"
git worktree add --quiet --detach "$RUNNER_TEMP/base" HEAD^1
if ! (cd "$RUNNER_TEMP/base/$FOLDER" && lakegen --quiet synth --out "$RUNNER_TEMP/templates-before"); then
  echo "The branch that this goes into has no lake that could be compared." > "$report"
  mkdir -p "$RUNNER_TEMP/templates-before"
fi
cd "$RUNNER_TEMP"
if git diff --no-index --stat=100 -- templates-before templates > stat.txt; then
  echo "No template changes." >> "$report"
else
  git diff --no-index -- templates-before templates > differences.txt || true
  {
    printf '<details><summary>Templates: %s</summary>\n\n' "$(tail -n 1 stat.txt)"
    head -n 500 differences.txt | sed 's/^/    /'
    [ "$(wc -l < differences.txt)" -le 500 ] || printf '\nThe first 500 lines of them.\n'
    printf '\n</details>\n'
  } >> "$report"
fi
cat "$report" >> "$GITHUB_STEP_SUMMARY"
