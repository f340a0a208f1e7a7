//! Simulations and their side-cars, which find each other by name within a campaign.
//!
//! The same bytes are one simulation, whatever campaigns they come to; a name says nothing beyond its campaign, because
//! solvers call every run the same. So a side-car joins the newest simulation of its name in its own campaign, and never
//! takes the place of another side-car but of one with the same name from the same campaign.

use super::files::accept;
use super::jobs::Lease;
use super::{Simulation, Store, StoreError, Upload};

/// A side-car that waits for its simulation, or stands beside one.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Sidecar {
    /// Its file name.
    pub name: String,
    /// Its digest, hex.
    pub sha256: String,
}

/// Uploads that name no campaign have one scope of their own.
fn scope(upload: &Upload) -> &str {
    upload.campaign_id.as_deref().unwrap_or_default()
}

async fn waiting<'a>(
    from: impl sqlx::SqliteExecutor<'a>,
    upload: &Upload,
    stem: &str,
) -> Result<Option<Sidecar>, StoreError> {
    sqlx::query_as("SELECT name, sha256 FROM waiting_sidecars WHERE campaign_id = ?1 AND stem = ?2")
        .bind(scope(upload))
        .bind(stem)
        .fetch_optional(from)
        .await
        .map_err(StoreError::database("find a side-car"))
}

impl Store {
    /// The upload was a simulation: notes it once, however often the file comes. `None` when another side-car than the
    /// one that it was read with waits for it by now: then it is to be read again.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn accept_simulation(
        &self,
        lease: &Lease,
        upload: &Upload,
        new: &Simulation,
    ) -> Result<Option<String>, StoreError> {
        let mut writing = self.write().await?;
        let waiting = waiting(&mut *writing.tx, upload, &new.stem).await?;
        if waiting.is_some() && waiting.map(|w| w.sha256) != new.sidecar_sha256 {
            return Ok(None);
        }
        let id: String = sqlx::query_scalar(
            "INSERT INTO simulations (id, name, stem, sha256, bytes, sidecar_sha256, sidecar_name, sidecar_campaign_id, summary)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (sha256) DO UPDATE SET
                 summary = CASE WHEN sidecar_sha256 IS NULL THEN excluded.summary ELSE summary END,
                 sidecar_name = CASE WHEN sidecar_sha256 IS NULL THEN excluded.sidecar_name ELSE sidecar_name END,
                 sidecar_campaign_id = CASE WHEN sidecar_sha256 IS NULL THEN excluded.sidecar_campaign_id
                     ELSE sidecar_campaign_id END,
                 sidecar_sha256 = coalesce(sidecar_sha256, excluded.sidecar_sha256)
             RETURNING id",
        )
        .bind(&new.id)
        .bind(&new.name)
        .bind(&new.stem)
        .bind(&new.sha256)
        .bind(new.bytes)
        .bind(&new.sidecar_sha256)
        .bind(&new.sidecar_name)
        .bind(new.sidecar_sha256.as_ref().map(|_| scope(upload)))
        .bind(&new.summary)
        .fetch_one(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note a simulation"))?;
        sqlx::query(
            "INSERT INTO simulation_places (campaign_id, stem, simulation_id, upload_id) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (campaign_id, stem, simulation_id) DO UPDATE SET upload_id = excluded.upload_id",
        )
        .bind(scope(upload))
        .bind(&new.stem)
        .bind(&id)
        .bind(&upload.id)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note where a simulation came"))?;
        accept(&mut writing, lease, &upload.id, &new.sha256, Some(&id), None).await?;
        writing.note("simulation", &id, None).await?;
        writing.commit().await?;
        Ok(Some(id))
    }

    /// The upload was a side-car: joins the simulation (with its new summary), or waits for one of its stem. False when
    /// one has come meanwhile: then it is to join that one.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn accept_sidecar(
        &self,
        lease: &Lease,
        upload: &Upload,
        stem: &str,
        sidecar: &Sidecar,
        joined: Option<(&str, &str)>,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        if joined.is_none() {
            let came: Option<i64> =
                sqlx::query_scalar("SELECT 1 FROM simulation_places WHERE campaign_id = ?1 AND stem = ?2")
                    .bind(scope(upload))
                    .bind(stem)
                    .fetch_optional(&mut *writing.tx)
                    .await
                    .map_err(StoreError::database("look for a simulation"))?;
            if came.is_some() {
                return Ok(false);
            }
        }
        if let Some((simulation_id, summary)) = joined {
            sqlx::query(
                "UPDATE simulations SET sidecar_sha256 = ?2, summary = ?3, sidecar_name = ?4, sidecar_campaign_id = ?5,
                     version = version + 1 WHERE id = ?1",
            )
            .bind(simulation_id)
            .bind(&sidecar.sha256)
            .bind(summary)
            .bind(&sidecar.name)
            .bind(scope(upload))
            .execute(&mut *writing.tx)
            .await
            .map_err(StoreError::database("join a side-car"))?;
            writing.note("simulation", simulation_id, None).await?;
        }
        sqlx::query(
            "INSERT INTO waiting_sidecars (campaign_id, stem, name, sha256) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (campaign_id, stem) DO UPDATE SET name = excluded.name, sha256 = excluded.sha256",
        )
        .bind(scope(upload))
        .bind(stem)
        .bind(&sidecar.name)
        .bind(&sidecar.sha256)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("keep a side-car"))?;
        accept(&mut writing, lease, &upload.id, &sidecar.sha256, joined.map(|j| j.0), None).await?;
        writing.commit().await?;
        Ok(true)
    }

    /// The side-car of this stem that came to the upload's campaign.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting_sidecar(&self, upload: &Upload, stem: &str) -> Result<Option<Sidecar>, StoreError> {
        waiting(&self.pool, upload, stem).await
    }

    /// The newest simulation of this stem in the upload's campaign.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn simulation_for_sidecar(&self, upload: &Upload, stem: &str) -> Result<Option<Simulation>, StoreError> {
        sqlx::query_as(
            "SELECT s.* FROM simulations s JOIN simulation_places p ON p.simulation_id = s.id
             WHERE p.campaign_id = ?1 AND p.stem = ?2 ORDER BY p.upload_id DESC LIMIT 1",
        )
        .bind(scope(upload))
        .bind(stem)
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::database("find a simulation"))
    }
}

impl Simulation {
    /// True when a side-car with this digest and upload may stand beside it: there is none yet, it is the same one, or it
    /// takes the place of one with its own name from its own campaign.
    #[must_use]
    pub fn takes_sidecar(&self, sha256: &str, upload: &Upload) -> bool {
        match &self.sidecar_sha256 {
            None => true,
            Some(own) => {
                own == sha256
                    || (self.sidecar_name.as_deref() == Some(upload.filename.as_str())
                        && self.sidecar_campaign_id.as_deref() == Some(scope(upload)))
            }
        }
    }
}
