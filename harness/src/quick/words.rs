//! A shell's command line as words. What only a running shell could say (`$variables`, `$(..)`)
//! stays as it is written.

use std::iter::Peekable;
use std::str::Chars;

/// The words of `line`; `None` when a quote is never closed.
///
/// Besides what POSIX shells quote this knows `$'..'`, in which browsers copy bodies.
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    shlex::split(&posix(line)?)
}

/// `word` as it must be typed to be one word.
pub(super) fn quoted(word: &str) -> String {
    // A NUL cannot be typed at all, nor be in a command line.
    let word = word.replace('\0', "");
    shlex::try_quote(&word).map_or_else(|_| word.clone(), std::borrow::Cow::into_owned)
}

/// `line` with each `$'..'` as an ordinary quotation, and without line continuations.
fn posix(line: &str) -> Option<String> {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => quotation(&mut chars, &mut out, '\'')?,
            '"' => quotation(&mut chars, &mut out, '"')?,
            '\\' => match escaped(&mut chars)? {
                '\n' if out.is_empty() || out.ends_with(char::is_whitespace) => out.push(' '),
                '\n' => {}
                c => out.extend(['\\', c]),
            },
            '$' if chars.next_if_eq(&'\'').is_some() => {
                out.push_str(&quoted(&ansi(&mut chars)?));
            }
            c => out.push(c),
        }
    }
    Some(out)
}

/// What follows a backslash; a line's end may be of two characters.
fn escaped(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    let c = chars.next()?;
    if c == '\r' && chars.next_if_eq(&'\n').is_some() { Some('\n') } else { Some(c) }
}

/// Takes a quotation as it stands.
fn quotation(chars: &mut Peekable<Chars<'_>>, out: &mut String, quote: char) -> Option<()> {
    out.push(quote);
    loop {
        let c = chars.next()?;
        out.push(c);
        if c == quote {
            return Some(());
        }
        if c == '\\' && quote == '"' {
            out.push(chars.next()?);
        }
    }
}

/// The text of a `$'..'` whose begin is read.
fn ansi(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\'' => return Some(text),
            '\\' => {
                let c = chars.next()?;
                match c {
                    'a' => text.push('\u{7}'),
                    'b' => text.push('\u{8}'),
                    'e' | 'E' => text.push('\u{1b}'),
                    'f' => text.push('\u{c}'),
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    'v' => text.push('\u{b}'),
                    'x' => text.push(number(chars, 0, 16, 2)?),
                    'u' => text.push(number(chars, 0, 16, 4)?),
                    'U' => text.push(number(chars, 0, 16, 8)?),
                    '0'..='7' => text.push(number(chars, c.to_digit(8)?, 8, 2)?),
                    '\\' | '\'' | '"' | '?' => text.push(c),
                    c => text.extend(['\\', c]),
                }
            }
            c => text.push(c),
        }
    }
}

/// The character whose number is `begin` and up to `most` more digits.
fn number(chars: &mut Peekable<Chars<'_>>, begin: u32, radix: u32, most: usize) -> Option<char> {
    let mut value = begin;
    for _ in 0..most {
        let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)) else { break };
        chars.next();
        value = value.checked_mul(radix)?.checked_add(digit)?;
    }
    char::from_u32(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let cases: [(&str, &[&str]); 11] = [
            ("curl http://h/", &["curl", "http://h/"]),
            ("curl -H 'a: b'", &["curl", "-H", "a: b"]),
            (r#"-d "a \"b\" $c""#, &["-d", r#"a "b" $c"#]),
            (r"-d 'it'\''s'", &["-d", "it's"]),
            ("curl \\\n  -X PUT", &["curl", "-X", "PUT"]),
            ("curl \\\r\n  -X PUT", &["curl", "-X", "PUT"]),
            ("http://h/a\\\nb", &["http://h/ab"]),
            (r"$'a\n\'b\' \u0041\x42\103'", &["a\n'b' ABC"]),
            (r"x$'\t'y ''", &["x\ty", ""]),
            (r"a\ b", &["a b"]),
            (r#"'$'"'"'not ansi'"#, &["$'not ansi"]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line).expect(line), words, "{line}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_found() {
        for line in ["curl 'a", "curl \"a", "curl $'a", "curl \\"] {
            assert_eq!(split(line), None, "{line}");
        }
    }

    #[test]
    fn a_quoted_word_is_one_word_again() {
        for word in ["", "a b", "it's", "{\"a\": 1}", "$x `y` \\ !", "two\nlines", "한글"] {
            assert_eq!(split(&quoted(word)).expect(word), [word]);
        }
    }
}
