//! What people say about a flag.

use serde::{Deserialize, Serialize};

use super::flag::Flag;

/// The verdict on a flag as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// `open`, `confirmed`, `dismissed` or `relabelled`.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// What it is called instead.
    pub label: Option<String>,
    /// Who says so.
    pub author: Option<String>,
    /// Free text.
    pub comment: Option<String>,
    /// When, RFC 3339; `None` while nobody has said anything.
    pub judged_at: Option<String>,
    /// When a later look at the film did not find the flag any more, RFC 3339; `None` for a flag that stands.
    pub withdrawn_at: Option<String>,
}

/// A flag with the verdict on it.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedFlag {
    /// What the review says.
    pub flag: Flag,
    /// What people say.
    pub judgement: Judgement,
}
