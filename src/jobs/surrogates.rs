//! The reduced models of the suggestions that are looked at, kept in memory so that a slider moves the mesh at once.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::service_error::ServiceError;
use super::study_folder::study_request;
use super::views::{self, ResultView};
use super::workshop::Workshop;
use crate::blobs::BlobKey;
use crate::domain::StudyParameter;
use crate::ingest::StudyFile;
use crate::suggest::Surrogate;
use crate::tasks::run_on_thread;

/// Suggestions whose models stay in memory.
const OPEN_MODELS: usize = 4;
/// A value may lie this far outside its bounds, share of the range: sliders round.
const BEYOND: f64 = 1e-6;

/// The models that are open.
#[derive(Clone)]
pub struct Surrogates {
    shop: Arc<Workshop>,
    /// The one used last stands last.
    open: Arc<Mutex<Vec<Arc<Open>>>>,
    /// One is opened at a time: a second caller finds it open.
    opening: Arc<tokio::sync::Mutex<()>>,
}

struct Open {
    suggestion_id: String,
    study: StudyFile,
    model: Surrogate,
    /// Simulation time minus film time, s.
    offset_s: f64,
}

impl Surrogates {
    /// None is open yet.
    #[must_use]
    pub fn new(shop: Arc<Workshop>) -> Self {
        Self { shop, open: Arc::default(), opening: Arc::default() }
    }

    /// Node positions at a film time for values of the study's parameters: little-endian f32, x y z of each node, mm.
    ///
    /// # Errors
    /// When the suggestion is not finished, a value is missing or out of bounds, or the study cannot be read.
    pub async fn positions(
        &self,
        suggestion_id: &str,
        film_time_s: f64,
        values: Vec<f64>,
    ) -> Result<Bytes, ServiceError> {
        let open = self.model(suggestion_id).await?;
        run_on_thread("surrogate", move || open.positions(film_time_s, &values)).await?
    }

    async fn model(&self, suggestion_id: &str) -> Result<Arc<Open>, ServiceError> {
        if let Some(found) = self.find(suggestion_id) {
            return Ok(found);
        }
        let _one = self.opening.lock().await;
        if let Some(found) = self.find(suggestion_id) {
            return Ok(found);
        }
        let made = Arc::new(self.open_model(suggestion_id).await?);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN_MODELS {
            open.remove(0);
        }
        open.push(Arc::clone(&made));
        Ok(made)
    }

    fn find(&self, suggestion_id: &str) -> Option<Arc<Open>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let at = open.iter().position(|o| o.suggestion_id == suggestion_id)?;
        let found = open.remove(at);
        open.push(Arc::clone(&found));
        Some(found)
    }

    async fn open_model(&self, suggestion_id: &str) -> Result<Open, ServiceError> {
        let row = self.shop.store.suggestion(suggestion_id).await?;
        let Some(study) = row.study.filter(|_| row.state == "finished") else {
            return Err(ServiceError::Missing {
                what: format!("suggestion {suggestion_id} is {}; it has a model when it is finished", row.state),
            });
        };
        let key = BlobKey::Result(row.review_id.clone(), views::RESULT.to_owned());
        let text = self.shop.blobs.get(&key).await?;
        let text =
            text.ok_or_else(|| ServiceError::Missing { what: format!("review {} has no result", row.review_id) })?;
        let result: ResultView = serde_json::from_slice(&text)
            .map_err(|source| ServiceError::Damaged { what: format!("result of review {}", row.review_id), source })?;
        let request = study_request(&self.shop.folders, &study);
        let suggestion_id = suggestion_id.to_owned();
        run_on_thread("open-study", move || {
            // Each run was tried in a process of its own when it was uploaded.
            let study = StudyFile::load(&request, &|_| Ok(()), &mut |_| ControlFlow::Continue(()))?;
            let model = Surrogate::fit(&study.study().shares(), study.grams());
            Ok(Open { suggestion_id, study, model, offset_s: result.trigger.offset_s })
        })
        .await?
    }
}

impl Open {
    fn positions(&self, film_time_s: f64, values: &[f64]) -> Result<Bytes, ServiceError> {
        let shares = shares_of(&self.study.study().parameters, values)?;
        let positions = self
            .model
            .positions_mm(&self.study, &shares, film_time_s + self.offset_s)
            .map_err(|e| ServiceError::Study { what: "the study's fields cannot be read".to_owned(), source: e })?;
        Ok(positions.iter().flatten().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into())
    }
}

fn shares_of(parameters: &[StudyParameter], values: &[f64]) -> Result<Vec<f64>, ServiceError> {
    let names = || parameters.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
    if values.len() != parameters.len() {
        return Err(ServiceError::Refused {
            what: format!("found {} values, expected {}: {}", values.len(), parameters.len(), names()),
        });
    }
    parameters
        .iter()
        .zip(values)
        .map(|(p, v)| {
            let share = p.share_of(*v);
            if (-BEYOND..=1.0 + BEYOND).contains(&share) {
                return Ok(share.clamp(0.0, 1.0));
            }
            Err(ServiceError::Refused {
                what: format!("{} is {v} {}, expected {} to {}", p.name, p.unit, p.lower, p.upper),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_shares_and_what_lies_outside_is_refused() {
        let p = |name: &str, lower: f64, upper: f64| StudyParameter {
            name: name.into(),
            unit: "mm".into(),
            lower,
            upper,
            nominal: None,
            kind: None,
        };
        let parameters = [p("thickness", 1.0, 3.0), p("height", -4.0, 4.0)];
        assert_eq!(shares_of(&parameters, &[1.5, 4.000_000_1]).expect("inside"), [0.25, 1.0]);
        for values in [vec![1.5], vec![0.9, 0.0], vec![f64::NAN, 0.0]] {
            let error = shares_of(&parameters, &values).expect_err("refused");
            assert!(error.is_input_error() && error.to_string().contains("thickness"), "{error}");
        }
    }
}
