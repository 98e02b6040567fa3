#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| geolearn_fuzz::picture(bytes));
