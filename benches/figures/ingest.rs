//! Megabytes a second out of the files, beside h5py reading the same datasets of the same files.

use std::fmt::Write as _;
use std::hint::black_box;

use crumple::ingest::{SimulationFile, SimulationOptions, TestFile};

use super::spread::{Spread, seconds};
use super::{Plan, example, numbers, python};

pub(crate) fn table(plan: Plan) -> String {
    let mut text = String::from(
        "### Reading, MB of uncompressed data a second, one thread\n\n\
         h5py reads the stored numbers; Crumple also converts units, checks the values and turns pictures into \
         luminance.\n\n| file | MB | Crumple | h5py | ratio |\n|---|---:|---:|---:|---:|\n",
    );
    let Some([simulation, test]) = example() else { return format!("{text}\nno example here\n") };
    let peer = |kind: &str, path: &std::path::Path| {
        let arguments = [kind.to_owned(), path.display().to_string(), plan.repeats.to_string()];
        python("read_speed.py", &arguments, 1)
    };
    let film = seconds(plan.repeats, || {
        let file = TestFile::open(&test).unwrap_or_else(|e| panic!("{e}"));
        for (camera, record) in file.record().cameras.iter().enumerate() {
            for frame in 0..record.times_s.len() {
                black_box(file.read_frame(camera, frame).unwrap_or_else(|e| panic!("{e}")));
            }
        }
    });
    let states = seconds(plan.repeats, || {
        let file = SimulationFile::open(&simulation, &SimulationOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        for step in 0..file.times_s().len() {
            black_box(file.read_state(step).unwrap_or_else(|e| panic!("{e}")));
        }
    });
    for (kind, path, own) in [("film", &test, film), ("simulation", &simulation, states)] {
        let Some(peer) = peer(kind, path) else { continue };
        let megabytes = peer["bytes"].as_f64().unwrap_or(f64::NAN) / 1e6;
        let (own, peer) = (own.rate(megabytes), Spread::of(numbers(&peer["seconds"])).rate(megabytes));
        writeln!(text, "| {kind} | {megabytes:.1} | {own} | {peer} | {:.2} |", own.median / peer.median).expect("text");
    }
    text
}
