//! A fleet by the words of a command line.

use super::{DockerFleet, Fleet, FleetError, ProcessFleet, UrlFleet};

/// Opens the fleet that a user names: `process`, `docker`, or URLs with commas between them, which are as many nodes as
/// there are, and on which clients lock under [`UrlFleet::PREFIX`].
///
/// # Errors
/// [`FleetError`] says what is missing, or what was expected.
pub fn open(kind: &str, nodes: usize) -> Result<Box<dyn Fleet>, FleetError> {
    match kind {
        "process" => Ok(Box::new(ProcessFleet::start(nodes)?)),
        "docker" => Ok(Box::new(DockerFleet::start(nodes)?)),
        urls if urls.contains("://") => {
            let urls = urls.split(',').map(|url| url.trim().to_owned()).filter(|url| !url.is_empty());
            Ok(Box::new(UrlFleet::with_prefix(urls.collect(), UrlFleet::PREFIX)?))
        }
        other => Err(FleetError::Failed {
            node: "--fleet".to_owned(),
            detail: format!(
                "`{other}` is no kind of fleet; expected `process`, `docker`, or URLs such as \
                 redis://10.0.0.1:6379,redis://10.0.0.2:6379,redis://10.0.0.3:6379"
            ),
        }),
    }
}
