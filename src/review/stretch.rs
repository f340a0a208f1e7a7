//! A finding that would stretch a sheet as no sheet is stretched is not believed.
//!
//! Sheets bend, fold and move, but they hardly change their size: a part that goes another way than it was simulated to
//! does so by bending. What moves over a surface without the surface – the edge of a shadow, a highlight – drags one place
//! of it along and leaves the next one behind, which no sheet follows.

use std::collections::BTreeSet;

use nalgebra::Vector3;

use super::judge::Region;
use super::session::{Measured, ReviewSetup, ReviewSource, SessionError, vector};
use crate::domain::{CellType, Mesh};

/// A finding of which half the sides are stretched or shortened by more than this share, most of its time, is not
/// believed. In the 398 findings of the reviews at hand, several of them of the same films, it was 0.101 at most, in one
/// that a shadow made 0.215; sheet steel tears at 0.2 to 0.3, and this is what comes beside the simulation's own stretch.
const MOST: f64 = 0.15;

/// Which of `regions` would stretch their sheet too much.
///
/// # Errors
/// When the simulation cannot be read again.
pub(super) fn overstretched(
    mesh: &Mesh,
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    measured: &Measured,
    regions: &[&Region],
) -> Result<Vec<bool>, SessionError> {
    let at = |time_s: f64| source.simulated_mm(time_s).map_err(SessionError::Source);
    let undeformed = at(setup.state_times_s[0])?;
    let mut stretches = vec![Vec::new(); regions.len()];
    // Moment by moment, so that each state is read once.
    for (moment, field) in measured.fields.iter().enumerate() {
        if regions.iter().all(|r| !r.elements.contains_key(&moment)) {
            continue;
        }
        let simulated = at(field.time_s + measured.alignment[0].time_offset_s)?;
        let sheet = Sheet { undeformed: &undeformed, simulated: &simulated, deviation: &field.deviation_mm };
        for (region, found) in regions.iter().zip(&mut stretches) {
            found.extend(region.elements.get(&moment).and_then(|elements| sheet.typical_stretch(mesh, elements)));
        }
    }
    Ok(stretches.into_iter().map(|all| middle(all).is_some_and(|typical| typical > MOST)).collect())
}

/// The nodes of a sheet at one moment, mm.
struct Sheet<'a> {
    undeformed: &'a [[f32; 3]],
    simulated: &'a [[f32; 3]],
    deviation: &'a [[f32; 3]],
}

impl Sheet<'_> {
    /// Median over the sides of the shells among `elements`; `None` where there is none or its nodes are not measured.
    fn typical_stretch(&self, mesh: &Mesh, elements: &[u32]) -> Option<f64> {
        let shells = elements.iter().map(|e| *e as usize);
        let shells = shells.filter(|e| matches!(mesh.cell_types[*e], CellType::Triangle | CellType::Quad));
        let sides: BTreeSet<(u32, u32)> = shells
            .flat_map(|e| {
                let nodes = mesh.nodes_of(e);
                nodes.iter().zip(nodes.iter().cycle().skip(1)).map(|(a, b)| (*a.min(b), *a.max(b)))
            })
            .collect();
        middle(sides.into_iter().filter(|(a, b)| a != b).filter_map(|side| self.stretch(side)).collect())
    }

    /// By how much the deviation changes a side's length, as a share of the undeformed one.
    ///
    /// The smaller of the change itself and of its linear part: a dent lengthens the sides that it turns, without a
    /// linear part; a fold turns its sides elsewhere, which has a linear part and no change.
    fn stretch(&self, (a, b): (u32, u32)) -> Option<f64> {
        let between = |of: &[[f32; 3]]| -> Vector3<f64> { vector(of[b as usize]) - vector(of[a as usize]) };
        let (rest_mm, simulated, more) =
            (between(self.undeformed).norm(), between(self.simulated), between(self.deviation));
        let long_mm = simulated.norm();
        let change = ((simulated + more).norm() - long_mm).abs();
        let linear = more.dot(&simulated).abs() / long_mm;
        let stretch = change.min(linear) / rest_mm;
        stretch.is_finite().then_some(stretch)
    }
}

/// The median; `None` of nothing.
fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PartId;

    const COUNT: usize = 6;

    /// A plate of square shells of 10 mm in the xy plane.
    fn plate() -> (Mesh, Vec<[f32; 3]>) {
        let row = COUNT as u32 + 1;
        let mut mesh = Mesh { node_count: (row * row) as usize, offsets: vec![0], ..Mesh::default() };
        for e in 0..(COUNT * COUNT) as u32 {
            let first = e / COUNT as u32 * row + e % COUNT as u32;
            mesh.connectivity.extend([first, first + 1, first + row + 1, first + row]);
            mesh.offsets.push(4 * (e + 1));
            mesh.cell_types.push(CellType::Quad);
            mesh.part_of.push(PartId(1));
        }
        let at = |n: u32| [(n % row) as f32 * 10.0, (n / row) as f32 * 10.0, 0.0];
        (mesh, (0..row * row).map(at).collect())
    }

    fn stretch_by(deviation: impl Fn([f32; 3]) -> [f32; 3]) -> f64 {
        let (mesh, nodes) = plate();
        let deviation: Vec<[f32; 3]> = nodes.iter().map(|n| deviation(*n)).collect();
        let all: Vec<u32> = (0..mesh.element_count() as u32).collect();
        Sheet { undeformed: &nodes, simulated: &nodes, deviation: &deviation }.typical_stretch(&mesh, &all).unwrap()
    }

    #[test]
    fn what_a_sheet_does_is_no_stretch() {
        // A turn by 60 degrees about y: much linear part, no change.
        let turned = |[x, _, _]: [f32; 3]| [-0.5 * x, 0.0, 0.866_025_4 * x];
        assert!(stretch_by(turned) < 1e-6);
        // A dent as steep as it is wide: much change, no linear part.
        let dented = |[x, y, _]: [f32; 3]| [0.0, 0.0, (30.0 - (x - 30.0).abs().max((y - 30.0).abs())).max(0.0)];
        assert!(stretch_by(dented) < 1e-6);
    }

    #[test]
    fn what_drags_one_place_along_and_leaves_the_next_is_stretch() {
        let dragged = |[x, y, _]: [f32; 3]| [0.4 * (x - 30.0), -0.3 * (y - 30.0), 0.0];
        let stretch = stretch_by(dragged);
        assert!((0.29..0.41).contains(&stretch), "{stretch}");
    }

    #[test]
    fn what_is_not_measured_or_no_shell_says_nothing() {
        let (mut mesh, nodes) = plate();
        let unknown = vec![[f32::NAN; 3]; nodes.len()];
        let sheet = Sheet { undeformed: &nodes, simulated: &nodes, deviation: &unknown };
        assert_eq!(sheet.typical_stretch(&mesh, &[0, 1, 2]), None);
        mesh.cell_types.fill(CellType::Tetra);
        let sheet = Sheet { deviation: &nodes, ..sheet };
        assert_eq!(sheet.typical_stretch(&mesh, &[0, 1, 2]), None, "foam may be crushed");
    }
}
