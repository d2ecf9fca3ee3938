chmod +x "$RUNNER_TEMP/lakegen/lakegen"
echo "$RUNNER_TEMP/lakegen" >> "$GITHUB_PATH"
