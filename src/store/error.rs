//! Why the store could not do what it was asked for.

use std::path::PathBuf;

/// A verb that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("cannot open the database {}; check the folder's rights, or name another one with --data", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The tables cannot be brought up to date.
    #[error("the database {} cannot be brought up to date; is it of a newer version of this program?", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// A statement failed.
    #[error("the database could not {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// Something that is not there.
    #[error("there is no {what} {id}")]
    Missing {
        /// Of what kind.
        what: &'static str,
        /// Its id as asked for.
        id: String,
    },
    /// What is asked for contradicts what is there.
    #[error("{what}")]
    Conflict {
        /// What is asked for, what is there, what to do.
        what: String,
    },
    /// The thing was changed since the caller looked at it.
    #[error("{what} {id} is now version {found}, the change was made for version {expected}: read it again")]
    Changed {
        /// Of what kind.
        what: &'static str,
        /// Its id.
        id: String,
        /// Version now.
        found: i64,
        /// Version that the caller saw.
        expected: i64,
    },
    /// The work was done, but somebody had asked for it to be stopped.
    #[error("job {job_id} was cancelled before its result was written")]
    CancelWanted {
        /// The job.
        job_id: String,
    },
    /// The lease was lost: somebody else does this job now.
    #[error("the lease on job {job_id} was lost")]
    LeaseLost {
        /// The job.
        job_id: String,
    },
}

impl StoreError {
    /// True when the caller asked for something that cannot be.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Conflict { .. } | Self::Changed { .. })
    }

    /// True when the disk has no room for what the database was to note.
    #[must_use]
    pub fn is_full(&self) -> bool {
        /// SQLITE_FULL, <https://sqlite.org/rescode.html#full>.
        const FULL: &str = "13";
        let Self::Database { source: sqlx::Error::Database(e), .. } = self else { return false };
        e.code().is_some_and(|code| code == FULL)
    }

    pub(super) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }

    pub(super) fn queue(doing: &'static str) -> impl FnOnce(apalis_sqlite::Error) -> Self {
        move |e| {
            let source = match e {
                apalis_sqlite::Error::Database(source) => source,
                other => sqlx::Error::Decode(Box::new(other)),
            };
            Self::Database { doing, source }
        }
    }

    pub(super) fn missing(what: &'static str, id: &str) -> Self {
        Self::Missing { what, id: id.to_owned() }
    }
}
