//! What can go wrong with pictures.

/// A picture that could not be worked on.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// OpenCV refused; with pictures that the readers let through this is a defect, not the input's fault.
    #[error("OpenCV failed while {during}")]
    OpenCv {
        /// What was being done.
        during: &'static str,
        /// OpenCV's own words.
        source: opencv::Error,
    },
    /// The two pictures of a pair differ in size.
    #[error("the predicted picture is {predicted:?} px (height, width), the real one {real:?}: they must be equal")]
    SizesDiffer {
        /// Height and width of the predicted picture.
        predicted: (usize, usize),
        /// Height and width of the real one.
        real: (usize, usize),
    },
    /// The model that estimates residuals failed.
    #[error("the residual model failed")]
    Model(#[source] Box<dyn std::error::Error + Send + Sync>),
}
