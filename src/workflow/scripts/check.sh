lakegen check
lakegen github generate --check
