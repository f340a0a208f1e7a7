//! The designs of a study at one moment, and as they are at another pace.
//!
//! Runs that differ in speed, sheet or yield pass through much the same shapes, but not at the same time. So a test may
//! have now what a run has earlier or later, and that is a design, too. When each run of the shared studies is told from
//! the others by some 400 nodes that a film shows of it, 0.5 mm off, designs at another pace take a fifth to a third of
//! the error away where nothing is seen (crash_box 1.15 to 0.91 mm, bumper 0.89 to 0.71, hat_beam 0.76 to 0.53).

use nalgebra::{DMatrix, DVector, Vector3};
use rayon::prelude::*;

use super::controls::Controls;
use super::session::{ReviewSource, SourceError, vector};

/// The runs are looked at when this share of the time since the contact has gone by, too.
const PACES: [f64; 4] = [0.6, 0.8, 1.2, 1.4];
/// How far a design at another pace counts beside one as it is: a test is rarely so much slower or faster than every run.
const AT_OTHER_PACE: f64 = 0.3;

/// How far the designs have the unknowns from where the simulation has them.
#[derive(Debug, Clone)]
pub(super) struct Designs {
    /// Three rows an unknown, one column a design, mm: first each run as it is now, then what they are at another pace.
    pub(super) fields_mm: DMatrix<f64>,
    /// How much longer each edge is than in the simulation, mm, in the same columns.
    pub(super) longer_mm: DMatrix<f64>,
    /// Of each column: the run whose it is; `None` for the simulation itself at another pace.
    pub(super) run: Vec<Option<usize>>,
    /// How many runs there are.
    pub(super) runs: usize,
}

impl Designs {
    /// What `source` has at a simulation time in s, when the simulation has the nodes at `simulated_mm`; `None` where
    /// there is no study.
    ///
    /// # Errors
    /// When the study or the simulation cannot be read.
    pub(super) fn at(
        source: &dyn ReviewSource,
        controls: &Controls,
        time_s: f64,
        simulated_mm: &[[f32; 3]],
    ) -> Result<Option<Self>, SourceError> {
        let at_unknowns = |nodes: &[[f32; 3]]| controls.places(nodes).into_iter().map(vector).collect::<Vec<_>>();
        // Fields of all nodes are large on a fine mesh: no two moments of them are in memory at once.
        let runs: Vec<_> = source.designs_mm(time_s)?.iter().map(|run| at_unknowns(run)).collect();
        if runs.is_empty() {
            return Ok(None);
        }
        let simulated = at_unknowns(simulated_mm);
        let mut paced = Vec::new();
        for pace in PACES {
            let then = at_unknowns(&source.simulated_mm(pace * time_s)?);
            let own: Vec<Vector3<f64>> = then.iter().zip(&simulated).map(|(then, now)| then - now).collect();
            for (run, deviation) in source.designs_mm(pace * time_s)?.iter().enumerate() {
                let deviation = at_unknowns(deviation).iter().zip(&own).map(|(d, own)| d + own).collect();
                paced.push((Some(run), deviation));
            }
            paced.push((None, own));
        }
        let mesh = Mesh { places_mm: &simulated, edges: &controls.edges };
        Ok(Some(Self::new(mesh, runs, paced)))
    }

    /// From the fields of the runs, and of whatever else they are at another pace. A run that is the simulation itself
    /// is none.
    pub(super) fn new(mesh: Mesh<'_>, runs: Vec<Vec<Vector3<f64>>>, paced: Vec<Paced>) -> Self {
        let differs = |run: &Vec<Vector3<f64>>| run.iter().any(|d| d.norm_squared() > 1e-6);
        let mut number = vec![None; runs.len()];
        let mut count = 0;
        for (run, number) in runs.iter().zip(&mut number).filter(|(run, _)| differs(run)) {
            debug_assert_eq!(run.len(), runs[0].len(), "fields of one mesh");
            *number = Some(count);
            count += 1;
        }
        let now = runs.into_iter().zip(&number).filter_map(|(field, n)| n.map(|n| (Some(n), 1.0, field)));
        let elsewhen = paced.into_iter().filter_map(|(run, field)| match run {
            None => Some((None, AT_OTHER_PACE, field)),
            Some(run) => number[run].map(|n| (Some(n), AT_OTHER_PACE, field)),
        });
        let designs: Vec<(Option<usize>, f64, Vec<Vector3<f64>>)> = now.chain(elsewhen).collect();
        let columns = |of: &(dyn Fn(&[Vector3<f64>]) -> DVector<f64> + Sync)| -> DMatrix<f64> {
            let columns: Vec<_> = designs.par_iter().map(|(_, counts, field)| of(field) * *counts).collect();
            if columns.is_empty() { DMatrix::zeros(0, 0) } else { DMatrix::from_columns(&columns) }
        };
        let fields_mm = columns(&|field| DVector::from_iterator(3 * field.len(), field.iter().flatten().copied()));
        let longer_mm = columns(&|field| mesh.longer_mm(field));
        Self { fields_mm, longer_mm, run: designs.iter().map(|(run, ..)| *run).collect(), runs: count }
    }
}

/// What a run is at another pace, and which it is; `None` for the simulation itself.
type Paced = (Option<usize>, Vec<Vector3<f64>>);

/// The unknowns where the simulation has them, mm, and which of them are neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mesh<'a> {
    pub(super) places_mm: &'a [Vector3<f64>],
    pub(super) edges: &'a [[u32; 2]],
}

impl Mesh<'_> {
    /// How much longer each edge is, mm, when the unknowns deviate so.
    fn longer_mm(&self, deviation: &[Vector3<f64>]) -> DVector<f64> {
        let longer = |[a, b]: [usize; 2]| {
            let edge = self.places_mm[b] - self.places_mm[a];
            (edge + deviation[b] - deviation[a]).norm() - edge.norm()
        };
        DVector::from_iterator(self.edges.len(), self.edges.iter().map(|e| longer(e.map(|n| n as usize))))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::geom::Skin;

    /// A triangle that a simulation moves along x at 10 mm/ms; of three runs one is the simulation, one is twice as fast,
    /// one moves along y.
    struct Study;

    impl ReviewSource for Study {
        fn simulated_mm(&self, time_s: f64) -> Result<Vec<[f32; 3]>, SourceError> {
            Ok(rest().map(|[x, y, z]| [x + 1e4 * time_s as f32, y, z]).to_vec())
        }

        fn picture(&self, _: usize, _: usize) -> Result<Array2<f32>, SourceError> {
            Err("no film".into())
        }

        fn designs_mm(&self, time_s: f64) -> Result<Vec<Vec<[f32; 3]>>, SourceError> {
            let way = 1e4 * time_s as f32;
            Ok([[0.0; 3], [way, 0.0, 0.0], [-way, way, 0.0]].map(|d| vec![d; 3]).to_vec())
        }
    }

    fn rest() -> [[f32; 3]; 3] {
        [[0.0, 0.0, 0.0], [5.0, 0.0, 0.0], [0.0, 5.0, 0.0]]
    }

    #[test]
    fn runs_come_first_and_what_they_are_at_another_pace_counts_less() {
        let skin = Skin { triangles: vec![[0, 1, 2]], element_of: vec![0] };
        let controls = Controls::new(&skin, &rest(), || vec![true; 3]);
        let simulated = Study.simulated_mm(1e-3).expect("moves");
        let designs = Designs::at(&Study, &controls, 1e-3, &simulated).expect("read").expect("a study");
        assert_eq!(designs.runs, 2, "the simulation itself is none");
        let mut expected = vec![Some(0), Some(1)];
        PACES.iter().for_each(|_| expected.extend([Some(0), Some(1), None]));
        assert_eq!(designs.run, expected);
        let along = |column: usize| Vector3::from(designs.fields_mm.fixed_view::<3, 1>(3, column));
        let near = |column: usize, x: f64, y: f64| {
            assert!((along(column) - Vector3::new(x, y, 0.0)).norm() < 1e-4, "column {column}: {}", along(column));
        };
        near(0, 10.0, 0.0);
        near(1, -10.0, 10.0);
        // After 0.6 ms the fast run is at 12 mm, the other at 6 mm along y, the simulation at 6 mm; now it is at 10 mm.
        near(2, 0.3 * 2.0, 0.0);
        near(3, 0.3 * -10.0, 0.3 * 6.0);
        near(4, 0.3 * -4.0, 0.0);
        assert!(designs.longer_mm.iter().all(|l| l.abs() < 1e-4), "all move as one: {}", designs.longer_mm);
    }
}
