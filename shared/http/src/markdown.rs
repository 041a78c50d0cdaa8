//! What people write, as HTML that is safe to show.
//!
//! A subset of Markdown: paragraphs, emphasis, code, quotes, lists and links. No images, which would tell their
//! host who reads what, and no HTML of the author's own. Rendered by one library and sanitised by another, so
//! that neither has to be right alone.

use std::collections::{HashMap, HashSet};

use ammonia::Builder;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// The tags that come out.
const TAGS: [&str; 13] =
    ["a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "strong", "ul"];
/// Where links may lead.
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];

/// Markdown as safe HTML.
pub fn to_html(text: &str) -> String {
    let parser = Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH).filter_map(shown);
    let mut rendered = String::new();
    html::push_html(&mut rendered, parser);
    sanitise(&rendered)
}

/// Plain text as safe HTML: paragraphs and line breaks, everything else as it was typed.
pub fn plain_to_html(text: &str) -> String {
    let paragraph = |block: &str| {
        let lines: Vec<String> = block.lines().map(ammonia::clean_text).collect();
        format!("<p>{}</p>\n", lines.join("<br>"))
    };
    let text = text.replace("\r\n", "\n");
    sanitise(&text.split("\n\n").filter(|block| !block.trim().is_empty()).map(paragraph).collect::<String>())
}

/// HTML of the author's own is shown as the text that it is; headings become paragraphs; of images only the
/// description stays.
fn shown(event: Event<'_>) -> Option<Event<'_>> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Heading { .. }) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::Heading(_)) => Some(Event::End(TagEnd::Paragraph)),
        // Somebody who presses Enter means a new line.
        Event::SoftBreak => Some(Event::HardBreak),
        other => Some(other),
    }
}

fn sanitise(html: &str) -> String {
    Builder::default()
        .tags(HashSet::from(TAGS))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"]))]))
        .generic_attributes(HashSet::new())
        .url_schemes(HashSet::from(SCHEMES))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .clean(html)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_use_is_rendered() {
        for (text, expected) in [
            (
                "It is **back** since `10:00`.",
                "<p>It is <strong>back</strong> since <code>10:00</code>.</p>\n",
            ),
            ("one\ntwo\n\nthree", "<p>one<br>\ntwo</p>\n<p>three</p>\n"),
            ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
            ("# Not so loud", "<p>Not so loud</p>\n"),
            (
                "[log](https://example.com/a?b=1&c=2)",
                "<p><a href=\"https://example.com/a?b=1&amp;c=2\" rel=\"noopener noreferrer nofollow\">log</a></p>\n",
            ),
        ] {
            assert_eq!(to_html(text), expected, "{text}");
        }
    }

    #[test]
    fn case_f07_what_would_run_or_call_home_is_only_text() {
        for text in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "![x](https://evil.example/pixel.png)",
            "[x](javascript:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "[x](//evil.example)",
            "<a href=\"https://x\" onclick=\"alert(1)\">x</a>",
            "<svg/onload=alert(1)>",
            "```\n</code></pre><script>alert(1)</script>\n```",
            "<iframe srcdoc='<script>alert(1)</script>'>",
            "<style>*{display:none}</style>",
        ] {
            for html in [to_html(text), plain_to_html(text)] {
                for tag in html.split('<').skip(1) {
                    let tag = tag.split('>').next().unwrap().trim_start_matches('/');
                    let name = tag.split([' ', '/']).next().unwrap();
                    assert!(TAGS.contains(&name), "{text} became {html}");
                    let attributes = tag.strip_prefix(name).unwrap().trim_end_matches('/').trim();
                    let link = attributes.starts_with("href=\"http") || attributes.starts_with("rel=");
                    assert!(attributes.is_empty() || link, "{text} became {html}");
                }
            }
        }
    }

    #[test]
    fn plain_text_stays_as_it_was_typed() {
        assert_eq!(
            plain_to_html("a *b* <c>\r\nd\n\n\n\ne & f"),
            "<p>a *b* &lt;c&gt;<br>d</p>\n<p>e &amp; f</p>\n"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_tag_that_is_not_on_the_list(text in "[ -~\n]{0,200}") {
            for html in [to_html(&text), plain_to_html(&text)] {
                for tag in html.split('<').skip(1) {
                    let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next();
                    proptest::prop_assert!(TAGS.contains(&name.unwrap_or_default()), "{} became {}", text, html);
                }
            }
        }
    }
}
