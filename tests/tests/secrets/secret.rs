//! A secret in the forms in which it could get out.

/// What must be found nowhere.
pub(crate) struct Secret {
    /// What it is, for a failure.
    what: String,
    forms: Vec<String>,
}

impl Secret {
    pub(crate) fn new(what: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut forms = vec![
            percent_encoded(bytes, "%"),
            percent_encoded(bytes, "%").to_lowercase(),
            base64(bytes),
            hex(bytes),
            hex(bytes).to_uppercase(),
            // As Debug prints a list of bytes.
            format!("{bytes:?}").trim_matches(['[', ']']).to_owned(),
            bytes.escape_ascii().to_string(),
        ];
        forms.extend(String::from_utf8(bytes.to_vec()));
        Self { what: what.into(), forms }
    }

    /// An owner token, as it stands on a server: its bytes are as secret as their digits.
    pub(crate) fn token(digits: &str) -> [Self; 2] {
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        [Self::new("an owner token", digits), Self::new("the bytes of an owner token", bytes)]
    }

    #[track_caller]
    pub(crate) fn is_not_in(&self, text: &str) {
        let found = self.forms.iter().find(|form| text.contains(&***form));
        assert!(found.is_none(), "{} as {found:?} in: {text}", self.what);
    }

    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.forms.iter().any(|form| text.contains(&**form))
    }
}

/// All that is not a letter or a digit, as in a URL.
pub(crate) fn percent_encoded(bytes: &[u8], sign: &str) -> String {
    let encode = |byte: &u8| match byte.is_ascii_alphanumeric() {
        true => char::from(*byte).to_string(),
        false => format!("{sign}{byte:02X}"),
    };
    bytes.iter().map(encode).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As far as whole groups of three bytes reach, so that it is found whatever follows.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63]))
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}

#[test]
fn a_secret_is_found_in_every_form() {
    let secret = Secret::new("a password", "p/w d+1");
    for text in [
        "x p/w d+1 x".to_owned(),
        "redis://u:p%2Fw%20d%2B1@h".to_owned(),
        "p%2fw%20d%2b1".to_owned(),
        // Of "p/w d+1": cG93... begins alike however it ends.
        format!("Basic {}==", "cC93IGQr"),
        "702f7720642b31".to_owned(),
        format!("{:?}", "p/w d+1".as_bytes()),
        format!("{:?}", Some(b"p/w d+1")),
        format!("{:?}", "a p/w d+1 \n"),
    ] {
        assert!(secret.is_in(&text), "{text}");
    }
    assert!(!secret.is_in("p/w d-1, p w d 1"));
    let [digits, bytes] = Secret::token("00ff10");
    assert!(digits.is_in("redlock:a=00ff10") && bytes.is_in("Token([0, 255, 16])"));
}
