//! Writing a network as one self-contained ONNX file.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;

use prost::Message as _;

use super::error::TrainError;
use super::graph::{GraphOps, Kind, Named, float_tensor, half_tensor};
use super::net::{NetInput, NetOutput, residual_net};
use super::network::{Precision, ResidualNetwork};
use super::proto::{
    Dimension, DimensionValue, FLOAT, Graph, Model, OperatorSetId, StringStringEntry, TensorShape, TensorType,
    ValueInfo, ValueType,
};
use crate::domain::{ModelSpec, TensorSpec};

/// ONNX's operator set that the graph is written in.
const OPERATOR_SET: i64 = 17;
/// ONNX's file version that belongs to it.
const IR_VERSION: i64 = 8;

/// The file's bytes: graph, parameters and `metadata`. The same input gives the same bytes.
pub(super) fn model_bytes(
    network: &ResidualNetwork,
    precision: Precision,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, TrainError> {
    let spec = ModelSpec::residual();
    let mut ops = GraphOps::with(precision);
    let named = |name: &str| Named { name: name.to_owned(), kind: Kind::Single };
    let input = NetInput {
        predicted: named("predicted"),
        real: named("real"),
        visible: named("visible"),
        start: named("start"),
        doubt: named("doubt"),
    };
    let result: Result<NetOutput<Named>, Infallible> =
        residual_net(&mut ops, &network.shape, &input, network.calibration);
    let Ok(output) = result;
    for (name, value) in [("flow", output.flow), ("log_var", output.log_var), ("present", output.present)] {
        let value = ops.single(&value);
        ops.named_node("Identity", &[&value], vec![], name.to_owned());
    }
    let mut initializer = ops.constants;
    for (name, var) in network.weights.all().filter(|(name, _)| ops.parameters.contains(*name)) {
        let dims = var.dims().iter().map(|d| i64::try_from(*d).unwrap_or(i64::MAX)).collect();
        let values = var.flatten_all()?.to_vec1::<f32>()?;
        initializer.push(match precision {
            Precision::Single => float_tensor(name.to_owned(), dims, &values),
            Precision::Half => half_tensor(name.to_owned(), dims, &values),
        });
    }
    let graph = Graph {
        node: ops.nodes,
        name: spec.contract.clone(),
        initializer,
        input: spec.inputs.iter().map(value_info).collect(),
        output: spec.outputs.iter().map(value_info).collect(),
    };
    let entries = metadata.iter().map(|(key, value)| StringStringEntry { key: key.clone(), value: value.clone() });
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "crumple".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: "Dense residual between a predicted and a real picture; see models/README.md".to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSetId { domain: String::new(), version: OPERATOR_SET }],
        metadata_props: entries.collect(),
    };
    Ok(model.encode_to_vec())
}

/// Writes `bytes` to `path` so that a reader sees the old file or the whole new one.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let fault = |source| TrainError::Write { path: path.to_path_buf(), source };
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(fault)?;
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".tmp");
    let partial = std::path::PathBuf::from(partial);
    std::fs::write(&partial, bytes).map_err(fault)?;
    std::fs::rename(&partial, path).map_err(fault)
}

fn value_info(spec: &TensorSpec) -> ValueInfo {
    let free = |name: &str| Dimension { value: Some(DimensionValue::Name(name.to_owned())) };
    let channels = i64::try_from(spec.channels).unwrap_or(i64::MAX);
    let dim = vec![free("B"), Dimension { value: Some(DimensionValue::Length(channels)) }, free("H"), free("W")];
    ValueInfo {
        name: spec.name.clone(),
        value_type: Some(ValueType {
            tensor_type: Some(TensorType { elem_type: FLOAT, shape: Some(TensorShape { dim }) }),
        }),
        doc_string: spec.meaning.clone(),
    }
}
