cargo build --release --locked --features validate --ignore-rust-version --bin lakegen
