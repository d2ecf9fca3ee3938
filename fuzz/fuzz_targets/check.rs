//! Any bytes as a blueprint.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        lakegen_fuzz::hold(text);
    }
});
