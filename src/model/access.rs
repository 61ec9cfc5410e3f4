//! Who may do what over HTTP, and who did.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Pages, metrics and everything that only looks.
    Read,
    /// Runs and deployments, and looking at those.
    Trigger,
    /// On-call work: whatever `read` and `trigger` may, acknowledging, marking, silencing,
    /// sending again.
    Operate,
    /// Everything: reloading and the audit log too.
    Admin,
}

impl Scope {
    /// Every scope, the least first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Trigger, Self::Operate, Self::Admin];

    /// The word used in CLI and API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Trigger => "trigger",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// The scope of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// Whether whoever holds this one may do what the other is for.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Admin, _)
            | (Self::Operate, Self::Read | Self::Trigger | Self::Operate)
            | (Self::Trigger, Self::Trigger)
            | (Self::Read, Self::Read) => true,
            (Self::Operate, Self::Admin)
            | (Self::Trigger, Self::Read | Self::Operate | Self::Admin)
            | (Self::Read, Self::Trigger | Self::Operate | Self::Admin) => false,
        }
    }
}

/// A token without what makes it one: the store knows only its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its name, as the audit log calls who used it.
    pub name: String,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the hour.
    pub last_used: Option<Timestamp>,
}

impl Token {
    /// Whether it has not ended.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now < end)
    }
}

/// The SHA-256 of a token. A password would need a slow hash, because people choose ones that
/// can be guessed; a token is 256 random bits, which nobody finds by trying, however fast.
#[derive(Clone, Copy)]
pub struct TokenDigest(pub [u8; 32]);

impl TokenDigest {
    /// Of a token as it is typed.
    #[must_use]
    pub fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }

    /// Whether they are the same, found out in the same time whatever they hold.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let differences = self
            .0
            .iter()
            .zip(other.0)
            .fold(0, |found, (a, b)| found | (a ^ b));
        std::hint::black_box(differences) == 0
    }
}

/// Something that somebody changed through the API or with `haetae token`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number; later ones have higher numbers.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who: a token's name, `local`, `anonymous`, or the channel whose button was pressed.
    pub who: String,
    /// The person that was named with it.
    pub by: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// What was done, in a word: `acknowledge`.
    pub what: String,
    /// To what: the path that was asked.
    pub target: String,
    /// What was sent along.
    pub detail: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_may_what_the_contract_says() {
        let may = |scope: Scope| {
            Scope::ALL
                .into_iter()
                .filter(|other| scope.includes(*other))
                .map(Scope::as_str)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(may(Scope::Read), "read");
        assert_eq!(may(Scope::Trigger), "trigger");
        assert_eq!(may(Scope::Operate), "read trigger operate");
        assert_eq!(may(Scope::Admin), "read trigger operate admin");
    }

    #[test]
    fn digests_differ_as_tokens_do() {
        let digest = TokenDigest::of("haetae_a");
        assert!(digest.is(&TokenDigest::of("haetae_a")));
        assert!(!digest.is(&TokenDigest::of("haetae_b")));
        let hex: String = TokenDigest::of("abc")
            .0
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(hex.starts_with("ba7816bf8f01cfea"), "{hex}");
    }
}
