//! `[lock.file]`.

use super::*;
use crate::backend::file::FileConfig;

fn file(text: &str, origin: &str) -> FileConfig {
    let config = Config::from_toml_str(text, Path::new(origin)).unwrap();
    match config.nodes.as_slice() {
        [NodeConfig::File(node)] => (**node).clone(),
        other => panic!("expected a directory, found {other:?}"),
    }
}

#[test]
fn a_directory_is_read_with_its_prefix_and_begins_in_the_folder_of_the_file() {
    let text = "[lock.file]\ndirectory = '/run/lock/orders'";
    assert_eq!(file(text, "/etc/app/etc.toml"), FileConfig::new("/run/lock/orders").prefix("due:lock"));
    let text = "[lock.file]\ndirectory = 'locks'\nprefix = ''\nexpiration = '5s'";
    assert_eq!(file(text, "/etc/app/etc.toml"), FileConfig::new("/etc/app/locks").prefix(""));
    assert_eq!(file(text, "etc.toml"), FileConfig::new("locks").prefix(""));
}

#[test]
fn without_a_directory_there_is_no_lock() {
    for (text, place) in [
        ("[lock.file]", "[lock.file]"),
        ("[lock.file]\ndirectory = ''", "[lock.file] directory"),
        ("[lock.file]\nprefix = 'a'", "[lock.file]"),
    ] {
        let error = load(text).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Incomplete, "{text}");
        let message = error.to_string();
        assert!(
            message.contains(place) && message.contains("expected directory = \"/run/lock/NAME\""),
            "{message}"
        );
    }
    let error = load("[lock.file]\ndirectory = 3").unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::WrongType);
    let error = load("[lock.file]\ndirectry = 'a'").unwrap_err();
    assert!(error.to_string().contains("did you mean directory?"), "{error}");
}

#[test]
fn a_directory_may_be_a_node_by_its_url_and_a_relative_one_may_not() {
    let config = load("[lock.redlock]\nnodes = ['file:///run/a', 'redis://10.0.0.1', 'redis://10.0.0.2']");
    match config {
        Ok(config) => assert!(config.nodes.contains(&NodeConfig::File(Box::new(FileConfig::new("/run/a"))))),
        Err(error) => panic!("{error}"),
    }
    let error = load("[lock.redlock]\nnodes = ['file://run/a']").unwrap_err().to_string();
    assert!(error.contains("expected file:///directory"), "{error}");
}
