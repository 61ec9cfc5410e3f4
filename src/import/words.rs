//! Words of a page: whether they will be the same tomorrow, and whether they name a secret.

use super::selector::looks_generated;

/// Words longer than this are a paragraph, which changes more often than a name does.
const LONGEST_WORDS: usize = 40;
/// Parts of words that name a secret.
const SECRET_PARTS: &[&str] = &[
    "api-key",
    "api_key",
    "apikey",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwort",
    "secret",
    "token",
    "contraseña",
    "mot de passe",
    "비밀번호",
    "암호",
    "パスワード",
    "密码",
];
/// Whole words that name a secret; as parts they would mean too much.
const SECRET_WORDS: &[&str] = &["cvc", "cvv", "otp", "pass", "pin", "pw", "pwd"];

/// Whether a name is one of a secret: of a field, of a part of an address.
pub fn names_a_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    SECRET_PARTS.iter().any(|part| lower.contains(part))
        || words_of(name)
            .iter()
            .any(|word| SECRET_WORDS.contains(&word.as_str()))
}

/// Whether words will be the same tomorrow: no counts, dates, prices, made-up ids.
pub fn is_lasting(words: &str) -> bool {
    words.split_whitespace().all(|part| {
        let number = part.chars().any(|c| c.is_ascii_digit()) && !part.chars().any(char::is_alphabetic);
        !number && !looks_generated(part)
    })
}

/// Whether words are short and lasting enough to find an element by.
pub fn is_steady(words: &str) -> bool {
    words.chars().count() <= LONGEST_WORDS && is_lasting(words)
}

/// `userPass-field` → user, pass, field.
pub fn words_of(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || (small && c.is_uppercase()) {
            words.push(String::new());
        }
        small = c.is_lowercase();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_made_up_is_told_from_what_people_chose() {
        for made_up in [
            "#ember412",
            "#\\:r1\\:",
            "#mui-42",
            "#__next > div",
            ".css-1q2w3e",
            "#550e8400-e29b-41d4-a716-446655440000",
            "order-10023",
            "deadbee1",
        ] {
            assert!(looks_generated(made_up), "{made_up}");
        }
        for chosen in [
            "#email",
            "order-no",
            "step-2",
            "#delivery-select",
            "iPhone15",
            "a:required:checked",
        ] {
            assert!(!looks_generated(chosen), "{chosen}");
        }
        for secret in [
            "Password",
            "loginPw",
            "user_pass",
            "Card PIN",
            "비밀번호 확인",
            "api-key",
        ] {
            assert!(names_a_secret(secret), "{secret}");
        }
        for plain in ["Spinner", "Compass", "Passenger", "E-mail"] {
            assert!(!names_a_secret(plain), "{plain}");
        }
    }
}
