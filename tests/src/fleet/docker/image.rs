//! The image of the containers: that of `docker-compose.yml`, or one of this machine's own server.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use futures::StreamExt as _;
use redlock::testing::servers::redis_program;
use testcontainers::GenericBuildableImage;
use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::CreateImageOptionsBuilder;
use testcontainers::runners::AsyncBuilder as _;

use super::container::chain;

/// What `docker-compose.yml` runs.
const COMPOSE: (&str, &str) = ("redis", "7-alpine");
/// The name of the image that is built here; its tag is the server's version.
const LOCAL: &str = "redlock-redis";
/// How long to wait for a registry.
const PULL_LIMIT: Duration = Duration::from_secs(120);

/// Where `COPY` finds what goes into the image.
const ROOT: &str = "root";
const DOCKERFILE: &str = "FROM scratch\nCOPY root /\nWORKDIR /data\n";

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
        (Err(_), Ok(program)) => program.build().await,
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
        let about = output(Command::new(&path).arg("--version"))?;
        let version = about.split_ascii_whitespace().find_map(|word| word.strip_prefix("v="));
        let version = version.ok_or_else(|| format!("{} does not tell its version", path.display()))?;
        Ok(Self { version: version.to_owned(), path })
    }

    fn image(&self) -> ImageName {
        ImageName { name: LOCAL.to_owned(), tag: self.version.clone() }
    }

    /// Of the program and the libraries that it loads, and of nothing else.
    async fn build(&self) -> Result<ImageName, String> {
        let image = self.image();
        let libraries = libraries(&output(Command::new("ldd").arg(&self.path))?);
        let server = format!("{ROOT}/usr/bin/redis-server");
        let files = libraries.iter().map(|library| (PathBuf::from(library), format!("{ROOT}{library}")));
        let mut building = GenericBuildableImage::new(&image.name, &image.tag)
            .with_dockerfile_string(DOCKERFILE)
            .with_file(resolved(&self.path), server);
        for (file, target) in files {
            building = building.with_file(resolved(&file), target);
        }
        match building.build_image().await {
            Ok(_) => Ok(image),
            Err(error) => Err(format!("cannot build {image}: {}", chain(&error))),
        }
    }
}

/// The file behind links, which would point to nothing in the image.
fn resolved(path: &std::path::Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The paths in what ldd(1) prints: `NAME => PATH (ADDRESS)`, or `PATH (ADDRESS)` for the loader.
fn libraries(text: &str) -> Vec<String> {
    let words =
        text.lines().filter_map(|line| line.split_ascii_whitespace().find(|word| word.starts_with('/')));
    words.map(str::to_owned).collect()
}

fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run {name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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
