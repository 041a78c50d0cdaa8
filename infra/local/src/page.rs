//! The start page: where everything is, and who may sign in.

use std::fmt::Write as _;

use crate::host::{Addresses, SignIn};

/// The whole page; everything that comes from elsewhere is escaped.
pub(crate) fn render(addresses: &Addresses, sign_ins: &[SignIn]) -> String {
    let mut rows = String::new();
    for (what, address) in addresses.rows() {
        let shown = escape(&address);
        let cell = if address.starts_with("http") {
            format!("<a href=\"{shown}\">{shown}</a>")
        } else {
            format!("<code>{shown}</code>")
        };
        // Writing to a string cannot fail.
        let _ = write!(rows, "<tr><th scope=\"row\">{}</th><td>{cell}</td></tr>", escape(what));
    }
    let mut people = String::new();
    for sign_in in sign_ins {
        let _ = write!(
            people,
            "<tr><td>{}</td><td>{}</td><td><code>{}</code></td><td><code>{}</code></td></tr>",
            escape(&sign_in.name),
            escape(&sign_in.role),
            escape(&sign_in.email),
            escape(&sign_in.password),
        );
    }
    let people = if people.is_empty() {
        "<p>There is no demo data.</p>".to_owned()
    } else {
        format!(
            "<table><thead><tr><th>Name</th><th>Role</th><th>E-mail</th><th>Password</th></tr></thead>\
             <tbody>{people}</tbody></table>"
        )
    };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Portico, local</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head>\
         <body><main><h1>Portico</h1><p>The cloud on this machine is running.</p>\
         <h2>Addresses</h2><table><tbody>{rows}</tbody></table>\
         <h2>Demo sign-ins</h2>{people}</main></body></html>"
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2430;--paper:#fbfaf7;--line:#dcd8ce;--accent:#1f5f8b}\
@media(prefers-color-scheme:dark){:root{--ink:#e8e6e1;--paper:#171a1f;--line:#343a44;--accent:#8cc4ee}}\
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\
main{max-width:52rem;margin:3rem auto;padding:0 1.25rem}\
h1{font-size:2rem;margin:0}h2{font-size:1.1rem;margin:2.5rem 0 .5rem}\
table{width:100%;border-collapse:collapse}th,td{text-align:left;padding:.5rem .75rem .5rem 0;border-bottom:1px solid var(--line);vertical-align:top}\
th{font-weight:600}a{color:var(--accent)}code{font:0.95em ui-monospace,monospace;overflow-wrap:anywhere}";

/// Text for HTML, inside elements and attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_is_shown_not_run() {
        assert_eq!(escape("<b a=\"1\">'&'"), "&lt;b a=&quot;1&quot;&gt;&#39;&amp;&#39;");
    }
}
