//! Modelled clock cycles: what the executed instructions would take on a Cortex-M4 without wait
//! states.
//!
//! The model is static: 1 cycle for an instruction; 2 for a load, 1 right behind another load; 3 for
//! two words; 1 and one for each register of a multiple transfer; 2 more for a taken branch; 2 for
//! a floating-point load or store, 3 for a multiply-add, 14 for a division or root; 7 for an
//! integer division. Measured boards differ by flash wait states and by what the model leaves out.

use crate::elf;
use crate::images;
use crate::run::{command, output};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Instructions and modelled cycles.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cycles {
    pub(crate) instructions: u64,
    pub(crate) cycles: u64,
}

impl Cycles {
    /// Cycles of an instruction.
    pub(crate) fn per_instruction(self) -> f64 {
        self.cycles as f64 / self.instructions.max(1) as f64
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.instructions += other.instructions;
        self.cycles += other.cycles;
    }
}

/// What an instruction costs when it is executed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cost {
    cycles: u64,
    /// A load of one word, which is cheaper behind another one.
    load: bool,
    /// Address of the instruction behind it.
    next: u64,
}

/// Cycles by the owner of the code, over a whole run of the image.
pub(crate) fn model(machine: &str, image: &Path) -> Result<BTreeMap<String, Cycles>, String> {
    let functions = elf::functions(image)?;
    let costs = disassembled(image)?;
    let trace = image.with_extension("trace");
    images::trace(machine, image, &trace)?;
    let file = std::fs::File::open(&trace).map_err(|e| e.to_string())?;
    let addresses = BufReader::new(file)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| address(&line));
    let owners = sum(addresses, &costs, &functions);
    std::fs::remove_file(&trace).map_err(|e| e.to_string())?;
    Ok(owners)
}

fn sum(
    mut addresses: impl Iterator<Item = u64>,
    costs: &HashMap<u64, Cost>,
    functions: &[(u64, String)],
) -> BTreeMap<String, Cycles> {
    let mut by_function = vec![Cycles::default(); functions.len() + 1];
    let mut behind_load = false;
    let mut now = addresses.next();
    while let Some(address) = now {
        let next = addresses.next();
        let function = functions.partition_point(|(start, _)| *start <= address);
        if let Some(cost) = costs.get(&address) {
            let taken = next.is_some_and(|next| next != cost.next);
            let cycles = match cost.load && behind_load {
                true => 1,
                false => cost.cycles,
            };
            behind_load = cost.load;
            by_function[function].add(Cycles {
                instructions: 1,
                cycles: cycles + if taken { 2 } else { 0 },
            });
        }
        now = next;
    }
    let mut owners: BTreeMap<String, Cycles> = BTreeMap::new();
    for ((_, owner), cycles) in functions.iter().zip(&by_function[1..]) {
        owners.entry(owner.clone()).or_default().add(*cycles);
    }
    owners
}

/// The address in a line such as `Trace 0: 0x7ff3 [00800408/000025c4/00000110/ff000201] main`.
fn address(line: &str) -> Option<u64> {
    let (_, fields) = line.split_once('[')?;
    u64::from_str_radix(fields.split('/').nth(1)?, 16).ok()
}

fn disassembled(image: &Path) -> Result<HashMap<u64, Cost>, String> {
    let mut objdump = command(&["arm-none-eabi-objdump", "-d", "--no-show-raw-insn"]);
    let text = output(objdump.arg(image)).ok_or("arm-none-eabi-objdump failed")?;
    let lines: Vec<(u64, &str)> = text.lines().filter_map(instruction).collect();
    Ok(lines
        .iter()
        .enumerate()
        .map(|(i, &(address, text))| {
            let next = lines.get(i + 1).map_or(address + 4, |&(next, _)| next);
            let (cycles, load) = cost(text);
            (address, Cost { cycles, load, next })
        })
        .collect())
}

/// Address and text of a line of the disassembly: address, colon, tab, mnemonic, tab, operands.
fn instruction(line: &str) -> Option<(u64, &str)> {
    let (address, text) = line.split_once(":\t")?;
    Some((u64::from_str_radix(address.trim(), 16).ok()?, text))
}

/// Cycles, and whether it is a load of one word.
fn cost(text: &str) -> (u64, bool) {
    let (mnemonic, operands) = text.split_once('\t').unwrap_or((text, ""));
    let is = |starts: &[&str]| starts.iter().any(|start| mnemonic.starts_with(start));
    if is(&["vdiv", "vsqrt"]) {
        (14, false)
    } else if is(&["vfma", "vfms", "vfnm", "vmla", "vmls"]) {
        (3, false)
    } else if is(&["vldm", "vstm", "vpush", "vpop", "ldm", "stm", "push", "pop"]) {
        (1 + registers(operands), false)
    } else if is(&["vldr", "vstr"]) {
        (2, false)
    } else if is(&["ldrd", "strd"]) {
        (3, false)
    } else if is(&["ldr"]) {
        (2, true)
    } else if is(&["sdiv", "udiv"]) {
        (7, false)
    } else {
        (1, false)
    }
}

/// Registers in a list such as `sp!, {r4, r5, r8-r11, lr}`.
fn registers(operands: &str) -> u64 {
    let list = operands.split(['{', '}']).nth(1).unwrap_or_default();
    let number = |register: &str| -> Option<u64> { register.trim().get(1..)?.parse().ok() };
    list.split(',')
        .map(|part| match part.split_once('-') {
            Some((first, last)) => match (number(first), number(last)) {
                (Some(first), Some(last)) => (last + 1).saturating_sub(first),
                _ => 1,
            },
            None => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_cost_what_the_model_says() {
        let costs = [
            ("adds\tr0, r1", 1),
            ("ldr.w\tr0, [r1]", 2),
            ("ldrd\tr0, r1, [r2]", 3),
            ("str\tr0, [r1]", 1),
            ("push\t{r4, r5, r6, r7, lr}", 6),
            ("stmdb\tsp!, {r8, r9, sl, fp}", 5),
            ("vpush\t{d8-d11}", 5),
            ("vdiv.f32\ts0, s1, s2", 14),
            ("udiv\tr0, r1, r2", 7),
            ("smlal\tr0, r1, r2, r3", 1),
        ];
        for (text, cycles) in costs {
            assert_eq!(cost(text).0, cycles, "{text}");
        }
    }

    #[test]
    fn loads_in_a_row_are_cheaper_and_taken_branches_dearer() {
        let cost = |cycles, load, next| Cost { cycles, load, next };
        let costs = HashMap::from([
            (0, cost(2, true, 2)),
            (2, cost(2, true, 4)),
            (4, cost(1, false, 6)),
        ]);
        let functions = [(0, "op a".to_owned())];
        // Once through and back to the start, then straight on.
        let owners = sum([0, 2, 4, 0, 2, 4].into_iter(), &costs, &functions);
        assert_eq!(owners["op a"].instructions, 6);
        assert_eq!(owners["op a"].cycles, (2 + 1 + 1 + 2) + (2 + 1 + 1));
    }

    #[test]
    fn lines_are_read() {
        let line = "Trace 0: 0x7ff3a8000100 [00800408/000025c4/00000110/ff000201] main";
        assert_eq!(address(line), Some(0x25c4));
        assert_eq!(
            instruction("    28be:\tpush\t{r4, lr}"),
            Some((0x28be, "push\t{r4, lr}"))
        );
        assert_eq!(instruction("000028be <main>:"), None);
    }
}
