//! Whether a text is one statement that only reads, told before any database sees it.
//!
//! This is for the user's sake, at load. What keeps a database from being written to is the
//! database itself: a read-only transaction, and a protocol that takes one statement.
//!
//! Sources: `PostgreSQL` manual 4.1 (lexical structure), `MySQL` manual 9.1, 9.6 and 9.7,
//! `SQLite` "SQL As Understood By SQLite".

/// Whose SQL is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `PostgreSQL`.
    Postgres,
    /// `MySQL` and `MariaDB`.
    MySql,
    /// `SQLite`.
    Sqlite,
}

impl Dialect {
    /// As people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }

    /// What a statement that reads begins with.
    const fn readers(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN"],
            Self::MySql => &[
                "SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC",
            ],
            Self::Sqlite => &["SELECT", "WITH", "VALUES", "EXPLAIN", "PRAGMA"],
        }
    }
}

/// Looks at a query.
///
/// # Errors
/// Why it is not one statement that reads, for people; the query is called `query`.
pub fn only_reads(sql: &str, dialect: Dialect) -> Result<(), String> {
    let mut rest = sql;
    let mut words: Vec<String> = Vec::new();
    let mut ended = false;
    while !rest.is_empty() {
        let (token, length) = token(rest, dialect)?;
        rest = &rest[length..];
        if token == Token::Space {
            continue;
        }
        if ended && token != Token::End {
            return Err("`query` holds several statements, and one is allowed".into());
        }
        match token {
            Token::End => ended = true,
            Token::Word(word) => words.push(word.to_ascii_uppercase()),
            Token::Space | Token::Other => {}
        }
    }
    let readers = dialect.readers();
    match words.first() {
        None => Err("`query` holds no statement".into()),
        Some(first) if !readers.contains(&first.as_str()) => Err(format!(
            "`query` begins with {first}, and only statements that read are allowed: {}",
            readers.join(", ")
        )),
        Some(_) if words.iter().any(|word| word == "INTO") => {
            Err("`query` writes what it reads somewhere (INTO), and must only read".into())
        }
        Some(_) if words.windows(2).any(|pair| pair[0] == "FOR" && locks(&pair[1])) => {
            Err("`query` locks what it reads (FOR UPDATE or SHARE), and must only read".into())
        }
        Some(_) => Ok(()),
    }
}

fn locks(word: &str) -> bool {
    matches!(word, "UPDATE" | "SHARE")
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'s> {
    /// White space, a comment.
    Space,
    /// `;`
    End,
    /// A keyword or a name without quotes.
    Word(&'s str),
    /// Anything else: a quoted text, a sign, a digit.
    Other,
}

/// What `rest` begins with, and how long that is.
fn token(rest: &str, dialect: Dialect) -> Result<(Token<'_>, usize), String> {
    let first = rest.chars().next().unwrap_or(' ');
    let length = match first {
        c if c.is_whitespace() => return Ok((Token::Space, c.len_utf8())),
        ';' => return Ok((Token::End, 1)),
        '-' | '#' if is_line_comment(rest, dialect) => {
            return Ok((Token::Space, rest.find('\n').unwrap_or(rest.len())));
        }
        '/' if rest.starts_with("/*") => return comment(rest, dialect).map(|length| (Token::Space, length)),
        '\'' => quoted(rest, '\'', dialect == Dialect::MySql)?,
        '"' => quoted(rest, '"', dialect == Dialect::MySql)?,
        '`' if dialect != Dialect::Postgres => quoted(rest, '`', false)?,
        '[' if dialect == Dialect::Sqlite => rest.find(']').ok_or_else(open_quote)? + 1,
        '$' if dialect == Dialect::Postgres => dollar_quoted(rest)?,
        'e' | 'E' if dialect == Dialect::Postgres && rest[1..].starts_with('\'') => {
            1 + quoted(&rest[1..], '\'', true)?
        }
        c if c.is_alphabetic() || c == '_' => {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
            let length = end.unwrap_or(rest.len());
            return Ok((Token::Word(&rest[..length]), length));
        }
        c => c.len_utf8(),
    };
    Ok((Token::Other, length))
}

fn open_quote() -> String {
    "a quote in `query` is not closed".to_owned()
}

fn is_line_comment(rest: &str, dialect: Dialect) -> bool {
    match dialect {
        // `5--3` is a sum in MySQL: its comments need a space.
        Dialect::MySql => {
            rest.starts_with('#')
                || rest
                    .strip_prefix("--")
                    .is_some_and(|rest| rest.chars().next().is_none_or(char::is_whitespace))
        }
        Dialect::Postgres | Dialect::Sqlite => rest.starts_with("--"),
    }
}

fn comment(rest: &str, dialect: Dialect) -> Result<usize, String> {
    if dialect == Dialect::MySql && (rest.starts_with("/*!") || rest.starts_with("/*M!")) {
        return Err("`query` holds a comment that MySQL executes (`/*! … */`)".into());
    }
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") && (depth == 0 || dialect == Dialect::Postgres) {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Ok(at);
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    Err("a comment in `query` is not closed".into())
}

/// A quoted text from its first quote on; a doubled quote is one of its characters.
fn quoted(rest: &str, quote: char, backslash: bool) -> Result<usize, String> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && backslash {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return Ok(at + 1),
            }
        }
    }
    Err(open_quote())
}

/// `$tag$ … $tag$`, or a single `$`.
fn dollar_quoted(rest: &str) -> Result<usize, String> {
    let Some(end) = rest[1..].find('$').map(|at| at + 2) else {
        return Ok(1);
    };
    let tag = &rest[..end];
    let name = &tag[1..tag.len() - 1];
    let is_tag = name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !is_tag {
        return Ok(1);
    }
    let closing = rest[end..].find(tag).ok_or_else(open_quote)?;
    Ok(end + closing + tag.len())
}

#[cfg(test)]
mod tests {
    use super::Dialect::{MySql, Postgres, Sqlite};
    use super::*;

    #[test]
    fn one_statement_that_reads_is_taken() {
        for (dialect, sql) in [
            (Postgres, "SELECT 1"),
            (Postgres, "select 1;"),
            (
                Postgres,
                " -- why\n (SELECT 1) ; -- done;\n /* a; /* b; */ c; */ ",
            ),
            (Postgres, "WITH a AS (SELECT ';' AS \"b;c\") TABLE a"),
            (
                Postgres,
                "SELECT $$ ; DELETE $$, $x$ $$ ; $x$, E'\\'; DELETE', 1 AS a$b",
            ),
            (Postgres, "SELECT $1, '\\'"),
            (
                MySql,
                "SELECT 'it\\'s; ok', \"a\"\"; b\", `c;d` # no more; really",
            ),
            (MySql, "SELECT 5--3"),
            (MySql, "SHOW GLOBAL STATUS -- ; all"),
            (Sqlite, "SELECT [a;b] FROM `c;d`"),
            (Sqlite, "PRAGMA user_version"),
            (Postgres, "SELECT '한글; 🦅' AS 이름"),
        ] {
            assert_eq!(only_reads(sql, dialect), Ok(()), "{sql}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for (dialect, sql, why) in [
            (Postgres, "SELECT 1; DELETE FROM a", "several statements"),
            (Postgres, "SELECT 1; SELECT 2", "several statements"),
            (Postgres, "SELECT '\\'; DELETE FROM a --'", "several statements"),
            (MySql, "SELECT 1--1; DELETE FROM a", "several statements"),
            (MySql, "SELECT 1 /* /* */; DELETE FROM a", "several statements"),
            (Sqlite, "SELECT 1 -- a\n; DELETE FROM a", "several statements"),
            (Postgres, "DELETE FROM a", "begins with DELETE"),
            (Postgres, "/* SELECT */ UPDATE a SET b = 1", "begins with UPDATE"),
            (Postgres, "SET TRANSACTION READ WRITE", "begins with SET"),
            (Postgres, "COPY a TO PROGRAM 'sh'", "begins with COPY"),
            (Sqlite, "ATTACH 'other.db' AS o", "begins with ATTACH"),
            (MySql, "SELECT 1 INTO OUTFILE '/tmp/a'", "INTO"),
            (MySql, "SELECT 1 /*!50000 INTO OUTFILE '/tmp/a' */", "executes"),
            (MySql, "SELECT 1 /*M! INTO OUTFILE '/tmp/a' */", "executes"),
            (MySql, "SELECT a FROM b FOR UPDATE", "locks"),
            (Postgres, "", "no statement"),
            (Postgres, " ; -- nothing", "no statement"),
            (Postgres, "SELECT 'open", "quote"),
            (Postgres, "SELECT $a$ open $b$", "quote"),
            (MySql, "SELECT 'open\\'", "quote"),
            (Postgres, "SELECT 1 /* /* open */", "comment"),
        ] {
            let said = only_reads(sql, dialect).unwrap_err();
            assert!(said.contains(why), "{sql}: {said}");
        }
    }
}
