//! The `crumple` program: words in, exit code out. Everything else is the library's.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    crumple::cli::run(crumple::cli::Arguments::parse(), &crumple::compose::app())
}
