lakegen synth --validate --out "$RUNNER_TEMP/validated"
