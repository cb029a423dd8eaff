//! Counting floating-point operations: multiplications and additions of convolutions, linear layers and attention, which
//! are nearly all there are. Layers count what they do on the thread that runs the model.

use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// A layer multiplies and adds `products` times.
pub(crate) fn add(products: usize) {
    COUNT.set(COUNT.get() + 2 * products as u64);
}

/// Runs `work` and says how many operations it took.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = COUNT.get();
    let value = work();
    (value, COUNT.get() - before)
}
