//! What a figure depends on: the machine, the server and the versions.

use std::{fs, process::Command, thread, time::SystemTime};

use super::Result;

/// The lock file that this binary was built with.
const LOCK_FILE: &str = include_str!("../../../Cargo.lock");

/// What to say beside any figure, a paragraph of Markdown; `peers` are other libraries that are measured.
///
/// # Errors
/// The lock file is damaged.
pub fn description(peers: &str) -> Result<String> {
    let day = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let lines = [
        format!(
            "- {}, {} cores, Linux {}",
            cpu_model(),
            thread::available_parallelism().map_or(0, usize::from),
            one_line("/proc/sys/kernel/osrelease")
        ),
        format!(
            "- on {}, when the load was {}",
            day.split('T').next().unwrap_or_default(),
            one_line("/proc/loadavg")
        ),
        format!(
            "- {}, {}, {}",
            version("redis-server", "v=")?,
            version("memcached", "")?,
            version("etcd", "")?
        ),
        format!(
            "- {}, {}",
            version("rustc", "")?,
            crates(&["redlock-quorum", "fred", "tokio", "futures", "rslock", "redis"])?
        ),
        format!("- {peers}"),
    ];
    Ok(lines.into_iter().filter(|line| line.len() > 2).collect::<Vec<_>>().join("\n"))
}

fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    model.unwrap_or("unknown CPU").to_owned()
}

fn one_line(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// The first word of `program --version` that starts with `mark` and holds a digit, beside the program's name.
fn version(program: &str, mark: &str) -> Result<String> {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let word = text.split_whitespace().filter_map(|word| word.strip_prefix(mark));
    let number = word.into_iter().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    Ok(format!("{program} {}", number.unwrap_or("of unknown version")))
}

fn crates(names: &[&str]) -> Result<String> {
    let lock: toml::Table = toml::from_str(LOCK_FILE)?;
    let packages =
        lock.get("package").and_then(toml::Value::as_array).ok_or("Cargo.lock without packages")?;
    let field =
        |package: &toml::Value, name| package.get(name).and_then(toml::Value::as_str).map(str::to_owned);
    let versions = names.iter().map(|&name| {
        let package = packages.iter().find(|package| field(package, "name").as_deref() == Some(name));
        let version = package.and_then(|package| field(package, "version"));
        format!("{name} {}", version.as_deref().unwrap_or("absent"))
    });
    Ok(versions.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_names_the_versions_of_the_crates() {
        let text = description("a peer 1.0").unwrap();
        assert!(text.contains("fred 10."), "{text}");
        assert!(text.contains("tokio 1."), "{text}");
        assert!(text.ends_with("- a peer 1.0"), "{text}");
    }
}
