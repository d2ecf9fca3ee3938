lakegen synth --out "$RUNNER_TEMP/templates"
