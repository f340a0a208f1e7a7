//! The network's operations as ONNX nodes: the meaning that is shipped.
//!
//! Operator set 17, IR version 8: old enough for ONNX Runtime's CUDA and TensorRT providers to know every node.

use std::collections::BTreeSet;
use std::convert::Infallible;

use super::net::{ConvSpec, LEAK, Ops};
use super::proto::{Attribute, AttributeKind, FLOAT, INT64, Node, TensorData};

/// Writes nodes down. Every operation returns the name of its result.
#[derive(Debug, Default)]
pub(super) struct GraphOps {
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
    fn grid_coordinate(&mut self, shift: &str, shape: &str, axis: i64) -> String {
        let (axis_name, zero, one) = (self.int_scalar(axis), self.int_scalar(0), self.int_scalar(1));
        let length = self.node("Gather", &[shape, &axis_name], vec![int("axis", 0)]);
        let places = self.node("Range", &[&zero, &length, &one], vec![]);
        let mut places = self.node("Cast", &[&places], vec![int("to", i64::from(FLOAT))]);
        if axis == 2 {
            let behind = self.int_vector(&[1]);
            places = self.node("Unsqueeze", &[&places, &behind], vec![]);
        }
        let length = self.node("Cast", &[&length], vec![int("to", i64::from(FLOAT))]);
        let (two, unit) = (self.float_scalar(2.0), self.float_scalar(1.0));
        let sum = self.node("Add", &[shift, &places], vec![]);
        let sum = self.node("Mul", &[&sum, &two], vec![]);
        let sum = self.node("Add", &[&sum, &unit], vec![]);
        let share = self.node("Div", &[&sum, &length], vec![]);
        self.node("Sub", &[&share, &unit], vec![])
    }
}

impl Ops for GraphOps {
    type Value = String;
    type Error = Infallible;

    fn conv(&mut self, x: &String, spec: &ConvSpec) -> Result<String, Infallible> {
        let (weight, bias) = (format!("{}.weight", spec.name), format!("{}.bias", spec.name));
        let stride = side(spec.stride);
        let attributes = vec![ints("kernel_shape", &[3, 3]), ints("pads", &[1; 4]), ints("strides", &[stride, stride])];
        let result = self.node("Conv", &[x, &weight, &bias], attributes);
        self.parameters.extend([weight, bias]);
        Ok(result)
    }

    fn leaky_relu(&mut self, x: &String) -> Result<String, Infallible> {
        Ok(self.node("LeakyRelu", &[x], vec![float("alpha", LEAK as f32)]))
    }

    fn concat(&mut self, parts: &[&String]) -> Result<String, Infallible> {
        let parts: Vec<&str> = parts.iter().map(|p| p.as_str()).collect();
        Ok(self.node("Concat", &parts, vec![int("axis", 1)]))
    }

    fn channels(&mut self, x: &String, start: usize, length: usize) -> Result<String, Infallible> {
        Ok(self.slice(x, &[side(start)], &[side(start + length)], &[1]))
    }

    fn mean_pool(&mut self, x: &String, block: usize) -> Result<String, Infallible> {
        let sides = [side(block), side(block)];
        Ok(self.node("AveragePool", &[x], vec![ints("kernel_shape", &sides), ints("strides", &sides)]))
    }

    fn upsample(&mut self, x: &String) -> Result<String, Infallible> {
        let scales = self.constant(float_tensor("twice".to_owned(), vec![4], &[1.0, 1.0, 2.0, 2.0]));
        let attributes = vec![word("mode", "linear"), word("coordinate_transformation_mode", "half_pixel")];
        Ok(self.node("Resize", &[x, "", &scales], attributes))
    }

    fn correlate(&mut self, a: &String, b: &String, radius: usize) -> Result<String, Infallible> {
        let r = side(radius);
        let pads = self.int_vector(&[0, 0, r, r, 0, 0, r, r]);
        let padded = self.node("Pad", &[b, &pads], vec![word("mode", "constant")]);
        let mut window = Vec::new();
        for dy in 0..=2 * r {
            for dx in 0..=2 * r {
                // Counted from the far end, where 0 would mean "nothing": the last one runs to the end.
                let end = |d: i64| if d == 2 * r { i64::MAX } else { d - 2 * r };
                let moved = self.slice(&padded, &[dy, dx], &[end(dy), end(dx)], &[2, 3]);
                let product = self.node("Mul", &[a, &moved], vec![]);
                window.push(self.node("ReduceMean", &[&product], vec![ints("axes", &[1]), int("keepdims", 1)]));
            }
        }
        self.concat(&window.iter().collect::<Vec<_>>())
    }

    fn warp(&mut self, x: &String, flow: &String) -> Result<String, Infallible> {
        let shape = self.node("Shape", &[flow], vec![]);
        let (dx, dy) = (self.channels(flow, 0, 1)?, self.channels(flow, 1, 1)?);
        let (gx, gy) = (self.grid_coordinate(&dx, &shape, 3), self.grid_coordinate(&dy, &shape, 2));
        let grid = self.concat(&[&gx, &gy])?;
        let grid = self.node("Transpose", &[&grid], vec![ints("perm", &[0, 2, 3, 1])]);
        let attributes = vec![word("mode", "bilinear"), word("padding_mode", "border"), int("align_corners", 0)];
        Ok(self.node("GridSample", &[x, &grid], attributes))
    }

    fn add(&mut self, a: &String, b: &String) -> Result<String, Infallible> {
        Ok(self.node("Add", &[a, b], vec![]))
    }

    fn sub(&mut self, a: &String, b: &String) -> Result<String, Infallible> {
        Ok(self.node("Sub", &[a, b], vec![]))
    }

    fn mul(&mut self, a: &String, b: &String) -> Result<String, Infallible> {
        Ok(self.node("Mul", &[a, b], vec![]))
    }

    fn div(&mut self, a: &String, b: &String) -> Result<String, Infallible> {
        Ok(self.node("Div", &[a, b], vec![]))
    }

    fn affine(&mut self, x: &String, factor: f64, offset: f64) -> Result<String, Infallible> {
        let factor = self.float_scalar(factor);
        let product = self.node("Mul", &[x, &factor], vec![]);
        if offset == 0.0 {
            return Ok(product);
        }
        let offset = self.float_scalar(offset);
        Ok(self.node("Add", &[&product, &offset], vec![]))
    }

    fn sqrt(&mut self, x: &String) -> Result<String, Infallible> {
        Ok(self.node("Sqrt", &[x], vec![]))
    }

    fn tanh(&mut self, x: &String) -> Result<String, Infallible> {
        Ok(self.node("Tanh", &[x], vec![]))
    }

    fn sigmoid(&mut self, x: &String) -> Result<String, Infallible> {
        Ok(self.node("Sigmoid", &[x], vec![]))
    }

    fn detach(&mut self, x: &String) -> String {
        x.clone()
    }
}
