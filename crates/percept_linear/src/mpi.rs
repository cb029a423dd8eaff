//! Several processes that were started by `mpirun` or `srun` as one fit's company.
//!
//! MPI is joined only where the launcher left its marks in the environment, so a program built with this feature runs without a
//! launcher like any other. All calls are made by one thread.

use mpi::collective::SystemOperation;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Root};
use percept_regress::{RegressError, Together};

/// What launchers set for the processes that they start.
const MARKS: [&str; 4] = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"];

/// The company of this process.
#[derive(Clone, Copy, Debug)]
pub struct World {
    rank: usize,
    size: usize,
    neighbours: usize,
}

/// Joins the others that the launcher started, if there is a launcher. MPI ends when the universe is dropped.
pub fn join() -> Option<(Universe, World)> {
    if !MARKS.iter().any(|mark| std::env::var_os(mark).is_some()) {
        return None;
    }
    let universe = mpi::initialize()?;
    let world = universe.world();
    let neighbours = world.split_shared(world.rank());
    let company = World {
        rank: world.rank() as usize,
        size: world.size() as usize,
        neighbours: (neighbours.size() as usize).max(1),
    };
    Some((universe, company))
}

impl World {
    /// How many of the processes run on this machine.
    pub fn neighbours(&self) -> usize {
        self.neighbours
    }

    /// Ends all processes.
    pub fn abort(&self, code: i32) -> ! {
        SimpleCommunicator::world().abort(code)
    }
}

impl Together for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum(&self, values: &mut [f64]) -> Result<(), RegressError> {
        // Summed in one place and sent from there: the same bits everywhere, whatever the library does for an all-reduce.
        let world = SimpleCommunicator::world();
        let root = world.process_at_rank(0);
        if self.rank == 0 {
            let own = values.to_vec();
            root.reduce_into_root(&own[..], values, SystemOperation::sum());
        } else {
            root.reduce_into(&values[..], SystemOperation::sum());
        }
        root.broadcast_into(values);
        Ok(())
    }
}
