//! Who is logged in at the shop, and what lies in their carts.

use std::collections::VecDeque;

use serde::Deserialize;

use super::catalogue::{self, Book};

const MAX_SESSIONS: usize = 1000;
const MAX_CART: usize = 50;
const MAX_ORDERS: usize = 20;
const EXPRESS_FEE: u32 = 3000;
const GIFT_WRAP_FEE: u32 = 1000;

/// The newest sessions; the oldest gives way to a new one.
#[derive(Default)]
pub(super) struct Sessions {
    open: VecDeque<(String, Visit)>,
}

/// What the shop remembers of one log-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) cart: Vec<u32>,
    pub(super) delivery: Delivery,
    pub(super) gift_wrap: bool,
    pub(super) orders: Vec<u64>,
}

/// How an order travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Delivery {
    #[default]
    Standard,
    Express,
}

impl Sessions {
    /// Opens a session under a new, random id.
    pub(super) fn open(&mut self, id: String) {
        if self.open.len() >= MAX_SESSIONS {
            self.open.pop_front();
        }
        self.open.push_back((id, Visit::default()));
    }

    /// Ends a session, if there is such a one.
    pub(super) fn close(&mut self, id: &str) {
        self.open.retain(|(open, _)| open != id);
    }

    /// The visit of a session.
    pub(super) fn visit(&self, id: &str) -> Option<Visit> {
        let (_, visit) = self.open.iter().find(|(open, _)| open == id)?;
        Some(visit.clone())
    }

    /// Changes the visit of a session, if it still exists.
    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut Visit)) {
        if let Some((_, visit)) = self.open.iter_mut().find(|(open, _)| open == id) {
            change(visit);
        }
    }
}

impl Visit {
    /// The books in the cart, in the order they were added.
    pub(super) fn books(&self) -> impl Iterator<Item = Book> {
        self.cart.iter().copied().filter_map(catalogue::find)
    }

    /// Puts a book into the cart, unless the cart is full.
    pub(super) fn add(&mut self, book: Book) {
        if self.cart.len() < MAX_CART {
            self.cart.push(book.id);
        }
    }

    /// What the books cost, in won.
    pub(super) fn books_cost(&self) -> u32 {
        self.books().map(|book| book.price).sum()
    }

    /// What the order costs with everything, in won.
    pub(super) fn order_cost(&self) -> u32 {
        let delivery = match self.delivery {
            Delivery::Standard => 0,
            Delivery::Express => EXPRESS_FEE,
        };
        let gift_wrap = if self.gift_wrap { GIFT_WRAP_FEE } else { 0 };
        self.books_cost() + delivery + gift_wrap
    }

    /// Turns the cart into the order `number`.
    pub(super) fn order(&mut self, number: u64) {
        if self.orders.len() >= MAX_ORDERS {
            self.orders.remove(0);
        }
        self.orders.push(number);
        self.cart.clear();
    }
}

impl Delivery {
    /// The name in forms and on pages.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Express => "Express",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_session_gives_way() {
        let mut sessions = Sessions::default();
        for number in 0..=MAX_SESSIONS {
            sessions.open(number.to_string());
        }
        assert_eq!(sessions.visit("0"), None);
        assert!(sessions.visit("1").is_some());
        assert!(sessions.visit(&MAX_SESSIONS.to_string()).is_some());
    }

    #[test]
    fn a_closed_session_is_gone() {
        let mut sessions = Sessions::default();
        sessions.open("a".to_owned());
        sessions.open("b".to_owned());
        sessions.close("a");
        assert_eq!(sessions.visit("a"), None);
        assert_eq!(sessions.visit("b"), Some(Visit::default()));
    }

    #[test]
    fn an_order_empties_the_cart() {
        let mut sessions = Sessions::default();
        sessions.open("a".to_owned());
        sessions.change("a", |visit| {
            visit.add(catalogue::BOOKS[0]);
            visit.add(catalogue::BOOKS[4]);
            visit.delivery = Delivery::Express;
            visit.gift_wrap = true;
        });
        let visit = sessions.visit("a").unwrap();
        assert_eq!((visit.books_cost(), visit.order_cost()), (81_000, 85_000));

        sessions.change("a", |visit| visit.order(1001));
        let visit = sessions.visit("a").unwrap();
        assert_eq!((visit.cart.len(), visit.orders), (0, vec![1001]));
    }

    #[test]
    fn a_cart_has_room_for_so_many_books() {
        let mut visit = Visit::default();
        for _ in 0..=MAX_CART {
            visit.add(catalogue::BOOKS[1]);
        }
        assert_eq!(visit.books().count(), MAX_CART);
    }
}
