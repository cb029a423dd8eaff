//! The published systems as recipes over the tools, and the experiment that runs them.
