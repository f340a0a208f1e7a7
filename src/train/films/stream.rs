//! [`PairStream`]: samples in any number, drawn when they are asked for.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::prelude::*;

use super::episode::Episode;
use super::sample::Sample;
use super::settings::FilmSettings;
use super::study::{Family, Split, open_families};
use crate::film::Rng;
use crate::train::error::TrainError;

/// Samples from the films of pairs of runs: a pure function of data, settings, seed, split and number.
///
/// Nothing is kept but the open files: states are read and films drawn when a sample is asked for. An *episode* is one
/// film of one camera, which lends `frames` × `crops` samples, because frame 0 and the film's plan are the same for
/// all of them; a *group* is a number of episodes whose samples are shuffled, so that a batch is not all of one film.
#[derive(Debug, Clone)]
pub struct PairStream {
    families: Arc<Vec<Family>>,
    settings: FilmSettings,
    seed: u64,
}

/// How much of the data a split can film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Family.
    pub family: String,
    /// Pairs of different runs.
    pub pairs: usize,
    /// Runs that are filmed.
    pub filmed: usize,
}

impl PairStream {
    /// Opens the simulations of `data`: folders, or single VTKHDF files.
    ///
    /// # Errors
    /// When the settings are impossible, a folder holds no simulation, a file is refused, or two runs of a family have
    /// different meshes.
    pub fn open(data: &[PathBuf], settings: FilmSettings, seed: u64) -> Result<Self, TrainError> {
        if let Some((field, found, expected)) = settings.refusal() {
            return Err(TrainError::Recipe { field, found, expected });
        }
        let families = Arc::new(open_families(data, &settings)?);
        Ok(Self { families, settings, seed })
    }

    /// Samples that an episode lends.
    #[must_use]
    pub fn samples_per_episode(&self) -> usize {
        self.settings.frames * self.settings.crops
    }

    /// What a split can film, family by family.
    #[must_use]
    pub fn extent(&self, split: Split) -> Vec<Extent> {
        self.families
            .iter()
            .map(|f| {
                let pairs = f.pairs(split);
                let mut filmed: Vec<usize> = pairs.iter().map(|p| p[1]).collect();
                filmed.sort_unstable();
                filmed.dedup();
                let different = pairs.iter().filter(|[a, b]| a != b).count();
                Extent { family: f.name.clone(), pairs: different, filmed: filmed.len() }
            })
            .filter(|e| e.filmed > 0)
            .collect()
    }

    /// The crops of one episode.
    ///
    /// # Errors
    /// When the split has no pairs, or a state cannot be read.
    pub fn episode(&self, split: Split, number: usize) -> Result<Vec<Sample>, TrainError> {
        let mut episode = Episode::plan(&self.families, &self.settings, self.seed, split, number)?;
        let whole = episode.whole()?;
        Ok(whole.iter().flat_map(|w| episode.crops(w)).collect())
    }

    /// The whole pictures of one episode, for measuring.
    ///
    /// # Errors
    /// As [`PairStream::episode`].
    pub fn whole(&self, split: Split, number: usize) -> Result<Vec<Sample>, TrainError> {
        Episode::plan(&self.families, &self.settings, self.seed, split, number)?.whole()
    }

    /// The samples of the episodes `group * episodes ..`, shuffled; all cores draw.
    ///
    /// # Errors
    /// As [`PairStream::episode`].
    pub fn group(&self, split: Split, group: usize, episodes: usize) -> Result<Vec<Sample>, TrainError> {
        let drawn: Vec<Vec<Sample>> = (group * episodes..(group + 1) * episodes)
            .into_par_iter()
            .map(|number| self.episode(split, number))
            .collect::<Result<_, _>>()?;
        let mut samples: Vec<Sample> = drawn.into_iter().flatten().collect();
        let mut rng = Rng::for_name(self.seed, &format!("order/{split}/{group}"));
        for last in (1..samples.len()).rev() {
            samples.swap(last, (rng.next() % (last as u64 + 1)) as usize);
        }
        Ok(samples)
    }

    /// Groups of `episodes` episodes one after the other from `first` on, without end, drawn on a thread of its own
    /// while the caller works: at most two groups wait. The thread ends when the receiver is dropped, or after an error.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn groups_ahead(
        &self,
        split: Split,
        first: usize,
        episodes: usize,
    ) -> Result<Receiver<Result<Vec<Sample>, TrainError>>, TrainError> {
        let (send, receive) = sync_channel(1);
        let stream = self.clone();
        let work = move || {
            for group in first.. {
                let drawn = stream.group(split, group, episodes);
                let failed = drawn.is_err();
                if send.send(drawn).is_err() || failed {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("films".to_owned())
            .spawn(work)
            .map_err(|source| TrainError::Thread { source })?;
        Ok(receive)
    }
}
