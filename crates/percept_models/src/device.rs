//! Where tensors live and operations run: on the CPU, or on a GPU by CUDA or Metal.
//!
//! The device is chosen once, as the number of threads is: [`choose`] at the start of a program (`percept --device`).
//! [`Params`](crate::nn::params::Params) take it up and carry it; whatever a model makes, it makes where its parameters are.
//! On the CPU every operation runs in this crate's own kernels; on all other devices it is composed of the tensor library's
//! operations (`nn::composed`), which bring their kernels. Built without the features `cuda` and `metal` there is the CPU only.

use std::{cell::Cell, fmt, str::FromStr, sync::OnceLock};

use candle_core::Device;
use rayon::prelude::*;

use crate::{
    error::{ModelError, Result},
    nn::kernel,
};

/// The name of a device: `cpu`, `cuda`, `cuda:1`, `metal`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceName {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU, counted from 0.
    Cuda(usize),
    /// A GPU of Apple's, counted from 0.
    Metal(usize),
}

impl FromStr for DeviceName {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, number) = text.split_once(':').map_or((text, Some(0)), |(kind, n)| (kind, n.parse().ok()));
        match (kind, number) {
            ("cpu", Some(0)) if !text.contains(':') => Ok(Self::Cpu),
            ("cuda", Some(number)) => Ok(Self::Cuda(number)),
            ("metal", Some(number)) => Ok(Self::Metal(number)),
            _ => Err(ModelError::Input {
                what: "device",
                expected: "cpu, cuda, cuda:1 (the second GPU) or metal".into(),
                got: format!("`{text}`"),
            }),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal(number) => write!(f, "metal:{number}"),
        }
    }
}

impl DeviceName {
    /// The device of this name.
    ///
    /// # Errors
    /// [`ModelError::Device`] when the program was built without it, or the machine does not have it.
    pub fn open(self) -> Result<Device> {
        let refuse = |detail| ModelError::Device { name: self.to_string(), detail };
        let needs = |feature: &str, is_built: bool| {
            if is_built {
                return Ok(());
            }
            let build = format!("`cargo build --release --features {feature}`");
            Err(refuse(format!("this program was built without it (build it with {build}; see docs/gpu.md)")))
        };
        let opened = match self {
            Self::Cpu => return Ok(Device::Cpu),
            Self::Cuda(number) => {
                needs("cuda", cfg!(feature = "cuda"))?;
                Device::new_cuda(number)
            }
            Self::Metal(number) => {
                needs("metal", cfg!(feature = "metal"))?;
                Device::new_metal(number)
            }
        };
        opened.map_err(|error| {
            let words = error.to_string();
            let first = words.lines().next().unwrap_or_default();
            refuse(format!("{first} (check the driver and the number of the device, or use `cpu`)"))
        })
    }
}

static CHOSEN: OnceLock<Device> = OnceLock::new();

/// Puts all parameters made from here on on this device, unless they are told another. Call it once, before any is made.
///
/// # Errors
/// As [`DeviceName::open`]; when a device has been chosen already.
pub fn choose(name: DeviceName) -> Result<()> {
    CHOSEN.set(name.open()?).map_err(|_| ModelError::Device {
        name: name.to_string(),
        detail: "a device has been chosen already (choose once, at the start of the program)".into(),
    })
}

/// The device that was chosen; the CPU when none was.
pub(crate) fn chosen() -> Device {
    CHOSEN.get().cloned().unwrap_or(Device::Cpu)
}

thread_local! {
    static COMPOSED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with the operations of this thread composed as on a GPU, on the CPU too: to compare them with the kernels
/// where there is no GPU. Slower than the kernels, and not the same to the last bit.
pub fn composed<T>(work: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            COMPOSED.set(self.0);
        }
    }
    let _restore = Restore(COMPOSED.replace(true));
    work()
}

/// Whether operations on `device` run in this crate's kernels: those on the CPU do.
pub(crate) fn has_kernels(device: &Device) -> bool {
    device.is_cpu() && !COMPOSED.get()
}

/// `work` for each of `0..n`, in order: side by side, each on one thread, where this crate's kernels do the work; one after
/// the other on every other device, which shares its threads out itself and has little memory. A single piece has all threads.
pub(crate) fn side_by_side<T: Send>(
    device: &Device,
    n: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    if n > 1 && has_kernels(device) && kernel::is_parallel() {
        (0..n).into_par_iter().map(|i| kernel::serial(|| work(i))).collect()
    } else {
        (0..n).map(work).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (text, name) in [
            ("cpu", DeviceName::Cpu),
            ("cuda", DeviceName::Cuda(0)),
            ("cuda:1", DeviceName::Cuda(1)),
            ("metal", DeviceName::Metal(0)),
        ] {
            assert_eq!(text.parse::<DeviceName>().expect(text), name);
            assert_eq!(name.to_string().parse::<DeviceName>().expect("as written"), name);
        }
        for wrong in ["", "gpu", "cpu:0", "cuda:", "cuda:x", "CUDA"] {
            let words = wrong.parse::<DeviceName>().expect_err(wrong).to_string();
            assert!(words.contains(&format!("`{wrong}`")) && words.contains("cuda:1"), "{words}");
        }
    }

    #[test]
    fn a_device_that_was_not_built_in_says_how_to_build_it() {
        for (name, feature, is_built) in [
            (DeviceName::Cuda(0), "cuda", cfg!(feature = "cuda")),
            (DeviceName::Metal(0), "metal", cfg!(feature = "metal")),
        ] {
            if !is_built {
                let words = name.open().expect_err("not built in").to_string();
                assert!(words.contains(&format!("--features {feature}")), "{words}");
            }
        }
    }

    #[test]
    fn compositions_hold_for_one_piece_of_work() {
        assert!(has_kernels(&Device::Cpu));
        composed(|| {
            assert!(!has_kernels(&Device::Cpu));
            let seen = side_by_side(&Device::Cpu, 3, |_| Ok(has_kernels(&Device::Cpu))).expect("nothing fails");
            assert_eq!(seen, [false; 3], "all on the thread that was asked");
        });
        assert!(has_kernels(&Device::Cpu));
    }
}
