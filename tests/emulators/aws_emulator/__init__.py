"""MiniStack with what it lacks of the AWS that a lake needs: run `python -m aws_emulator` with `GATEWAY_PORT` set."""
