#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| driftless_fuzz::archive::check(bytes));

// A checksum that is wrong hides every other fault behind it, so each mutation is followed by mending them all.
libfuzzer_sys::fuzz_mutator!(|bytes: &mut [u8], size: usize, max_size: usize, _seed: u32| {
    let size = libfuzzer_sys::fuzzer_mutate(bytes, size, max_size);
    driftless_fuzz::archive::mend_checksums(&mut bytes[..size]);
    size
});
