cargo build --release --locked --bin lakegen
