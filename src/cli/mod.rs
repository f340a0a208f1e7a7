//! The command line: flags become a typed request, a result becomes a table.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::domain::Tolerances;
use crate::ingest::SimulationOptions;
use crate::jobs::{ReviewRequest, review_test};
use crate::vision::DisFlow;

/// Crumple.
#[derive(Debug, Parser)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Review.
    Review {
        /// simulation
        simulation: PathBuf,
        /// test
        test: PathBuf,
        /// out
        #[arg(long)]
        out: PathBuf,
        /// tolerance
        #[arg(long, default_value_t = 5.0)]
        tolerance_mm: f64,
    },
}

/// Runs.
///
/// # Errors
/// any
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Command::Review { simulation, test, out, tolerance_mm } = arguments.command;
    let request = ReviewRequest {
        simulation,
        simulation_options: SimulationOptions::default(),
        test,
        out,
        tolerances: Tolerances { default_mm: tolerance_mm, per_part_mm: Default::default() },
    };
    let done = review_test(&request, &DisFlow, &mut |_| ControlFlow::Continue(()))?;
    let r = &done.review;
    for t in &r.timings {
        eprintln!("{:?}", t);
    }
    for (n, a) in &r.alignment {
        eprintln!(
            "{n} off {:.4} ms +- {:.4} rms {:?} moved {:.2} {:?}",
            a.time_offset_s * 1e3,
            a.time_offset_sigma_s * 1e3,
            a.target_rms_px,
            a.moved_px,
            a.pose_source
        );
    }
    for f in &r.flags {
        eprintln!(
            "flag {} {} {:?} onset {:.2} ms peak {:.1} mm +- {:.2} at {:.2} area {:.0} {:?} p {:.2} n {}",
            f.id.0,
            f.part_name,
            f.verdict,
            f.onset_s * 1e3,
            f.peak_mm,
            f.peak_sigma_mm,
            f.peak_s * 1e3,
            f.area_mm2,
            f.kind,
            f.probability,
            f.element_ids.len()
        );
    }
    eprintln!("{:.1} frames/s", r.frames_per_s);
    Ok(())
}
