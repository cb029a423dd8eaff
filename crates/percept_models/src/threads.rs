//! Who runs threads: percept's own pool, not the tensor library's.
//!
//! candle keeps a pool of spinning workers for element-wise operations. Beside a pool that is already busy with whole
//! samples it only takes time from it: measured on two cores, training the pocket pack's U-Net runs three times slower
//! with it. The one switch that candle offers is an environment variable, read at its first operation.

/// Turns candle's worker threads off for this process, unless the user has set `CANDLE_NUM_THREADS`. Call it first thing
/// in `main`, before any other thread exists.
pub fn claim() {
    const SWITCH: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(SWITCH).is_none() {
        // SAFETY: called at the start of `main`, when no other thread can be reading the environment.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var(SWITCH, "1");
        }
    }
}
