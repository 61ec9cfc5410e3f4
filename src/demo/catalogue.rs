//! What the shop sells.

use serde::Serialize;

/// A book on sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Book {
    pub(super) id: u32,
    pub(super) title: &'static str,
    pub(super) author: &'static str,
    /// In won.
    pub(super) price: u32,
}

/// All books. Exactly three match `rust`, which the sample scenarios rely on.
pub(super) const BOOKS: [Book; 12] = [
    book(1, "The Rust Programming Language", "Klabnik, Nichols", 42_000),
    book(2, "Programming Rust", "Blandy, Orendorff, Tindall", 55_000),
    book(3, "Rust for Rustaceans", "Gjengset", 38_000),
    book(
        4,
        "Site Reliability Engineering",
        "Beyer, Jones, Petoff, Murphy",
        46_000,
    ),
    book(5, "Release It!", "Nygard", 39_000),
    book(6, "Designing Data-Intensive Applications", "Kleppmann", 51_000),
    book(7, "The Art of Monitoring", "Turnbull", 28_000),
    book(
        8,
        "Alice's Adventures in Wonderland & Through the Looking-Glass",
        "Carroll",
        16_500,
    ),
    book(9, "채식주의자", "한강", 15_000),
    book(10, "토지", "박경리", 180_000),
    book(11, "난장이가 쏘아올린 작은 공", "조세희", 14_000),
    book(12, "82년생 김지영", "조남주", 14_800),
];

const fn book(id: u32, title: &'static str, author: &'static str, price: u32) -> Book {
    Book {
        id,
        title,
        author,
        price,
    }
}

/// The book with this number.
pub(super) fn find(id: u32) -> Option<Book> {
    BOOKS.into_iter().find(|book| book.id == id)
}

/// The books whose title or author contains `query`; capitals make no difference.
pub(super) fn search(query: &str) -> Vec<Book> {
    let query = query.trim().to_lowercase();
    let matches = |text: &str| text.to_lowercase().contains(&query);
    BOOKS
        .into_iter()
        .filter(|book| matches(book.title) || matches(book.author))
        .collect()
}

/// A price as it is shown: `₩42,000`.
pub(super) fn won(amount: u32) -> String {
    let digits = amount.to_string();
    let mut shown = String::from("₩");
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_is_found_three_times() {
        assert_eq!(search(" rust").len(), 3);
        assert_eq!(search("RUST").len(), 3);
    }

    #[test]
    fn titles_and_authors_of_any_script_are_found() {
        let ids = |query| search(query).iter().map(|book| book.id).collect::<Vec<_>>();
        assert_eq!(ids("한강"), [9]);
        assert_eq!(ids("작은 공"), [11]);
        assert_eq!(ids("no such book"), [0_u32; 0]);
        assert_eq!(ids("").len(), BOOKS.len());
    }

    #[test]
    fn books_are_found_by_their_number() {
        assert!(BOOKS.iter().all(|book| find(book.id) == Some(*book)));
        assert_eq!(find(99), None);
    }

    #[test]
    fn prices_have_commas_between_thousands() {
        let shown = [0, 999, 1000, 42_000, 1_234_567].map(won);
        assert_eq!(shown, ["₩0", "₩999", "₩1,000", "₩42,000", "₩1,234,567"]);
    }
}
