//! Edge Impulse's blocks for sensors against its Python reference: every case of
//! `golden/edge-impulse` in the shared folder.

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::executor::Executor;
use otolith_fixtures::Array;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// Largest error, relative to the largest value of a group of features.
const TOLERANCE: f64 = 1e-4;

struct Case {
    json: Value,
    signal: Array,
}

impl Case {
    fn all(shared: &Path, block: &str) -> Vec<Self> {
        let dir = shared.join("golden/edge-impulse");
        let mut paths: Vec<_> = std::fs::read_dir(dir.join("cases"))
            .expect("a folder of cases")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(&format!("{block}_v"))
            })
            .collect();
        paths.sort();
        assert!(!paths.is_empty(), "no case of {block}");
        paths
            .into_iter()
            .map(|path| {
                let text = std::fs::read_to_string(&path).expect("a case");
                let json: Value = serde_json::from_str(&text).expect("JSON");
                let file = json["input"]["file"].as_str().expect("a file");
                let signal = Array::read(&dir.join(file));
                Self { json, signal }
            })
            .collect()
    }

    fn id(&self) -> &str {
        self.json["id"].as_str().expect("an id")
    }

    fn text(&self, name: &str) -> &str {
        self.json["params"][name].as_str().expect("a text")
    }

    fn number(&self, name: &str) -> f64 {
        self.json["params"][name].as_f64().expect("a number")
    }

    fn on(&self, name: &str) -> &'static str {
        if self.json["params"][name].as_bool().expect("a switch") {
            "on"
        } else {
            "off"
        }
    }

    fn axes(&self) -> usize {
        self.signal.shape.get(1).copied().unwrap_or(1)
    }

    /// A power of two, so that dividing by it is exact.
    fn full_scale(&self) -> f64 {
        let peak = self
            .signal
            .values
            .iter()
            .fold(0.5f64, |p, x| p.max(x.abs()));
        libm::exp2(libm::floor(libm::log2(peak)) + 1.0)
    }

    fn samples(&self) -> Vec<f32> {
        let scale = self.full_scale();
        self.signal
            .values
            .iter()
            .map(|x| (x / scale) as f32)
            .collect()
    }

    fn pipeline(&self, block: &str) -> Result<Pipeline, otolith_dsp_core::ConfigError> {
        let axes: Vec<String> = (0..self.axes()).map(|i| format!("\"a{i}\"")).collect();
        let text = format!(
            "[pipeline]\nname = \"golden\"\n[input]\nkind = \"sensor\"\naxes = [{}]\n\
             rate_hz = {:?}\nfull_scale = {:?}\nmode = \"window\"\nwindow_samples = {}\n\
             [[block]]\nid = \"features\"\n{block}",
            axes.join(", "),
            self.json["input"]["sampling_freq"]
                .as_f64()
                .expect("a rate"),
            self.full_scale(),
            self.signal.shape[0],
        );
        Pipeline::from_toml(&text, ".".as_ref(), &[])
    }

    /// What the origin's 32-bit floats leave open: the rounding of an axis' samples, and the factor
    /// by which an offset that is much larger than the signal amplifies it.
    fn origin(&self, axis: usize) -> (f64, f64) {
        let x: Vec<f64> = self
            .signal
            .values
            .iter()
            .skip(axis)
            .step_by(self.axes())
            .copied()
            .collect();
        let peak = x.iter().fold(0.0f64, |peak, x| peak.max(x.abs()));
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let square = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / x.len() as f64;
        let condition = 1.0 + peak / square.sqrt().max(1e-9 * peak + 1e-30) / 100.0;
        let scale = self.json["params"]["scale_axes"]
            .as_f64()
            .unwrap_or(1.0)
            .abs();
        (peak * scale * libm::exp2(-21.0), condition)
    }

    /// Computes the features in both numerics, and compares.
    fn check(&self, block: &str) -> Result<[f64; 2], String> {
        let pipeline = self.pipeline(block).map_err(|error| error.to_string())?;
        let graph = pipeline.graph();
        let chain = graph.first();
        let samples = self.samples();
        let reference = Executor::<f64>::new(chain)
            .expect("a graph")
            .features(&samples[..]);
        let host = Executor::<f32>::new(chain)
            .expect("a graph")
            .features(&samples[..]);
        let host: Vec<f64> = host.values.into_iter().map(f64::from).collect();
        let expected: Vec<f64> = self.json["features"]
            .as_array()
            .ok_or("no features expected")?
            .iter()
            .map(|x| x.as_f64().unwrap_or(f64::NAN))
            .collect();
        let skipped: Vec<usize> = self.json["ill_conditioned_indices"]
            .as_array()
            .map(|list| {
                list.iter()
                    .filter_map(|i| i.as_u64().map(|i| i as usize))
                    .collect()
            })
            .unwrap_or_default();
        let names = graph.names();
        let groups: Vec<String> = names.iter().map(|name| group(name)).collect();
        let mut worst = [0.0f64; 2];
        let mut wrong = String::new();
        for (error, (name, values)) in worst
            .iter_mut()
            .zip([("reference", &reference.values), ("host", &host)])
        {
            if values.len() != expected.len() || names.len() != expected.len() {
                return Err(format!("{} of {} features", values.len(), expected.len()));
            }
            for i in (0..expected.len()).filter(|i| !skipped.contains(i)) {
                // Rounding puts a value of a few units in the last place on either side.
                let step = 1.0 / chain.frame_values() as f64 * 8.0 * self.axes() as f64;
                if names[i].contains("crossings") && (values[i] - expected[i]).abs() < step {
                    continue;
                }
                let peak = (0..expected.len())
                    .filter(|&j| groups[j] == groups[i])
                    .fold(1e-9f64, |peak, j| peak.max(expected[j].abs()));
                let difference = (values[i] - expected[i]).abs();
                let relative = difference / peak;
                let (rounding, condition) = self.origin(i * self.axes() / expected.len());
                if difference <= rounding {
                    continue;
                }
                *error = error.max(relative / condition);
                if relative.is_nan() || relative > TOLERANCE * condition {
                    let _ = writeln!(
                        wrong,
                        "  {name} {i} {}: {} instead of {}",
                        names[i], values[i], expected[i]
                    );
                }
            }
        }
        if wrong.is_empty() {
            Ok(worst)
        } else {
            Err(wrong)
        }
    }
}

/// The kind of a feature: its name without axis, level and frequency.
fn group(name: &str) -> String {
    let name = name.split_once('_').map_or(name, |(_, rest)| rest);
    let name = match name.strip_prefix("level") {
        Some(rest) => &rest[rest.find('_').unwrap_or(0)..],
        None => name,
    };
    name.split(|c: char| c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| if part.len() > 1 { part } else { "" })
        .collect()
}

/// Checks every case of a block and prints one line for each that is wrong.
fn check_all(block: &str, fields: impl Fn(&Case) -> String) {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    let (mut failures, mut worst, mut count) = (0, [0.0f64; 2], 0);
    for case in Case::all(&shared, block) {
        count += 1;
        let fields = fields(&case);
        if case.json["error"].is_object() {
            match case.pipeline(&fields) {
                Ok(_) => {
                    failures += 1;
                    println!("{}: accepted, but {}", case.id(), case.json["error"]);
                }
                Err(error) => println!("{}: {error}", case.id()),
            }
            continue;
        }
        match case.check(&fields) {
            Ok(errors) => worst = [0, 1].map(|i| worst[i].max(errors[i])),
            Err(error) => {
                failures += 1;
                println!("{}:\n{error}", case.id());
            }
        }
    }
    println!(
        "{block}: {count} cases, reference {:.1e}, host {:.1e}",
        worst[0], worst[1]
    );
    assert_eq!(failures, 0, "cases of {block} are wrong");
}

#[test]
fn flatten() {
    check_all("flatten", |case| {
        let mut block = "type = \"flatten\"\n".to_owned();
        for name in [
            "average", "minimum", "maximum", "rms", "stdev", "skewness", "kurtosis",
        ] {
            let _ = writeln!(block, "{name} = \"{}\"", case.on(name));
        }
        let _ = writeln!(block, "scale_axes = {:?}", case.number("scale_axes"));
        block
    });
}

#[test]
fn raw() {
    check_all("raw", |case| {
        format!(
            "type = \"raw\"\nscale_axes = {:?}",
            case.number("scale_axes")
        )
    });
}

#[test]
fn spectral_analysis() {
    check_all("spectral_analysis", |case| {
        let version = case.json["implementation_version"]
            .as_u64()
            .expect("a version");
        let order = case.number("filter_order");
        let wavelet = case.text("analysis_type") == "Wavelet" && version >= 3;
        let mut block = format!(
            "type = \"spectral_analysis\"\npreset = \"edge_impulse_v{version}\"\n\
             scale_axes = {:?}\ndecimation = {}\nfilter = \"{}\"\ncutoff_hz = {:?}\n\
             filter_order = {order}\nn_fft = {}\n",
            case.number("scale_axes"),
            case.number("input_decimation_ratio"),
            case.text("filter_type"),
            case.number("filter_cutoff"),
            case.number("fft_length"),
        );
        if wavelet {
            let _ = writeln!(
                block,
                "analysis = \"wavelet\"\nstatistics = []\nwavelet = \"{}\"\nwavelet_level = {}",
                case.text("wavelet"),
                case.number("wavelet_level"),
            );
            return block;
        }
        if version == 1 {
            let _ = writeln!(
                block,
                "peaks_count = {}\npeaks_threshold = {:?}\npower_edges_hz = [{}]",
                case.number("spectral_peaks_count"),
                case.number("spectral_peaks_threshold"),
                case.text("spectral_power_edges"),
            );
        } else {
            let log = if case.on("do_log") == "on" {
                "log10"
            } else {
                "none"
            };
            let overlap = if case.on("do_fft_overlap") == "on" {
                "half"
            } else {
                "none"
            };
            let _ = writeln!(block, "log = \"{log}\"\noverlap = \"{overlap}\"");
            let _ = writeln!(
                block,
                "extra_low_frequency = \"{}\"",
                case.on("extra_low_freq")
            );
        }
        block
    });
}
