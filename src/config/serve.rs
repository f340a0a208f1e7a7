//! Settings of the service: words on the command line, else `CRUMPLE_…` in the environment, else the settings file,
//! else the default. Each has the same name in all three (`--lease-s`, `CRUMPLE_LEASE_S`, `lease_s`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// A day, s.
const DAY_S: f64 = 86_400.0;
/// A hundred years: dates of an answer have four digits for the year.
const MOST_DAYS: f64 = 36_500.0;

/// What one source of settings says; nothing is checked yet.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeWords {
    /// Address and port.
    pub listen: Option<String>,
    /// Names by which callers may address the service, with commas between them; `*` for any.
    pub allowed_hosts: Option<String>,
    /// Folder of the database and the blobs.
    pub data: Option<PathBuf>,
    /// Reviews at a time.
    pub workers: Option<u64>,
    /// Lease of a job, s.
    pub lease_s: Option<f64>,
    /// Largest upload, GB.
    pub max_upload_gb: Option<f64>,
    /// How long an upload that is not whole waits for its next part, days.
    pub keep_uploads_days: Option<f64>,
    /// Longest trial of a file, s.
    pub read_limit_s: Option<f64>,
    /// `dis` or `onnx`.
    pub residual: Option<String>,
    /// Residual model.
    pub model: Option<PathBuf>,
    /// `auto`, `cpu`, `cuda` or `tensorrt`.
    pub provider: Option<String>,
    /// Live tests at a time.
    pub max_live: Option<u64>,
    /// Changes that a reader may have missed and still get, count.
    pub keep_events: Option<u64>,
    /// Time for running work at the end, s.
    pub stop_s: Option<f64>,
    /// Which log lines.
    pub log: Option<String>,
    /// `text` or `json`.
    pub log_format: Option<String>,
    /// Folder with `simulation.vtkhdf` and `test.h5` for the demo campaign.
    pub demo: Option<PathBuf>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings with their meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct ServeSettings {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names by which callers may address the service beside its addresses and those of this machine, in small letters;
    /// `*` for any.
    pub allowed_hosts: Vec<String>,
    /// Folder of the database and the blobs.
    pub data: PathBuf,
    /// Reviews at a time.
    pub workers: usize,
    /// Lease of a job; prolonged while the job runs.
    pub lease: Duration,
    /// Largest upload, bytes.
    pub max_upload_bytes: u64,
    /// How long an upload that is not whole waits for its next part.
    pub keep_uploads: Duration,
    /// Longest trial of a file in its own process.
    pub read_limit: Duration,
    /// True for a network instead of optical flow.
    pub with_model: bool,
    /// Residual model.
    pub model: PathBuf,
    /// `auto`, `cpu`, `cuda` or `tensorrt`.
    pub provider: String,
    /// Live tests at a time.
    pub max_live: usize,
    /// Changes that a reader may have missed and still get.
    pub keep_events: i64,
    /// Time for running work at the end.
    pub stop_after: Duration,
    /// Which log lines, as `tracing` filters them.
    pub log: String,
    /// How they look.
    pub log_format: LogFormat,
    /// Folder of the demo campaign's files.
    pub demo: Option<PathBuf>,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// A value without meaning.
    #[error("setting {name} is {found:?}, expected {expected}; correct it (flag, CRUMPLE_{} or settings file)", name.to_uppercase())]
    Value {
        /// Which setting.
        name: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A settings file that cannot be read.
    #[error("the settings file {} cannot be read; name a TOML file", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A settings file that is no such file.
    #[error("the settings file {} is refused; `crumple serve --help` lists the settings", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
}

impl SettingError {
    /// Always: somebody wrote these words.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        true
    }
}

impl ServeWords {
    /// Reads a settings file.
    ///
    /// # Errors
    /// When it cannot be read or has unknown settings.
    pub fn from_file(path: &Path) -> Result<Self, SettingError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| SettingError::File { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|e| SettingError::Syntax { path: path.to_owned(), source: Box::new(e) })
    }

    /// Reads `CRUMPLE_…` from the environment.
    ///
    /// # Errors
    /// When a number is none.
    #[expect(clippy::disallowed_methods, reason = "the environment is read in this module and nowhere else")]
    pub fn from_env() -> Result<Self, SettingError> {
        Self::from_words(|name| {
            std::env::var_os(format!("CRUMPLE_{}", name.to_uppercase())).map(|v| v.to_string_lossy().into_owned())
        })
    }

    /// The settings file that `CRUMPLE_CONFIG` names.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the environment is read in this module and nowhere else")]
    pub fn file_from_env() -> Option<PathBuf> {
        std::env::var_os("CRUMPLE_CONFIG").filter(|v| !v.is_empty()).map(PathBuf::from)
    }

    fn from_words(word: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let number = |name: &'static str| {
            word(name)
                .map(|w| w.parse().map_err(|_| SettingError::Value { name, found: w, expected: "a number" }))
                .transpose()
        };
        let count = |name: &'static str| {
            word(name)
                .map(|w| w.parse().map_err(|_| SettingError::Value { name, found: w, expected: "a whole number" }))
                .transpose()
        };
        Ok(Self {
            listen: word("listen"),
            allowed_hosts: word("allowed_hosts"),
            data: word("data").map(PathBuf::from),
            workers: count("workers")?,
            lease_s: number("lease_s")?,
            max_upload_gb: number("max_upload_gb")?,
            keep_uploads_days: number("keep_uploads_days")?,
            read_limit_s: number("read_limit_s")?,
            residual: word("residual"),
            model: word("model").map(PathBuf::from),
            provider: word("provider"),
            max_live: count("max_live")?,
            keep_events: count("keep_events")?,
            stop_s: number("stop_s")?,
            log: word("log"),
            log_format: word("log_format"),
            demo: word("demo").map(PathBuf::from),
        })
    }

    /// What is said here, else what `other` says.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            allowed_hosts: self.allowed_hosts.or(other.allowed_hosts),
            data: self.data.or(other.data),
            workers: self.workers.or(other.workers),
            lease_s: self.lease_s.or(other.lease_s),
            max_upload_gb: self.max_upload_gb.or(other.max_upload_gb),
            keep_uploads_days: self.keep_uploads_days.or(other.keep_uploads_days),
            read_limit_s: self.read_limit_s.or(other.read_limit_s),
            residual: self.residual.or(other.residual),
            model: self.model.or(other.model),
            provider: self.provider.or(other.provider),
            max_live: self.max_live.or(other.max_live),
            keep_events: self.keep_events.or(other.keep_events),
            stop_s: self.stop_s.or(other.stop_s),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            demo: self.demo.or(other.demo),
        }
    }

    /// What it all means, with the defaults filled in.
    ///
    /// # Errors
    /// For a value without meaning, by name.
    pub fn settings(self) -> Result<ServeSettings, SettingError> {
        let listen = self.listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let expected = "an address and a port, for example 127.0.0.1:8080";
        let listen = listen.parse().map_err(|_| SettingError::Value { name: "listen", found: listen, expected })?;
        let seconds = |name: &'static str, value: Option<f64>, default: f64| {
            let value = value.unwrap_or(default);
            let refused = || SettingError::Value { name, found: value.to_string(), expected: "seconds above 0" };
            if value > 0.0 { Duration::try_from_secs_f64(value).map_err(|_| refused()) } else { Err(refused()) }
        };
        let days = self.keep_uploads_days.unwrap_or(7.0);
        if !(days > 0.0 && days <= MOST_DAYS) {
            let expected = "days above 0 and not above 36500";
            return Err(SettingError::Value { name: "keep_uploads_days", found: days.to_string(), expected });
        }
        let one_of = |name: &'static str, value: Option<String>, known: &[&str], expected: &'static str| {
            let value = value.unwrap_or_else(|| known[0].to_owned());
            if known.contains(&value.as_str()) {
                Ok(value)
            } else {
                Err(SettingError::Value { name, found: value, expected })
            }
        };
        let gb = self.max_upload_gb.unwrap_or(64.0);
        if !(gb.is_finite() && gb > 0.0) {
            let expected = "gigabytes above 0";
            return Err(SettingError::Value { name: "max_upload_gb", found: gb.to_string(), expected });
        }
        let count = |name: &'static str, value: Option<u64>, default: usize| match value {
            None => Ok(default),
            Some(n @ 1..=64) => Ok(n as usize),
            Some(n) => Err(SettingError::Value { name, found: n.to_string(), expected: "a whole number from 1 to 64" }),
        };
        let hosts = self.allowed_hosts.unwrap_or_default().to_ascii_lowercase();
        let allowed_hosts = hosts.split(',').map(str::trim).filter(|h| !h.is_empty()).map(str::to_owned).collect();
        Ok(ServeSettings {
            listen,
            allowed_hosts,
            data: self.data.unwrap_or_else(|| "crumple-data".into()),
            workers: count("workers", self.workers, 1)?,
            lease: seconds("lease_s", self.lease_s, 30.0)?,
            max_upload_bytes: (gb * 1e9) as u64,
            keep_uploads: Duration::from_secs_f64(days * DAY_S),
            read_limit: seconds("read_limit_s", self.read_limit_s, 60.0)?,
            with_model: one_of("residual", self.residual, &["dis", "onnx"], "dis or onnx")? == "onnx",
            model: self.model.unwrap_or_else(|| "models/residual.onnx".into()),
            provider: one_of(
                "provider",
                self.provider,
                &["auto", "cpu", "cuda", "tensorrt"],
                "auto, cpu, cuda or tensorrt",
            )?,
            max_live: count("max_live", self.max_live, 4)?,
            keep_events: i64::try_from(self.keep_events.unwrap_or(200_000)).unwrap_or(i64::MAX).max(100),
            stop_after: seconds("stop_s", self.stop_s, 10.0)?,
            log: self.log.unwrap_or_else(|| "info".to_owned()),
            log_format: match one_of("log_format", self.log_format, &["text", "json"], "text or json")?.as_str() {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
            demo: self.demo,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file: ServeWords = toml::from_str("listen = '127.0.0.1:1'\nworkers = 1\nlease_s = 7").unwrap();
        let env = ServeWords::from_words(|name| (name == "workers").then(|| "2".to_owned())).unwrap();
        let flags = ServeWords { listen: Some("127.0.0.1:3".into()), ..ServeWords::default() };
        let settings = flags.or(env).or(file).settings().unwrap();
        assert_eq!((settings.listen.port(), settings.workers, settings.lease.as_secs()), (3, 2, 7));
    }

    #[test]
    fn a_value_without_meaning_is_named_with_what_was_expected() {
        let words = ServeWords { listen: Some("here".into()), ..ServeWords::default() };
        let text = words.settings().unwrap_err().to_string();
        assert!(
            text.contains("CRUMPLE_LISTEN") && text.contains("\"here\"") && text.contains("127.0.0.1:8080"),
            "{text}"
        );
        assert!(ServeWords { lease_s: Some(-1.0), ..ServeWords::default() }.settings().is_err());
        assert!(ServeWords { lease_s: Some(f64::NAN), ..ServeWords::default() }.settings().is_err());
        for days in [0.0, -1.0, f64::NAN, 1e9] {
            let why = ServeWords { keep_uploads_days: Some(days), ..ServeWords::default() }.settings().unwrap_err();
            assert!(why.to_string().contains("keep_uploads_days"), "{why}");
        }
        let none = ServeWords { workers: Some(0), ..ServeWords::default() }.settings().unwrap_err().to_string();
        assert!(none.contains("CRUMPLE_WORKERS") && none.contains("from 1 to 64"), "{none}");
        assert!(ServeWords { max_live: Some(65), ..ServeWords::default() }.settings().is_err());
        assert!(toml::from_str::<ServeWords>("leases = 3").is_err(), "an unknown setting is no setting");
    }
}
