//! The few functions of liblsl that an inlet needs, from the library that the user has installed.
//!
//! This module alone holds `unsafe` code: a foreign library's functions are called by their C signatures. Everything that leaves
//! it is safe. Checked with liblsl 1.18.
//!
//! # References
//! `lsl_c.h` and `lsl/inlet.h`, `lsl/streaminfo.h`, `lsl/xml.h` of liblsl 1.16, whose ABI the 1.x series keeps.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_double, c_int, c_ulong, c_void};
use std::mem::ManuallyDrop;
use std::sync::Arc;

use libloading::Library;

type Pointer = *mut c_void;

/// Where the library may be called what.
const NAMES: [&str; 9] = [
    "liblsl.so.2",
    "liblsl.so",
    "liblsl.so.1",
    "liblsl64.so",
    "liblsl.dylib",
    "/opt/homebrew/lib/liblsl.dylib",
    "/Library/Frameworks/lsl.framework/lsl",
    "lsl.dll",
    "liblsl64.dll",
];

macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions, each found by its name.
        #[derive(Debug)]
        #[allow(clippy::struct_field_names)]
        struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            fn find(library: &Library) -> Result<Self, String> {
                Ok(Self { $(
                    // SAFETY: the type is that of the function of this name in the headers of liblsl, and the pointer is kept
                    // only together with the library (`Lsl`).
                    $name: *unsafe { library.get(stringify!($name)) }
                        .map_err(|error| error.to_string())?,
                )* })
            }
        }
    };
}

functions! {
    lsl_resolve_byprop: fn(*mut Pointer, u32, *const c_char, *const c_char, i32, c_double) -> i32;
    lsl_destroy_streaminfo: fn(Pointer);
    lsl_create_inlet: fn(Pointer, i32, i32, i32) -> Pointer;
    lsl_destroy_inlet: fn(Pointer);
    lsl_open_stream: fn(Pointer, c_double, *mut i32);
    lsl_get_fullinfo: fn(Pointer, c_double, *mut i32) -> Pointer;
    lsl_get_channel_count: fn(Pointer) -> i32;
    lsl_get_channel_format: fn(Pointer) -> c_int;
    lsl_get_nominal_srate: fn(Pointer) -> c_double;
    lsl_pull_sample_d: fn(Pointer, *mut c_double, i32, c_double, *mut i32) -> c_double;
    lsl_pull_chunk_d: fn(Pointer, *mut c_double, *mut c_double, c_ulong, c_ulong, c_double, *mut i32) -> c_ulong;
    lsl_get_desc: fn(Pointer) -> Pointer;
    lsl_child: fn(Pointer, *const c_char) -> Pointer;
    lsl_next_sibling_n: fn(Pointer, *const c_char) -> Pointer;
    lsl_child_value_n: fn(Pointer, *const c_char) -> *const c_char;
    lsl_empty: fn(Pointer) -> i32;
}

/// liblsl's number for a stream of texts.
const TEXT: c_int = 3;
const LOST: i32 = -2;

/// The library, loaded.
#[derive(Debug)]
pub(super) struct Lsl {
    functions: Functions,
    /// Never unloaded: threads of its own go on in it.
    _library: ManuallyDrop<Library>,
}

impl Lsl {
    /// Loads the user's liblsl.
    pub(super) fn load() -> Result<Arc<Self>, String> {
        let mut problems = Vec::new();
        for name in NAMES {
            // SAFETY: loading runs the library's initialisers, which those of liblsl are made for.
            match unsafe { Library::new(name) } {
                Ok(library) => {
                    let functions =
                        Functions::find(&library).map_err(|error| format!("`{name}` is no liblsl: {error}"))?;
                    return Ok(Arc::new(Self { functions, _library: ManuallyDrop::new(library) }));
                }
                Err(error) => problems.push(error.to_string()),
            }
        }
        Err(problems.into_iter().next().unwrap_or_default())
    }
}

/// What a stream says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Described {
    pub(super) rate_hz: f64,
    /// Labels and units.
    pub(super) channels: Vec<(String, String)>,
}

/// What a pull gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulled {
    /// So many numbers.
    Values(usize),
    /// The other side has gone.
    Lost,
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Inlet {
    lsl: Arc<Lsl>,
    pointer: Pointer,
    n_channels: usize,
}

// SAFETY: liblsl's objects may be used from any thread, one at a time; `Inlet` is not `Sync` and not `Clone`.
unsafe impl Send for Inlet {}

impl Inlet {
    /// The first stream called `name` that answers within `secs`; `None` if none does.
    pub(super) fn open(lsl: &Arc<Lsl>, name: &str, secs: f64) -> Result<Option<(Self, Described)>, String> {
        let f = &lsl.functions;
        let wanted = CString::new(name).map_err(|_| "a name must not hold the byte 0".to_owned())?;
        let mut info: Pointer = std::ptr::null_mut();
        // SAFETY: `info` has room for the one result that is asked for; both texts end in 0 and live through the call.
        let found = unsafe { (f.lsl_resolve_byprop)(&raw mut info, 1, c"name".as_ptr(), wanted.as_ptr(), 1, secs) };
        if found < 1 || info.is_null() {
            return Ok(None);
        }
        // SAFETY: `info` was given by the library and is destroyed once, below. A window of 2 s is kept, chunks are as sent, and
        // a lost stream is found again by us, not by the library.
        let (n_channels, format, inlet) = unsafe {
            let n_channels = (f.lsl_get_channel_count)(info);
            let format = (f.lsl_get_channel_format)(info);
            let inlet = (f.lsl_create_inlet)(info, 2, 0, 0);
            (f.lsl_destroy_streaminfo)(info);
            (n_channels, format, inlet)
        };
        if inlet.is_null() {
            return Err("liblsl makes no inlet".to_owned());
        }
        // From here on it is destroyed on every way out.
        let inlet = Self { lsl: lsl.clone(), pointer: inlet, n_channels: usize::try_from(n_channels).unwrap_or(0) };
        if format == TEXT || !(1..=4096).contains(&inlet.n_channels) {
            return Err(format!(
                "`{name}` is a stream of {n_channels} channels of {}",
                if format == TEXT { "text" } else { "numbers" }
            ));
        }
        let described = inlet.describe(secs)?;
        Ok(Some((inlet, described)))
    }

    fn describe(&self, secs: f64) -> Result<Described, String> {
        let f = &self.lsl.functions;
        let mut code = 0;
        // SAFETY: the inlet is alive as long as `self`; `code` has room for the answer.
        let info = unsafe {
            (f.lsl_open_stream)(self.pointer, secs, &raw mut code);
            (f.lsl_get_fullinfo)(self.pointer, secs, &raw mut code)
        };
        if code != 0 || info.is_null() {
            return Err(format!("it cannot be opened (liblsl's code {code})"));
        }
        // SAFETY: `info` is alive until it is destroyed below; elements belong to it, and liblsl gives an empty element, never
        // null, where there is none, which all these functions accept. Texts are copied before it goes.
        unsafe {
            let rate_hz = (f.lsl_get_nominal_srate)(info);
            let mut node =
                (f.lsl_child)((f.lsl_child)((f.lsl_get_desc)(info), c"channels".as_ptr()), c"channel".as_ptr());
            let mut channels = Vec::new();
            for index in 0..self.n_channels {
                let (mut label, mut unit) = (String::new(), String::new());
                if (f.lsl_empty)(node) == 0 {
                    label = owned((f.lsl_child_value_n)(node, c"label".as_ptr()));
                    unit = owned((f.lsl_child_value_n)(node, c"unit".as_ptr()));
                    node = (f.lsl_next_sibling_n)(node, c"channel".as_ptr());
                }
                channels.push((if label.is_empty() { index.to_string() } else { label }, unit));
            }
            (f.lsl_destroy_streaminfo)(info);
            Ok(Described { rate_hz, channels })
        }
    }

    /// Waits up to `secs` for a sample, and takes what else is there: whole rows into the start of `values`, whose length is at
    /// least that of a row and does not change.
    pub(super) fn pull(&mut self, values: &mut [f64], stamps: &mut [f64], secs: f64) -> Result<Pulled, String> {
        let f = &self.lsl.functions;
        let row = self.n_channels;
        let n_rows = (values.len() / row).min(stamps.len());
        if n_rows < 2 {
            return Err("no room for samples".to_owned());
        }
        let mut code = 0;
        // SAFETY: `values` holds at least `row` numbers.
        let stamp =
            unsafe { (f.lsl_pull_sample_d)(self.pointer, values.as_mut_ptr(), row as i32, secs, &raw mut code) };
        if code == LOST {
            return Ok(Pulled::Lost);
        }
        if stamp == 0.0 || code != 0 {
            return Ok(Pulled::Values(0));
        }
        let rest = &mut values[row..n_rows * row];
        let room = rest.len() as c_ulong;
        // SAFETY: both buffers have room for what is said: `room` numbers and a time stamp for each row of them.
        let taken = unsafe {
            let stamps = stamps.as_mut_ptr();
            (f.lsl_pull_chunk_d)(
                self.pointer,
                rest.as_mut_ptr(),
                stamps,
                room,
                room / row as c_ulong,
                0.0,
                &raw mut code,
            )
        };
        Ok(Pulled::Values(row + (taken as usize).min(rest.len())))
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        // SAFETY: it was made by the library, and nobody else holds it.
        unsafe { (self.lsl.functions.lsl_destroy_inlet)(self.pointer) }
    }
}

/// A copy of a text of the library.
///
/// # Safety
/// `text` is null or ends in 0 and is alive.
unsafe fn owned(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
