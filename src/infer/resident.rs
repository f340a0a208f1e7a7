//! Runs on a GPU without needless copies and launches: tensors of one shape stay where the model runs, and what the GPU
//! does for them is recorded once, as a CUDA graph, and replayed.
//!
//! A review looks at windows of many sizes, a live test at pictures of one. So a shape is bound only when it comes
//! back; ONNX Runtime cannot let go of a graph, which is why only the first [`MOST_BOUND`] shapes are.

use ndarray::{ArrayViewMut4, Ix4};
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, NoSelectedOutputs, RunOptions, Session};
use ort::value::Tensor;

use super::error::InferError;
use super::onnx::checked;
use crate::domain::{ModelSpec, TensorSpec};

/// How often a shape must have come before it is bound.
const BOUND_AFTER: usize = 2;
/// Most shapes that are bound.
const MOST_BOUND: usize = 16;
/// ONNX Runtime's run option that names a graph.
const GRAPH: &str = "gpu_graph_id";
/// Its value with which nothing is recorded.
const UNRECORDED: &str = "-1";

/// Options of a run: which graph it records and replays.
pub(super) struct Options(RunOptions<NoSelectedOutputs>);

impl Options {
    /// Of a run for which nothing is recorded.
    pub(super) fn unrecorded() -> ort::Result<Self> {
        Self::recording(UNRECORDED)
    }

    fn recording(graph: &str) -> ort::Result<Self> {
        let mut options = RunOptions::new()?;
        options.set(GRAPH, graph)?;
        Ok(Self(options))
    }

    /// As ONNX Runtime takes them.
    pub(super) fn run(&self) -> &RunOptions<NoSelectedOutputs> {
        &self.0
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").finish_non_exhaustive()
    }
}

/// Pairs in a run, height and width, px.
pub(super) type Shape = (usize, usize, usize);

/// Where tensors lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// On the first NVIDIA GPU, with memory of the host on the other side: pinned on the way in.
    Gpu,
    /// In the host's memory: the same way without a GPU, for tests.
    #[cfg(test)]
    Host,
}

/// Where the tensors of one shape come from.
struct Allocators {
    /// The model's side.
    far: Allocator,
    /// The caller's side of inputs.
    near_in: Allocator,
    /// The caller's side of outputs.
    near_out: Allocator,
}

impl Home {
    fn allocators(self, session: &Session) -> ort::Result<Allocators> {
        match self {
            Self::Gpu => {
                let (device, pinned) = (AllocationDevice::CUDA, AllocationDevice::CUDA_PINNED);
                let device = MemoryInfo::new(device, 0, AllocatorType::Device, MemoryType::Default)?;
                let pinned = MemoryInfo::new(pinned, 0, AllocatorType::Device, MemoryType::CPUInput)?;
                Ok(Allocators {
                    far: Allocator::new(session, device)?,
                    near_in: Allocator::new(session, pinned)?,
                    // Not pinned: `copy_into` runs a model of one node, and where the target is pinned ONNX Runtime
                    // 1.31 takes it for the source ("dst_data != src_data was false").
                    near_out: Allocator::default(),
                })
            }
            #[cfg(test)]
            Self::Host => Ok(Allocators {
                far: Allocator::default(),
                near_in: Allocator::default(),
                near_out: Allocator::default(),
            }),
        }
    }
}

/// A tensor on both sides.
#[derive(Debug)]
struct Pair {
    name: String,
    near: Tensor<f32>,
    far: Tensor<f32>,
}

impl Pair {
    fn new(spec: &TensorSpec, (batch, height, width): Shape, far: &Allocator, near: &Allocator) -> ort::Result<Self> {
        let dims = [batch, spec.channels, height, width];
        Ok(Self { name: spec.name.clone(), near: Tensor::new(near, dims)?, far: Tensor::new(far, dims)? })
    }
}

/// All tensors of one shape, bound to the session.
#[derive(Debug)]
struct Bound {
    shape: Shape,
    inputs: Vec<Pair>,
    outputs: Vec<Pair>,
    binding: IoBinding,
    options: Options,
}

impl Bound {
    fn new(session: &Session, spec: &ModelSpec, shape: Shape, home: Home, graph: usize) -> ort::Result<Self> {
        let allocators = home.allocators(session)?;
        let pairs = |specs: &[TensorSpec], near: &Allocator| -> ort::Result<Vec<Pair>> {
            specs.iter().map(|s| Pair::new(s, shape, &allocators.far, near)).collect()
        };
        let inputs = pairs(&spec.inputs, &allocators.near_in)?;
        let mut outputs = pairs(&spec.outputs, &allocators.near_out)?;
        let mut binding = session.create_binding()?;
        for input in &inputs {
            binding.bind_input(input.name.as_str(), &input.far)?;
        }
        for output in &mut outputs {
            binding.bind_output(output.name.as_str(), &mut output.far)?;
        }
        let options = Options::recording(&graph.to_string())?;
        Ok(Self { shape, inputs, outputs, binding, options })
    }
}

/// The shapes that came, and the tensors of those that came often.
#[derive(Debug)]
pub(super) struct Resident {
    home: Home,
    seen: Vec<(Shape, usize)>,
    bound: Vec<Bound>,
}

impl Resident {
    pub(super) fn new(home: Home) -> Self {
        Self { home, seen: Vec::new(), bound: Vec::new() }
    }

    /// Counts `shape` in; true when its tensors are bound, now or from before.
    pub(super) fn takes(&mut self, session: &Session, spec: &ModelSpec, shape: Shape) -> bool {
        if self.bound.iter().any(|b| b.shape == shape) {
            return true;
        }
        let place = self.seen.iter().position(|(s, _)| *s == shape).unwrap_or_else(|| {
            self.seen.push((shape, 0));
            self.seen.len() - 1
        });
        self.seen[place].1 += 1;
        self.seen[place].1 > BOUND_AFTER && self.bind(session, spec, shape)
    }

    /// Binds tensors of `shape`; false when there is no room for more.
    pub(super) fn bind(&mut self, session: &Session, spec: &ModelSpec, shape: Shape) -> bool {
        if self.bound.iter().any(|b| b.shape == shape) {
            return true;
        }
        if self.bound.len() >= MOST_BOUND {
            return false;
        }
        match Bound::new(session, spec, shape, self.home, self.bound.len() + 1) {
            Ok(bound) => {
                tracing::debug!(?shape, "tensors stay on the device from now on");
                self.bound.push(bound);
                true
            }
            Err(error) => {
                tracing::warn!(?shape, %error, "tensors of this shape cannot stay on the device, they are copied each time");
                false
            }
        }
    }

    /// Runs the model once on the tensors of `shape`, which must be bound: `fill` writes the inputs in the contract's
    /// order, `read` takes the outputs.
    pub(super) fn run<T>(
        &mut self,
        session: &mut Session,
        shape: Shape,
        mut fill: impl FnMut(usize, ArrayViewMut4<'_, f32>),
        read: impl FnOnce([ndarray::ArrayView4<'_, f32>; 3]) -> T,
    ) -> Result<T, InferError> {
        let bound = self.bound_for(shape);
        for (place, input) in bound.inputs.iter_mut().enumerate() {
            let view = input.near.extract_array_mut().into_dimensionality::<Ix4>();
            fill(place, view.expect("tensors are made with rank 4: anything else is a bug"));
            input.near.copy_into(&mut input.far)?;
        }
        drop(session.run_binding_with_options(&bound.binding, bound.options.run())?);
        for output in &mut bound.outputs {
            output.far.copy_into(&mut output.near)?;
        }
        let (batch, height, width) = shape;
        let array = |place: usize, channels| {
            let Pair { name, near, .. } = &bound.outputs[place];
            checked(name, near.extract_array(), (batch, channels, height, width))
        };
        Ok(read([array(0, 2)?, array(1, 1)?, array(2, 1)?]))
    }

    /// The shapes whose tensors stay.
    #[cfg(test)]
    fn shapes(&self) -> Vec<Shape> {
        self.bound.iter().map(|b| b.shape).collect()
    }

    /// Runs the model `times` times on what lies there already, without any copy.
    pub(super) fn replay(&mut self, session: &mut Session, shape: Shape, times: usize) -> Result<(), InferError> {
        let bound = self.bound_for(shape);
        for _ in 0..times {
            drop(session.run_binding_with_options(&bound.binding, bound.options.run())?);
        }
        Ok(())
    }

    fn bound_for(&mut self, shape: Shape) -> &mut Bound {
        let found = self.bound.iter_mut().find(|b| b.shape == shape);
        found.expect("callers ask for bound shapes only: anything else is a bug")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::infer::{Backend as _, OnnxBackend, ProviderRequest, ResidualRequest};
    use ndarray::{Array2, Array3};

    /// A size that the GPU's way leaves as it is.
    const SIDE: usize = crate::infer::onnx::GPU_MULTIPLE;

    fn request(seed: usize) -> ResidualRequest {
        let picture = |k: usize| Array2::from_shape_fn((SIDE, SIDE), |(y, x)| ((y * 7 + x * 3 + k) % 11) as f32 / 11.0);
        ResidualRequest {
            predicted: picture(seed),
            real: picture(seed + 1),
            visible: Array2::ones((SIDE, SIDE)),
            start: Array3::from_elem((2, SIDE, SIDE), 0.3),
            doubt: Array2::from_elem((SIDE, SIDE), 0.1),
        }
    }

    /// The way that a GPU takes, on the processor: tensors that stay, bound once, filled again for each run.
    #[test]
    fn bound_tensors_give_the_same_answers_as_copied_ones() {
        let library = Settings::from_env().find_onnxruntime().expect("ONNX Runtime is there; run `make setup`");
        let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/residual.onnx");
        let open = || OnnxBackend::open(&model, ProviderRequest::Cpu, &library).expect("the shipped model");
        let (mut plain, mut bound) = (open(), open().keeping(Home::Host));
        for count in [1, 3, 1, 3, 2, 1, 3, 3] {
            let batch: Vec<ResidualRequest> = (0..count).map(|k| request(k + count)).collect();
            let (expected, found) = (plain.run(&batch).expect("runs"), bound.run(&batch).expect("runs"));
            assert_eq!(found.len(), count);
            for (a, b) in expected.iter().zip(&found) {
                let largest = (&a.flow - &b.flow).iter().fold(0.0_f32, |m, d| m.max(d.abs()));
                assert!(largest < 1e-5, "{count} pairs: {largest} px apart");
            }
        }
        assert_eq!(bound.resident.expect("kept").shapes(), vec![(1, SIDE, SIDE), (4, SIDE, SIDE)]);
    }
}
