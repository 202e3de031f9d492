use super::*;
use crate::config::FieldValue;

#[test]
fn every_path_is_explained() {
    for path in paths() {
        let text = explain(&path).unwrap();
        assert!(text.contains(path.rsplit('.').next().unwrap()), "{path}");
    }
}

#[test]
fn a_field_is_explained_with_its_range_default_and_presets() {
    let text = explain("mfcc.n_mels").unwrap();
    let known = "mfcc.n_mels: an integer from 1 to 1024\n\n  Number of mel filters.\n\n  Default: \
                 40\n  Preset librosa: 128\n";
    assert!(text.starts_with(known), "{text}");
    // A preset may say different things to different blocks.
    let of = |path: &str| explain(path).unwrap();
    assert!(text.ends_with("Preset edge_impulse_v4: 32"), "{text}");
    assert!(of("mel.n_mels").ends_with("Preset edge_impulse_v4: 40"));
}

#[test]
fn near_misses_are_suggested() {
    for (asked, meant) in [
        ("mfcc.n_mel", "mfcc.n_mels"),
        ("n_mels", "mel.n_mels"),
        ("features.n_mels", "mel.n_mels"),
        ("mfc", "mfcc"),
        ("libroza", "librosa"),
    ] {
        let error = explain(asked).unwrap_err();
        assert_eq!(error.suggestion.as_deref(), Some(meant), "{asked}");
    }
    assert_eq!(explain("colour").unwrap_err().suggestion, None);
}

#[test]
fn presets_name_only_fields_that_exist_and_values_that_fit() {
    let has = |block: BlockType, key: &str| block.fields().iter().any(|field| field.name == key);
    let of_features = || BlockType::ALL.iter().filter(|block| block.makes_features());
    for preset in presets::ALL {
        for entry in Table::parse(preset.fields).unwrap().entries {
            let name = preset.name;
            let Value::Table(table) = entry.node.value else {
                let known = of_features().any(|&block| has(block, &entry.key));
                assert!(known, "{name}: {}", entry.key);
                continue;
            };
            let block = of_features().find(|block| block.name() == entry.key);
            let block = *block.unwrap_or_else(|| panic!("{name}: no block {}", entry.key));
            for entry in table.entries {
                assert!(
                    has(block, &entry.key),
                    "{name}, {}: {}",
                    block.name(),
                    entry.key
                );
            }
        }
    }
    assert_eq!(
        choices(<presets::Preset as FieldValue>::KIND).len(),
        presets::ALL.len()
    );
}

#[test]
fn the_schema_lists_every_field() {
    let schema = json_schema();
    let mfcc = &schema["properties"]["block"]["items"]["oneOf"][1]["properties"];
    for field in BlockType::Mfcc.fields() {
        assert!(mfcc.get(field.name).is_some(), "{}", field.name);
    }
    assert_eq!(mfcc["n_mels"]["maximum"], 1024.0);
    assert_eq!(mfcc["n_mels"]["default"], 40);
    assert_eq!(mfcc["dct_type"]["enum"], json!([1, 2, 3]));
}
