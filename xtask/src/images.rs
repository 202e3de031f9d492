//! Plans and device images, and the emulators that run them.

use crate::run::{Report, cargo, output, target_dir};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An emulated core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Core {
    /// The name in tables.
    pub(crate) name: &'static str,
    /// The compiler's target.
    pub(crate) target: &'static str,
    /// QEMU's machine.
    pub(crate) machine: &'static str,
}

/// A Cortex-M3 executes ARMv6-M code; no emulated Cortex-M0 has the memory.
pub(crate) const M0: Core = Core {
    name: "M0",
    target: "thumbv6m-none-eabi",
    machine: "mps2-an385",
};
pub(crate) const M3: Core = Core {
    name: "M3",
    target: "thumbv7m-none-eabi",
    machine: "mps2-an385",
};
pub(crate) const M4F: Core = Core {
    name: "M4F",
    target: "thumbv7em-none-eabihf",
    machine: "mps2-an386",
};
pub(crate) const M7: Core = Core {
    name: "M7",
    target: "thumbv7em-none-eabihf",
    machine: "mps2-an500",
};
pub(crate) const M33: Core = Core {
    name: "M33",
    target: "thumbv8m.main-none-eabihf",
    machine: "mps2-an505",
};
pub(crate) const RISCV32: Core = Core {
    name: "riscv32",
    target: "riscv32imac-unknown-none-elf",
    machine: "virt",
};

/// Where plans and images are put.
pub(crate) fn folder() -> PathBuf {
    target_dir().join("device-images")
}

/// Runs the example `plans` of the conformance crate.
pub(crate) fn plans(report: &mut Report, args: &[&str]) -> bool {
    let mut words = vec!["run", "--quiet", "--release", "-p", "otolith-conformance"];
    words.extend(["--example", "plans", "--"]);
    words.extend(args);
    report.ask("plans", &mut cargo(&words)).is_some()
}

/// How a program of `conformance/device` is built.
#[derive(Clone, Debug)]
pub(crate) struct Image<'a> {
    /// Its name.
    pub(crate) program: &'a str,
    /// The compiler's target.
    pub(crate) target: &'a str,
    /// Profile of the workspace.
    pub(crate) profile: &'a str,
    /// Environment variable and the file that it names.
    pub(crate) input: (&'a str, &'a Path),
    /// Name of the finished image.
    pub(crate) name: String,
}

/// Builds an image; gives its path.
pub(crate) fn build(report: &mut Report, image: &Image<'_>) -> Option<PathBuf> {
    let mut words = vec!["build", "--quiet", "-p", "otolith-conformance-device"];
    words.extend(["--bin", image.program, "--target", image.target]);
    words.extend(["--profile", image.profile]);
    // Names of generic functions then say what they are generic over.
    let mangling = format!(
        "target.{}.rustflags=[\"-Csymbol-mangling-version=v0\"]",
        image.target
    );
    words.extend(["--config", &mangling]);
    let (variable, file) = image.input;
    report.ask(
        &format!("image {}", image.name),
        cargo(&words).env(variable, file),
    )?;
    let built = target_dir()
        .join(image.target)
        .join(image.profile)
        .join(image.program);
    // The next image of this program would overwrite it.
    let kept = folder().join(format!("{}.elf", image.name));
    let copied = std::fs::create_dir_all(folder()).and_then(|()| std::fs::copy(built, &kept));
    match copied {
        Ok(_) => Some(kept),
        Err(error) => {
            report.count(&format!("image {}: {error}", image.name), false);
            None
        }
    }
}

/// What an emulated program did.
#[derive(Debug)]
pub(crate) struct Emulated {
    /// What it printed.
    pub(crate) printed: String,
    /// Why it failed, if it did.
    pub(crate) failure: Option<String>,
    /// Wall clock.
    pub(crate) time: Duration,
}

/// Longest time of one emulation.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Runs an image until it exits. With `count`, every executed instruction takes 128 ns of the
/// machine's time.
pub(crate) fn emulate(machine: &str, image: &Path, count: bool) -> Emulated {
    emulate_with(machine, image, count, None)
}

/// [`emulate`] with the bytes of a file in the board's memory.
pub(crate) fn emulate_with(
    machine: &str,
    image: &Path,
    count: bool,
    loaded: Option<(&Path, u32)>,
) -> Emulated {
    let started = Instant::now();
    let mut qemu = match machine {
        "virt" => Command::new("qemu-system-riscv32"),
        _ => Command::new("qemu-system-arm"),
    };
    if machine == "virt" {
        qemu.args(["-bios", "none"]);
    }
    if count {
        qemu.args(["-icount", "shift=7,align=off,sleep=off"]);
    }
    if let Some((file, address)) = loaded {
        let file = file.display();
        qemu.arg("-device")
            .arg(format!("loader,file={file},addr={address:#x},force-raw=on"));
    }
    qemu.args(["-machine", machine, "-kernel"])
        .arg(image)
        .args(["-semihosting-config", "enable=on,target=native,chardev=out"])
        .args(["-chardev", "stdio,id=out", "-display", "none"])
        .args(["-monitor", "none", "-serial", "none"]);
    let (printed, failure) = match finish(&mut qemu, started) {
        Ok(printed) => (printed, None),
        Err((printed, why)) => (printed, Some(why)),
    };
    Emulated {
        printed,
        failure,
        time: started.elapsed(),
    }
}

/// Runs an image on an Arm machine and writes the address of every executed instruction to `trace`.
pub(crate) fn trace(machine: &str, image: &Path, trace: &Path) -> Result<(), String> {
    let mut qemu = Command::new("qemu-system-arm");
    let version = output(Command::new("qemu-system-arm").arg("--version")).unwrap_or_default();
    let major = version
        .split_whitespace()
        .find_map(|word| word.split_once('.')?.0.parse::<u32>().ok())
        .ok_or("qemu-system-arm does not say its version")?;
    if major >= 9 {
        qemu.args(["-accel", "tcg,one-insn-per-tb=on"]);
    } else {
        qemu.arg("-singlestep");
    }
    // Without counted time the program would read, and print, other times at each run.
    qemu.args(["-icount", "shift=7,align=off,sleep=off"])
        .args(["-machine", machine, "-display", "none", "-monitor", "none"])
        .args(["-serial", "none", "-semihosting-config"])
        .args(["enable=on,target=native", "-d", "exec,nochain", "-D"])
        .arg(trace)
        .arg("-kernel")
        .arg(image);
    finish(&mut qemu, Instant::now())
        .map(|_| ())
        .map_err(|(_, why)| why)
}

fn finish(qemu: &mut Command, started: Instant) -> Result<String, (String, String)> {
    let cannot = |error: std::io::Error| (String::new(), format!("cannot start QEMU: {error}"));
    let mut child = qemu
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let mut out = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(out) = &mut out {
            // A broken pipe ends the output; the exit code tells the rest.
            let _ = std::io::Read::read_to_end(out, &mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let status = loop {
        match child.try_wait().map_err(cannot)? {
            Some(status) => break Some(status),
            None if started.elapsed() > TIMEOUT => {
                child.kill().map_err(cannot)?;
                child.wait().map_err(cannot)?;
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let printed = reader.join().unwrap_or_default();
    match status {
        Some(status) if status.success() => Ok(printed),
        Some(status) => {
            let last = printed.lines().last().unwrap_or_default().to_owned();
            Err((printed, format!("{status}: {last}")))
        }
        None => Err((printed, format!("did not end within {TIMEOUT:?}"))),
    }
}

/// Runs jobs on all processors of the host; results in the order of the jobs.
pub(crate) fn parallel<J: Sync, R: Send>(jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let worker = || {
            let mut own = Vec::new();
            loop {
                let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(job) = jobs.get(index) else {
                    return own;
                };
                own.push((index, work(job)));
            }
        };
        let started: Vec<_> = (0..workers.min(jobs.len()))
            .map(|_| scope.spawn(worker))
            .collect();
        let results = started.into_iter().map(|thread| thread.join());
        results.flat_map(|own| own.unwrap_or_default()).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
