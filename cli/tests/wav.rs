//! WAV and CSV files: every form that can be read gives the same features, every damaged one is
//! refused by name.

mod support;

use support::{MFCC, Place, chirp, chunk, format, lying_chunk, riff, wav};

fn place() -> Place {
    let place = Place::new();
    place.write("p.toml", MFCC);
    place
}

/// Columns of features, without the file's name.
fn features(place: &Place, file: &str) -> Vec<Vec<f64>> {
    let text = place.ok(&["features", "p.toml", file]);
    text.lines()
        .skip(1)
        .map(|line| {
            let numbers = line.split(',').skip(4);
            numbers.map(|x| x.parse().expect("a number")).collect()
        })
        .collect()
}

#[track_caller]
fn assert_near(a: &[Vec<f64>], b: &[Vec<f64>], tolerance: f64) {
    assert_eq!((a.len(), a[0].len()), (b.len(), b[0].len()));
    let worst = a
        .iter()
        .flatten()
        .zip(b.iter().flatten())
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f64::max);
    assert!(worst <= tolerance, "off by {worst}");
}

#[test]
fn every_encoding_of_the_same_samples_gives_the_same_features() {
    let place = place();
    let samples = chirp(16000, 0.3, 1);
    place.write("i16.wav", wav(1, 16000, &samples));
    let expected = features(&place, "i16.wav");
    assert_eq!(expected.len(), 1 + (4800 - 400) / 160);

    let encoded = |bits: u16, tag: u16, encode: &dyn Fn(i16) -> Vec<u8>| {
        let data: Vec<u8> = samples.iter().flat_map(|&x| encode(x)).collect();
        riff(&[
            chunk(b"fmt ", &format(tag, 1, 16000, bits)),
            chunk(b"data", &data),
        ])
    };
    let wide = |x: i16| (i32::from(x) << 16).to_le_bytes();
    place.write("i24.wav", encoded(24, 1, &|x| wide(x)[1..].to_vec()));
    place.write("i32.wav", encoded(32, 1, &|x| wide(x).to_vec()));
    let float = |x: i16| (f32::from(x) / 32768.0).to_le_bytes().to_vec();
    place.write("f32.wav", encoded(32, 3, &float));
    for file in ["i24.wav", "i32.wav", "f32.wav"] {
        assert_eq!(features(&place, file), expected, "{file}");
    }

    // 8-bit samples are unsigned; the same steps as 16-bit samples give the same features.
    let coarse: Vec<i16> = samples.iter().map(|x| x & !0xff).collect();
    place.write("coarse.wav", wav(1, 16000, &coarse));
    let bytes: Vec<u8> = coarse.iter().map(|x| ((x >> 8) + 128) as u8).collect();
    place.write(
        "u8.wav",
        riff(&[
            chunk(b"fmt ", &format(1, 1, 16000, 8)),
            chunk(b"data", &bytes),
        ]),
    );
    assert_eq!(features(&place, "u8.wav"), features(&place, "coarse.wav"));

    let text: String = samples
        .iter()
        .map(|&x| format!("{:?}\r\n", f32::from(x) / 32768.0))
        .collect();
    place.write("bare.csv", &text);
    place.write("headed.csv", format!("\u{feff}sample\n{text}"));
    for file in ["bare.csv", "headed.csv"] {
        assert_eq!(features(&place, file), expected, "{file}");
    }
}

#[test]
fn unusual_but_sound_files_are_read() {
    let place = place();
    let samples = chirp(16000, 0.1, 2);
    let data: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    place.write("plain.wav", wav(1, 16000, &samples));
    let expected = features(&place, "plain.wav");
    let plain = format(1, 1, 16000, 16);

    // The GUID of PCM, behind 16 valid bits and the mask of a centre speaker.
    let mut extensible = format(0xfffe, 1, 16000, 16);
    extensible.extend([22, 0, 16, 0, 4, 0, 0, 0]);
    extensible.extend([
        1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71,
    ]);
    let mut wrong_byte_rate = plain.clone();
    wrong_byte_rate[8..12].copy_from_slice(&7u32.to_le_bytes());
    let odd = |padding: &[u8]| [chunk(b"LIST", b"odd"), padding.to_vec()].concat();
    let samples_chunk = chunk(b"data", &data);
    let files = [
        (
            "extensible",
            vec![chunk(b"fmt ", &extensible), samples_chunk.clone()],
        ),
        (
            "fmt-with-size",
            vec![
                chunk(b"fmt ", &[&plain[..], &[0, 0]].concat()),
                samples_chunk.clone(),
            ],
        ),
        (
            "byte-rate",
            vec![chunk(b"fmt ", &wrong_byte_rate), samples_chunk.clone()],
        ),
        (
            "odd-padded",
            vec![odd(&[0]), chunk(b"fmt ", &plain), samples_chunk.clone()],
        ),
        (
            "odd-not-padded",
            vec![odd(&[]), chunk(b"fmt ", &plain), samples_chunk.clone()],
        ),
        (
            "fmt-behind-data",
            vec![samples_chunk.clone(), chunk(b"fmt ", &plain)],
        ),
        (
            "damaged-tail",
            vec![
                chunk(b"fmt ", &plain),
                samples_chunk.clone(),
                lying_chunk(b"LIST", 1 << 30, b"x"),
            ],
        ),
    ];
    for (name, chunks) in files {
        let file = format!("{name}.wav");
        place.write(&file, riff(&chunks));
        assert_eq!(features(&place, &file), expected, "{name}");
    }
}

#[test]
fn damaged_files_are_refused_by_name() {
    let place = place();
    let good = format(1, 1, 16000, 16);
    let data = chunk(b"data", &[0; 6400]);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bad = good.clone();
        change(&mut bad);
        riff(&[chunk(b"fmt ", &bad), data.clone()])
    };
    let fmt = chunk(b"fmt ", &good);
    let float_data = |x: f32| chunk(b"data", &x.to_le_bytes().repeat(1600));
    let float = chunk(b"fmt ", &format(3, 1, 16000, 32));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty.wav", vec![], "the file is empty"),
        (
            "text.wav",
            b"hello, this is text".to_vec(),
            "not a WAV file: it starts with \"hello, this ",
        ),
        ("header-only.wav", riff(&[]), "no `fmt ` chunk"),
        (
            "no-data.wav",
            riff(std::slice::from_ref(&fmt)),
            "no `data` chunk",
        ),
        (
            "no-fmt.wav",
            riff(std::slice::from_ref(&data)),
            "no `fmt ` chunk",
        ),
        (
            "huge.wav",
            riff(&[fmt.clone(), lying_chunk(b"data", u32::MAX, &[0; 64])]),
            "the `data` chunk at byte 36 declares 4294967295 bytes, but 64 follow",
        ),
        (
            "cut.wav",
            riff(&[fmt.clone(), lying_chunk(b"data", 6400, &[0; 100])]),
            "declares 6400 bytes, but 100 follow",
        ),
        (
            "lying-list.wav",
            riff(&[
                lying_chunk(b"LIST", 50_000, b"abcd"),
                fmt.clone(),
                data.clone(),
            ]),
            "the `LIST` chunk at byte 12 declares 50000 bytes",
        ),
        (
            "zero-channels.wav",
            with(&|f| f[2..4].fill(0)),
            "the number of channels is 0",
        ),
        (
            "zero-rate.wav",
            with(&|f| f[4..8].fill(0)),
            "the sample rate is 0",
        ),
        (
            "zero-bits.wav",
            with(&|f| f[14..16].fill(0)),
            "the number of bits per sample is 0",
        ),
        (
            "zero-block.wav",
            with(&|f| f[12..14].fill(0)),
            "the size of a moment is 0",
        ),
        ("12-bits.wav", with(&|f| f[14] = 12), "integers of 12 bits"),
        ("alaw.wav", with(&|f| f[0] = 6), "A-law"),
        (
            "short-fmt.wav",
            riff(&[chunk(b"fmt ", &good[..14]), data.clone()]),
            "the `fmt ` chunk has 14 bytes",
        ),
        ("block.wav", with(&|f| f[12] = 1), "contradicts itself"),
        (
            "ragged.wav",
            riff(&[fmt.clone(), chunk(b"data", &[0; 6401])]),
            "do not divide into moments of 2 bytes",
        ),
        (
            "nan.wav",
            riff(&[float.clone(), float_data(f32::NAN)]),
            "sample 0 is NaN",
        ),
        (
            "inf.wav",
            riff(&[float, float_data(f32::INFINITY)]),
            "sample 0 is inf",
        ),
        (
            "short.wav",
            wav(1, 16000, &[0; 100]),
            "100 samples and one frame takes 400",
        ),
        ("stereo.wav", wav(2, 16000, &[0; 6400]), "2 channels"),
        ("rate.wav", wav(1, 8000, &[0; 6400]), "8000 Hz"),
        (
            "slow.wav",
            wav(1, 7, &[0; 6400]),
            "only 1000 to 768000 Hz are converted",
        ),
        ("empty.csv", b"".to_vec(), "no samples"),
        ("wide.csv", b"0.1,0.2\n".to_vec(), "line 1 has 2 columns"),
        (
            "ragged.csv",
            b"0.1\n0.2\n0.3,0.4\n".to_vec(),
            "line 3 has 2 columns",
        ),
        (
            "nan.csv",
            b"x\n0.1\nnan\n".to_vec(),
            "line 3: \"nan\" is not a number",
        ),
        (
            "nan-first.csv",
            b"inf\n0.1\n".to_vec(),
            "line 1: \"inf\" is not a finite number",
        ),
        (
            "text.csv",
            b"0.1\nabc\n".to_vec(),
            "line 2: \"abc\" is not a number",
        ),
        (
            "loud.csv",
            b"0.1\n12000\n".to_vec(),
            "line 2: the sample 12000 is outside [-1, 1]",
        ),
    ];
    for (name, bytes, expected) in cases {
        place.write(name, bytes);
        let ran = place.run(&["features", "p.toml", name]);
        assert_eq!(ran.code, 3, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(name), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{name}: {}", ran.stderr);
    }
}

#[test]
fn random_damage_never_ends_in_a_panic() {
    let place = place();
    let original = wav(1, 16000, &chirp(16000, 0.05, 3));
    // Any generator does; this one is Knuth's 64-bit multiplier.
    let mut state = 1u64;
    let mut next = |n: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    let mut arguments = vec!["features".to_owned(), "p.toml".to_owned()];
    for index in 0..400 {
        let mut bytes = original.clone();
        for _ in 0..1 + next(4) {
            let at = next(48);
            bytes[at] = next(256) as u8;
        }
        bytes.truncate(if index % 3 == 0 {
            next(bytes.len())
        } else {
            bytes.len()
        });
        let name = format!("damaged-{index}.wav");
        place.write(&name, bytes);
        arguments.push(name);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = place.run(&arguments);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
}

#[test]
fn channels_and_rates_are_made_to_fit_and_said() {
    let place = place();
    let mono = chirp(48000, 0.5, 4);
    let stereo: Vec<i16> = mono.iter().flat_map(|&x| [x, x]).collect();
    place.write("mono.wav", wav(1, 48000, &mono));
    place.write("stereo.wav", wav(2, 48000, &stereo));
    let set = |file| {
        let ran = place.run(&[
            "features",
            "p.toml",
            file,
            "--set",
            "input.channels=mix",
            "--set",
            "input.resample=convert",
        ]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran
    };
    let (one, two) = (set("mono.wav"), set("stereo.wav"));
    assert!(
        one.stderr
            .contains("mono.wav: converted from 48000 Hz to 16000 Hz"),
        "{}",
        one.stderr
    );
    assert!(
        two.stderr.contains("stereo.wav: mixed 2 channels into one"),
        "{}",
        two.stderr
    );
    assert_eq!(
        one.stdout.replace("mono", ""),
        two.stdout.replace("stereo", "")
    );
    assert_eq!(one.stdout.lines().count(), 1 + 1 + (8000 - 400) / 160);

    // The chirp at a third of the rate is the same sound, up to what the converter filters out
    // above 8 kHz, where the chirp is silent.
    let direct: Vec<i16> = mono.iter().step_by(3).copied().collect();
    place.write("direct.wav", wav(1, 16000, &direct));
    place.write("converted.csv", "");
    let direct = features(&place, "direct.wav");
    let converted: Vec<Vec<f64>> = one
        .stdout
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .skip(4)
                .map(|x| x.parse().expect("a number"))
                .collect()
        })
        .collect();
    // Loudness of the frames in the middle, which edges do not touch.
    for row in 5..40 {
        assert_near(&[vec![direct[row][0]]], &[vec![converted[row][0]]], 2.0);
    }
}
