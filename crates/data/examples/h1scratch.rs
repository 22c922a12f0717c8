#![allow(clippy::print_stdout, missing_docs)]
use gyeol_data::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let t0 = std::time::Instant::now();
    let table = Table::read(a[2].as_ref()).unwrap();
    let e = Examples::from_table(&table, &Columns { text: a[4].clone(), text_pair: a.get(5).cloned(), ..Default::default() }).unwrap();
    eprintln!("read {} rows {:?}", e.len(), t0.elapsed());
    let tok = Tokeniser::open(a[1].as_ref()).unwrap();
    eprintln!("open {:?}", t0.elapsed());
    let r = tok.encode_rows(&e.texts, e.pairs.as_deref(), a[3].parse().unwrap()).unwrap();
    eprintln!("encoded {} tokens {:?}", r.tokens(), t0.elapsed());
    let mut out = String::new();
    for i in 0..r.len() { let (x, s) = r.row(i); out += &format!("{:?}\t{:?}\n", x, s); }
    print!("{out}");
}
