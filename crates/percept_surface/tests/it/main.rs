//! Integration tests: other programs' projections, real surfaces, pictures.

mod fsaverage5;
mod phantom;
mod projection;
