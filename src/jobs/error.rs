//! Why a review was not finished, and who is to blame.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::tolerances::ToleranceError;
use super::watched::Stopped;
use crate::export::ExportError;
use crate::ingest::IngestError;
use crate::report::ReportError;
use crate::review::SessionError;

/// A review that could not be finished; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// An input cannot be read.
    #[error("an input is refused")]
    Ingest {
        /// Which, where and why.
        #[from]
        source: IngestError,
    },
    /// The test cannot be compared with the simulation.
    #[error("cannot compare the test {} with the simulation {}", test.display(), simulation.display())]
    Session {
        /// The test.
        test: PathBuf,
        /// The simulation.
        simulation: PathBuf,
        /// Why.
        source: SessionError,
    },
    /// The mesh is not what frame 0 shows.
    #[error(
        "the mesh of {} is not what {} shows: at {places} places of its outline in frame 0 the picture's edge is stronger \
         than those beside it in {stronger_percent:.0} % ({by_camera}), expected at least {least_percent:.0} % (by chance 50 %); \
         check that this structure was tested, its position and its unit, that the pictures show it and have the size that \
         the intrinsics mean, or say --partial-mesh where the mesh is only a part of what was filmed",
        simulation.display(), test.display()
    )]
    OtherMesh {
        /// The simulation.
        simulation: PathBuf,
        /// The test.
        test: PathBuf,
        /// At how many places of the outline that was asked.
        places: usize,
        /// How often the edge on the outline is stronger than one beside it, %.
        stronger_percent: f64,
        /// The same of each camera, in words.
        by_camera: String,
        /// How often it should be, %.
        least_percent: f64,
    },
    /// A camera filmed at another time than the others.
    #[error(
        "{}: camera '{camera}' filmed from {:.6} to {:.6} s, the other cameras from {:.6} to {:.6} s; expected times that \
         overlap, counted from one trigger: check its times and their unit, or leave the camera out",
        test.display(), found_s[0], found_s[1], expected_s[0], expected_s[1]
    )]
    CamerasApart {
        /// The test.
        test: PathBuf,
        /// Which.
        camera: String,
        /// From when to when it filmed, s.
        found_s: [f64; 2],
        /// The same of all others, s.
        expected_s: [f64; 2],
    },
    /// The film shows nothing of the time that was simulated.
    #[error(
        "{} was filmed from {:.6} to {:.6} s, {} was simulated from {:.6} to {:.6} s: they share too little; expected the \
         same time, film time 0 being the contact: check the trigger and the unit of both times (a side-car beside the \
         simulation tells its unit)",
        test.display(), film_s[0], film_s[1], simulation.display(), simulated_s[0], simulated_s[1]
    )]
    TimesApart {
        /// The simulation.
        simulation: PathBuf,
        /// The test.
        test: PathBuf,
        /// From when to when was filmed, s.
        film_s: [f64; 2],
        /// From when to when was simulated, s.
        simulated_s: [f64; 2],
    },
    /// The study is of another structure.
    #[error(
        "the runs of {} are not of the mesh of {}: found {} nodes and {} elements, expected {} and {} in the same order; \
         name the study of this design, or leave it out with --no-study",
        study.display(), simulation.display(), found[0], found[1], expected[0], expected[1]
    )]
    OtherStudy {
        /// The simulation.
        simulation: PathBuf,
        /// The study.
        study: PathBuf,
        /// Nodes and elements of the study.
        found: [usize; 2],
        /// Nodes and elements of the simulation.
        expected: [usize; 2],
    },
    /// The tolerances do not fit the simulation.
    #[error("the tolerances are refused")]
    Tolerances {
        /// Which and why.
        #[from]
        source: ToleranceError,
    },
    /// The findings cannot be written.
    #[error("cannot write the findings")]
    Export {
        /// Which file and why.
        #[from]
        source: ExportError,
    },
    /// The report cannot be drawn.
    #[error("cannot make the report")]
    Report {
        /// Which plot and why.
        #[from]
        source: ReportError,
    },
    /// The caller asked to stop.
    #[error("stopped before the end: nothing was written")]
    Cancelled,
}

impl ReviewError {
    /// True when the input is at fault (exit code 2), false when the program or the machine is.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        match self {
            Self::Ingest { source } => source.is_input_error(),
            // A file may turn out to be damaged only where it is read late.
            Self::Session { source: SessionError::Source(e), .. } => {
                e.downcast_ref::<IngestError>().is_some_and(IngestError::is_input_error)
            }
            Self::Session { source, .. } => source.is_input_error(),
            Self::OtherMesh { .. }
            | Self::CamerasApart { .. }
            | Self::TimesApart { .. }
            | Self::OtherStudy { .. }
            | Self::Tolerances { .. } => true,
            Self::Export { source } => match source {
                ExportError::Positions { source, .. } => {
                    source.downcast_ref::<IngestError>().is_some_and(IngestError::is_input_error)
                }
                other => other.is_input_error(),
            },
            Self::Report { source } => match source {
                ReportError::Source { source, .. } => {
                    source.downcast_ref::<IngestError>().is_some_and(IngestError::is_input_error)
                }
                other => other.is_input_error(),
            },
            Self::Cancelled => false,
        }
    }

    /// True when the caller asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// Turns "a source was stopped" into what it means, wherever it came up.
    pub(super) fn or_cancelled(self) -> Self {
        let stopped = match &self {
            Self::Session { source: SessionError::Cancelled, .. } => true,
            Self::Ingest { source: IngestError::File { source, .. } } => source.kind() == ErrorKind::Interrupted,
            Self::Session { source: SessionError::Source(e), .. } => e.is::<Stopped>(),
            Self::Export { source: ExportError::Positions { source, .. } } => source.is::<Stopped>(),
            Self::Report { source: ReportError::Source { source, .. } } => source.is::<Stopped>(),
            _ => false,
        };
        if stopped { Self::Cancelled } else { self }
    }
}
