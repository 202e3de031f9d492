//! Measures how accurate integer features are: `accuracy [--json] [--write FOLDER]` prints a
//! table or JSON, and writes `accuracy.txt` and `accuracy.json` to the folder.

use otolith_benches::accuracy::{
    Accuracy, BASE, BLOCKS, MOTION_BLOCKS, OTHERS, block_table, few, json, measure, movements,
    signals, table,
};
use otolith_dsp_core::deploy::Precision;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut as_json, mut folder) = (false, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => as_json = true,
            "--write" => folder = Some(PathBuf::from(arguments.next().ok_or("--write FOLDER")?)),
            other => return Err(format!("{other}: expected --json or --write FOLDER").into()),
        }
    }
    let shared = otolith_fixtures::shared_dir().ok_or("the shared folder is absent")?;
    let measured = measured(&shared)?;
    let mut blocks = Vec::new();
    let few = few(&shared);
    for block in BLOCKS {
        blocks.extend(block.measure(&few)?);
    }
    let mut motion = Vec::new();
    let movements = movements(&shared);
    for block in MOTION_BLOCKS {
        motion.extend(block.measure(&movements)?);
    }
    let text = table(&measured)
        + &block_table("Blocks and stages", &blocks)
        + &block_table("Features of imu_window", &motion);
    blocks.extend(motion);
    let object = serde_json::to_string_pretty(&json(&measured, &blocks))? + "\n";
    if let Some(folder) = folder {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("accuracy.txt"), &text)?;
        std::fs::write(folder.join("accuracy.json"), &object)?;
    }
    print!("{}", if as_json { object } else { text });
    Ok(())
}

fn measured(shared: &std::path::Path) -> Result<Vec<Accuracy>, Box<dyn Error>> {
    let all = signals(shared);
    let few = few(shared);
    let mut measured = Vec::new();
    for precision in [Precision::Full, Precision::Light] {
        measured.extend(measure(&BASE, precision, &all)?);
    }
    for definition in OTHERS {
        measured.extend(measure(definition, Precision::Full, &few)?);
    }
    Ok(measured)
}
