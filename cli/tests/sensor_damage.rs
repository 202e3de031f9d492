//! Damaged recordings of sensors: every one is refused by name, and none ends in a panic.

mod support;

use std::fmt::Write;
use support::motion::{Random, alone, cbor, json, key, motion, place};

#[test]
fn damaged_files_are_refused_by_name() {
    let place = place();
    let nested = |open: &str, n: usize| open.repeat(n).into_bytes();
    let payload = |interval: &str, sensors: &str, values: &str| {
        format!("{{\"payload\":{{\"interval_ms\":{interval},\"sensors\":[{sensors}],\"values\":{values}}}}}").into_bytes()
    };
    let axes = r#"{"name":"ax","units":"m/s2"},{"name":"ay"},{"name":"az"}"#;
    let whole = cbor(&alone(&json(&motion(60), "m/s2")));
    let values = key(&whole, "values");
    let mut lying = whole.clone();
    lying.splice(
        values..values + 2,
        [0x9b, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    );
    let mut text_lies = b"\xa1\x7b\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec();
    text_lies.extend([b'a'; 64]);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty.csv", vec![], "no samples"),
        ("blank.csv", b"\n\r\n  \n".to_vec(), "no samples"),
        (
            "header.csv",
            b"ax,ay,az\n".to_vec(),
            "no values: the file is empty, or has only a header",
        ),
        (
            "wide.csv",
            b"1,2,3,4\n".to_vec(),
            "set `time_column = \"0\"`",
        ),
        (
            "names.csv",
            b"a,b,c,d,e\n1,2,3,4,5\n".to_vec(),
            "the file has the columns \"a\", \"b\"",
        ),
        (
            "ragged.csv",
            b"1,2,3\n\n4,5\n".to_vec(),
            "line 3 has 2 columns, 3 of them in the first line",
        ),
        (
            "long.csv",
            b"ax,ay,az\n1,2,3\n4,5,6,7\n".to_vec(),
            "line 3 has 4 columns",
        ),
        (
            "text.csv",
            b"ax;ay;az\r\n1;2;3\r\n4;x\"y;6\r\n".to_vec(),
            "line 3, column \"ay\": \"x\\\"y\" is not a number",
        ),
        (
            "huge.csv",
            b"1,2,3\n4,1e999,6\n".to_vec(),
            "line 2, column 1 (from 0): \"1e999\" is not a finite number",
        ),
        (
            "inf.csv",
            b"1,2,3\n4,-inf,6\n".to_vec(),
            "\"-inf\" is not a finite number",
        ),
        (
            "nan.csv",
            b"1,2,3\nNaN,5,6\n".to_vec(),
            "line 2: no value of axis \"ax\"",
        ),
        (
            "thousands.csv",
            b"1;2;3\n1.234,5;5;6\n".to_vec(),
            "\"1.234,5\" is not a number",
        ),
        (
            "date.csv",
            b"time,ax,ay,az\n2024-01-01T00:00:00Z,1,2,3\n".to_vec(),
            "is not a time stamp",
        ),
        (
            "no-time.csv",
            b"time,ax,ay,az\n0,1,2,3\n,1,2,3\n".to_vec(),
            "line 3, column \"time\": \"\" is not a time stamp",
        ),
        (
            "still.csv",
            b"time,ax,ay,az\n5,1,2,3\n5,1,2,3\n".to_vec(),
            "all 2 time stamps are the same",
        ),
        (
            "bytes.csv",
            b"ax,ay,az\n1,\xff\xfe\x80,3\n".to_vec(),
            "is not a number",
        ),
        (
            "quote.csv",
            [b"1,2,3\n\"4,5,6\n".to_vec(), vec![b'7'; 5000]].concat(),
            "line 2 has 1 columns",
        ),
        ("utf16.csv", b"\xff\xfea\0x\0".to_vec(), "UTF-16"),
        (
            "table.xlsx",
            b"PK\x03\x04rest".to_vec(),
            "save the table as CSV",
        ),
        (
            "cut.json",
            json(&motion(60), "m/s2").into_bytes()[..300].to_vec(),
            "Edge Impulse's acquisition format in JSON",
        ),
        (
            "other.json",
            b"{\"a\": 1}".to_vec(),
            "missing field `payload`",
        ),
        (
            "deep.json",
            nested("{\"payload\":", 100_000),
            "Edge Impulse's acquisition format in JSON",
        ),
        (
            "deep-values.json",
            payload("10", axes, &"[".repeat(100_000)),
            "expected a number",
        ),
        (
            "zero.json",
            payload("0", axes, "[[1,2,3]]"),
            "`interval_ms` is 0",
        ),
        (
            "negative.json",
            payload("-10", axes, "[[1,2,3]]"),
            "`interval_ms` is -10",
        ),
        (
            "fast.json",
            payload("1e-310", axes, "[[1,2,3]]"),
            "`interval_ms` is",
        ),
        ("nobody.json", payload("10", "", "[]"), "no sensors"),
        ("nothing.json", payload("10", axes, "[]"), "no values"),
        (
            "ragged.json",
            payload("10", axes, "[[1,2,3],[4,5]]"),
            "moment 1 has 2 values for 3 sensors",
        ),
        (
            "flat.json",
            payload("10", axes, "[1,2,3]"),
            "moment 0 has 1 values for 3 sensors",
        ),
        (
            "word.json",
            payload("10", axes, "[[1,\"x\",3]]"),
            "expected a number",
        ),
        (
            "null.json",
            payload("10", axes, "[[1,null,3]]"),
            "moment 0: no value of axis \"ay\"",
        ),
        (
            "huge.json",
            payload("10", axes, "[[1e308,2,3],[1e999,5,6]]"),
            "number out of range",
        ),
        (
            "cut.cbor",
            whole[..whole.len() - 5].to_vec(),
            "the file is cut short, or a length in it lies",
        ),
        (
            "lying.cbor",
            lying,
            "the file is cut short, or a length in it lies",
        ),
        ("text-lies.cbor", text_lies, "acquisition format in CBOR"),
        (
            "deep.cbor",
            vec![0xa1; 100_000],
            "acquisition format in CBOR",
        ),
        (
            "deep-lists.cbor",
            [b"\xa1\x61a".to_vec(), vec![0x81; 100_000]].concat(),
            "nested too deeply",
        ),
        (
            "two.cbor",
            [whole.clone(), whole].concat(),
            "bytes behind the end of the CBOR map",
        ),
    ];
    for (name, bytes, expected) in cases {
        place.write(name, bytes);
        let ran = place.run(&["features", "p.toml", name]);
        let text = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(ran.code, 3, "{name}: {text}");
        assert!(text.contains(name), "{name}: {text}");
        assert!(text.contains(expected), "{name}: {text}");
        assert!(text.len() < 1000, "{name}: {} bytes", text.len());
    }
}

#[test]
fn random_damage_never_ends_in_a_panic() {
    let place = place();
    let moments = motion(60);
    let mut table = String::from("time_ms,ax,ay,az\n");
    for (i, [x, y, z]) in moments.iter().enumerate() {
        let _ = writeln!(table, "{},{x},{y},{z}", i * 10);
    }
    let text = json(&moments, "m/s2");
    let originals = [
        ("csv", table.into_bytes()),
        ("cbor", cbor(&text)),
        ("json", text.into_bytes()),
    ];
    let mut random = Random(7);
    let mut arguments = vec!["features".to_owned(), "p.toml".to_owned()];
    for index in 0..600 {
        let (ending, original) = &originals[index % 3];
        let mut bytes = original.clone();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len().min(300));
            bytes[at] = random.below(256) as u8;
        }
        if index % 4 == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        let name = format!("damaged-{index}.{ending}");
        place.write(&name, bytes);
        arguments.push(name);
    }
    for policy in ["error", "interpolate", "drop"] {
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let set = format!("input.nan={policy}");
        arguments.extend([
            "--set",
            &set,
            "--set",
            "input.gaps=fill",
            "--set",
            "input.resample=convert",
        ]);
        let ran = place.run(&arguments);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
    }
}
