//! The image of the containers: that of `docker-compose.yml`, or one of this machine's own server.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use futures::StreamExt as _;
use redlock::testing::servers::redis_program;
use testcontainers::bollard::query_parameters::CreateImageOptionsBuilder;
use testcontainers::bollard::{Docker, body_full};

use super::container::chain;

/// What `docker-compose.yml` runs.
const COMPOSE: (&str, &str) = ("redis", "7-alpine");
/// The name of the image that is built here; its tag is the server's version.
const LOCAL: &str = "redlock-redis";
/// How long to wait for a registry.
const PULL_LIMIT: Duration = Duration::from_secs(120);

/// `NAME:TAG`
#[derive(Debug, Clone)]
pub(super) struct ImageName {
    pub(super) name: String,
    pub(super) tag: String,
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

/// Whichever is there; otherwise the first that can be had.
pub(super) async fn find_or_build(docker: Docker) -> Result<ImageName, String> {
    let compose = ImageName { name: COMPOSE.0.to_owned(), tag: COMPOSE.1.to_owned() };
    if is_there(&docker, &compose).await {
        return Ok(compose);
    }
    let own = Program::find();
    if let Ok(program) = &own
        && is_there(&docker, &program.image()).await
    {
        return Ok(program.image());
    }
    match (pull(&docker, &compose).await, own) {
        (Ok(()), _) => Ok(compose),
        (Err(_), Ok(program)) => program.import(&docker).await,
        (Err(pull), Err(own)) => {
            Err(format!("{compose} cannot be pulled ({pull}), and none can be built: {own}"))
        }
    }
}

async fn is_there(docker: &Docker, image: &ImageName) -> bool {
    docker.inspect_image(&image.to_string()).await.is_ok()
}

async fn pull(docker: &Docker, image: &ImageName) -> Result<(), String> {
    let options = CreateImageOptionsBuilder::default().from_image(&image.name).tag(&image.tag).build();
    let mut steps = docker.create_image(Some(options), None, None);
    let all = async {
        while let Some(step) = steps.next().await {
            step.map_err(|error| chain(&error))?;
        }
        Ok(())
    };
    let late = |_| Err(format!("not within {PULL_LIMIT:?}"));
    tokio::time::timeout(PULL_LIMIT, all).await.unwrap_or_else(late)
}

/// The server of this machine.
struct Program {
    path: PathBuf,
    version: String,
}

impl Program {
    fn find() -> Result<Self, String> {
        let path = redis_program().map_err(|error| error.to_string())?;
        let about = text(Command::new(&path).arg("--version"))?;
        let version = about.split_ascii_whitespace().find_map(|word| word.strip_prefix("v="));
        let version = version.ok_or_else(|| format!("{} does not tell its version", path.display()))?;
        Ok(Self { version: version.to_owned(), path })
    }

    fn image(&self) -> ImageName {
        ImageName { name: LOCAL.to_owned(), tag: self.version.clone() }
    }

    /// Imports one of the program, the libraries that it loads and an empty directory, as `docker import` does.
    async fn import(&self, docker: &Docker) -> Result<ImageName, String> {
        let image = self.image();
        let wrong = |why: String| format!("cannot build {image}: {why}");
        let files = self.files().map_err(wrong)?;
        let options =
            CreateImageOptionsBuilder::default().from_src("-").repo(&image.name).tag(&image.tag).build();
        let mut steps = docker.create_image(Some(options), Some(body_full(files.into())), None);
        while let Some(step) = steps.next().await {
            step.map_err(|error| wrong(chain(&error)))?;
        }
        Ok(image)
    }

    /// The image's files, as tar(1) packs them.
    fn files(&self) -> Result<Vec<u8>, String> {
        let root = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        copy(&self.path, root.path(), Path::new("/usr/bin/redis-server"))?;
        for library in libraries(&text(Command::new("ldd").arg(&self.path))?) {
            copy(Path::new(&library), root.path(), Path::new(&library))?;
        }
        fs::create_dir(root.path().join("data")).map_err(|error| error.to_string())?;
        let entries = fs::read_dir(root.path()).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let names = entries.map_err(|error| error.to_string())?.into_iter().map(|entry| entry.file_name());
        output(Command::new("tar").arg("-cf").arg("-").arg("-C").arg(root.path()).args(names))
    }
}

/// Copies a file, not the link to it, to where it will be in the image.
fn copy(file: &Path, root: &Path, target: &Path) -> Result<(), String> {
    let target = root.join(target.strip_prefix("/").unwrap_or(target));
    let copied = target.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::copy(file, &target));
    copied.map(drop).map_err(|error| format!("cannot copy {}: {error}", file.display()))
}

/// The paths in what ldd(1) prints: `NAME => PATH (ADDRESS)`, or `PATH (ADDRESS)` for the loader.
fn libraries(text: &str) -> Vec<String> {
    let words =
        text.lines().filter_map(|line| line.split_ascii_whitespace().find(|word| word.starts_with('/')));
    words.map(str::to_owned).collect()
}

fn text(command: &mut Command) -> Result<String, String> {
    Ok(String::from_utf8_lossy(&output(command)?).into_owned())
}

fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run {name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_that_of_the_compose_file() {
        let compose = include_str!("../../../../docker-compose.yml");
        assert!(compose.contains(&format!("image: {}:{}\n", COMPOSE.0, COMPOSE.1)));
    }

    #[test]
    fn libraries_and_the_loader_are_found_and_what_the_kernel_provides_is_left_out() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(libraries(text), ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    }
}
