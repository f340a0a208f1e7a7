//! The network's operations as ONNX nodes: the meaning that is shipped.
//!
//! Operator set 17, IR version 8: old enough for ONNX Runtime's CUDA and TensorRT providers to know every node.

use std::collections::BTreeSet;
use std::convert::Infallible;

use half::f16;

use super::net::{ConvSpec, LEAK, Ops};
use super::network::Precision;
use super::proto::{Attribute, AttributeKind, FLOAT, FLOAT16, INT64, Node, TensorData};

/// Most parts that one node joins: ONNX Runtime's CUDA provider cannot record a longer one.
const MOST_JOINED: usize = 32;

/// How a value of the graph is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// 32 bits.
    Single,
    /// 16 bits.
    Half,
}

/// The name of a value, and how it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// Name in the graph.
    pub(super) name: String,
    /// How it is stored.
    pub(super) kind: Kind,
}

/// Writes nodes down. Every operation returns the name of its result.
///
/// With half precision, convolutions take and give 16 bits, and rectifiers, joins and the matching window between them
/// stay there. All that computes positions, quotients and results is in 32: 16 bits have 11 for the digits, and a pixel's
/// place in a wide picture needs more.
#[derive(Debug)]
pub(super) struct GraphOps {
    precision: Precision,
    /// Casts that are there already, by the name of what they were made of.
    casts: std::collections::BTreeMap<String, String>,
    /// The nodes so far, in an order in which they can be run.
    pub(super) nodes: Vec<Node>,
    /// The constants so far, without the layers' parameters.
    pub(super) constants: Vec<TensorData>,
    /// Names of the layers' parameters that the nodes refer to.
    pub(super) parameters: BTreeSet<String>,
}

/// A constant of 64-bit integers.
fn int_tensor(name: String, dims: Vec<i64>, values: &[i64]) -> TensorData {
    TensorData { dims, data_type: INT64, name, raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect() }
}

/// A constant of 16-bit floats, rounded to the nearest.
pub(super) fn half_tensor(name: String, dims: Vec<i64>, values: &[f32]) -> TensorData {
    let raw_data = values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
    TensorData { dims, data_type: FLOAT16, name, raw_data }
}

/// A constant of 32-bit floats.
pub(super) fn float_tensor(name: String, dims: Vec<i64>, values: &[f32]) -> TensorData {
    TensorData { dims, data_type: FLOAT, name, raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect() }
}

fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute { name: name.to_owned(), ints: values.to_vec(), kind: AttributeKind::Ints as i32, ..Attribute::default() }
}

fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: name.to_owned(), i: Some(value), kind: AttributeKind::Int as i32, ..Attribute::default() }
}

fn float(name: &str, value: f32) -> Attribute {
    Attribute { name: name.to_owned(), f: Some(value), kind: AttributeKind::Float as i32, ..Attribute::default() }
}

fn word(name: &str, value: &str) -> Attribute {
    let s = Some(value.as_bytes().to_vec());
    Attribute { name: name.to_owned(), s, kind: AttributeKind::String as i32, ..Attribute::default() }
}

fn side(length: usize) -> i64 {
    i64::try_from(length).expect("layer sizes are small: anything else is a bug")
}

impl GraphOps {
    /// No nodes yet.
    pub(super) fn with(precision: Precision) -> Self {
        Self {
            precision,
            casts: std::collections::BTreeMap::new(),
            nodes: Vec::new(),
            constants: Vec::new(),
            parameters: BTreeSet::new(),
        }
    }

    /// The value in 32 bits.
    pub(super) fn single(&mut self, x: &Named) -> String {
        self.cast(x, Kind::Single)
    }

    fn cast(&mut self, x: &Named, wanted: Kind) -> String {
        if x.kind == wanted {
            return x.name.clone();
        }
        if let Some(there) = self.casts.get(&x.name) {
            return there.clone();
        }
        let to = if wanted == Kind::Half { FLOAT16 } else { FLOAT };
        let name = self.node("Cast", &[&x.name], vec![int("to", i64::from(to))]);
        self.casts.insert(x.name.clone(), name.clone());
        name
    }

    /// An operation on values of 32 bits.
    fn on_singles(&mut self, op: &str, inputs: &[&Named]) -> Named {
        let names: Vec<String> = inputs.iter().map(|x| self.single(x)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Named { name: self.node(op, &names, vec![]), kind: Kind::Single }
    }

    /// How convolutions compute.
    fn working_kind(&self) -> Kind {
        match self.precision {
            Precision::Single => Kind::Single,
            Precision::Half => Kind::Half,
        }
    }

    fn node(&mut self, op_type: &str, inputs: &[&str], attribute: Vec<Attribute>) -> String {
        let name = format!("{}_{}", op_type.to_lowercase(), self.nodes.len());
        self.named_node(op_type, inputs, attribute, name)
    }

    /// A node whose result has a name of its own, for example an output of the model.
    pub(super) fn named_node(
        &mut self,
        op: &str,
        inputs: &[&str],
        attribute: Vec<Attribute>,
        result: String,
    ) -> String {
        self.nodes.push(Node {
            input: inputs.iter().map(|&i| i.to_owned()).collect(),
            output: vec![result.clone()],
            name: format!("node_{}_{result}", self.nodes.len()),
            op_type: op.to_owned(),
            attribute,
        });
        result
    }

    /// Joins channels, at most [`MOST_JOINED`] parts.
    fn join(&mut self, parts: &[String]) -> String {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.node("Concat", &parts, vec![int("axis", 1)])
    }

    /// The name of a constant vector of integers; equal ones are stored once.
    fn int_vector(&mut self, values: &[i64]) -> String {
        let words: Vec<String> = values.iter().map(|v| v.to_string().replace('-', "m")).collect();
        let name = format!("ints_{}", words.join("_"));
        self.constant(int_tensor(name, vec![side(values.len())], values))
    }

    /// The name of a constant single integer of rank 0.
    fn int_scalar(&mut self, value: i64) -> String {
        self.constant(int_tensor(format!("int_{value}"), vec![], &[value]))
    }

    /// The name of a constant single number of rank 0.
    fn float_scalar(&mut self, value: f64) -> String {
        let value = value as f32;
        self.constant(float_tensor(format!("float_{:08x}", value.to_bits()), vec![], &[value]))
    }

    fn constant(&mut self, tensor: TensorData) -> String {
        let name = tensor.name.clone();
        if !self.constants.iter().any(|c| c.name == name) {
            self.constants.push(tensor);
        }
        name
    }

    /// `x[.., from..to, ..]` along the given axes.
    fn slice(&mut self, x: &str, from: &[i64], to: &[i64], axes: &[i64]) -> String {
        let (from, to, axes) = (self.int_vector(from), self.int_vector(to), self.int_vector(axes));
        self.node("Slice", &[x, &from, &to, &axes], vec![])
    }

    /// One coordinate of the grid for GridSample: `(2 (position + shift) + 1) / length - 1`.
    ///
    /// Position and length are counted on one line of `shift`. Asking for its shape would be simpler, but shapes live on
    /// the processor: a GPU would wait for them, and could not record the run as a graph.
    fn grid_coordinate(&mut self, shift: &str, axis: i64) -> String {
        let across = 5 - axis;
        let line = self.slice(shift, &[0, 0], &[1, 1], &[0, across]);
        let (none, two, unit) = (self.float_scalar(0.0), self.float_scalar(2.0), self.float_scalar(1.0));
        let zeros = self.node("Mul", &[&line, &none], vec![]);
        let ones = self.node("Add", &[&zeros, &unit], vec![]);
        let along = self.int_scalar(axis);
        let counted = self.node("CumSum", &[&ones, &along], vec![]);
        let length = self.node("ReduceMax", &[&counted], vec![ints("axes", &[axis]), int("keepdims", 1)]);
        let places = self.node("Sub", &[&counted, &unit], vec![]);
        let sum = self.node("Add", &[shift, &places], vec![]);
        let sum = self.node("Mul", &[&sum, &two], vec![]);
        let sum = self.node("Add", &[&sum, &unit], vec![]);
        let share = self.node("Div", &[&sum, &length], vec![]);
        self.node("Sub", &[&share, &unit], vec![])
    }
}

impl Ops for GraphOps {
    type Value = Named;
    type Error = Infallible;

    fn conv(&mut self, x: &Named, spec: &ConvSpec) -> Result<Named, Infallible> {
        let kind = self.working_kind();
        let x = self.cast(x, kind);
        let (weight, bias) = (format!("{}.weight", spec.name), format!("{}.bias", spec.name));
        let stride = side(spec.stride);
        let attributes = vec![ints("kernel_shape", &[3, 3]), ints("pads", &[1; 4]), ints("strides", &[stride, stride])];
        let name = self.node("Conv", &[&x, &weight, &bias], attributes);
        self.parameters.extend([weight, bias]);
        Ok(Named { name, kind })
    }

    fn leaky_relu(&mut self, x: &Named) -> Result<Named, Infallible> {
        let name = self.node("LeakyRelu", &[&x.name], vec![float("alpha", LEAK as f32)]);
        Ok(Named { name, kind: x.kind })
    }

    fn concat(&mut self, parts: &[&Named]) -> Result<Named, Infallible> {
        let kind = if parts.iter().any(|p| p.kind == Kind::Half) { Kind::Half } else { Kind::Single };
        let mut parts: Vec<String> = parts.iter().map(|p| self.cast(p, kind)).collect();
        while parts.len() > MOST_JOINED {
            parts = parts.chunks(MOST_JOINED).map(|some| self.join(some)).collect();
        }
        Ok(Named { name: self.join(&parts), kind })
    }

    fn channels(&mut self, x: &Named, start: usize, length: usize) -> Result<Named, Infallible> {
        let name = self.slice(&x.name, &[side(start)], &[side(start + length)], &[1]);
        Ok(Named { name, kind: x.kind })
    }

    fn mean_pool(&mut self, x: &Named, block: usize) -> Result<Named, Infallible> {
        let sides = [side(block), side(block)];
        let attributes = vec![ints("kernel_shape", &sides), ints("strides", &sides)];
        Ok(Named { name: self.node("AveragePool", &[&x.name], attributes), kind: x.kind })
    }

    fn upsample(&mut self, x: &Named) -> Result<Named, Infallible> {
        let scales = self.constant(float_tensor("twice".to_owned(), vec![4], &[1.0, 1.0, 2.0, 2.0]));
        let attributes = vec![word("mode", "linear"), word("coordinate_transformation_mode", "half_pixel")];
        let x = self.single(x);
        Ok(Named { name: self.node("Resize", &[&x, "", &scales], attributes), kind: Kind::Single })
    }

    fn correlate(&mut self, a: &Named, b: &Named, radius: usize) -> Result<Named, Infallible> {
        let kind = self.working_kind();
        let (a, b) = (self.cast(a, kind), self.cast(b, kind));
        let r = side(radius);
        let pads = self.int_vector(&[0, 0, r, r, 0, 0, r, r]);
        let padded = self.node("Pad", &[&b, &pads], vec![word("mode", "constant")]);
        let mut window = Vec::new();
        for dy in 0..=2 * r {
            for dx in 0..=2 * r {
                // Counted from the far end, where 0 would mean "nothing": the last one runs to the end.
                let end = |d: i64| if d == 2 * r { i64::MAX } else { d - 2 * r };
                let moved = self.slice(&padded, &[dy, dx], &[end(dy), end(dx)], &[2, 3]);
                let product = self.node("Mul", &[&a, &moved], vec![]);
                let mean = self.node("ReduceMean", &[&product], vec![ints("axes", &[1]), int("keepdims", 1)]);
                window.push(Named { name: mean, kind });
            }
        }
        self.concat(&window.iter().collect::<Vec<_>>())
    }

    fn warp(&mut self, x: &Named, flow: &Named) -> Result<Named, Infallible> {
        let (x, flow) = (self.single(x), self.single(flow));
        let (dx, dy) = (self.slice(&flow, &[0], &[1], &[1]), self.slice(&flow, &[1], &[2], &[1]));
        let (gx, gy) = (self.grid_coordinate(&dx, 3), self.grid_coordinate(&dy, 2));
        let grid = self.node("Concat", &[&gx, &gy], vec![int("axis", 1)]);
        let grid = self.node("Transpose", &[&grid], vec![ints("perm", &[0, 2, 3, 1])]);
        let attributes = vec![word("mode", "bilinear"), word("padding_mode", "border"), int("align_corners", 0)];
        Ok(Named { name: self.node("GridSample", &[&x, &grid], attributes), kind: Kind::Single })
    }

    fn add(&mut self, a: &Named, b: &Named) -> Result<Named, Infallible> {
        Ok(self.on_singles("Add", &[a, b]))
    }

    fn sub(&mut self, a: &Named, b: &Named) -> Result<Named, Infallible> {
        Ok(self.on_singles("Sub", &[a, b]))
    }

    fn mul(&mut self, a: &Named, b: &Named) -> Result<Named, Infallible> {
        Ok(self.on_singles("Mul", &[a, b]))
    }

    fn div(&mut self, a: &Named, b: &Named) -> Result<Named, Infallible> {
        Ok(self.on_singles("Div", &[a, b]))
    }

    fn affine(&mut self, x: &Named, factor: f64, offset: f64) -> Result<Named, Infallible> {
        let x = self.single(x);
        let factor = self.float_scalar(factor);
        let mut name = self.node("Mul", &[&x, &factor], vec![]);
        if offset != 0.0 {
            let offset = self.float_scalar(offset);
            name = self.node("Add", &[&name, &offset], vec![]);
        }
        Ok(Named { name, kind: Kind::Single })
    }

    fn sqrt(&mut self, x: &Named) -> Result<Named, Infallible> {
        Ok(self.on_singles("Sqrt", &[x]))
    }

    fn tanh(&mut self, x: &Named) -> Result<Named, Infallible> {
        Ok(self.on_singles("Tanh", &[x]))
    }

    fn sigmoid(&mut self, x: &Named) -> Result<Named, Infallible> {
        Ok(self.on_singles("Sigmoid", &[x]))
    }

    fn detach(&mut self, x: &Named) -> Named {
        x.clone()
    }
}
