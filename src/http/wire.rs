//! Things as the API shows them; the store's rows are never shown as they are.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::jobs::{CameraSummary, SimulationSummary};
use crate::store;

/// Reads JSON that this program wrote; what is damaged shows as the type's default.
pub(super) fn read<T: DeserializeOwned + Default>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|e| {
        tracing::error!(error = %e, "a row of the store is damaged");
        T::default()
    })
}

/// A campaign: tests that belong together.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Campaign {
    id: String,
    name: String,
    created_at: String,
    /// How many tests it has.
    tests: i64,
    /// Mismatch flags of the newest reviews that nobody has judged.
    open_flags: i64,
}

impl From<store::Campaign> for Campaign {
    fn from(c: store::Campaign) -> Self {
        Self { id: c.id, name: c.name, created_at: c.created_at, tests: c.tests, open_flags: c.open_flags }
    }
}

/// A campaign with what is in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct CampaignBoard {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created_at: String,
    /// How many mismatch flags nobody has judged.
    pub(super) open_flags: i64,
    /// Its tests, newest first (at most 1000; all of them: `/tests?campaign_id=`).
    pub(super) tests: Vec<Test>,
    /// Parts that fail, most often first.
    pub(super) parts: Vec<FailingPart>,
}

/// A part that was flagged in a campaign.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct FailingPart {
    part_name: String,
    tests_flagged: i64,
    worst_mm: f64,
}

impl From<store::FailingPart> for FailingPart {
    fn from(p: store::FailingPart) -> Self {
        Self { part_name: p.part_name, tests_flagged: p.tests_flagged, worst_mm: p.worst_mm }
    }
}

/// A file on its way in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Upload {
    id: String,
    filename: String,
    /// Bytes in all.
    length: i64,
    /// Bytes that are here.
    offset: i64,
    /// `receiving`, `reading`, `accepted` or `refused`.
    state: String,
    /// `simulation`, `sidecar` or `test`.
    kind: String,
    /// Why it was refused: what was found, what was expected, where, what to do.
    refusal: Option<String>,
    /// The simulation that it became or joined.
    simulation_id: Option<String>,
    /// The test that it became.
    test_id: Option<String>,
    campaign_id: Option<String>,
    /// Digest of the whole file, hex, once it was read.
    sha256: Option<String>,
    /// File name of the side-car that stands beside the simulation; null while there is none.
    sidecar_name: Option<String>,
    /// Its digest, hex.
    sidecar_sha256: Option<String>,
    created_at: String,
}

impl From<store::Upload> for Upload {
    fn from(u: store::Upload) -> Self {
        Self {
            id: u.id,
            filename: u.filename,
            length: u.length,
            offset: u.received,
            state: u.state,
            kind: u.kind,
            refusal: u.refusal,
            simulation_id: u.simulation_id,
            test_id: u.test_id,
            campaign_id: u.campaign_id,
            sha256: u.sha256,
            sidecar_name: u.sidecar_name,
            sidecar_sha256: u.sidecar_sha256,
            created_at: u.created_at,
        }
    }
}

/// A part by number and name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Part {
    /// The solver's number.
    id: i32,
    name: String,
}

/// An input of a simulation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Parameter {
    name: String,
    value: f64,
    unit: String,
    nominal: Option<f64>,
    lower: Option<f64>,
    upper: Option<f64>,
    kind: Option<String>,
}

/// What a solver computed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Simulation {
    id: String,
    name: String,
    sha256: String,
    bytes: i64,
    /// Whether a side-car with units and names stands beside it.
    has_sidecar: bool,
    /// File name of that side-car.
    sidecar_name: Option<String>,
    /// Its digest, hex.
    sidecar_sha256: Option<String>,
    /// The campaign that it was uploaded to; null for none.
    sidecar_campaign_id: Option<String>,
    family: Option<String>,
    solver: Option<String>,
    nodes: usize,
    elements: usize,
    /// How many states.
    states: usize,
    /// Their times, s.
    times_s: Vec<f64>,
    parts: Vec<Part>,
    parameters: Vec<Parameter>,
    created_at: String,
}

impl Simulation {
    /// What a study wants to know: id, family, and name, unit and value of the parameters.
    pub(super) fn into_study(self) -> (String, Option<String>, Vec<(String, String, f64)>) {
        (self.id, self.family, self.parameters.into_iter().map(|p| (p.name, p.unit, p.value)).collect())
    }
}

impl From<store::Simulation> for Simulation {
    fn from(s: store::Simulation) -> Self {
        let summary: Option<SimulationSummary> = read(&s.summary);
        let summary = summary.unwrap_or(SimulationSummary {
            family: None,
            solver: None,
            nodes: 0,
            elements: 0,
            times_s: Vec::new(),
            parts: Vec::new(),
            parameters: Vec::new(),
        });
        Self {
            id: s.id,
            name: s.name,
            sha256: s.sha256,
            bytes: s.bytes,
            has_sidecar: s.sidecar_sha256.is_some(),
            sidecar_name: s.sidecar_name,
            sidecar_sha256: s.sidecar_sha256,
            sidecar_campaign_id: s.sidecar_campaign_id.filter(|c| !c.is_empty()),
            family: summary.family,
            solver: summary.solver,
            nodes: summary.nodes,
            elements: summary.elements,
            states: summary.times_s.len(),
            times_s: summary.times_s,
            parts: summary.parts.into_iter().map(|p| Part { id: p.id, name: p.name }).collect(),
            parameters: summary
                .parameters
                .into_iter()
                .map(|p| Parameter {
                    name: p.name,
                    value: p.value,
                    unit: p.unit,
                    nominal: p.nominal,
                    lower: p.lower,
                    upper: p.upper,
                    kind: p.kind,
                })
                .collect(),
            created_at: s.created_at,
        }
    }
}

/// A camera of a test.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(super) struct TestCamera {
    name: String,
    /// Picture width, px.
    width: usize,
    /// Picture height, px.
    height: usize,
    /// How many frames.
    frames: usize,
    /// Their times, s after the trigger.
    times_s: Vec<f64>,
}

/// Where a test stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum TestState {
    /// Not reviewed yet.
    Stored,
    /// Frames arrive.
    Live,
    /// A review of it is finished.
    Reviewed,
}

/// One filmed test.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Test {
    id: String,
    campaign_id: String,
    name: String,
    filename: String,
    sha256: Option<String>,
    bytes: i64,
    cameras: Vec<TestCamera>,
    state: TestState,
    /// Its newest review, in whatever state.
    latest_review_id: Option<String>,
    /// What to show: its newest review that is finished or live. It stays while a newer one waits, runs or has failed.
    shown_review_id: Option<String>,
    created_at: String,
}

impl From<store::StoredTest> for Test {
    fn from(t: store::StoredTest) -> Self {
        let cameras: Vec<CameraSummary> = read(&t.cameras);
        Self {
            id: t.id,
            campaign_id: t.campaign_id,
            name: t.name,
            filename: t.filename,
            sha256: t.sha256,
            bytes: t.bytes,
            cameras: cameras
                .into_iter()
                .map(|c| TestCamera {
                    name: c.name,
                    width: c.width,
                    height: c.height,
                    frames: c.frames,
                    times_s: c.times_s,
                })
                .collect(),
            state: match (t.receiving > 0, t.shown_review_state.as_deref()) {
                (true, _) => TestState::Live,
                (false, Some("finished")) => TestState::Reviewed,
                _ => TestState::Stored,
            },
            latest_review_id: t.latest_review_id,
            shown_review_id: t.shown_review_id,
            created_at: t.created_at,
        }
    }
}

/// Where a review stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReviewState {
    Queued,
    Running,
    Finished,
    Failed,
    Cancelled,
}

impl ReviewState {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "queued" => Self::Queued,
            "running" => Self::Running,
            "finished" => Self::Finished,
            "cancelled" => Self::Cancelled,
            _ => Self::Failed,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One test against one simulation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Review {
    id: String,
    batch_id: Option<String>,
    campaign_id: String,
    simulation_id: String,
    test_id: String,
    state: ReviewState,
    /// What is being done.
    stage: String,
    pictures_done: i64,
    pictures_total: i64,
    /// By the rate so far.
    seconds_left: Option<f64>,
    /// Why it failed.
    refusal: Option<String>,
    tolerance_mm: f64,
    /// Tolerances of single parts, mm.
    tolerances: std::collections::BTreeMap<String, f64>,
    /// Whether the simulation's study is heard, where there is one.
    study: bool,
    created_at: String,
    finished_at: Option<String>,
    /// How many mismatches it found.
    flags: i64,
    /// Of the part that it measured best, the share that was measured after frame 0, 0–1, on average over the film; told when
    /// it is finished.
    compared_share: Option<f64>,
    /// Whether that is enough for "no flag" to mean "within tolerance".
    is_compared: Option<bool>,
    /// What executed the measurement.
    provider: Option<String>,
    /// True for frames that were reviewed as they arrived.
    live: bool,
}

impl From<store::ReviewRow> for Review {
    fn from(r: store::ReviewRow) -> Self {
        Self {
            id: r.id,
            batch_id: r.batch_id,
            campaign_id: r.campaign_id,
            simulation_id: r.simulation_id,
            test_id: r.test_id,
            state: ReviewState::of(&r.state),
            stage: r.stage,
            pictures_done: r.pictures_done,
            pictures_total: r.pictures_total,
            seconds_left: r.seconds_left,
            refusal: r.refusal,
            tolerance_mm: r.tolerance_mm,
            tolerances: read(&r.tolerances),
            study: r.study != 0,
            created_at: r.created_at,
            finished_at: r.finished_at,
            flags: r.flags,
            compared_share: r.compared_share,
            is_compared: r.compared_share.map(crate::domain::is_compared),
            provider: r.provider,
            live: r.live != 0,
        }
    }
}

/// Work to be done.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Job {
    id: String,
    /// `read_upload`, `review_test`, `send_webhook`, `suggest_change` or `note_gain`.
    kind: String,
    /// The upload, review, batch or suggestion that it is about.
    subject_id: String,
    /// `queued`, `running`, `done`, `failed` or `cancelled`.
    state: String,
    attempts: i64,
    max_attempts: i64,
    error: Option<String>,
    created_at: String,
    finished_at: Option<String>,
}

impl From<store::Job> for Job {
    fn from(j: store::Job) -> Self {
        Self {
            id: j.id,
            kind: j.kind,
            subject_id: j.subject_id,
            state: j.state,
            attempts: j.attempts,
            max_attempts: j.max_attempts,
            error: j.error,
            created_at: j.created_at,
            finished_at: j.finished_at,
        }
    }
}
