//! A small store for tests: one campaign, one simulation, live and ordered reviews.

use super::{BatchOrder, Lease, Live, NewLive, Page, ReviewFilter, ReviewOrder, Store};
use crate::store::JobKind;

/// A store in a folder that lasts as long as the test.
pub(super) struct Bench {
    _folder: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) campaign: String,
}

/// The one simulation.
pub(super) const SIMULATION: &str = "simulation-1";

impl Bench {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("crumple.db")).await.unwrap();
        let campaign = store.add_campaign("Bench").await.unwrap().id;
        sqlx::query("INSERT INTO simulations (id, name, stem, sha256, bytes, summary) VALUES (?1, 'a.vtkhdf', 'a', 'aa', 1, '')")
            .bind(SIMULATION)
            .execute(&store.pool)
            .await
            .unwrap();
        Self { _folder: folder, store, campaign }
    }

    pub(super) async fn live(&self) -> Live {
        let new = NewLive {
            name: "live".into(),
            campaign_id: self.campaign.clone(),
            simulation_id: SIMULATION.into(),
            cameras: "[]".into(),
            records: "[]".into(),
            tolerance_mm: 5.0,
        };
        self.store.begin_live(&new).await.unwrap()
    }

    /// Orders a review of the test; returns its id.
    pub(super) async fn order(&self, test: &str) -> String {
        let review = ReviewOrder {
            simulation_id: SIMULATION.into(),
            test_id: test.into(),
            tolerance_mm: 5.0,
            tolerances: Default::default(),
            study: true,
        };
        let order = BatchOrder { reviews: vec![review], ..BatchOrder::default() };
        let batch_id = Some(self.store.order_reviews(&order).await.unwrap());
        let filter = ReviewFilter { batch_id, ..ReviewFilter::default() };
        self.store.reviews(&filter, &Page { limit: 1, cursor: None }).await.unwrap()[0].id.clone()
    }

    /// Takes the next review; returns its id and the right to end it.
    pub(super) async fn take(&self) -> (String, Lease) {
        let lease = std::time::Duration::from_secs(60);
        let hand = self.store.hand(JobKind::ReviewTest, lease).await.unwrap();
        let taken = self.store.take_job(&hand).await.unwrap().unwrap();
        (taken.subject_id, taken.lease)
    }
}
