//! Large blocks of memory in huge pages, where Linux grants them on request.
//!
//! Matrices of gigabytes are read column after column, and with pages of four kilobytes the processor waits for the table of
//! pages as much as for memory: the reduction of a matrix of order 4,000 to tridiagonal form takes a fifth less time in
//! pages of two megabytes. Most systems give these only to memory for which they were asked (`madvise` in
//! `/sys/kernel/mm/transparent_hugepage/enabled`), as NumPy does for its arrays.

use std::alloc::{GlobalAlloc, Layout, System};

/// Blocks of fewer bytes are left as they are.
const LARGE: usize = 4 << 20;
/// Bytes of a huge page.
const PAGE: usize = 2 << 20;

/// The system's allocator, with huge pages for large blocks.
pub(crate) struct HugePages;

// SAFETY: every block comes from and goes back to the system's allocator; advice changes neither its place nor what is in it.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that the system's allocator asks for; so below.
        advised(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        advised(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        advised(unsafe { System.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

/// Asks for huge pages where whole ones lie within the block.
fn advised(block: *mut u8, size: usize) -> *mut u8 {
    if size >= LARGE && !block.is_null() {
        let (before, bytes) = whole_pages(block.addr(), size);
        ask(block.wrapping_add(before), bytes);
    }
    block
}

/// How many bytes of a block lie before its first whole huge page, and how many bytes all whole ones have.
fn whole_pages(address: usize, size: usize) -> (usize, usize) {
    let before = address.next_multiple_of(PAGE) - address;
    (before, size.saturating_sub(before) / PAGE * PAGE)
}

#[cfg(target_os = "linux")]
fn ask(start: *mut u8, bytes: usize) {
    // SAFETY: the range lies within a block of this process. A refusal leaves it as it was, which is no error.
    #[allow(unsafe_code)]
    unsafe {
        libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE);
    }
}

#[cfg(not(target_os = "linux"))]
fn ask(_start: *mut u8, _bytes: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pages_within_a_block_are_asked_for() {
        assert_eq!(whole_pages(4 * PAGE, 3 * PAGE), (0, 3 * PAGE));
        assert_eq!(whole_pages(4 * PAGE + 16, 3 * PAGE), (PAGE - 16, 2 * PAGE));
        assert_eq!(whole_pages(4 * PAGE - 4096, PAGE + 4095), (4096, 0));
        assert_eq!(whole_pages(4 * PAGE + 1, 8), (PAGE - 1, 0));
    }

    /// `/proc` says which memory was asked for: the flag `hg` of the mapping in which an address lies.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_large_block_is_asked_for_and_keeps_what_is_in_it() {
        let mut block = vec![7u8; 4 * LARGE];
        let address = block.as_ptr().addr() + 2 * LARGE;
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("linux lists its mappings");
        let mut inside = false;
        let flags = maps.lines().find(|line| {
            let range = line.split_whitespace().next().and_then(|range| range.split_once('-'));
            if let Some((from, to)) = range {
                let [from, to] = [from, to].map(|place| usize::from_str_radix(place, 16));
                if let (Ok(from), Ok(to)) = (from, to) {
                    inside = (from..to).contains(&address);
                }
            }
            inside && line.starts_with("VmFlags:")
        });
        let flags = flags.expect("the block lies in a mapping");
        if std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            assert!(flags.split_whitespace().any(|flag| flag == "hg"), "{flags}");
        } else {
            eprintln!("skipped: this kernel has no transparent huge pages");
        }
        block.resize(6 * LARGE, 9);
        assert!(block[..4 * LARGE].iter().all(|&byte| byte == 7) && block[4 * LARGE..].iter().all(|&byte| byte == 9));
    }
}
