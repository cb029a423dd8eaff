//! The program as its users meet it: words of help and errors, exit codes, stdout and stderr.

mod captions;
mod fit;
mod honest;
mod mutations;
mod pairs;
mod pipes;
mod program;
mod pull;
mod words;
