//! The `crumple` program.

use clap::Parser;

fn main() -> anyhow::Result<()> {
    crumple::cli::run(crumple::cli::Arguments::parse())
}
