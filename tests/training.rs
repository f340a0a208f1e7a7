//! Training: a recipe gives a model that is better than knowing nothing, and the same one each time.

use std::path::Path;

use crumple::train::{Recipe, TrainError, train_residual};

pub(crate) fn shipped(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(file)
}

/// The shipped recipe, cut down to what a test can wait for.
fn short_recipe(steps: usize) -> Recipe {
    let mut recipe = Recipe::load(&shipped("residual-small.toml")).expect("the shipped recipe is readable");
    recipe.network.features = [8, 12, 16];
    recipe.network.hidden = [16, 12];
    recipe.synthetic.side_px = 32;
    recipe.synthetic.max_flow_px = 4.0;
    recipe.synthetic.max_noise = 0.01;
    recipe.synthetic.carried_share = 0.0;
    recipe.synthetic.occluder_share = 0.0;
    recipe.training.learning_rate = 4e-3;
    recipe.training.steps = steps;
    recipe.training.batch = 4;
    recipe.training.held_out = 8;
    recipe.training.calibration = 8;
    recipe
}

#[test]
fn the_same_recipe_gives_the_same_file_byte_for_byte() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let recipe = short_recipe(3);
    let train = |name: &str| {
        let path = folder.path().join(name);
        let report = train_residual(&recipe, &path, &mut |_| {}).expect("it trains");
        (report.weights_sha256.clone(), report.model.sha256.clone(), std::fs::read(path).expect("the file is there"))
    };
    assert_eq!(train("a.onnx"), train("b.onnx"));
}

#[test]
fn training_lowers_the_error_and_reports_every_step() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (mut steps, mut first) = (0, None);
    let mut last = 0.0;
    let report = train_residual(&short_recipe(250), &folder.path().join("a.onnx"), &mut |p| {
        steps += 1;
        assert_eq!((p.step, p.steps), (steps, 250));
        first.get_or_insert(p.epe_px);
        last = p.epe_px;
    })
    .expect("it trains");
    assert_eq!(steps, 250);
    let first = first.expect("there was a step");
    assert!(last < first, "the endpoint error went from {first} to {last} px");
    assert!(report.held_out.epe_px < 0.9 * report.held_out.start_epe_px, "{report:?}");
}

#[test]
fn an_impossible_recipe_is_refused_by_name_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let out = folder.path().join("a.onnx");
    let mut recipe = short_recipe(1);
    recipe.synthetic.side_px = 30;
    let error = train_residual(&recipe, &out, &mut |_| {}).expect_err("30 is no multiple of 8");
    assert!(error.is_input_error());
    assert!(error.to_string().contains("synthetic.side_px is 30"), "{error}");
    assert!(!out.exists());
}

#[test]
fn a_recipe_with_an_unknown_key_is_refused_with_its_place() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("recipe.toml");
    let text = std::fs::read_to_string(shipped("residual-small.toml")).expect("shipped recipe");
    std::fs::write(&path, text.replace("side_px", "sidepx")).expect("written");
    let error = Recipe::load(&path).expect_err("sidepx is no key");
    assert!(matches!(error, TrainError::RecipeSyntax { .. }));
    assert!(error.to_string().contains("sidepx"), "{error}");
}
