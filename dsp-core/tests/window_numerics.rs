//! Blocks of whole windows in `f32` and `fixed` against `reference`, on recordings of movements.
//!
//! `OTOLITH_UPDATE=1 cargo test -p otolith-dsp-core --test window_numerics` writes the table to
//! `benches/snapshots/windows.txt`.

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Numeric};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Least signal to noise ratio of statistics and filters, and of spectra, in dB.
const STATISTICS: f64 = 60.0;
const SPECTRA: f64 = 50.0;

/// The axes, whose names begin those of their features.
const AXES: [&str; 3] = ["ax", "ay", "az"];

/// Samples in a window.
const WINDOW: usize = 200;

/// Blocks, and the least ratio of their integers.
const BLOCKS: &[(&str, f64, &str)] = &[
    ("flatten", STATISTICS, "type = \"flatten\"\n"),
    ("raw", STATISTICS, "type = \"raw\"\n"),
    (
        "all statistics behind a low-pass",
        STATISTICS,
        "type = \"spectral_analysis\"\nfilter = \"low\"\ncutoff_hz = 8\nfilter_order = 4\n\
         bins = \"off\"\nstatistics = [\"std\", \"variance\", \"sample_variance\", \
         \"rms\", \"skewness\", \"kurtosis\", \"kurtosis_or_zero\", \"minimum\", \"maximum\", \
         \"range\", \"mean_magnitude\", \"mean_square\", \"median\", \"p10\", \"n90\", \"iqr\", \
         \"mad\", \"entropy\"]\n",
    ),
    (
        "statistics behind a high-pass",
        STATISTICS,
        "type = \"spectral_analysis\"\nfilter = \"high\"\ncutoff_hz = 1\nfilter_order = 2\n\
         bins = \"off\"\n",
    ),
    (
        "statistics behind a band-pass",
        STATISTICS,
        "type = \"spectral_analysis\"\nfilter = \"band\"\ncutoff_hz = 1\ncutoff_high_hz = 10\n\
         filter_order = 4\nbins = \"off\"\n",
    ),
    (
        "statistics behind a decimation",
        STATISTICS,
        "type = \"spectral_analysis\"\ndecimation = 3\nbins = \"off\"\n",
    ),
    (
        "spectrum, max hold",
        SPECTRA,
        "type = \"spectral_analysis\"\npreset = \"edge_impulse_v4\"\nfilter = \"low\"\n\
         cutoff_hz = 20\nfilter_order = 4\nn_fft = 32\n",
    ),
    (
        "spectrum, linear",
        SPECTRA,
        "type = \"spectral_analysis\"\nlog = \"none\"\nn_fft = 64\noverlap = \"none\"\n",
    ),
    (
        "spectrum, Welch",
        SPECTRA,
        "type = \"spectral_analysis\"\nn_fft = 64\nwindow = \"hann\"\nsegments = \"inside\"\n\
         combine = \"mean\"\nsegment_mean = \"remove\"\nspectrum_norm = \"density\"\n\
         log = \"db\"\nspectrum_statistics = [\"centroid\", \"roll_off\", \"flatness\", \
         \"spectral_entropy\", \"dominant_frequency\", \"skewness\", \"dominant_power\"]\n",
    ),
    (
        "peaks and bands",
        SPECTRA,
        "type = \"spectral_analysis\"\npreset = \"edge_impulse_v1\"\nn_fft = 64\n\
         power_edges_hz = [0, 2, 5, 10, 20, 50]\n",
    ),
    (
        "low frequencies",
        SPECTRA,
        "type = \"spectral_analysis\"\nextra_low_frequency = \"on\"\n",
    ),
    (
        "wavelet db4",
        SPECTRA,
        "type = \"spectral_analysis\"\nanalysis = \"wavelet\"\nwavelet_level = 2\n",
    ),
    (
        "wavelet haar",
        SPECTRA,
        "type = \"spectral_analysis\"\nanalysis = \"wavelet\"\nwavelet = \"haar\"\n",
    ),
];

/// Accelerations in columns 1 to 3 of a recording, in 16-bit steps; `None` for a list of labels.
fn samples(path: &Path, full_scale: f64) -> Option<Vec<i16>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut lines = text.lines();
    lines
        .next()
        .filter(|header| header.starts_with("time_ms,ax,ay,az"))?;
    let samples = lines
        .flat_map(|line| line.split(',').skip(1).take(3))
        .map(|field| field.trim().parse::<f64>().expect("a number"))
        .map(|x| (x / full_scale * 32768.0).round() as i16);
    Some(samples.collect())
}

/// Every recording of a set.
fn recordings(shared: &Path, set: &str, full_scale: f64) -> Vec<Vec<i16>> {
    let mut folders = vec![shared.join("data").join(set)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "csv") {
                files.push(path);
            }
        }
    }
    files.sort();
    // Every fifth is enough to meet all movements.
    let taken = files.iter().step_by(5);
    taken
        .filter_map(|path| samples(path, full_scale))
        .filter(|samples| samples.len() >= 3 * WINDOW)
        .collect()
}

/// Whether an axis moves by less than 0.1 % of full scale in a window: the shapes of what is left of
/// it behind a filter are rounding.
fn still(samples: &[i16]) -> Vec<[bool; 3]> {
    let windows = samples.windows(3 * WINDOW).step_by(3 * WINDOW / 2);
    windows
        .map(|window| {
            [0, 1, 2].map(|axis| {
                let values = || window.iter().skip(axis).step_by(3);
                let (Some(&low), Some(&high)) = (values().min(), values().max()) else {
                    return true;
                };
                i32::from(high) - i32::from(low) < 64
            })
        })
        .collect()
}

fn pipeline(block: &str, full_scale: f64) -> Pipeline {
    let text = format!(
        "[pipeline]\nname = \"windows\"\n[input]\nkind = \"sensor\"\naxes = [\"ax\", \"ay\", \
         \"az\"]\nrate_hz = 100\nfull_scale = {full_scale:?}\nsample_type = \"i16\"\n\
         mode = \"window\"\nwindow_samples = {WINDOW}\nwindow_hop_samples = 100\n[[block]]\n{block}"
    );
    Pipeline::from_toml(&text, ".".as_ref(), &[]).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// The kind of a feature: its name without axis, level and frequency.
fn kind(name: &str) -> String {
    let name = name.split_once('_').map_or(name, |(_, rest)| rest);
    let name = match name.strip_prefix("level") {
        Some(rest) => &rest[rest.find('_').unwrap_or(0)..],
        None => name,
    };
    if name.starts_with("power_") {
        return "power".to_owned();
    }
    name.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[test]
fn device_numerics_are_near_the_reference() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    let mut wrong = Vec::new();
    let mut table = String::from(
        "Blocks of windows in f32 and fixed against reference, 200 samples at 100 Hz, by kind of feature\n\n",
    );
    for (set, full_scale) in [("imu-har", 64.0), ("imu-gestures", 2.0)] {
        let recordings = recordings(&shared, set, full_scale);
        for (name, least, block) in BLOCKS {
            let pipeline = pipeline(block, full_scale);
            let graph = pipeline.graph();
            let names = graph.names();
            let kinds: Vec<String> = names.iter().map(|name| kind(name)).collect();
            for numeric in [Numeric::F32, Numeric::Fixed(Precision::Full)] {
                let mut reference =
                    Engine::new(graph, Numeric::Reference, false).expect("a reference");
                let mut device = match Engine::new(graph, numeric, false) {
                    Ok(device) => device,
                    Err(error) => {
                        wrong.push(format!("{name}, {}: {error}", numeric.name()));
                        continue;
                    }
                };
                // Energy of the values and of the errors of each kind of feature.
                let mut energies = BTreeMap::<&str, [f64; 2]>::new();
                for samples in &recordings {
                    let values = |engine: &mut Engine| {
                        let features = engine.features(&samples[..]).expect("a window");
                        features.values.to_f64()
                    };
                    let (all, got) = (values(&mut reference), values(&mut device));
                    assert_eq!(all.len(), got.len(), "{name}");
                    let still = still(samples);
                    for (i, (exact, got)) in all.iter().zip(&got).enumerate() {
                        let (window, column) = (i / names.len(), i % names.len());
                        let axis = AXES.iter().position(|axis| names[column].starts_with(axis));
                        // Where nothing is left behind the decimation, its shape is rounding.
                        let axis_name = AXES[axis.expect("an axis")];
                        let low = names
                            .iter()
                            .position(|name| *name == format!("{axis_name}_rms_low"));
                        let left = low.map_or(1.0, |low| all[window * names.len() + low]);
                        if kinds[column].ends_with("_low") && left < 1e-5 * full_scale {
                            continue;
                        }
                        if still[window][axis.expect("an axis")] {
                            continue;
                        }
                        let [value, error] = energies.entry(&kinds[column]).or_default();
                        *value += exact * exact;
                        *error += (exact - got) * (exact - got);
                    }
                }
                for (kind, [value, error]) in energies {
                    let ratio = 10.0 * libm::log10(value / error.max(1e-300));
                    // Beyond 200 dB all that is left are the last digits of f64.
                    let _ = writeln!(
                        table,
                        "{set:13} {name:34} {:6} {:24} {:4.0} dB",
                        numeric.name(),
                        kind.trim_start_matches('_'),
                        ratio.min(200.0)
                    );
                    // Where a signal is held, the details of its wavelets are 0 but for rounding.
                    let least = if kind == "_zero_crossings" {
                        20.0
                    } else {
                        *least
                    };
                    if ratio.is_nan() || ratio < least {
                        wrong.push(format!(
                            "{set}, {name}, {}: {kind} {ratio:.1} dB",
                            numeric.name()
                        ));
                    }
                }
            }
        }
    }
    println!("{table}");
    if std::env::var_os("OTOLITH_UPDATE").is_some() {
        let path = otolith_fixtures::root().join("benches/snapshots/windows.txt");
        std::fs::write(&path, &table).expect("the snapshot");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
