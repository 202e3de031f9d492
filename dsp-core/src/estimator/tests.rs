//! Laws of estimators, and what their files may say wrong.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn tree() -> Value {
    json!({
        "otolith": "head", "version": 1, "type": "tree", "n_features": 2,
        "labels": ["a", "b"],
        "tree": {
            "feature": [0, 1, -1, -1, -1],
            "threshold": [0.5, -1.0, 0.0, 0.0, 0.0],
            "left": [1, 3, -1, -1, -1],
            "right": [2, 4, -1, -1, -1],
            "value": [[], [], [1.0, 0.0], [3.0, 1.0], [0.0, 2.0]],
        },
    })
}

fn mixture(covariance: Value) -> Value {
    json!({
        "otolith": "head", "version": 1, "type": "gmm", "n_features": 2,
        "covariance": "full", "weights": [1.0], "means": [[1.0, 2.0]],
        "covariances": [covariance],
    })
}

/// The error of a file in which the value at `pointer` is `value`.
fn error(mut file: Value, pointer: &str, value: Value) -> String {
    match file.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => {
            let name = pointer.trim_start_matches('/').to_owned();
            file.as_object_mut().expect("an object").insert(name, value);
        }
    }
    match Estimator::from_json(&file.to_string()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{pointer} is accepted"),
    }
}

#[test]
fn a_tree_goes_left_up_to_its_threshold() {
    let tree = Estimator::from_json(&tree().to_string()).expect("valid");
    assert_eq!(tree.scores(&[0.5, -1.0]), [0.75, 0.25]);
    assert_eq!(tree.scores(&[0.5, -0.9]), [0.0, 1.0]);
    assert_eq!(tree.scores(&[0.6, -1.0]), [1.0, 0.0]);
    assert_eq!(tree.scores(&[f64::NAN, 0.0]), [1.0, 0.0]);
}

#[test]
fn files_say_what_is_wrong_and_where() {
    for (pointer, value, wanted) in [
        (
            "/otolith",
            json!("tail"),
            "otolith: found \"tail\"; expected \"head\"",
        ),
        ("/version", json!(2), "version: found 2; expected 1"),
        ("/type", json!("svm"), "type: found \"svm\"; expected"),
        (
            "/n_features",
            json!(0),
            "n_features: found 0; expected an integer from 1",
        ),
        (
            "/labels",
            json!(["a", "a"]),
            "labels[1]: found \"a\"; expected labels that differ",
        ),
        (
            "/labels",
            json!(["a"]),
            "tree.value[3]: found 2 entries; expected 1",
        ),
        (
            "/depth",
            json!(3),
            "depth: found a field; this type has no such field",
        ),
        (
            "/tree/feature",
            json!([0, 2, -1, -1, -1]),
            "tree.feature[1]: found 2; expected a feature from 0 to 1",
        ),
        (
            "/tree/left",
            json!([1, 5, -1, -1, -1]),
            "tree.left[1]: found 5; expected a node from 2 to 4",
        ),
        (
            "/tree/left",
            json!([1, 0, -1, -1, -1]),
            "tree.left[1]: found 0; expected a node from 2 to 4: children come after",
        ),
        (
            "/tree/right",
            json!([1, 4, -1, -1, -1]),
            "tree: found node 1 as the child of several",
        ),
        (
            "/tree/feature",
            json!([-1, 1, -1, -1, -1]),
            "tree.value[0]: found 0 entries; expected 2",
        ),
        (
            "/tree/threshold",
            json!([0.5, null, 0.0, 0.0, 0.0]),
            "tree: found invalid type: null",
        ),
        (
            "/tree/value",
            json!([[], [], [1.0, 0.0], [0.0, 0.0], [0.0, 2.0]]),
            "tree.value[3]: found 0; expected numbers whose sum is above 0",
        ),
        (
            "/tree/value",
            json!([[], [], [1.0, -1.0], [0.0, 1.0], [0.0, 2.0]]),
            "tree.value[2][1]: found -1; expected a number of at least 0",
        ),
        (
            "/standardise",
            json!({"mean": [0.0, 0.0], "scale": [1.0, 0.0]}),
            "standardise.scale[1]: found 0; expected a number above 0",
        ),
        (
            "/standardise",
            json!({"mean": [0.0], "scale": [1.0, 1.0]}),
            "standardise.mean: found 1 entries; expected 2",
        ),
    ] {
        let found = error(tree(), pointer, value);
        assert!(found.starts_with(wanted), "{found}\n{wanted}");
    }
}

#[test]
fn numbers_that_json_does_not_have_are_named() {
    for number in ["NaN", "-Infinity", "1e999"] {
        let text = tree().to_string().replacen("-1.0", number, 1);
        let error = Estimator::from_json(&text)
            .expect_err("no number")
            .to_string();
        assert!(error.contains("finite numbers only"), "{error}");
    }
    assert!(Estimator::from_json("[]").is_err());
    assert!(Estimator::from_json("{").is_err());
}

#[test]
fn covariances_are_positive_definite_and_symmetric() {
    let file = || mixture(json!([[2.0, 0.5], [0.5, 1.0]]));
    assert!(Estimator::from_json(&file().to_string()).is_ok());
    let singular = error(file(), "/covariances", json!([[[1.0, 2.0], [2.0, 1.0]]]));
    assert!(
        singular.starts_with(
            "covariances[0]: found a matrix that is not; expected a positive definite"
        ),
        "{singular}"
    );
    let skew = error(file(), "/covariances", json!([[[1.0, 0.2], [0.1, 1.0]]]));
    assert!(
        skew.starts_with("covariances[0][1][0]: found 0.1; expected 0.2"),
        "{skew}"
    );
    let none = error(file(), "/weights", json!([0.5]));
    assert!(
        none.starts_with("weights: found 0.5; expected numbers whose sum is 1"),
        "{none}"
    );
}

#[test]
fn a_full_covariance_is_its_formula() {
    let mixture = mixture(json!([[2.0, 0.5], [0.5, 1.0]]));
    let mixture = Estimator::from_json(&mixture.to_string()).expect("valid");
    // d' inverse(C) d / 2 with the determinant 1.75.
    let (d, e) = (0.7, -1.2);
    let squared = (1.0 * d * d - 2.0 * 0.5 * d * e + 2.0 * e * e) / 1.75;
    let score = mixture.scores(&[1.0 + d, 2.0 + e])[0];
    assert!((score - 0.5 * squared).abs() < 1e-12, "{score}");
    assert_eq!(mixture.scores(&[1.0, 2.0])[0], 0.0);
}

proptest! {
    /// Whatever stands in a file of the right shape, reading gives an answer or an error.
    #[test]
    fn no_tree_makes_the_reader_fail(
        feature in prop::collection::vec(-2i64..4, 1..9),
        left in prop::collection::vec(-2i64..10, 9),
        right in prop::collection::vec(-2i64..10, 9),
        x in prop::collection::vec(any::<f64>(), 2),
    ) {
        let n = feature.len();
        let mut file = tree();
        file["tree"] = json!({
            "feature": feature, "threshold": vec![0.5; n], "left": left[..n], "right": right[..n],
            "value": vec![[1.0, 2.0]; n],
        });
        if let Ok(tree) = Estimator::from_json(&file.to_string()) {
            prop_assert_eq!(tree.scores(&x), [1.0 / 3.0, 2.0 / 3.0]);
        }
    }
}
