//! A small filmed test made from nothing: a box that is crushed from above, seen by two cameras, whose left half
//! buckles in the test and stays straight in the simulation. Truth is known everywhere, so outputs can be checked.

use std::collections::BTreeMap;

use crumple::domain::{
    BoundingBox, CameraAlignment, CellType, Distortion, ExecutionProvider, Flag, FlagId, FlagKind, FrameField,
    InputDigest, Intrinsics, Mesh, ModelDigest, NoiseFloor, Part, PartId, PartSeries, PartSummary, Pose, PoseSource,
    Review, RigidMotion, SCHEMA_VERSION, SeenImpactor, StageTiming, TargetMark, Tolerances, Verdict, WayPoint,
};
use crumple::geom::{Camera, Skin};

/// Elements along the box's height and along each of its four sides.
const STOREYS: usize = 20;
const SIDE: usize = 6;
/// Film times, one every 0.5 ms.
pub(crate) const FRAMES: usize = 12;
pub(crate) const TOLERANCE_MM: f64 = 5.0;

pub(crate) struct Scene {
    pub(crate) mesh: Mesh,
    pub(crate) skin: Skin,
    pub(crate) undeformed_mm: Vec<[f32; 3]>,
    pub(crate) cameras: Vec<(String, Camera)>,
    pub(crate) targets: Vec<Vec<TargetMark>>,
    pub(crate) times_s: Vec<f64>,
    pub(crate) fields: Vec<FrameField>,
    pub(crate) flag_ids: Vec<Vec<u32>>,
    pub(crate) review: Review,
}

impl Scene {
    /// `mismatch`: whether the test differs from the simulation.
    pub(crate) fn new(mismatch: bool) -> Self {
        let (mesh, undeformed_mm) = square_tube();
        let skin = Skin::from_mesh(&mesh, None);
        let times_s: Vec<f64> = (0..FRAMES).map(|i| i as f64 * 5e-4).collect();
        let fields: Vec<FrameField> = times_s.iter().map(|t| field_at(&mesh, &undeformed_mm, *t, mismatch)).collect();
        let cameras = cameras();
        let mut scene = Self {
            review: review_without_flags(&cameras),
            targets: cameras.iter().map(|(_, c)| targets_of(c)).collect(),
            flag_ids: vec![vec![0; mesh.element_count()]; FRAMES],
            mesh,
            skin,
            undeformed_mm,
            cameras,
            times_s,
            fields,
        };
        scene.judge();
        scene
    }

    /// The simulation at film time `field`: the box is crushed evenly.
    pub(crate) fn positions_mm(&self, field: usize) -> Vec<[f32; 3]> {
        let crush = 1.0 - 40.0 * self.times_s[field] as f32;
        self.undeformed_mm.iter().map(|[x, y, z]| [*x, *y, z * crush]).collect()
    }

    /// Flags by the plain rule "every node of the element is off by more than the tolerance".
    fn judge(&mut self) {
        for (ids, field) in self.flag_ids.iter_mut().zip(&self.fields) {
            for (element, id) in ids.iter_mut().enumerate() {
                let off = |n: &u32| f64::from(field.magnitude_mm(*n as usize)) > TOLERANCE_MM;
                *id = u32::from(self.mesh.nodes_of(element).iter().all(off));
            }
        }
        let flagged = |i: usize| self.flag_ids[i].contains(&1);
        self.review.parts = self.mesh.parts.iter().map(|p| summary(self, p)).collect();
        if let Some(onset) = (0..FRAMES).find(|i| flagged(*i)) {
            let element_ids =
                (0..self.mesh.element_count() as u32).filter(|e| self.flag_ids[FRAMES - 1][*e as usize] == 1).collect();
            self.review.flags = vec![self.flag(onset, element_ids)];
            self.review.parts[0].onset_s = Some(self.times_s[onset]);
            self.review.parts[0].mismatch_flags = 1;
        }
    }

    fn flag(&self, onset: usize, element_ids: Vec<u32>) -> Flag {
        let boxed = BoundingBox { x0: 250, y0: 180, x1: 390, y1: 330 };
        let by_frame: BTreeMap<usize, BoundingBox> = (onset..FRAMES).map(|i| (i, boxed)).collect();
        Flag {
            id: FlagId(1),
            part_id: PartId(1),
            part_name: "half <left> & \"co\"".to_owned(),
            cameras: self.cameras.iter().map(|(name, _)| name.clone()).collect(),
            onset_s: self.times_s[onset],
            peak_s: self.times_s[FRAMES - 1],
            peak_mm: 11.0,
            peak_sigma_mm: 0.3,
            area_mm2: 4200.0,
            kind: FlagKind::Deformation,
            probability: 0.99,
            verdict: Verdict::Mismatch,
            element_ids,
            bbox_px: self.cameras.iter().map(|(name, _)| (name.clone(), by_frame.clone())).collect(),
            observed_share: Some(0.75),
        }
    }
}

/// A tube of quads, 60 × 60 × 200 mm; part 1 is the half with x < 30, part 2 the rest.
fn square_tube() -> (Mesh, Vec<[f32; 3]>) {
    let ring = 4 * SIDE;
    let corner = |i: usize| {
        let s = (i % SIDE) as f32 / SIDE as f32 * 60.0;
        match i / SIDE {
            0 => [s, 0.0],
            1 => [60.0, s],
            2 => [60.0 - s, 60.0],
            _ => [0.0, 60.0 - s],
        }
    };
    let mut positions = Vec::new();
    for storey in 0..=STOREYS {
        for i in 0..ring {
            let [x, y] = corner(i);
            positions.push([x, y, storey as f32 / STOREYS as f32 * 200.0]);
        }
    }
    let mut mesh = Mesh { node_count: positions.len(), offsets: vec![0], ..Mesh::default() };
    for storey in 0..STOREYS {
        for i in 0..ring {
            let (j, below, above) = ((i + 1) % ring, storey * ring, (storey + 1) * ring);
            let nodes = [below + i, below + j, above + j, above + i].map(|n| n as u32);
            let x: f32 = nodes.iter().map(|n| positions[*n as usize][0]).sum::<f32>() / 4.0;
            mesh.connectivity.extend(nodes);
            mesh.offsets.push(mesh.connectivity.len() as u32);
            mesh.cell_types.push(CellType::Quad);
            mesh.part_of.push(PartId(if x < 30.0 { 1 } else { 2 }));
        }
    }
    let part = |id, name: &str| Part { id: PartId(id), name: name.to_owned(), material: None, thickness_mm: Some(1.5) };
    mesh.parts = vec![part(1, "half <left> & \"co\""), part(2, "box_half_right")];
    (mesh, positions)
}

/// The test buckles outwards at x < 30; the face turned away from both cameras (y = 60) is never observed.
fn field_at(mesh: &Mesh, undeformed: &[[f32; 3]], time_s: f64, mismatch: bool) -> FrameField {
    let mut field = FrameField {
        time_s,
        deviation_mm: Vec::new(),
        sigma_mm: vec![0.25; mesh.node_count],
        observed: vec![2; mesh.node_count],
    };
    for (n, [x, y, z]) in undeformed.iter().enumerate() {
        let bump = (-((z - 100.0) / 35.0).powi(2)).exp() * ((30.0 - x) / 30.0).max(0.0);
        let size = if mismatch { 12.0 * ((time_s - 1e-3) / 4.5e-3).max(0.0) as f32 * bump } else { 0.0 };
        let noise = 0.08 * ((n * 7919 % 101) as f32 / 101.0 - 0.5);
        field.deviation_mm.push([-size + noise, -0.4 * size, noise]);
        if *y > 50.0 {
            (field.deviation_mm[n], field.sigma_mm[n], field.observed[n]) = ([f32::NAN; 3], f32::NAN, 0);
        }
    }
    field
}

fn cameras() -> Vec<(String, Camera)> {
    let camera = |from: [f64; 3]| Camera {
        width: 640,
        height: 480,
        intrinsics: Intrinsics { fx: 900.0, fy: 900.0, cx: 318.0, cy: 242.0 },
        distortion: Distortion([-0.12, 0.03, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        pose: looking_at(from, [30.0, 30.0, 95.0]),
    };
    vec![("left".to_owned(), camera([-260.0, -420.0, 180.0])), ("right".to_owned(), camera([-420.0, -250.0, 60.0]))]
}

/// OpenCV axes: z from the eye to the point, y down the world's z.
fn looking_at(eye: [f64; 3], point: [f64; 3]) -> Pose {
    let (eye, point) = (nalgebra::Vector3::from(eye), nalgebra::Vector3::from(point));
    let z = (point - eye).normalize();
    let x = z.cross(&nalgebra::Vector3::z()).normalize();
    let y = z.cross(&x);
    let r = nalgebra::Matrix3::from_rows(&[x.transpose(), y.transpose(), z.transpose()]);
    Pose { rotation: std::array::from_fn(|i| std::array::from_fn(|j| r[(i, j)])), translation_mm: (-(r * eye)).into() }
}

fn targets_of(camera: &Camera) -> Vec<TargetMark> {
    [[-60.0, -40.0, 0.0], [120.0, -40.0, 0.0], [-60.0, 60.0, 220.0], [120.0, 0.0, 220.0]]
        .map(|world_mm: [f64; 3]| {
            let p = camera.pixel_from_world(world_mm);
            TargetMark { world_mm, image_px: [p.x, p.y] }
        })
        .to_vec()
}

fn summary(scene: &Scene, part: &Part) -> PartSummary {
    let mut nodes: Vec<usize> = (0..scene.mesh.element_count())
        .filter(|e| scene.mesh.part_of[*e] == part.id)
        .flat_map(|e| scene.mesh.nodes_of(e).iter().map(|n| *n as usize))
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    let share = |field: &FrameField, q: f64| {
        let mut seen: Vec<f64> =
            nodes.iter().map(|n| f64::from(field.magnitude_mm(*n))).filter(|m| m.is_finite()).collect();
        seen.sort_by(f64::total_cmp);
        seen.get(((seen.len() - 1) as f64 * q) as usize).copied()
    };
    let series = PartSeries {
        times_s: scene.times_s.clone(),
        median_mm: scene.fields.iter().map(|f| share(f, 0.5)).collect(),
        p95_mm: scene.fields.iter().map(|f| share(f, 0.95)).collect(),
        sigma_mm: vec![Some(0.25); FRAMES],
        coverage: vec![0.7; FRAMES],
        observed_share: vec![0.6; FRAMES],
        rigid: vec![
            Some(RigidMotion {
                translation_mm: [0.1, 0.0, 0.0],
                rotation_rad: [0.0; 3],
                rigid_rms_mm: 0.1,
                deformation_rms_mm: 0.4,
            });
            FRAMES
        ],
    };
    PartSummary {
        part_id: part.id,
        part_name: part.name.clone(),
        tolerance_mm: TOLERANCE_MM,
        peak_mm: series.p95_mm[FRAMES - 1],
        peak_s: Some(scene.times_s[FRAMES - 1]),
        onset_s: None,
        mismatch_flags: 0,
        cannot_tell_flags: 0,
        series,
    }
}

/// A ram that comes 3 % faster than the simulation's.
fn way_point(frame: usize) -> WayPoint {
    let simulated_mm = 4.0 * frame as f64 - 3.25;
    WayPoint {
        time_s: frame as f64 * 5e-4,
        way_mm: 1.03125 * simulated_mm,
        sigma_mm: 0.25,
        simulated_mm: Some(simulated_mm),
    }
}

fn review_without_flags(cameras: &[(String, Camera)]) -> Review {
    let alignment = |camera: &Camera| CameraAlignment {
        pose: camera.pose,
        pose_sigma: [1e-4, 1e-4, 2e-4, 0.1, 0.1, 0.3],
        pose_source: PoseSource::Targets,
        time_offset_s: -4e-4,
        time_offset_sigma_s: 2e-5,
        target_rms_px: Some(0.05),
        target_residuals_px: vec![[0.05, -0.02], [-0.04, 0.03], [0.01, 0.06], [-0.02, -0.05]],
        moved_px: 4.2,
        mm_per_px: 0.55,
    };
    Review {
        schema_version: SCHEMA_VERSION,
        program_version: "0.0.0-test".to_owned(),
        test_id: "synthetic <box>".to_owned(),
        inputs: vec![InputDigest { role: "test".to_owned(), path: "a.h5".to_owned(), sha256: "ab".repeat(32) }],
        models: vec![ModelDigest { name: "dis-medium".to_owned(), version: "4.6".to_owned(), sha256: String::new() }],
        execution_provider: ExecutionProvider::OpencvDis,
        alignment: cameras.iter().map(|(name, camera)| (name.clone(), alignment(camera))).collect(),
        lenses: BTreeMap::new(),
        tolerance: Tolerances { default_mm: TOLERANCE_MM, per_part_mm: BTreeMap::from([(PartId(2), 8.0)]) },
        noise_floor: NoiseFloor {
            quiet_frames: 4,
            median_px: 0.06,
            p95_px: 0.18,
            p95_mm: 0.1,
            histogram_quiet: vec![900, 700, 300, 90, 20, 4, 1],
            histogram_all: vec![9000, 8000, 4000, 2000, 900, 500, 300, 200, 150, 120, 90, 80, 70, 40, 20, 5, 1],
        },
        impactor: Some(SeenImpactor { way: (0..FRAMES).map(way_point).collect(), place: None, face: None, body: None }),
        parts: Vec::new(),
        flags: Vec::new(),
        frames_reviewed: 2 * FRAMES,
        frames_per_s: 12.5,
        timings: vec![StageTiming { stage: "align".to_owned(), seconds: 0.4 }],
        warnings: vec!["camera <right> sees part 2 at a grazing angle".to_owned()],
        notes: vec!["the impactor <ram> was followed".to_owned()],
    }
}
