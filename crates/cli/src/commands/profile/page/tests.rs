//! The page of tables that mean well, and of one that does not.

use gyeol_data::{
    Columns, Table, TextFormat,
    profile::{Profile, ProfileOptions},
};

use super::*;

fn profile(csv: &str, text: &str) -> Profile {
    let table = Table::from_reader(csv.as_bytes(), TextFormat::Csv, "표.csv").unwrap();
    let columns = Columns { text: text.to_owned(), label: Some("label".to_owned()), ..Columns::default() };
    Profile::new(&table, &columns, &ProfileOptions::default()).unwrap()
}

/// Every `<name` of the page that opens an element.
fn elements(page: &str, name: &str) -> usize {
    page.matches(&format!("<{name}")).count()
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = page(&profile("text,label\n재밌다 ㅋㅋ,1\n별로 ㅠㅠ,0\n재밌다 ㅋㅋ,0\n", "text")).into_string();
    for outside in ["http:", "https:", "src=", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"));
    assert!(
        page.contains("재밌다 ㅋㅋ") && page.contains("prefers-color-scheme: dark") && page.contains("@media print")
    );
}

#[test]
fn cells_and_names_cannot_break_the_page() {
    let hostile = "</script><script>alert(1)</script><img src=x onerror='a'>&amp; \"\" \u{202e}gnp\u{7}\u{1b}[0m";
    let name = "</title><style>*{display:none}</style>\u{202e}";
    let huge = "ㅋ".repeat(2_000_000);
    let csv = format!(
        "\"{name}\",label,\"</td>\"\n\"{hostile}\",\"{hostile}\",1\n\"{hostile}\",\"'><b>\",2\n{huge},\"'><b>\",3\n{huge}!,0,4\n"
    );
    let calm = page(&profile("text,label,other\n재밌다,1,1\n재밌다,2,2\n재밌다 ㅋㅋ,2,3\n재밌다 ㅋㅋ!,0,4\n", "text"))
        .into_string();
    let page = page(&profile(&csv, name)).into_string();
    for element in ["script", "style", "title", "img", "b>"] {
        assert_eq!(elements(&page, element), elements(&calm, element), "{element}");
    }
    let steering = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert_eq!(page.chars().find(|&c| steering(c)), None);
    assert!(page.contains("&lt;/script&gt;"));
    assert!(page.len() < 100_000, "{}", page.len());
}

#[test]
fn a_table_without_labels_has_a_page_too() {
    let table = Table::from_reader("text\n하나\n둘\n".as_bytes(), TextFormat::Csv, "a.csv").unwrap();
    let columns = Columns { text: "text".to_owned(), ..Columns::default() };
    let page = page(&Profile::new(&table, &columns, &ProfileOptions::default()).unwrap()).into_string();
    assert!(page.contains("Nothing to mend") && !page.contains("Telling words"));
}

#[test]
fn large_numbers_are_grouped() {
    assert_eq!([0, 999, 1000, 25_000, 1_234_567].map(count), ["0", "999", "1,000", "25,000", "1,234,567"]);
}
