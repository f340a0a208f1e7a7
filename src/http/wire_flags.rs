//! Flags and verdicts as the API shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::wire::read;
use crate::store;

/// What people say about a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum VerdictState {
    Open,
    Confirmed,
    Dismissed,
    Relabelled,
}

impl VerdictState {
    fn of(name: &str) -> Self {
        match name {
            "confirmed" => Self::Confirmed,
            "dismissed" => Self::Dismissed,
            "relabelled" => Self::Relabelled,
            _ => Self::Open,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Confirmed => "confirmed",
            Self::Dismissed => "dismissed",
            Self::Relabelled => "relabelled",
        }
    }
}

/// The verdict on a flag as it stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Verdict {
    state: VerdictState,
    reason: Option<String>,
    /// What the flag is called instead, when relabelled.
    label: Option<String>,
    comment: Option<String>,
    author: Option<String>,
    /// When; null while it is open.
    at: Option<String>,
}

/// What was said about a flag once.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct VerdictRecord {
    state: VerdictState,
    reason: Option<String>,
    label: Option<String>,
    comment: Option<String>,
    author: Option<String>,
    /// Said before the machine's opinion was seen.
    blind: bool,
    at: String,
}

impl From<store::VerdictRecord> for VerdictRecord {
    fn from(v: store::VerdictRecord) -> Self {
        Self {
            state: VerdictState::of(&v.verdict),
            reason: v.reason,
            label: v.label,
            comment: v.comment,
            author: v.author,
            blind: v.blind != 0,
            at: v.at,
        }
    }
}

/// Pixels in the camera's own (distorted) picture, inclusive.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct BoundingBox {
    x0: i32,
    y0: i32,
    x1: i32,
    y1: i32,
}

/// One connected mismatch of one part.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Flag {
    id: String,
    /// Its number in the review, from 1; 0 in the views means no flag.
    number: i64,
    review_id: String,
    campaign_id: String,
    part_id: i32,
    part_name: String,
    /// `rigid_motion`, `deformation`, `mixed` or `not_observed`.
    kind: String,
    /// `mismatch` or `cannot_tell`.
    verdict_machine: String,
    /// That the deviation exceeds the tolerance.
    probability: f64,
    onset_s: f64,
    peak_s: f64,
    peak_mm: f64,
    peak_sigma_mm: f64,
    area_mm2: f64,
    /// Share of its elements, over its film times, that a camera measured; null where that is not known.
    observed_share: Option<f64>,
    cameras: Vec<String>,
    element_ids: Vec<u32>,
    /// Camera → frame index → box.
    bbox_px: std::collections::BTreeMap<String, std::collections::BTreeMap<String, BoundingBox>>,
    verdict: Verdict,
    /// Give it in `If-Match` (in quotes) when setting a verdict.
    version: i64,
    /// When a later look at the film did not find a judged flag any more: it counts nowhere, and its number may be another
    /// flag's. Null for a flag that stands.
    withdrawn_at: Option<String>,
}

impl Flag {
    /// The tag of this version.
    pub(super) fn tag(&self) -> String {
        format!("\"{}\"", self.version)
    }
}

impl From<store::StoredFlag> for Flag {
    fn from(f: store::StoredFlag) -> Self {
        let content: Option<crate::domain::Flag> = read(&f.content);
        let name_of =
            |value: Option<serde_json::Value>| value.and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let kind = name_of(content.as_ref().and_then(|c| serde_json::to_value(c.kind).ok()));
        let machine = name_of(content.as_ref().and_then(|c| serde_json::to_value(c.verdict).ok()));
        let c = content.as_ref();
        Self {
            id: f.id,
            number: f.number,
            review_id: f.review_id,
            campaign_id: f.campaign_id,
            part_id: c.map_or(0, |c| c.part_id.0),
            part_name: c.map_or_else(String::new, |c| c.part_name.clone()),
            kind,
            verdict_machine: machine,
            probability: c.map_or(0.0, |c| c.probability),
            onset_s: c.map_or(0.0, |c| c.onset_s),
            peak_s: c.map_or(0.0, |c| c.peak_s),
            peak_mm: c.map_or(0.0, |c| c.peak_mm),
            peak_sigma_mm: c.map_or(0.0, |c| c.peak_sigma_mm),
            area_mm2: c.map_or(0.0, |c| c.area_mm2),
            observed_share: c.and_then(|c| c.observed_share),
            cameras: c.map_or_else(Vec::new, |c| c.cameras.clone()),
            element_ids: c.map_or_else(Vec::new, |c| c.element_ids.clone()),
            bbox_px: c.map_or_else(Default::default, |c| {
                let boxes = c.bbox_px.iter().map(|(camera, frames)| {
                    let frames = frames
                        .iter()
                        .map(|(i, b)| (i.to_string(), BoundingBox { x0: b.x0, y0: b.y0, x1: b.x1, y1: b.y1 }));
                    (camera.clone(), frames.collect())
                });
                boxes.collect()
            }),
            verdict: Verdict {
                state: VerdictState::of(&f.verdict),
                reason: f.reason,
                label: f.label,
                comment: f.comment,
                author: f.author,
                at: f.verdict_at,
            },
            version: f.version,
            withdrawn_at: f.withdrawn_at,
        }
    }
}
