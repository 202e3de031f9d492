//! Reads the JSON of an estimator. Everything that a file may say wrong is found here.

mod trees;

use super::trees::{Combine, Forest};
use super::{Covariance, Estimator, KMeans, Kind, Linear, Link, Logistic, Mixture, Standardise};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;
use trees::{forest, tree};

/// What is wrong with the file of an estimator.
///
/// Reads as `trees[3].threshold[7]: found 1e999; expected a finite number`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{path}: found {found}; {allowed}")]
#[non_exhaustive]
pub struct ReadError {
    /// Where in the file.
    pub path: String,
    /// What was found.
    pub found: String,
    /// What is allowed, and what to do.
    pub allowed: String,
}

impl ReadError {
    fn new(path: impl Into<String>, found: impl ToString, allowed: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            found: found.to_string(),
            allowed: allowed.into(),
        }
    }
}

/// Features that a device's tree can name.
const MOST_FEATURES: usize = 32767;
/// Labels, trees, components and nodes of a tree that an operator can count.
const MOST: usize = 65535;

impl Estimator {
    /// Reads and checks the text of an estimator's file.
    ///
    /// # Errors
    /// [`ReadError`] names the place in the file, what stands there and what is allowed.
    pub fn from_json(text: &str) -> Result<Self, ReadError> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let numbers = ["NaN", "Infinity"].iter().any(|word| text.contains(word));
            let hint = match numbers || error.to_string().contains("out of range") {
                true => "JSON with finite numbers only, no NaN and no Infinity",
                false => "the JSON of an estimator, as docs/heads.md describes it",
            };
            ReadError::new("file", error, format!("expected {hint}"))
        })?;
        let Value::Object(map) = value else {
            let found = "no object";
            return Err(ReadError::new(
                "file",
                found,
                "expected `{\"otolith\": \"head\", ...}`",
            ));
        };
        let mut fields = Fields(map);
        fields.is("otolith", &Value::from("head"))?;
        fields.is("version", &Value::from(1))?;
        let kind: String = fields.take("type")?;
        let n_features = fields.count("n_features", MOST_FEATURES)?;
        let labels = match fields.0.remove("labels") {
            Some(labels) => Some(checked_labels(parsed("labels", labels)?)?),
            None => None,
        };
        let standardise = match fields.0.remove("standardise") {
            Some(value) => Some(standardise(parsed("standardise", value)?, n_features)?),
            None => None,
        };
        let named = || {
            let names = labels.clone();
            names.ok_or_else(|| {
                ReadError::new("labels", "nothing", "expected a name of each output")
            })
        };
        let (kind, labels) = match kind.as_str() {
            "tree" => {
                let labels = named()?;
                let tree = tree("tree", fields.take("tree")?, n_features, labels.len())?;
                let forest = Forest {
                    combine: Combine::Mean,
                    trees: vec![tree],
                };
                (Kind::Forest(forest), labels)
            }
            "forest" => {
                let labels = named()?;
                (
                    Kind::Forest(forest(&mut fields, n_features, labels.len())?),
                    labels,
                )
            }
            "linear" => {
                let labels = named()?;
                let range: (f64, f64) = fields.take("range")?;
                if !(range.0 < range.1 && range.0.abs().max(range.1.abs()) <= 1e9) {
                    let found = format!("{range:?}");
                    let allowed = "expected the smallest and largest value, at most 1e9";
                    return Err(ReadError::new("range", found, allowed));
                }
                let linear = linear(&mut fields, n_features, labels.len(), range)?;
                (Kind::Linear(linear), labels)
            }
            "logistic" => {
                let labels = named()?;
                let link: String = fields.take("link")?;
                let (link, rows) = match (link.as_str(), labels.len()) {
                    ("binary", 2) => (Link::Binary, 1),
                    ("softmax", n) => (Link::Softmax, n),
                    ("one_vs_rest", n) if n > 1 => (Link::OneVsRest, n),
                    (_, n) => {
                        let found = format!("{link:?} with {n} labels");
                        let allowed = "expected \"binary\" with two labels, \"softmax\", or \
                                       \"one_vs_rest\" with two or more";
                        return Err(ReadError::new("link", found, allowed));
                    }
                };
                let linear = linear(&mut fields, n_features, rows, (-1.0, 1.0))?;
                (Kind::Logistic(Logistic { linear, link }), labels)
            }
            "kmeans" => (
                Kind::KMeans(kmeans(&mut fields, n_features)?),
                one_label(labels)?,
            ),
            "gmm" => (
                Kind::Mixture(mixture(&mut fields, n_features)?),
                one_label(labels)?,
            ),
            other => {
                let allowed = "expected \"tree\", \"forest\", \"linear\", \"logistic\", \
                               \"kmeans\" or \"gmm\"";
                return Err(ReadError::new("type", format!("{other:?}"), allowed));
            }
        };
        if let Some(name) = fields.0.keys().next() {
            let allowed = "this type has no such field: remove it";
            return Err(ReadError::new(name, "a field", allowed));
        }
        Ok(Self {
            n_features,
            labels,
            standardise,
            kind,
        })
    }
}

/// The fields of the file that are not read yet.
struct Fields(Map<String, Value>);

impl Fields {
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, ReadError> {
        match self.0.remove(name) {
            Some(value) => parsed(name, value),
            None => Err(ReadError::new(name, "nothing", "this field is needed")),
        }
    }

    fn is(&mut self, name: &str, wanted: &Value) -> Result<(), ReadError> {
        match self.0.remove(name) {
            Some(value) if value == *wanted => Ok(()),
            found => {
                let found = found.map_or("nothing".to_owned(), |value| brief(&value));
                Err(ReadError::new(name, found, format!("expected {wanted}")))
            }
        }
    }

    fn count(&mut self, name: &str, most: usize) -> Result<usize, ReadError> {
        let found: Value = self.take(name)?;
        found
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .filter(|n| (1..=most).contains(n))
            .ok_or_else(|| {
                let allowed = format!("expected an integer from 1 to {most}");
                ReadError::new(name, brief(&found), allowed)
            })
    }
}

/// The beginning of a value, for errors.
fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn parsed<T: DeserializeOwned>(path: &str, value: Value) -> Result<T, ReadError> {
    serde_json::from_value(value)
        .map_err(|error| ReadError::new(path, error, "see docs/heads.md for the field"))
}

fn checked_labels(labels: Vec<String>) -> Result<Vec<String>, ReadError> {
    let wrong = |i: usize| labels[i].trim().is_empty() || labels[..i].contains(&labels[i]);
    if let Some(i) = (0..labels.len().min(MOST)).find(|&i| wrong(i)) {
        let found = format!("{:?}", labels[i]);
        let allowed = "expected labels that differ and are not empty";
        return Err(ReadError::new(format!("labels[{i}]"), found, allowed));
    }
    length("labels", labels.len(), 1..=MOST)?;
    Ok(labels)
}

fn one_label(labels: Option<Vec<String>>) -> Result<Vec<String>, ReadError> {
    let labels = labels.unwrap_or_else(|| vec!["anomaly".into()]);
    length("labels", labels.len(), 1..=1)?;
    Ok(labels)
}

fn length(
    path: &str,
    found: usize,
    allowed: std::ops::RangeInclusive<usize>,
) -> Result<(), ReadError> {
    if allowed.contains(&found) {
        return Ok(());
    }
    let wanted = match (allowed.start(), allowed.end()) {
        (a, b) if a == b => format!("{a}"),
        (a, b) => format!("{a} to {b}"),
    };
    let found = format!("{found} entries");
    Err(ReadError::new(path, found, format!("expected {wanted}")))
}

/// A number that is finite and passes `check`.
fn number(
    path: String,
    x: f64,
    check: impl Fn(f64) -> bool,
    wanted: &str,
) -> Result<(), ReadError> {
    match x.is_finite() && check(x) {
        true => Ok(()),
        false => Err(ReadError::new(path, x, format!("expected {wanted}"))),
    }
}

fn numbers(path: &str, list: &[f64], n: usize) -> Result<(), ReadError> {
    length(path, list.len(), n..=n)?;
    for (i, &x) in list.iter().enumerate() {
        number(format!("{path}[{i}]"), x, |_| true, "a finite number")?;
    }
    Ok(())
}

fn positive(path: &str, list: &[f64], n: usize) -> Result<(), ReadError> {
    length(path, list.len(), n..=n)?;
    for (i, &x) in list.iter().enumerate() {
        number(format!("{path}[{i}]"), x, |x| x > 0.0, "a number above 0")?;
    }
    Ok(())
}

/// Checks a list of `rows` lists of `n` numbers.
fn table(path: &str, table: &[Vec<f64>], rows: usize, n: usize) -> Result<(), ReadError> {
    length(path, table.len(), rows..=rows)?;
    for (i, row) in table.iter().enumerate() {
        numbers(&format!("{path}[{i}]"), row, n)?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StandardiseFile {
    mean: Vec<f64>,
    scale: Vec<f64>,
}

fn standardise(file: StandardiseFile, n: usize) -> Result<Standardise, ReadError> {
    numbers("standardise.mean", &file.mean, n)?;
    positive("standardise.scale", &file.scale, n)?;
    Ok(Standardise {
        mean: file.mean,
        scale: file.scale,
    })
}

fn linear(
    fields: &mut Fields,
    n: usize,
    rows: usize,
    range: (f64, f64),
) -> Result<Linear, ReadError> {
    let weights: Vec<Vec<f64>> = fields.take("weights")?;
    let bias: Vec<f64> = fields.take("bias")?;
    table("weights", &weights, rows, n)?;
    numbers("bias", &bias, rows)?;
    Ok(Linear {
        weights,
        bias,
        range,
    })
}

fn kmeans(fields: &mut Fields, n: usize) -> Result<KMeans, ReadError> {
    let centres: Vec<Vec<f64>> = fields.take("centres")?;
    let radii: Vec<f64> = fields.take("radii")?;
    length("centres", centres.len(), 1..=MOST)?;
    table("centres", &centres, centres.len(), n)?;
    positive("radii", &radii, centres.len())?;
    Ok(KMeans { centres, radii })
}

fn mixture(fields: &mut Fields, n: usize) -> Result<Mixture, ReadError> {
    let covariance: String = fields.take("covariance")?;
    let weights: Vec<f64> = fields.take("weights")?;
    let means: Vec<Vec<f64>> = fields.take("means")?;
    length("means", means.len(), 1..=MOST)?;
    table("means", &means, means.len(), n)?;
    positive("weights", &weights, means.len())?;
    let total: f64 = weights.iter().sum();
    number(
        "weights".into(),
        total,
        |sum| (sum - 1.0).abs() < 1e-6,
        "numbers whose sum is 1",
    )?;
    let (covariance, factors) = match covariance.as_str() {
        "diag" => {
            let variances: Vec<Vec<f64>> = fields.take("covariances")?;
            length("covariances", variances.len(), means.len()..=means.len())?;
            for (c, variances) in variances.iter().enumerate() {
                positive(&format!("covariances[{c}]"), variances, n)?;
            }
            let factor = |v: &Vec<f64>| v.iter().map(|v| 1.0 / v.sqrt()).collect();
            (Covariance::Diagonal, variances.iter().map(factor).collect())
        }
        "full" => {
            let matrices: Vec<Vec<Vec<f64>>> = fields.take("covariances")?;
            length("covariances", matrices.len(), means.len()..=means.len())?;
            let factors = matrices
                .iter()
                .enumerate()
                .map(|(c, matrix)| inverse_factor(&format!("covariances[{c}]"), matrix, n))
                .collect::<Result<Vec<_>, _>>()?;
            (Covariance::Full, factors)
        }
        other => {
            let allowed = "expected \"diag\" or \"full\"";
            return Err(ReadError::new("covariance", format!("{other:?}"), allowed));
        }
    };
    let normal = 0.5 * n as f64 * libm::log(2.0 * std::f64::consts::PI);
    let log_density = weights
        .iter()
        .zip(&factors)
        .map(|(weight, factor): (_, &Vec<f64>)| {
            let diagonal = (0..n).map(|j| match covariance {
                Covariance::Diagonal => factor[j],
                Covariance::Full => factor[j * (j + 3) / 2],
            });
            libm::log(*weight) + diagonal.map(libm::log).sum::<f64>() - normal
        })
        .collect();
    Ok(Mixture {
        covariance,
        means,
        factors,
        log_density,
    })
}

/// The upper triangular `P` with `P P' = inverse(matrix)`, column by column: the transpose of the
/// inverse of the matrix's lower Cholesky factor.
fn inverse_factor(path: &str, matrix: &[Vec<f64>], n: usize) -> Result<Vec<f64>, ReadError> {
    table(path, matrix, n, n)?;
    let mut lower: Vec<Vec<f64>> = Vec::with_capacity(n);
    for i in 0..n {
        let mut row = Vec::with_capacity(i + 1);
        for j in 0..i {
            let (a, b) = (matrix[i][j], matrix[j][i]);
            if (a - b).abs() > 1e-6 * (matrix[i][i] * matrix[j][j]).abs().sqrt() {
                let allowed = format!("expected {b} as at [{j}][{i}]: covariances are symmetric");
                return Err(ReadError::new(format!("{path}[{i}][{j}]"), a, allowed));
            }
            let done: f64 = row.iter().zip(&lower[j]).map(|(x, y)| x * y).sum();
            row.push((a - done) / lower[j][j]);
        }
        let rest = matrix[i][i] - row.iter().map(|x| x * x).sum::<f64>();
        if rest.is_nan() || rest <= 0.0 {
            let allowed = format!(
                "expected a positive definite matrix, and feature {i} leaves a variance of \
                 {rest:.3e} beside those before it: raise `reg_covar`, or leave the feature out"
            );
            return Err(ReadError::new(path, "a matrix that is not", allowed));
        }
        row.push(rest.sqrt());
        lower.push(row);
    }
    // Row j of the inverse of the lower factor is column j of P.
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(n);
    for (j, row) in lower.iter().enumerate() {
        let mut inverse = vec![0.0; j + 1];
        inverse[j] = 1.0 / row[j];
        for (i, inverse) in inverse.iter_mut().enumerate().take(j) {
            let sum: f64 = (i..j).map(|k| row[k] * factor[k][i]).sum();
            *inverse = -sum / row[j];
        }
        factor.push(inverse);
    }
    Ok(factor.concat())
}
