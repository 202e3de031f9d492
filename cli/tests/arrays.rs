//! Features as arrays: what NumPy will find in the files.

mod support;

use npyz::NpyFile;
use std::io::{Cursor, Read};
use support::{MFCC, Place, WINDOWS, chirp, wav};
use zip::ZipArchive;

struct Npz(ZipArchive<Cursor<Vec<u8>>>);

impl Npz {
    fn open(place: &Place, name: &str) -> Self {
        Self(ZipArchive::new(Cursor::new(place.read(name))).expect("an archive"))
    }

    fn names(&self) -> Vec<String> {
        let names = self.0.file_names().map(|name| name.map(Into::into));
        let mut names: Vec<String> = names.collect::<Result<_, _>>().expect("names");
        names.sort_unstable();
        names
    }

    fn bytes(&mut self, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut file = self.0.by_name(&format!("{name}.npy")).expect("the array");
        file.read_to_end(&mut bytes).expect("its bytes");
        bytes
    }

    fn array<T: npyz::Deserialize>(&mut self, name: &str) -> (Vec<u64>, Vec<T>) {
        array(&self.bytes(name))
    }
}

fn array<T: npyz::Deserialize>(bytes: &[u8]) -> (Vec<u64>, Vec<T>) {
    let file = NpyFile::new(bytes).expect("a header");
    let shape = file.shape().to_vec();
    (shape, file.into_vec().expect("its values"))
}

/// Values of a CSV with `skip` columns before the features.
fn csv_values(text: &str, skip: usize) -> Vec<f32> {
    text.lines()
        .skip(1)
        .flat_map(|line| {
            line.split(',')
                .skip(skip)
                .map(|x| x.parse().expect("a number"))
        })
        .collect()
}

fn place(toml: &str, seconds: &[f64]) -> Place {
    let place = Place::new();
    place.write("p.toml", toml);
    for (index, &seconds) in seconds.iter().enumerate() {
        let folder = ["walk", "run"][index % 2];
        let samples = chirp(16000, seconds, index as u32);
        place.write(
            &format!("data/{folder}/{index}.wav"),
            wav(1, 16000, &samples),
        );
    }
    place
}

#[test]
fn npz_holds_features_labels_and_names() {
    let place = place(MFCC, &[0.4, 0.4, 0.4]);
    place.ok(&[
        "features", "p.toml", "data", "--labels", "folders", "-o", "x.npz",
    ]);
    let csv = place.ok(&["features", "p.toml", "data"]);
    let mut npz = Npz::open(&place, "x.npz");
    assert_eq!(
        npz.names(),
        [
            "X.npy",
            "files.npy",
            "labels.npy",
            "names.npy",
            "time_s.npy",
            "y.npy"
        ]
    );
    let (shape, values) = npz.array::<f32>("X");
    assert_eq!(shape, [3, 38, 13]);
    assert_eq!(values, csv_values(&csv, 4));
    // Folders are searched in the order of names: data/run/1, data/walk/0, data/walk/2.
    assert_eq!(npz.array::<i64>("y"), (vec![3], vec![0, 1, 1]));
    assert_eq!(npz.array::<String>("labels").1, ["run", "walk"]);
    let files = npz.array::<String>("files").1;
    assert_eq!(
        files,
        ["data/run/1.wav", "data/walk/0.wav", "data/walk/2.wav"]
    );
    assert_eq!(npz.array::<String>("names").1[12], "features_12");
    let labelled = place.ok(&["features", "p.toml", "data", "--labels", "folders"]);
    assert!(
        labelled.starts_with("file,window,row,time_s,label,features_0"),
        "{labelled}"
    );
    // The middle of the first frame of 25 ms.
    assert!(
        labelled.contains("data/run/1.wav,0,0,0.012500,run,"),
        "{labelled}"
    );

    place.ok(&[
        "features",
        "p.toml",
        "data",
        "-o",
        "x.npy",
        "--numeric",
        "reference",
    ]);
    let (shape, exact) = array::<f64>(&place.read("x.npy"));
    assert_eq!(shape, [3, 38, 13]);
    for (x, y) in exact.iter().zip(&values) {
        assert!((x - f64::from(*y)).abs() < 1e-3, "{x} {y}");
    }
    place.ok(&["features", "p.toml", "data", "-o", "x.csv"]);
    assert_eq!(String::from_utf8(place.read("x.csv")).expect("UTF-8"), csv);
}

#[test]
fn fixed_features_are_integers_with_a_scale() {
    let place = place(MFCC, &[0.4, 0.4]);
    let fixed = ["features", "p.toml", "data", "--numeric", "fixed"];
    place.ok(&[&fixed[..], &["-o", "x.npz"]].concat());
    place.ok(&[&fixed[..], &["-o", "x.npy"]].concat());
    let mut npz = Npz::open(&place, "x.npz");
    assert!(
        npz.names().contains(&"scale.npy".into()),
        "{:?}",
        npz.names()
    );
    let (shape, bits) = npz.array::<i16>("X");
    assert_eq!(shape, [2, 38, 13]);
    assert_eq!(array::<i16>(&place.read("x.npy")), (shape, bits.clone()));
    let (columns, scale) = npz.array::<f32>("scale");
    assert_eq!(columns, [13]);

    // CSV and JSON have real numbers, exactly.
    let real: Vec<f32> = bits
        .iter()
        .zip(scale.iter().cycle())
        .map(|(&x, scale)| f32::from(x) * scale)
        .collect();
    assert_eq!(csv_values(&place.ok(&fixed), 4), real);
    let json = place.ok(&[&fixed[..], &["--json"]].concat());
    let values: Vec<f32> = json
        .lines()
        .flat_map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let values = object["values"].as_array().expect("values").clone();
            values
                .into_iter()
                .map(|x| x.as_f64().expect("a number") as f32)
        })
        .collect();
    assert_eq!(values, real);
    // They are the reference's, but for the rounding.
    let reference = ["features", "p.toml", "data", "--numeric", "reference"];
    for (x, y) in csv_values(&place.ok(&reference), 4).iter().zip(&real) {
        assert!((x - y).abs() < 0.01, "{x} {y}");
    }
}

#[test]
fn windows_are_examples() {
    let place = place(WINDOWS, &[2.0, 0.7]);
    place.ok(&["features", "p.toml", "data", "-o", "x.npz"]);
    let mut npz = Npz::open(&place, "x.npz");
    // 0.7 s is padded to one window; 2 s hold windows at 0, 0.5 and 1 s.
    assert_eq!(npz.array::<f32>("X").0, [4, 61, 24]);
    assert_eq!(npz.array::<f64>("time_s").1, [0.0, 0.0, 0.5, 1.0]);
    assert_eq!(
        npz.array::<String>("files").1,
        [
            "data/run/1.wav",
            "data/walk/0.wav",
            "data/walk/0.wav",
            "data/walk/0.wav"
        ]
    );
}

#[test]
fn ragged_recordings_are_refused_or_stacked_on_demand() {
    let place = place(MFCC, &[0.4, 0.6]);
    let ran = place.run(&["features", "p.toml", "data", "-o", "x.npz"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr
            .contains("data/walk/0.wav has 38, data/run/1.wav has 58"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("--ragged"), "{}", ran.stderr);
    assert!(!place.path().join("x.npz").exists());
    place.ok(&["features", "p.toml", "data", "-o", "x.npz", "--ragged"]);
    let mut npz = Npz::open(&place, "x.npz");
    let (shape, values) = npz.array::<f32>("X");
    assert_eq!(shape, [96, 13]);
    assert_eq!(
        values,
        csv_values(&place.ok(&["features", "p.toml", "data"]), 4)
    );
    assert_eq!(npz.array::<i64>("starts").1, [0, 58, 96]);
    // No temporary file is left behind.
    let names: Vec<_> = std::fs::read_dir(place.path())
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter(|name| name.starts_with(".otolith"))
        .collect();
    assert_eq!(names, Vec::<String>::new());
}

#[test]
fn labels_come_from_a_table() {
    let place = place(MFCC, &[0.4, 0.4]);
    let table = "\u{feff}speaker,file,label\r\n7,walk/0.wav,slow\r\n8,run/1.wav,\"fast, very\"\r\n";
    place.write("data/labels.csv", table);
    let arguments = [
        "features",
        "p.toml",
        "data",
        "--labels",
        "data/labels.csv",
        "-o",
        "x.npz",
    ];
    place.ok(&arguments);
    let mut npz = Npz::open(&place, "x.npz");
    assert_eq!(npz.array::<String>("labels").1, ["fast, very", "slow"]);
    assert_eq!(npz.array::<i64>("y").1, [0, 1]);

    place.write("data/labels.csv", "file,label\nwalk/0.wav,slow\n");
    let ran = place.run(&arguments);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr
            .contains("data/run/1.wav: no line in data/labels.csv"),
        "{}",
        ran.stderr
    );
    for (table, expected) in [
        (
            "path,label\n",
            "no column `file`; its columns are: path, label",
        ),
        ("file,label\nwalk/0.wav,\n", "line 2 has no label"),
        (
            "file,label\nwalk/0.wav,a\nwalk/0.wav,b\n",
            "line 3 labels walk/0.wav `b`",
        ),
    ] {
        place.write("data/labels.csv", table);
        let ran = place.run(&arguments);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}
