//! The shop's pages: values in, markup out.
//!
//! Words that scenarios click or wait for stand on a page once: the log-in page has one `Log in`,
//! the search page says `results` only when they have arrived.

use super::catalogue::{BOOKS, Book, won};
use super::markup::{Markup, document};
use super::sessions::{Delivery, Visit};

/// The log-in page, after a wrong password with a word about it.
pub(super) fn log_in(refused: bool) -> Markup {
    let complaint = if refused { "Wrong e-mail or password" } else { "" };
    let body = Markup::fill(
        include_str!("pages/shop_log_in.html"),
        &[("complaint", alert(complaint))],
    );
    document("Welcome · Book shop", body)
}

/// The start page with all books.
pub(super) fn home(user: &str) -> Markup {
    let card = |book: &Book| {
        Markup::fill(
            r#"<li><h2><a href="/shop/book/{{id}}">{{title}}</a></h2><p>{{author}} <span class="price">{{price}}</span></p></li>"#,
            &book_values(*book),
        )
    };
    let content = Markup::fill(
        include_str!("pages/shop_home.html"),
        &[("books", BOOKS.iter().map(card).collect())],
    );
    page(user, "Book shop", content)
}

/// The page that fetches what it shows; `hangs` makes its script never end.
pub(super) fn search(user: &str, query: &str, hangs: bool) -> Markup {
    let hangs = if hangs { "yes" } else { "no" };
    let content = Markup::fill(
        include_str!("pages/shop_search.html"),
        &[("query", query.into()), ("hangs", Markup::trusted(hangs))],
    );
    page(user, "Search · Book shop", content)
}

/// One book, to be bought.
pub(super) fn book(user: &str, book: Book) -> Markup {
    let content = Markup::fill(include_str!("pages/shop_book.html"), &book_values(book));
    page(user, book.title, content)
}

/// The cart with the choices to be made before paying.
pub(super) fn cart(user: &str, visit: &Visit) -> Markup {
    if visit.cart.is_empty() {
        let content = Markup::trusted("<h1>Your cart</h1>\n<p>Your cart is empty.</p>");
        return page(user, "Your cart · Book shop", content);
    }
    let express = visit.delivery == Delivery::Express;
    let content = Markup::fill(
        include_str!("pages/shop_cart.html"),
        &[
            ("books", lines(visit)),
            ("total", won(visit.books_cost()).into()),
            ("express", flag(express, " selected")),
            ("gift_wrap", flag(visit.gift_wrap, " checked")),
        ],
    );
    page(user, "Your cart · Book shop", content)
}

/// The order before it is paid, with the payment in a frame.
pub(super) fn checkout(user: &str, visit: &Visit) -> Markup {
    let gift_wrap = if visit.gift_wrap { "yes" } else { "no" };
    let content = Markup::fill(
        include_str!("pages/shop_checkout.html"),
        &[
            ("books", lines(visit)),
            ("delivery", visit.delivery.label().into()),
            ("gift_wrap", gift_wrap.into()),
            ("total", won(visit.order_cost()).into()),
        ],
    );
    page(user, "Order summary · Book shop", content)
}

/// The frame in which one pays.
pub(super) fn payment(complaint: &str) -> Markup {
    let body = Markup::fill(
        include_str!("pages/payment.html"),
        &[("complaint", alert(complaint))],
    );
    document("Payment", body)
}

/// The frame while the shop is `wrong`.
pub(super) fn payment_impossible() -> Markup {
    let body = Markup::trusted(include_str!("pages/payment_impossible.html"));
    document("Payment", body)
}

/// The frame after paying: it sends the shop's page on to the order.
pub(super) fn paid(number: u64) -> Markup {
    let body = Markup::fill(
        include_str!("pages/paid.html"),
        &[("number", number.to_string().into())],
    );
    document("Paid", body)
}

/// The order that was paid.
pub(super) fn order(user: &str, number: u64) -> Markup {
    let content = Markup::fill(
        include_str!("pages/shop_order.html"),
        &[("number", number.to_string().into())],
    );
    page(user, "Thank you · Book shop", content)
}

/// What stands at an address that does not exist.
pub(super) fn missing(user: &str) -> Markup {
    let content = Markup::trusted("<h1>Nothing here</h1>\n<p>There is no such page.</p>");
    page(user, "Nothing here · Book shop", content)
}

/// What stands everywhere while the shop is dead.
pub(super) fn closed() -> Markup {
    let body =
        Markup::trusted("<main><h1>Service unavailable</h1>\n<p>The shop is closed for repairs.</p></main>");
    document("Service unavailable", body)
}

fn page(user: &str, title: &str, content: Markup) -> Markup {
    let body = Markup::fill(
        include_str!("pages/shop.html"),
        &[("user", user.into()), ("content", content)],
    );
    document(title, body)
}

fn book_values(book: Book) -> [(&'static str, Markup); 4] {
    [
        ("id", book.id.to_string().into()),
        ("title", book.title.into()),
        ("author", book.author.into()),
        ("price", won(book.price).into()),
    ]
}

fn lines(visit: &Visit) -> Markup {
    let line = |book: Book| {
        Markup::fill(
            r#"<li><span>{{title}}</span> <span class="price">{{price}}</span></li>"#,
            &book_values(book),
        )
    };
    visit.books().map(line).collect()
}

fn alert(complaint: &str) -> Markup {
    if complaint.is_empty() {
        return Markup::default();
    }
    Markup::fill(
        r#"<p class="bad" role="alert">{{complaint}}</p>"#,
        &[("complaint", complaint.into())],
    )
}

fn flag(is_set: bool, attribute: &'static str) -> Markup {
    Markup::trusted(if is_set { attribute } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_visitor_searches_for_is_only_text() {
        let page = search("qa-bot", r#""><script>alert(1)</script>"#, false);
        assert!(page.as_str().contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(!page.as_str().contains("<script>alert"));
    }

    #[test]
    fn the_search_page_promises_nothing_before_the_books_arrive() {
        let page = search("qa-bot", "rust", false);
        let (before_script, _) = page.as_str().split_once("<script>").unwrap();
        assert!(before_script.contains("Searching…"));
        assert!(!before_script.contains("results"));
    }

    #[test]
    fn only_a_healthy_shop_has_a_button_to_pay() {
        assert!(payment("").as_str().contains("<button>Pay</button>"));
        let wrong = payment_impossible();
        assert!(!wrong.as_str().contains(">Pay<"));
        assert!(wrong.as_str().contains("Pay later"));
    }

    #[test]
    fn the_cart_shows_books_total_and_choices() {
        let mut visit = Visit::default();
        visit.add(BOOKS[7]);
        visit.delivery = Delivery::Express;
        let page = cart("qa-bot", &visit);
        for part in [
            "Alice&#39;s Adventures in Wonderland &amp; Through",
            "₩16,500",
            r#"<option value="express" selected>Express</option>"#,
            "<button>Checkout</button>",
        ] {
            assert!(page.as_str().contains(part), "{part}");
        }
    }
}
