//! Threads that play several processes: each gives its numbers, and all get the sums.

use std::sync::{Barrier, Mutex};

/// Where threads meet.
pub struct Meeting {
    barrier: Barrier,
    slots: Vec<Mutex<Vec<f64>>>,
}

impl Meeting {
    /// For this many threads.
    pub fn of(size: usize) -> Self {
        Self { barrier: Barrier::new(size), slots: (0..size).map(|_| Mutex::default()).collect() }
    }

    /// How many threads there are.
    pub fn size(&self) -> usize {
        self.slots.len()
    }

    /// Replaces each value by its sum over all threads; returns when every thread has called it.
    ///
    /// # Panics
    /// When another thread has panicked or sums something of another length.
    pub fn sum(&self, rank: usize, values: &mut [f64]) {
        *self.slots[rank].lock().expect("no panic") = values.to_vec();
        self.barrier.wait();
        values.fill(0.0);
        for slot in &self.slots {
            let slot = slot.lock().expect("no panic");
            assert_eq!(slot.len(), values.len(), "all ranks sum the same thing");
            values.iter_mut().zip(slot.iter()).for_each(|(sum, value)| *sum += value);
        }
        self.barrier.wait();
    }
}
