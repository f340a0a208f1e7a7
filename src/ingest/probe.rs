//! A first look at a file in a process of its own.
//!
//! HDF5 files come from outside and the C library is not memory-safe. So the program runs itself with a hidden
//! subcommand ([`ARGUMENT`]), which limits its own memory and processor time, opens the file, plans it, reads the
//! first and the last state or pictures, and prints a verdict. A crash there is a refused file here.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::IngestError;
use super::record::TestFile;
use super::vtkhdf::{SimulationFile, SimulationOptions};

/// The hidden subcommand: `crumple probe simulation|test PATH [DISPLACEMENT]`.
pub const ARGUMENT: &str = "probe";
/// What the child's verdict begins with on its stdout; other lines are ignored.
const MARK: &str = "crumple-probe: ";
/// Longest text that is taken from the child, bytes.
const MAX_REPLY: u64 = 1 << 20;

/// What a file is to be tried as.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeKind {
    /// A simulation, read with these options.
    Simulation(SimulationOptions),
    /// A test record or one of its further sources.
    Test,
}

/// How a file is tried.
#[derive(Debug, Clone)]
pub struct ProbeOptions {
    /// The program that answers to the arguments; `None` for the one that runs.
    pub program: Option<PathBuf>,
    /// Makes the arguments for the child; [`arguments`] for the program's own subcommand.
    pub arguments: fn(&Path, &ProbeKind) -> Vec<OsString>,
    /// Wall-clock limit, on top of a second for each MiB of the file.
    pub time_limit: Duration,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self { program: None, arguments, time_limit: Duration::from_secs(60) }
    }
}

/// Limits that the child puts on itself.
#[derive(Debug, Clone, Copy)]
pub struct ProbeLimits {
    /// Address space, bytes.
    pub memory_bytes: u64,
    /// Processor time, s, on top of a second for each MiB of the file.
    pub cpu_s: u64,
}

impl Default for ProbeLimits {
    fn default() -> Self {
        // Room for the largest window twice over; a small file that needs more than a minute is no crash simulation.
        Self { memory_bytes: 3 * super::limits::MAX_WINDOW_BYTES, cpu_s: 60 }
    }
}

/// The verdict as it crosses the pipe.
#[derive(Debug, Serialize, Deserialize)]
struct Verdict {
    ok: bool,
    #[serde(default)]
    message: String,
    #[serde(default)]
    input: bool,
}

/// The arguments of the hidden subcommand for `path`; [`kind_from_arguments`] is the way back.
#[must_use]
pub fn arguments(path: &Path, kind: &ProbeKind) -> Vec<OsString> {
    let mut list: Vec<OsString> = vec![ARGUMENT.into()];
    match kind {
        ProbeKind::Test => list.extend(["test".into(), path.into()]),
        ProbeKind::Simulation(options) => {
            list.extend(["simulation".into(), path.into(), options.displacement.clone().into()]);
        }
    }
    list
}

/// What the words after [`ARGUMENT`] mean; `None` for words that [`arguments`] never makes.
#[must_use]
pub fn kind_from_arguments(words: &[OsString]) -> Option<(PathBuf, ProbeKind)> {
    match words {
        [kind, path] if kind == "test" => Some((path.into(), ProbeKind::Test)),
        [kind, path, displacement] if kind == "simulation" => {
            let displacement = displacement.to_str()?.to_owned();
            let options = SimulationOptions { displacement, ..SimulationOptions::default() };
            Some((path.into(), ProbeKind::Simulation(options)))
        }
        _ => None,
    }
}

/// Tries `path` in a process of its own.
///
/// # Errors
/// [`IngestError::Crashed`] when the process died or took too long, [`IngestError::ProbeRefused`] with the child's
/// own words when it refused the file, [`IngestError::Probe`] when it could not be run.
pub fn probe_in_own_process(path: &Path, kind: &ProbeKind, options: &ProbeOptions) -> Result<(), IngestError> {
    let failed = |doing: &'static str| {
        let file = path.to_owned();
        move |source| IngestError::Probe { file, doing, source }
    };
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(failed("find this program"))?,
    };
    let mut child = Command::new(program)
        .args((options.arguments)(path, kind))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed("start the process"))?;
    let time_limit = options.time_limit + Duration::from_secs(seconds_for_size(path));
    let mut reply = Vec::new();
    let stdout = child.stdout.take();
    // The pipe is emptied beside the wait, so that a talkative child cannot block on it.
    let (status, read) = std::thread::scope(|scope| {
        let reader = std::thread::Builder::new()
            .name("probe-reply".to_owned())
            .spawn_scoped(scope, || stdout.map_or(Ok(0), |pipe| pipe.take(MAX_REPLY).read_to_end(&mut reply)));
        let status = wait_at_most(&mut child, time_limit);
        let read = reader.and_then(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("reader panicked"))));
        (status, read)
    });
    let status = status.map_err(failed("wait for the process"))?;
    read.map_err(failed("read the verdict"))?;
    let Some(status) = status else {
        let how = format!("took longer than {} s", time_limit.as_secs_f64());
        return Err(IngestError::Crashed { file: path.to_owned(), how });
    };
    judge(path, status, &String::from_utf8_lossy(&reply))
}

/// What a large file may take longer, s: a run of 10 M elements takes half a minute on a busy machine.
fn seconds_for_size(path: &Path) -> u64 {
    const MOST: u64 = 600;
    std::fs::metadata(path).map_or(0, |m| (m.len() >> 20).min(MOST))
}

/// Waits for the child, and ends it at the limit (`None`).
fn wait_at_most(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn judge(path: &Path, status: ExitStatus, reply: &str) -> Result<(), IngestError> {
    use std::os::unix::process::ExitStatusExt as _;
    if let Some(signal) = status.signal() {
        let how = format!("crashed (signal {signal})");
        return Err(IngestError::Crashed { file: path.to_owned(), how });
    }
    let verdict = reply.lines().find_map(|line| serde_json::from_str::<Verdict>(line.split_once(MARK)?.1).ok());
    match verdict {
        Some(Verdict { ok: true, .. }) => Ok(()),
        Some(Verdict { message, input, .. }) => Err(IngestError::ProbeRefused { message, input }),
        None => Err(IngestError::Probe {
            file: path.to_owned(),
            doing: "understand the verdict",
            source: io::Error::other(format!("the process ended with {status} and said nothing")),
        }),
    }
}

/// The child's side: limits itself, tries the file, prints the verdict to `out`.
///
/// # Errors
/// [`IngestError::Probe`] when the limits cannot be set or the verdict cannot be printed; a refused file is a
/// verdict, not an error.
pub fn run_probe(
    path: &Path,
    kind: &ProbeKind,
    limits: ProbeLimits,
    out: &mut impl io::Write,
) -> Result<(), IngestError> {
    let failed = |doing: &'static str| {
        let file = path.to_owned();
        move |source| IngestError::Probe { file, doing, source }
    };
    let limits = ProbeLimits { cpu_s: limits.cpu_s.saturating_add(seconds_for_size(path)), ..limits };
    limit_self(limits).map_err(failed("limit the process"))?;
    let verdict = match try_file(path, kind) {
        Ok(()) => Verdict { ok: true, message: String::new(), input: false },
        Err(error) => Verdict { ok: false, message: error.to_string(), input: error.is_input_error() },
    };
    let line = serde_json::to_string(&verdict).map_err(|e| failed("write the verdict")(e.into()))?;
    writeln!(out, "{MARK}{line}").and_then(|()| out.flush()).map_err(failed("write the verdict"))
}

fn limit_self(limits: ProbeLimits) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let lower = |resource: Resource, wanted: u64| {
        // Never above what the parent was given.
        let maximum = getrlimit(resource).maximum;
        let value = maximum.map_or(wanted, |m| m.min(wanted));
        setrlimit(resource, Rlimit { current: Some(value), maximum })
    };
    lower(Resource::As, limits.memory_bytes)?;
    lower(Resource::Cpu, limits.cpu_s)?;
    lower(Resource::Core, 0)?;
    Ok(())
}

/// Opens and plans the file, and reads the first and the last of everything.
fn try_file(path: &Path, kind: &ProbeKind) -> Result<(), IngestError> {
    match kind {
        ProbeKind::Simulation(options) => {
            let simulation = SimulationFile::open(path, options)?;
            simulation.read_state(0)?;
            simulation.read_state(simulation.times_s().len() - 1)?;
        }
        ProbeKind::Test => {
            let test = TestFile::open(path)?;
            for (camera, record) in test.record().cameras.iter().enumerate() {
                test.read_frame(camera, 0)?;
                test.read_frame(camera, record.times_s.len() - 1)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_find_their_way_back() {
        let options = SimulationOptions { displacement: "DISPL".to_owned(), ..SimulationOptions::default() };
        for kind in [ProbeKind::Test, ProbeKind::Simulation(options)] {
            let words = arguments(Path::new("a b.h5"), &kind);
            assert_eq!(words[0], ARGUMENT);
            assert_eq!(kind_from_arguments(&words[1..]), Some(("a b.h5".into(), kind)));
        }
        assert_eq!(kind_from_arguments(&["film".into(), "x".into()]), None);
    }
}
