//! One-time codes as authenticator apps show them (RFC 6238).

use totp_rs::{Builder, Secret as Key, Totp};

/// A code, and for how long it still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeCode {
    /// The digits.
    pub code: String,
    /// In seconds.
    pub left_s: u64,
}

/// The code at a moment, in seconds since 1970.
///
/// `secret` is what the service shows when an authenticator is set up: base32, spaces and
/// case do not matter (SHA-1, 6 digits, 30 s), or a whole `otpauth://totp/…` address.
///
/// # Errors
/// What is wrong with the secret, in words that do not show it.
pub fn one_time_code(secret: &str, unix_s: u64) -> Result<OneTimeCode, String> {
    let totp = if secret.starts_with("otpauth:") {
        let sound = ["digits=6", "digits=7", "digits=8"]
            .iter()
            .any(|digits| secret.contains(digits))
            || !secret.contains("digits=");
        Totp::from_url_unchecked(secret)
            .ok()
            .filter(|_| sound)
            .ok_or("it is not an otpauth://totp/ address")?
    } else {
        let letters: String = secret
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-' && *c != '=')
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let key = Key::try_from_base32(&letters)
            .map_err(|_| "it is not base32: the letters A–Z and the digits 2–7")?;
        if key.as_bytes().is_empty() {
            return Err("it is empty".into());
        }
        Builder::new().with_secret(key).build_noncompliant()
    };
    Ok(OneTimeCode {
        code: totp.generate(unix_s).to_string(),
        left_s: totp.next_step(unix_s).saturating_sub(unix_s),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the SHA-1 rows, their last six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        for (at, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (2_000_000_000, "279037"),
        ] {
            assert_eq!(one_time_code(secret, at).unwrap().code, code);
        }
        assert_eq!(one_time_code(secret, 59).unwrap().left_s, 1);
    }

    #[test]
    fn secrets_are_read_as_services_show_them() {
        let plain = one_time_code("JBSWY3DPEHPK3PXP", 100).unwrap();
        assert_eq!(one_time_code("jbsw y3dp ehpk 3pxp", 100).unwrap(), plain);
        let url = "otpauth://totp/Shop:qa?secret=JBSWY3DPEHPK3PXP&issuer=Shop";
        assert_eq!(one_time_code(url, 100).unwrap(), plain);
        assert!(one_time_code("not base32!", 0).unwrap_err().contains("base32"));
        assert!(one_time_code("", 0).is_err());
    }
}
