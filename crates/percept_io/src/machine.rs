//! What the machine has and what this process took, as far as the system says.

/// Bytes that programs can take now without swapping.
pub fn available_bytes() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemAvailable:")
}

/// The share of free memory that work takes when none is granted.
const SHARE_OF_FREE: f64 = 0.8;

/// The bytes that work may take: what was granted, or most of what is free.
pub fn granted_bytes(granted: Option<u64>) -> u64 {
    let free = || available_bytes().map(|free| (free as f64 * SHARE_OF_FREE) as u64);
    granted.or_else(free).unwrap_or(u64::MAX)
}

/// The most memory that this process has had at any time.
pub fn peak_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:")
}

/// The memory that this process has now.
pub fn resident_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmRSS:")
}

/// Processors of this machine, whether this process may use them or not.
pub fn n_processors() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let count = text.lines().filter(|line| line.starts_with("processor")).count();
    (count > 0).then_some(count)
}

fn kilobytes(path: &str, key: &str) -> Option<u64> {
    // These are no data of the user but words of the kernel, absent on other systems.
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_remembers_what_was_held() {
        let held = vec![1u8; 64 << 20];
        assert_eq!(held.iter().step_by(4096).map(|byte| u64::from(*byte)).sum::<u64>(), 16384);
        drop(held);
        assert!(peak_bytes().is_none_or(|peak| peak >= 60 << 20));
        assert!(resident_bytes().is_none_or(|now| now > 0));
        assert!(n_processors().is_none_or(|n| n >= std::thread::available_parallelism().map_or(1, Into::into)));
    }
}
