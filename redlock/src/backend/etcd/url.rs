//! `etcd://` URLs, which name several hosts.

use percent_encoding::percent_decode_str;

use super::config::{EtcdConfig, EtcdConfigError, TlsFiles};

/// No error may repeat the input: whatever is misplaced in it may be a password.
pub(super) fn parse(text: &str) -> Result<EtcdConfig, EtcdConfigError> {
    if text.contains(char::is_control) {
        return Err(EtcdConfigError::ControlCharacter);
    }
    let (scheme, rest) = text.split_once("://").ok_or(EtcdConfigError::Scheme)?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "etcd" => None,
        "etcds" => Some(TlsFiles::platform()),
        _ => return Err(EtcdConfigError::Scheme),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    for (mark, part) in [('?', "query (?)"), ('#', "fragment (#)"), ('/', "path (/)")] {
        if rest.contains(mark) {
            return Err(EtcdConfigError::Trailing { part });
        }
    }
    let (login, endpoints) =
        rest.rsplit_once('@').map_or((None, rest), |(login, endpoints)| (Some(login), endpoints));
    if endpoints.is_empty() {
        return Err(EtcdConfigError::NoEndpoints);
    }
    let config = EtcdConfig { tls, ..EtcdConfig::new(endpoints.split(','))? };
    let Some(login) = login.filter(|login| !login.is_empty() && *login != ":") else { return Ok(config) };
    let (user, password) = login.split_once(':').ok_or(EtcdConfigError::LoginIncomplete)?;
    if user.is_empty() || password.is_empty() {
        return Err(EtcdConfigError::LoginIncomplete);
    }
    Ok(config.username(decode(user, "user")?).password(decode(password, "password")?))
}

fn decode(text: &str, part: &'static str) -> Result<String, EtcdConfigError> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| EtcdConfigError::Encoding { part })?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(url: &str) -> EtcdConfigError {
        parse(url).unwrap_err()
    }

    #[test]
    fn a_url_sets_what_it_names_and_nothing_else() {
        assert_eq!(parse("etcd://h").unwrap(), EtcdConfig::new(["h:2379"]).unwrap());
        assert_eq!(parse("ETCD://H:7,[::1],i_2:8/").unwrap().address(), "h:7,[::1]:2379,i_2:8");
        let full = EtcdConfig::new(["h"]).unwrap().username("u@").password("p/:é");
        assert_eq!(parse("etcd://u%40:p%2F:%C3%A9@h").unwrap(), full);
        assert_eq!(parse("etcds://h").unwrap(), EtcdConfig::new(["h"]).unwrap().tls(TlsFiles::platform()));
    }

    #[test]
    fn each_mistake_has_an_error_of_its_own() {
        for (url, error) in [
            ("h", EtcdConfigError::Scheme),
            ("http://h", EtcdConfigError::Scheme),
            ("etcd://", EtcdConfigError::NoEndpoints),
            ("etcd://u:p@", EtcdConfigError::NoEndpoints),
            ("etcd://h,", EtcdConfigError::Endpoint { number: 2 }),
            ("etcd://h,h:0", EtcdConfigError::Endpoint { number: 2 }),
            ("etcd://h:+1", EtcdConfigError::Endpoint { number: 1 }),
            ("etcd://::1", EtcdConfigError::Endpoint { number: 1 }),
            ("etcd://[h]:1", EtcdConfigError::Endpoint { number: 1 }),
            ("etcd://h,H:2379", EtcdConfigError::Duplicate { number: 2 }),
            ("etcd://u@h", EtcdConfigError::LoginIncomplete),
            ("etcd://u:@h", EtcdConfigError::LoginIncomplete),
            ("etcd://h/x", EtcdConfigError::Trailing { part: "path (/)" }),
            ("etcd://h?x", EtcdConfigError::Trailing { part: "query (?)" }),
            ("etcd://h\n", EtcdConfigError::ControlCharacter),
            ("etcd://u:%ff@h", EtcdConfigError::Encoding { part: "password" }),
        ] {
            assert_eq!(bad(url), error, "{url}");
        }
    }

    #[test]
    fn no_error_and_no_debug_output_repeats_a_password() {
        for url in [
            "etcd://u:hunter2@",
            "etcd://u:hunter2@h:port",
            "etcd://u:hunter2@h,",
            "etcd://u:hunter2@h/x",
            "etcd://u:x/hunter2@h",
            "etcd://u:hunter2%ff@h",
            "etcd://hunter2@h",
            "hunter2:x@h",
        ] {
            let error = bad(url);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(!format!("{:?}", parse("etcd://u:hunter2@h").unwrap()).contains("hunter2"));
    }
}
