//! Who runs threads: percept's own pool, not the tensor library's; and who keeps memory: the process, between two layers.
//!
//! candle keeps a pool of spinning workers for element-wise operations. Beside a pool that is already busy with whole
//! samples it only takes time from it: measured on two cores, training the pocket pack's U-Net runs three times slower
//! with it. The one switch that candle offers is an environment variable, read at its first operation.
//!
//! Every layer makes its result in new memory and drops what it was given. The C library's allocator gives large blocks
//! back to the system at once, which then clears them page by page when they are asked for again: a third of the processor
//! time of a U-Net step. Where that allocator is glibc's it is told to keep them.

/// Turns candle's worker threads off for this process, unless the user has set `CANDLE_NUM_THREADS`, and keeps freed memory
/// in the process. Call it first thing in `main`, before any other thread exists.
pub fn claim() {
    keep_memory();
    const SWITCH: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(SWITCH).is_none() {
        // SAFETY: called at the start of `main`, when no other thread can be reading the environment.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var(SWITCH, "1");
        }
    }
}

/// Blocks of up to a gigabyte come from the heap, and the heap does not shrink.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_memory() {
    // SAFETY: `mallopt` only sets numbers of the allocator, and no other thread exists that could be allocating.
    #[allow(unsafe_code)]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 1 << 26);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_memory() {}
