//! Elements of an HTML body by CSS selector.
//!
//! The body is parsed each time, which costs more than a request: a pattern (`regex`) is the
//! cheaper way where one is enough.

use tl::{NodeHandle, ParserOptions, VDom};

/// The deepest that elements may lie in each other, unclosed ones such as `<br>` counted too: the
/// parser calls itself for each, and a hostile page must not end the run.
const DEEPEST: usize = 2000;

/// A selector, and what is taken of the elements that it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Css {
    selector: String,
    attribute: Option<String>,
}

impl Css {
    /// A selector; `None` when it is none, or of a kind that is not read here: a list of selectors
    /// of tag, id, class and attributes, each of them with others around it.
    #[must_use]
    pub fn new(selector: &str, attribute: Option<&str>) -> Option<Self> {
        let mut groups = selector.split(',');
        // The parser takes what it does not know for a part of a name.
        let known = |part: &str| {
            !part.split('[').next().is_some_and(|it| it.contains([':', '>', '+', '~']))
        };
        let read = |part: &str| known(part) && tl::parse_query_selector(part).is_some();
        let whole = groups.all(|group| {
            let mut parts = group.split_whitespace().peekable();
            parts.peek().is_some() && parts.all(read)
        });
        let attribute = attribute.map(str::to_owned);
        whole.then(|| Self { selector: selector.to_owned(), attribute })
    }

    /// The selector.
    #[must_use]
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// Shows the text, or the attribute, of each element in `html` to `see`, in their order, until
    /// that returns true.
    pub fn each(&self, html: &str, see: &mut dyn FnMut(String) -> bool) {
        if depth(html) > DEEPEST {
            return;
        }
        let Ok(dom) = tl::parse(html, ParserOptions::default()) else { return };
        let parser = dom.parser();
        let mut found: Vec<NodeHandle> =
            self.selector.split(',').flat_map(|group| within(&dom, group)).collect();
        found.sort_unstable();
        found.dedup();
        for node in found.into_iter().filter_map(|handle| handle.get(parser)) {
            let text = match &self.attribute {
                None => Some(node.inner_text(parser).into_owned()),
                Some(name) => node.as_tag().and_then(|tag| attribute(tag, name)),
            };
            if text.is_some_and(|text| see(plain(text.trim()))) {
                return;
            }
        }
    }
}

/// How deep elements lie in each other at most, as far as can be told without a parser.
fn depth(html: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    for pair in html.as_bytes().windows(2) {
        match pair {
            [b'<', b'/'] => now = now.saturating_sub(1),
            [b'<', letter] if letter.is_ascii_alphabetic() => now += 1,
            _ => {}
        }
        deepest = deepest.max(now);
    }
    deepest
}

/// The elements of the last part of `group` that lie in one of the part before, and so on.
fn within(dom: &VDom<'_>, group: &str) -> Vec<NodeHandle> {
    let parser = dom.parser();
    let mut parts = group.split_whitespace();
    let first = parts.next().and_then(|part| dom.query_selector(part));
    let outermost: Vec<NodeHandle> = first.into_iter().flatten().collect();
    parts.fold(outermost, |around, part| {
        let tags = around.iter().filter_map(|handle| handle.get(parser)?.as_tag());
        tags.filter_map(|tag| tag.query_selector(parser, part)).flatten().collect()
    })
}

fn attribute(tag: &tl::HTMLTag<'_>, name: &str) -> Option<String> {
    let value = tag.attributes().get(name)?;
    Some(value.map_or_else(String::new, |value| value.as_utf8_str().into_owned()))
}

/// The text with the character references resolved that HTML texts commonly have.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').filter(|end| *end <= 10);
        if let Some((c, end)) = end.and_then(|end| Some((reference(&rest[1..end])?, end))) {
            plain.push(c);
            rest = &rest[end + 1..];
        } else {
            plain.push('&');
            rest = &rest[1..];
        }
    }
    plain.push_str(rest);
    plain
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<html><body><form id="buy" action="/buy?a=1&amp;b=2">
        <input type="hidden" name="token" value="t&#45;1"><ul class="list"><li>One &lt;1&gt;</li>
        <li class="last"><a href="/two">Two</a></li></ul></form></body></html>"#;

    fn all(selector: &str, attribute: Option<&str>) -> Vec<String> {
        let mut all = Vec::new();
        Css::new(selector, attribute).expect("a selector").each(PAGE, &mut |text| {
            all.push(text);
            false
        });
        all
    }

    #[test]
    fn elements_are_found_by_selector() {
        assert_eq!(all("#buy", Some("action")), ["/buy?a=1&b=2"]);
        assert_eq!(all("input[name=token]", Some("value")), ["t-1"]);
        assert_eq!(all("li", None), ["One <1>", "Two"]);
        assert_eq!(all(".last", None), ["Two"]);
        assert_eq!(all("ul a", Some("href")), ["/two"]);
        assert_eq!(all("form li a, #buy", None).len(), 2);
        assert_eq!(all("html ul li.last", None), ["Two"]);
        assert_eq!(all("table", None), [""; 0]);
    }

    #[test]
    fn what_is_no_selector_is_told() {
        for wrong in ["", "a,", "ul > li", "li:first-child", "[x"] {
            assert_eq!(Css::new(wrong, None), None, "{wrong}");
        }
    }

    #[test]
    fn a_page_of_a_hundred_thousand_levels_holds_nothing_and_ends_nothing() {
        let html = "<a>".repeat(100_000);
        Css::new("a", None).expect("a selector").each(&html, &mut |_| panic!("it was looked at"));
        assert_eq!(depth("<a><b></b><c>x</c></a><br>"), 2);
    }
}
