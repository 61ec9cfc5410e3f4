//! Access tokens that checks share: fetched once, used until shortly before they end.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::fault::Fault;
use crate::model::{Redactor, Secret};

/// What a token is kept under: a digest of all that it was asked with.
pub type TokenKey = [u8; 32];

/// So many kinds of tokens are kept; beyond it those that have ended are forgotten.
const MOST_KEPT: usize = 1_000;
/// So many of a kind are masked: the one in use, and those it took the place of.
const MOST_MASKED: usize = 4;
/// A token is not used in the last part of its life, up to this much of it.
const LONGEST_MARGIN: Duration = Duration::from_secs(30);
/// How long a token is used that does not say when it ends.
const UNSAID: Duration = Duration::from_mins(5);

/// One token.
#[derive(Debug)]
pub struct Token {
    /// What is sent.
    pub secret: Secret,
    until: Instant,
}

impl Token {
    /// A token that was asked for at `asked` and says that it lives for `expires_in`.
    #[must_use]
    pub fn new(secret: Secret, asked: Instant, expires_in: Option<Duration>) -> Self {
        let life = expires_in.unwrap_or(UNSAID);
        let used = life.saturating_sub((life / 10).min(LONGEST_MARGIN));
        Self {
            secret,
            until: asked + used,
        }
    }
}

#[derive(Default)]
struct Kept {
    cell: Arc<OnceCell<Arc<Token>>>,
    masked: VecDeque<Secret>,
}

/// The tokens of a process.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<TokenKey, Kept>>);

impl Tokens {
    /// The token kept under `key`, or what `fetch` gets: one fetch, however many ask at once.
    ///
    /// # Errors
    /// Why there is none; whoever asks next tries again.
    pub async fn get(
        &self,
        key: TokenKey,
        fetch: impl Future<Output = Result<Token, Fault>>,
    ) -> Result<Arc<Token>, Fault> {
        let cell = self.cell(key);
        let token = cell
            .get_or_try_init(|| async { fetch.await.map(Arc::new) })
            .await?;
        self.mask(key, &token.secret);
        Ok(Arc::clone(token))
    }

    /// Forgets a token that was refused; one that took its place meanwhile stays.
    pub fn throw_away(&self, key: TokenKey, refused: &Arc<Token>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.get_mut(&key)
            && kept.cell.get().is_some_and(|token| Arc::ptr_eq(token, refused))
        {
            kept.cell = Arc::default();
        }
    }

    /// A mask for the tokens of a kind.
    #[must_use]
    pub fn redactor(&self, key: TokenKey) -> Redactor {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Redactor::new(kept.get(&key).iter().flat_map(|kept| &kept.masked))
    }

    fn cell(&self, key: TokenKey) -> Arc<OnceCell<Arc<Token>>> {
        let now = Instant::now();
        let has_ended = |kept: &Kept| kept.cell.get().is_some_and(|token| token.until <= now);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > MOST_KEPT {
            all.retain(|_, kept| !has_ended(kept));
        }
        let kept = all.entry(key).or_default();
        if has_ended(kept) {
            kept.cell = Arc::default();
        }
        Arc::clone(&kept.cell)
    }

    fn mask(&self, key: TokenKey, secret: &Secret) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let masked = &mut all.entry(key).or_default().masked;
        if !masked.iter().any(|known| known.reveal() == secret.reveal()) {
            masked.push_front(secret.clone());
            masked.truncate(MOST_MASKED);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const KEY: TokenKey = [1; 32];

    async fn get(tokens: &Tokens, fetched: &AtomicUsize) -> Arc<Token> {
        let fetch = async {
            let asked = Instant::now();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let number = fetched.fetch_add(1, Ordering::SeqCst);
            let secret = Secret::new(format!("token number {number}"));
            Ok(Token::new(secret, asked, Some(Duration::from_mins(10))))
        };
        tokens.get(KEY, fetch).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_at_once_make_one_fetch_and_use_it_until_shortly_before_its_end() {
        let (tokens, fetched) = (Tokens::default(), AtomicUsize::new(0));
        let asking = (0..50).map(|_| get(&tokens, &fetched));
        futures_util::future::join_all(asking).await;
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
        tokio::time::sleep(Duration::from_secs(569)).await;
        get(&tokens, &fetched).await;
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        get(&tokens, &fetched).await;
        assert_eq!(fetched.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_fetched_anew_once_and_stays_masked() {
        let (tokens, fetched) = (Tokens::default(), AtomicUsize::new(0));
        let refused = get(&tokens, &fetched).await;
        tokens.throw_away(KEY, &refused);
        let next = get(&tokens, &fetched).await;
        // Another check was refused with the same old token.
        tokens.throw_away(KEY, &refused);
        assert!(Arc::ptr_eq(&next, &get(&tokens, &fetched).await));
        let shown = tokens
            .redactor(KEY)
            .clean("token number 0, token number 1")
            .into_owned();
        assert_eq!(shown, "•••, •••");
    }

    #[tokio::test]
    async fn a_fetch_that_fails_is_tried_again_by_the_next() {
        let (tokens, fetched) = (Tokens::default(), AtomicUsize::new(0));
        let fails = async { Err(Fault::passing("no token")) };
        assert!(tokens.get(KEY, fails).await.is_err());
        get(&tokens, &fetched).await;
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
    }
}
