//! What leaves the program: data on stdout as JSON, words for the user on stderr.

use std::io::{self, Write};

use serde::Serialize;

/// Prints `value` on stdout as indented JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

/// Prints a line for the user on stderr. A closed stderr is nobody's fault.
pub(crate) fn say(line: impl AsRef<str>) {
    let _ = writeln!(io::stderr(), "{}", line.as_ref());
}

/// A number of bytes as a user thinks of it.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 9.95);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A duration as minutes and seconds.
pub(crate) fn clock(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!(bytes(512), "512 bytes");
        assert_eq!(bytes(1_049_588_000), "1.0 GB");
        assert_eq!(bytes(39_553_000_000), "40 GB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(clock(7), "0:07");
        assert_eq!(clock(3_725), "1:02:05");
    }
}
