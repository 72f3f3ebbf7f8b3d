//! The buyer's page: plain files, embedded.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::Path,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::{compose::App, problem::Problem};

#[derive(RustEmbed)]
#[folder = "web/"]
struct Web;

/// What a page may load: its own files, and nothing that anybody else could put in.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const INDEX: &str = "index.html";
/// The folder's name changes with its content, so that what is in it may be kept for good.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// The page at each of its addresses, and its files.
pub(super) fn routes(app: &App) -> Router<Arc<App>> {
    let files = Arc::new(files());
    let folder = format!("/assets/{}", fingerprint(&files));
    let index = String::from_utf8_lossy(&files[INDEX]);
    let index = index.replace("{{assets}}", &folder).replace("{{demo}}", &app.config.demo.enabled.to_string());
    let index = Bytes::from(index);
    let page = |status| {
        let index = index.clone();
        move || {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CACHE_CONTROL, "no-cache"),
                (header::CONTENT_SECURITY_POLICY, POLICY),
            ];
            let index = index.clone();
            async move { (status, headers, index) }
        }
    };
    let missing = page(StatusCode::NOT_FOUND);
    let file = get(move |Path(name): Path<String>| {
        let files = Arc::clone(&files);
        async move { file(&files, &name) }
    });
    ["/", "/events/{id}", "/bookings", "/bookings/{id}", "/login", "/register"]
        .into_iter()
        .fold(Router::new(), |router, path| router.route(path, get(page(StatusCode::OK))))
        .route(&format!("{folder}/{{name}}"), file)
        .fallback(move |headers: HeaderMap| async move {
            if wants_page(&headers) { missing().await.into_response() } else { Problem::not_found("path").into_response() }
        })
}

/// Whether somebody has typed an address, rather than a program asked for something.
fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

fn file(files: &BTreeMap<String, Bytes>, name: &str) -> Response {
    match files.get(name).filter(|_| name != INDEX) {
        Some(content) => {
            let headers: [(HeaderName, &str); 2] = [(header::CONTENT_TYPE, media_type(name)), (header::CACHE_CONTROL, FOREVER)];
            (headers, content.clone()).into_response()
        }
        None => Problem::not_found("file").into_response(),
    }
}

fn files() -> BTreeMap<String, Bytes> {
    let content = |name: &str| Web::get(name).map(|file| Bytes::from(file.data.into_owned()));
    Web::iter().filter_map(|name| Some((name.to_string(), content(&name)?))).collect()
}

fn fingerprint(files: &BTreeMap<String, Bytes>) -> String {
    let mut digest = Sha256::new();
    for (name, content) in files {
        digest.update((name.len() as u64).to_le_bytes());
        digest.update(name);
        digest.update((content.len() as u64).to_le_bytes());
        digest.update(content);
    }
    let digest = digest.finalize();
    let first = digest.first_chunk().expect("a digest has 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*first))
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use evently_core::domain::Currency;

    use super::*;

    /// The currencies in the table of `format.js`, with their digits.
    fn digits_of_the_page() -> HashMap<String, u16> {
        let script = String::from_utf8(files()["format.js"].to_vec()).unwrap();
        let (_, table) = script.split_once("const MINOR_DIGITS = {").expect("the page has a table of digits");
        let (table, _) = table.split_once("};").unwrap();
        table
            .lines()
            .filter_map(|line| line.split_once(':'))
            .flat_map(|(digits, codes)| {
                let digits = digits.trim().parse().unwrap();
                let codes = codes.trim().trim_matches([',', '\'']).split(' ');
                codes.map(move |code| (code.to_owned(), digits))
            })
            .collect()
    }

    #[test]
    fn the_folder_has_another_name_whenever_anything_in_it_changes() {
        let folder = |files: &[(&str, &'static str)]| {
            fingerprint(&files.iter().map(|(name, content)| ((*name).to_owned(), Bytes::from(*content))).collect())
        };
        let before = folder(&[("api.js", "ask"), ("main.js", "show")]);
        assert_eq!(before, folder(&[("main.js", "show"), ("api.js", "ask")]));
        for after in [
            &[("api.js", "ask"), ("main.js", "hide")][..],
            &[("api.js", "show"), ("main.js", "ask")],
            &[("api.js", "asks"), ("main.js", "how")],
            &[("api.js", "ask"), ("start.js", "show")],
            &[("api.js", "ask")],
        ] {
            assert_ne!(before, folder(after), "{after:?}");
        }
    }

    /// Browsers are told not to guess.
    #[test]
    fn every_file_says_what_it_is() {
        for name in files().into_keys().filter(|name| name != INDEX) {
            assert_ne!(media_type(&name), "application/octet-stream", "{name}");
        }
    }

    #[test]
    fn the_page_writes_each_currency_with_the_digits_that_mails_have() {
        let mut page = digits_of_the_page();
        let letters = || b'A'..=b'Z';
        let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
        let codes = codes.map(|code| String::from_utf8(code.to_vec()).unwrap());
        for currency in codes.filter_map(|code| code.parse::<Currency>().ok()) {
            assert_eq!(page.remove(currency.code()).unwrap_or(2), currency.exponent(), "{currency}");
        }
        assert!(page.is_empty(), "no currencies: {page:?}");
    }
}
