//! Slips of hasty typing: neighbouring vowels, lost final consonants, drawn-out syllables, dropped spaces.

use super::random::SplitMix64;

const FIRST: u32 = '가' as u32;
const VOWELS: u32 = 21;
/// Final consonants, "none" among them.
const FINALS: u32 = 28;

/// Vowels that sound alike or sit side by side, as indices of Unicode's vowel order: ㅐ/ㅔ, ㅒ/ㅖ, ㅙ/ㅞ/ㅚ, ㅓ/ㅏ, ㅗ/ㅜ.
const CONFUSED_VOWELS: [(u32, u32); 7] = [(1, 5), (5, 1), (10, 11), (11, 10), (15, 11), (4, 0), (8, 13)];
/// Finals reduced to another: ㅆ→ㅅ, ㅎ→none, ㄴㅎ→ㄴ, ㅂㅅ→ㅂ, ㅅ→ㅆ.
const CONFUSED_FINALS: [(u32, u32); 5] = [(20, 19), (27, 0), (6, 4), (18, 17), (19, 20)];

/// Makes one or two slips.
pub(super) fn mistype(text: &str, random: &mut SplitMix64) -> String {
    match random.weighted(&[45, 20, 20, 15]) {
        0 => slip(text, random),
        1 => stretch(text, random),
        2 => drop_spaces(text, 50, random),
        _ => drop_spaces(&slip(text, random), 100, random),
    }
}

/// One syllable with a confused vowel or final consonant; the text as it is when no syllable invites confusion.
fn slip(text: &str, random: &mut SplitMix64) -> String {
    let slips: Vec<(usize, char)> =
        text.char_indices().filter_map(|(at, syllable)| confuse(syllable).map(|slip| (at, slip))).collect();
    if slips.is_empty() {
        return text.to_owned();
    }
    let (at, slip) = slips[random.below(slips.len())];
    let after = text[at..].chars().next().map_or(at, |syllable| at + syllable.len_utf8());
    format!("{}{slip}{}", &text[..at], &text[after..])
}

/// The syllable one gets by mistake for `syllable`, if there is a usual one.
fn confuse(syllable: char) -> Option<char> {
    let (lead, vowel, last) = decompose(syllable)?;
    let other = |pairs: &[(u32, u32)], part: u32| pairs.iter().find(|(from, _)| *from == part).map(|(_, to)| *to);
    if let Some(last) = other(&CONFUSED_FINALS, last) {
        return compose(lead, vowel, last);
    }
    compose(lead, other(&CONFUSED_VOWELS, vowel)?, last)
}

/// Draws one open syllable out: `진짜` becomes `진짜아아`.
fn stretch(text: &str, random: &mut SplitMix64) -> String {
    let open: Vec<(usize, char)> = text
        .char_indices()
        .filter_map(|(at, syllable)| {
            let (_, vowel, last) = decompose(syllable)?;
            // 11 is the silent ㅇ.
            let echo = if last == 0 { compose(11, vowel, 0)? } else { return None };
            Some((at + syllable.len_utf8(), echo))
        })
        .collect();
    if open.is_empty() {
        return text.to_owned();
    }
    let (at, echo) = open[random.below(open.len())];
    let echoes = echo.to_string().repeat(1 + random.below(3));
    format!("{}{echoes}{}", &text[..at], &text[at..])
}

/// Drops each space with this probability.
fn drop_spaces(text: &str, percent: usize, random: &mut SplitMix64) -> String {
    text.chars().filter(|&c| c != ' ' || !random.percent(percent)).collect()
}

/// Lead, vowel and final of a syllable block (Unicode 3.12, conjoining jamo behaviour).
fn decompose(syllable: char) -> Option<(u32, u32, u32)> {
    let index = ('가'..='힣').contains(&syllable).then(|| syllable as u32 - FIRST)?;
    Some((index / FINALS / VOWELS, index / FINALS % VOWELS, index % FINALS))
}

fn compose(lead: u32, vowel: u32, last: u32) -> Option<char> {
    char::from_u32(FIRST + (lead * VOWELS + vowel) * FINALS + last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syllables_come_apart_and_together_again() {
        for syllable in '가'..='힣' {
            let (lead, vowel, last) = decompose(syllable).unwrap();
            assert_eq!(compose(lead, vowel, last), Some(syllable));
        }
        assert_eq!(decompose('ㅋ'), None);
    }

    #[test]
    fn usual_mistakes_are_made() {
        assert_eq!(confuse('재'), Some('제'));
        assert_eq!(confuse('했'), Some('햇'));
        assert_eq!(confuse('않'), Some('안'));
        assert_eq!(confuse('이'), None);
        assert_eq!(stretch("짜", &mut SplitMix64::new(3)).chars().nth(1), Some('아'));
    }

    #[test]
    fn text_without_hangul_is_left_alone() {
        let random = &mut SplitMix64::new(5);
        assert_eq!(slip("ㅋㅋ 10", random), "ㅋㅋ 10");
        assert_eq!(stretch("ㅋㅋ 10", random), "ㅋㅋ 10");
    }
}
