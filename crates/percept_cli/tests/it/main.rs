//! The program as its users meet it: words of help and errors, exit codes, stdout and stderr.

mod fit;
mod honest;
mod mutations;
mod pairs;
mod pipes;
mod program;
mod pull;
mod words;
