//! Which commands only read, and read little enough to be asked every few seconds.
//!
//! Source: the command reference of Redis 7: flags `readonly` and `fast`, and those that tell of
//! the server. Commands that walk over all keys (KEYS, SCAN, HGETALL, SMEMBERS …), that block,
//! or that tell passwords (CONFIG GET, ACL) are left out.

const READERS: &[&str] = &[
    "BITCOUNT",
    "DBSIZE",
    "ECHO",
    "EXISTS",
    "GET",
    "GETBIT",
    "GETRANGE",
    "HEXISTS",
    "HGET",
    "HLEN",
    "HMGET",
    "HSTRLEN",
    "INFO",
    "LASTSAVE",
    "LINDEX",
    "LLEN",
    "LRANGE",
    "MGET",
    "PING",
    "PTTL",
    "ROLE",
    "SCARD",
    "SISMEMBER",
    "STRLEN",
    "TIME",
    "TTL",
    "TYPE",
    "XLEN",
    "ZCARD",
    "ZCOUNT",
    "ZRANK",
    "ZREVRANK",
    "ZSCORE",
];

/// The same, with the word that follows.
const PAIRS: &[(&str, &str)] = &[
    ("CLUSTER", "INFO"),
    ("LATENCY", "LATEST"),
    ("MEMORY", "USAGE"),
    ("OBJECT", "ENCODING"),
    ("OBJECT", "IDLETIME"),
    ("SLOWLOG", "LEN"),
    ("PUBSUB", "NUMSUB"),
    ("XINFO", "STREAM"),
];

/// Looks at a command's words.
///
/// # Errors
/// Why it is not asked, for people.
pub fn only_reads(words: &[String]) -> Result<(), String> {
    let upper = |at: usize| words.get(at).map(|word| word.to_ascii_uppercase());
    let Some(first) = upper(0) else {
        return Err("`command` has no word: write for example `[LLEN, jobs]`".into());
    };
    if READERS.contains(&first.as_str()) {
        return Ok(());
    }
    let seconds: Vec<&str> = PAIRS
        .iter()
        .filter(|(word, _)| *word == first)
        .map(|(_, second)| *second)
        .collect();
    match upper(1) {
        Some(second) if seconds.contains(&second.as_str()) => Ok(()),
        _ if !seconds.is_empty() => Err(format!("of {first}, only {} is asked", seconds.join(" and "))),
        _ => Err(format!(
            "`{first}` is not among the commands that only read: {}",
            READERS.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_write_or_weigh_much_are_refused() {
        let look = |text: &str| only_reads(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for fine in ["ping", "LLEN jobs", "memory usage key", "Info memory"] {
            assert_eq!(look(fine), Ok(()), "{fine}");
        }
        for bad in [
            "SET a 1",
            "DEL a",
            "FLUSHALL",
            "EVAL x 0",
            "KEYS *",
            "DEBUG SLEEP 1",
            "SHUTDOWN",
            "CONFIG GET requirepass",
            "CONFIG SET a b",
            "MEMORY PURGE",
            "SLOWLOG RESET",
            "GETDEL a",
            "BLPOP a 0",
            "MONITOR",
        ] {
            assert!(look(bad).is_err(), "{bad}");
        }
        assert!(only_reads(&[]).is_err());
    }
}
