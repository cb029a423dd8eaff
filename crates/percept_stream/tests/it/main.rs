//! Streams from samples to pictures, with the pocket pack, and live sources against recorded bytes of other programs.

mod engine;
mod fuzz;
mod latents;
mod live;
mod page;
mod replay;
mod script;
