//! From a tone to the text of a review: clauses of topic, adverb and predicate, joined and ended in one register.

use super::{
    lexicon::{AGREEING, FILMS, OPENERS, OPPOSING, PRELUDES, TOPICS, Tone},
    random::SplitMix64,
};

/// How the writer ends sentences; one a review.
#[derive(Clone, Copy)]
struct Register {
    /// After a past stem.
    past: &'static [&'static str],
    /// After a noun ending in a consonant, and in a vowel.
    noun: &'static [(&'static str, &'static str)],
    /// After the sentence.
    marks: &'static [&'static str],
}

const REGISTERS: [Register; 5] = [
    Register { past: &["다"], noun: &[("이다", "다")], marks: &[".", ".", "", "!", ".."] },
    Register { past: &["음"], noun: &[("임", "임"), ("", "")], marks: &["", "", ".", "..."] },
    Register {
        past: &["어요", "네요", "어요", "거든요"],
        noun: &[("이에요", "예요"), ("이네요", "네요")],
        marks: &[".", "", "~", "!"],
    },
    Register { past: &["습니다"], noun: &[("입니다", "입니다")], marks: &[".", ".", "!", ""] },
    Register {
        past: &["어", "지", "네", "다"],
        noun: &[("이야", "야"), ("이네", "네"), ("", "")],
        marks: &["", "!", "~", ".."],
    },
];

/// A clause without its ending.
enum Stem {
    /// Ends in a past stem.
    Past(String),
    /// Ends in a noun, to be followed by the copula.
    Noun(String),
}

/// Writes a review in `tone`.
pub(super) fn compose(tone: Tone, random: &mut SplitMix64) -> String {
    let mut text = match random.weighted(&[7, 90, 3]) {
        0 => random.pick(tone.voice().cries).to_owned(),
        1 => {
            let clauses = 1 + random.weighted(&[46, 38, 16]);
            sentences(tone, clauses, random)
        }
        _ => {
            let clauses = 4 + random.below(5);
            sentences(tone, clauses, random)
        }
    };
    if random.percent(9) {
        text = add(text, &points(tone, random), random);
    }
    if random.percent(12) {
        text = add(text, random.pick(tone.voice().advice), random);
    }
    if random.percent(45) {
        let separator = if random.percent(50) { " " } else { "" };
        text = format!("{text}{separator}{}", emoticon(tone, random));
    }
    text
}

fn sentences(tone: Tone, clauses: usize, random: &mut SplitMix64) -> String {
    let register = REGISTERS[random.below(REGISTERS.len())];
    let mut tones: Vec<Tone> = (0..clauses).map(|index| clause_tone(tone, index, random)).collect();
    if random.percent(concession_percent(tone)) {
        // A strong feeling is clear wherever the concession stands; of two mild ones, the last word counts.
        let at = if tone.is_strong() && random.percent(40) { tones.len() } else { 0 };
        tones.insert(at, tone.concession());
    }
    // Walking the topics by a step prime to their number keeps a review from taking up one topic twice.
    let (first_topic, step) = (random.below(TOPICS.len()), [4, 8, 11, 13][random.below(4)]);
    let mut text = String::new();
    if random.percent(12) {
        text = format!("{} ", random.pick(OPENERS));
    }
    if random.percent(14) {
        text = format!("{text}{}는데 ", random.pick(PRELUDES));
    }
    for (index, &tone) in tones.iter().enumerate() {
        let topic = TOPICS[(first_topic + index * step) % TOPICS.len()];
        let stem = clause(tone, topic, &text, random);
        let Some(next) = tones.get(index + 1) else {
            return text + &ended(stem, register, random);
        };
        let opposed = tone.is_positive() != next.is_positive();
        if random.percent(if opposed { 70 } else { 45 }) {
            text = format!("{text}{} ", joined(stem, opposed, random));
        } else {
            let link = random.pick(if opposed { OPPOSING } else { AGREEING });
            let space = if link.is_empty() { "" } else { " " };
            let emoticon = if random.percent(8) { emoticon(tone, random) } else { String::new() };
            text = format!("{text}{}{emoticon} {link}{space}", ended(stem, register, random));
        }
    }
    text
}

/// The tone of one clause: the first says it outright, the later ones may be milder.
fn clause_tone(tone: Tone, index: usize, random: &mut SplitMix64) -> Tone {
    if tone.is_strong() && index > 0 && random.percent(30) { tone.other_strength() } else { tone }
}

/// How often a review first grants the other side something.
fn concession_percent(tone: Tone) -> usize {
    match tone {
        Tone::StrongNegative => 12,
        Tone::WeakNegative => 35,
        Tone::WeakPositive => 22,
        Tone::StrongPositive => 8,
    }
}

/// One clause in `tone`, on `topic` unless it is a remark or a verdict; `said` is the text before it.
fn clause(tone: Tone, topic: &str, said: &str, random: &mut SplitMix64) -> Stem {
    let voice = tone.voice();
    let remark = random.pick(voice.remarks);
    match random.weighted(&[30, 20, 12, 38]) {
        0 => {
            // These predicates get their strength from the adverb, so there always is one.
            let adverb = adverb(tone, random);
            Stem::Past(format!("{}{adverb}{}", subject(topic, random), random.pick(tone.open_predicates())))
        }
        1 if !said.contains(remark) => Stem::Past(remark.to_owned()),
        2 => {
            let film = random.pick(FILMS);
            let verdict = random.pick(voice.verdicts);
            let adverb = if random.percent(25) { "진짜 " } else { "" };
            Stem::Noun(format!("{film}{} {adverb}{verdict}", particle(film, "은", "는")))
        }
        _ => {
            let adverb = if random.percent(40) { adverb(tone, random) } else { String::new() };
            Stem::Past(format!("{}{adverb}{}", subject(topic, random), random.pick(voice.predicates)))
        }
    }
}

/// An adverb of the tone and a space; `개` alone is written together with what follows.
fn adverb(tone: Tone, random: &mut SplitMix64) -> String {
    let adverb = random.pick(tone.voice().adverbs);
    if adverb == "개" { adverb.to_owned() } else { format!("{adverb} ") }
}

/// The topic with its particle and a space; people often leave the particle out.
fn subject(topic: &str, random: &mut SplitMix64) -> String {
    let particle = match random.weighted(&[45, 38, 9, 8]) {
        0 => particle(topic, "이", "가"),
        1 => particle(topic, "은", "는"),
        2 => "도",
        _ => "",
    };
    format!("{topic}{particle} ")
}

fn ended(stem: Stem, register: Register, random: &mut SplitMix64) -> String {
    let sentence = match stem {
        Stem::Past(text) => format!("{text}{}", random.pick(register.past)),
        Stem::Noun(text) => {
            let (after_consonant, after_vowel) = register.noun[random.below(register.noun.len())];
            format!("{text}{}", particle(&text, after_consonant, after_vowel))
        }
    };
    format!("{sentence}{}", random.pick(register.marks))
}

fn joined(stem: Stem, opposed: bool, random: &mut SplitMix64) -> String {
    match stem {
        Stem::Past(text) => {
            let endings: &[&str] =
                if opposed { &["지만", "는데", "으나", "어도"] } else { &["고", "고", "는데"] };
            format!("{text}{}", random.pick(endings))
        }
        Stem::Noun(text) => {
            let (after_consonant, after_vowel) = if opposed { ("이지만", "지만") } else { ("이고", "고") };
            format!("{text}{}", particle(&text, after_consonant, after_vowel))
        }
    }
}

/// The form of a particle that follows `word`. Latin abbreviations are read letter by letter and end in a vowel.
fn particle<'a>(word: &str, after_consonant: &'a str, after_vowel: &'a str) -> &'a str {
    let final_consonant = |c: char| ('가'..='힣').contains(&c) && !(c as u32 - '가' as u32).is_multiple_of(28);
    if word.chars().last().is_some_and(final_consonant) { after_consonant } else { after_vowel }
}

fn points(tone: Tone, random: &mut SplitMix64) -> String {
    let (low, high) = tone.voice().points;
    let points = low + random.below(high - low + 1);
    match random.below(4) {
        0 => format!("10점 만점에 {points}점"),
        1 => format!("{points}점"),
        2 => format!("별점 {}개", points.div_ceil(2)),
        _ => {
            let stars = points.div_ceil(2);
            format!("{}{}", "★".repeat(stars), "☆".repeat(5 - stars))
        }
    }
}

/// An emoticon of the tone, letters repeated at will.
fn emoticon(tone: Tone, random: &mut SplitMix64) -> String {
    let emoticon = random.pick(tone.voice().emoticons);
    match emoticon {
        "ㅋ" | "ㅎ" | "ㅠ" => emoticon.repeat(2 + random.weighted(&[50, 25, 15, 6, 4])),
        "♥" | "★" | "~" | "👍" => emoticon.repeat(1 + random.weighted(&[60, 20, 20])),
        _ => emoticon.to_owned(),
    }
}

/// Sets `more` before or after the text.
fn add(text: String, more: &str, random: &mut SplitMix64) -> String {
    if random.percent(20) { format!("{more} {text}") } else { format!("{text} {more}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn particles_follow_the_final_consonant() {
        assert_eq!(particle("연출", "이", "가"), "이");
        assert_eq!(particle("배우", "이", "가"), "가");
        assert_eq!(particle("OST", "은", "는"), "는");
    }

    #[test]
    fn nouns_take_the_copula_that_fits() {
        let random = &mut SplitMix64::new(0);
        let plain = Register { marks: &[""], ..REGISTERS[0] };
        assert_eq!(ended(Stem::Noun("망작".to_owned()), plain, random), "망작이다");
        assert_eq!(ended(Stem::Noun("쓰레기".to_owned()), plain, random), "쓰레기다");
    }

    #[test]
    fn every_tone_writes_something_every_time() {
        for tone in Tone::ALL {
            for item in 0..500 {
                let text = compose(tone, &mut SplitMix64::for_item(7, item));
                assert!(!text.trim().is_empty() && !text.contains("  "), "{text:?}");
            }
        }
    }
}
