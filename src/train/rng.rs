//! The generator of everything random: that of the films, so that one seed means one thing.

pub(super) use crate::film::Rng;
