//! What a pipeline is to run on, and what it costs there.

mod cost;

use crate::ConfigError;
use crate::config::{
    Field, FieldValue, Kind, Mismatch, Node, Section, Table, Value, choices, section,
};

pub use cost::{Cost, Measured};

choices! {
    /// Arithmetic of the device.
    pub enum DeviceNumeric {
        /// 32-bit floats, the same bits on every machine.
        F32 = "f32",
        /// Integers.
        Fixed = "fixed",
    }
}

choices! {
    /// The processor that estimates and checks are made for, and that the weights of networks are
    /// packed for. A plan runs on every processor and gives the same bits.
    pub enum Target {
        /// None in particular.
        Generic = "generic",
        /// Arm Cortex-M0+.
        CortexM0Plus = "cortex-m0plus",
        /// Arm Cortex-M3.
        CortexM3 = "cortex-m3",
        /// Arm Cortex-M4 with a floating-point unit.
        CortexM4f = "cortex-m4f",
        /// Arm Cortex-M7.
        CortexM7 = "cortex-m7",
        /// Arm Cortex-M33.
        CortexM33 = "cortex-m33",
        /// 32-bit RISC-V with multiply, atomics and compressed instructions.
        Riscv32imac = "riscv32imac",
    }
}

/// In which form a network's weights are best for a processor. The outputs are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernels {
    /// As the model has them.
    Plain,
    /// Packed for pairs of 16-bit products.
    #[default]
    Packed,
}

impl Target {
    /// The form for this processor: packed on all, as cores without paired products have routines of their own for
    /// packed weights. A keyword network takes 8.0 M instructions on a Cortex-M3 with them, and 19.6 M with plain
    /// weights.
    pub fn kernels(self) -> Kernels {
        match self {
            Self::Generic
            | Self::CortexM0Plus
            | Self::CortexM3
            | Self::CortexM4f
            | Self::CortexM7
            | Self::CortexM33
            | Self::Riscv32imac => Kernels::Packed,
        }
    }
}

choices! {
    /// Width of the window and FFT tables in a `fixed` plan.
    pub enum Precision {
        /// 32 bits: as accurate as 16-bit features can show, also for loud pure tones.
        Full = "full",
        /// 16 bits: less flash, and faster on cores without a long multiplication (Cortex-M0+);
        /// a few dB less at loud speech, and much less at loud pure tones.
        Light = "light",
    }
}

section! {
    /// Memory that the pipeline may take.
    pub struct Budget {
        /// Largest flash of plan and operators.
        flash_kib: Option<usize> { unit: "KiB", range: Some((1.0, 1048576.0)), derived: "no limit" },
        /// Largest RAM.
        ram_kib: Option<usize> { unit: "KiB", range: Some((1.0, 1048576.0)), derived: "no limit" },
    }
}

/// Tells the reader of sections that `budget` is a table, whose fields [`Budget`] has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BudgetTable;

impl FieldValue for BudgetTable {
    const KIND: Kind = Kind::Table;

    fn read(node: &Node, _field: &Field) -> Result<Self, Mismatch> {
        match node.value {
            Value::Table(_) => Ok(Self),
            _ => Err(Mismatch {
                found: None,
                allowed: "expected a table, such as { flash_kib = 96, ram_kib = 24 }".to_owned(),
            }),
        }
    }

    fn write(&self) -> Option<String> {
        None
    }
}

section! {
    /// What the pipeline is to run on.
    pub(crate) struct DeployConfig {
        /// Arithmetic of the device.
        numeric: DeviceNumeric { default: "\"f32\"" },
        /// Width of the window and FFT tables in a `fixed` plan.
        precision: Precision { default: "\"full\"" },
        /// The processor that estimates and checks are made for.
        target: Target { default: "\"generic\"" },
        /// Memory that the pipeline may take: `{ flash_kib = 96, ram_kib = 24 }`.
        budget: Option<BudgetTable> { derived: "no limit" },
    }
}

/// What a pipeline is to run on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Deploy {
    /// Arithmetic of the device.
    pub numeric: DeviceNumeric,
    /// Width of the window and FFT tables in a `fixed` plan.
    pub precision: Precision,
    /// The processor that estimates and checks are made for.
    pub target: Target,
    /// Memory that the pipeline may take.
    pub budget: Budget,
}

impl Deploy {
    pub(crate) fn read(table: &Table) -> Result<Self, ConfigError> {
        let config = DeployConfig::read(table, "deploy")?;
        let none = Table::default();
        let budget = match table.get("budget").map(|node| &node.value) {
            Some(Value::Table(budget)) => budget,
            _ => &none,
        };
        Ok(Self {
            numeric: config.numeric,
            precision: config.precision,
            target: config.target,
            budget: Budget::read(budget, "deploy.budget")?,
        })
    }

    /// Every field with its value, as TOML.
    pub(crate) fn write(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        fields.extend(self.numeric.write().map(|text| ("numeric", text)));
        fields.extend(self.precision.write().map(|text| ("precision", text)));
        fields.extend(self.target.write().map(|text| ("target", text)));
        let budget: Vec<String> = self
            .budget
            .write()
            .into_iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        if !budget.is_empty() {
            fields.push(("budget", format!("{{ {} }}", budget.join(", "))));
        }
        fields
    }
}
