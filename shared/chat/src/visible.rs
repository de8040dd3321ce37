//! What people see of a text.

use std::ops::RangeInclusive;
use unicode_properties::{GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory};

/// Whether nobody can see anything of it: blanks, controls, and what is drawn as nothing. What Unicode has not named
/// yet may be next year's emoji, and can be seen.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| is_gap(c) || c.is_control() || is_within(c, UNSEEN) || is_noncharacter(c))
}

/// A name as others are shown it, unless nothing is left of it. Names stand in other people's lines, so they have
/// nothing in them that changes a line or that cannot be seen, by Unicode's general categories and as nicknames are
/// prepared elsewhere (RFC 8266, section 2.1): no controls, no directions, nothing private or unassigned, and single
/// spaces.
///
/// Joiners, variation selectors and tags stay where a script or an emoji is written with them.
pub(crate) fn name(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let before = name.chars().next_back();
        let after = rest.as_str().chars().next();
        let stays = match c {
            c if is_gap(c) => {
                if before.is_some_and(|before| before != ' ') {
                    name.push(' ');
                }
                continue;
            }
            ZERO_WIDTH_NON_JOINER => before.is_some_and(joins),
            ZERO_WIDTH_JOINER => {
                let of_emoji = before.is_some_and(|c| is_emoji(c) || c == EMOJI_STYLE) && after.is_some_and(is_emoji);
                of_emoji || before.is_some_and(joins)
            }
            EMOJI_STYLE if after == Some(KEYCAP) => true,
            c if is_within(c, VARIATIONS) => before.is_some_and(|c| is_emoji(c) || is_within(c, VARIED)),
            c if is_within(c, TAGS) => {
                let tagged = &text[text.len() - rest.as_str().len() - c.len_utf8()..];
                let flag = FLAGS.iter().find(|flag| before == Some(BLACK_FLAG) && tagged.starts_with(**flag));
                if let Some(flag) = flag {
                    name.push_str(flag);
                    rest = tagged[flag.len()..].chars();
                }
                continue;
            }
            c if is_within(c, UNSEEN) => false,
            c => match c.general_category_group() {
                GeneralCategoryGroup::Other | GeneralCategoryGroup::Separator => false,
                // It would stand on whatever is shown before the name.
                GeneralCategoryGroup::Mark => before.is_some(),
                _ => true,
            },
        };
        if stays {
            name.push(c);
        }
    }
    name.truncate(name.trim_end().len());
    (!name.is_empty()).then_some(name)
}

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const EMOJI_STYLE: char = '\u{fe0f}';
const KEYCAP: char = '\u{20e3}';
const BLACK_FLAG: char = '\u{1f3f4}';

type Ranges = &'static [RangeInclusive<char>];

/// What is drawn as nothing: Unicode's `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt), the marks of
/// interlinear notes, and a note without a head. Hangul's fillers are letters, and the best known empty names.
const UNSEEN: Ranges = &[
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d159}'..='\u{1d159}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];

/// Variation selectors, Mongolian's own included.
const VARIATIONS: Ranges =
    &['\u{180b}'..='\u{180d}', '\u{180f}'..='\u{180f}', '\u{fe00}'..='\u{fe0f}', '\u{e0100}'..='\u{e01ef}'];

/// Whose letters have variants (StandardizedVariants.txt, IVD_Sequences.txt): Myanmar, Mongolian, Phags-pa, ideographs.
const VARIED: Ranges = &[
    '\u{1000}'..='\u{109f}',
    '\u{1820}'..='\u{18aa}',
    '\u{a840}'..='\u{a877}',
    '\u{3400}'..='\u{9fff}',
    '\u{f900}'..='\u{faff}',
    '\u{20000}'..='\u{3ffff}',
];

/// Scripts that are written with joiners: Arabic and its neighbours, those of India and South-East Asia, Mongolian,
/// Adlam.
const JOINED: Ranges = &[
    '\u{600}'..='\u{dff}',
    '\u{1000}'..='\u{109f}',
    '\u{1780}'..='\u{18af}',
    '\u{1a20}'..='\u{1c4f}',
    '\u{a800}'..='\u{a95f}',
    '\u{a980}'..='\u{abff}',
    '\u{10a00}'..='\u{11fff}',
    '\u{1e900}'..='\u{1e95f}',
];

const TAGS: Ranges = &['\u{e0020}'..='\u{e007f}'];

/// The tags that make a black flag that of England, Scotland or Wales: all there are (UTS 51, emoji-sequences.txt).
/// Others would be hidden text.
const FLAGS: [&str; 3] = [
    "\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

fn is_within(c: char, ranges: Ranges) -> bool {
    ranges.iter().any(|range| range.contains(&c))
}

/// White space, and Braille's pattern without a dot.
fn is_gap(c: char) -> bool {
    c.is_whitespace() || c == '\u{2800}'
}

/// Digits are emoji by Unicode, and need a [`KEYCAP`] to look like one.
fn is_emoji(c: char) -> bool {
    !c.is_ascii() && c.is_emoji_char()
}

fn joins(c: char) -> bool {
    let group = c.general_category_group();
    is_within(c, JOINED) && matches!(group, GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark)
}

fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_nobody_can_see_is_blank() {
        for blank in [
            "",
            " \t\r\n\u{a0}\u{3000}\u{2028}",
            "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}",
            "\u{3164}",
            "\u{115f}\u{1160}\u{ffa0}",
            "\u{2800}",
            "\u{ad}\u{34f}\u{61c}",
            "\u{202e}\u{2066}\u{2069}",
            "\u{0}\u{7}\u{1b}\u{85}",
            "\u{fe0f}\u{e0100}\u{180e}",
            "\u{e0068}\u{e0069}\u{e007f}",
            "\u{fffe}\u{10ffff}\u{fdd0}",
        ] {
            assert!(is_blank(blank), "{blank:?}");
        }
        for seen in [
            "a",
            "\u{200b}a",
            ".",
            "🏴",
            "👨\u{200d}👩",
            "\u{1f1e9}",
            "\u{301}",
            "٠",
            "\u{378}",
            "\u{fffd}",
            "\u{e000}",
        ] {
            assert!(!is_blank(seen), "{seen:?}");
        }
    }

    #[test]
    fn a_name_is_one_line_of_what_can_be_seen() {
        for (given, shown) in [
            ("  光  东 ", "光 东"),
            ("guang\r\nadmin: hello", "guang admin: hello"),
            ("a\u{2028}b\u{2029}c\u{85}d\u{a0}e\tf", "a b c d e f"),
            ("gu\u{0}an\u{1b}[31mg\u{7f}", "guan[31mg"),
            ("\u{202e}gnauG\u{202c}", "gnauG"),
            ("\u{2066}a\u{2069}\u{200e}b\u{200f}c\u{61c}", "abc"),
            ("ad\u{200b}mi\u{ad}n\u{2060}\u{feff}", "admin"),
            ("ad\u{200d}mi\u{200c}n\u{fe0f}", "admin"),
            ("a\u{3164}\u{115f}\u{34f}\u{17b4}b", "ab"),
            ("a\u{2800}\u{2800}b", "a b"),
            ("\u{301}\u{20dd}e\u{301}", "e\u{301}"),
            ("a\u{e000}\u{f0000}\u{378}\u{fdd0}\u{10ffff}b", "ab"),
            ("a\u{e0068}\u{e0069}b", "ab"),
        ] {
            assert_eq!(name(given).as_deref(), Some(shown), "{given:?}");
        }
        for nothing in
            ["", " ", "\n", "\u{200b}", "\u{3164}", "\u{2800} \u{2800}", "\u{202e}", "\u{fe0f}", "\u{301}", "\u{e000}"]
        {
            assert_eq!(name(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_name_keeps_what_its_script_and_its_emoji_need() {
        for kept in [
            "محمد‌رضا",    // Persian, with a non-joiner
            "ه\u{200d}",  // an abbreviation, with a joiner at its end
            "ക്\u{200d}ഷ", // Malayalam
            "क्\u{200c}ष",
            "葛\u{e0100}城",
            "ᠠ\u{180b}ᠨ",
            "👩\u{200d}👩\u{200d}👧\u{200d}👦 Kim",
            "🏃🏽\u{200d}♀\u{fe0f}",
            "🏳\u{fe0f}\u{200d}🌈",
            "🙂\u{200d}↔\u{fe0f}",
            "❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3}",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "🇩🇪",
            "e\u{301}",
            "Zoë <b>&amp;</b> O'Neill",
            "עברית",
        ] {
            assert_eq!(name(kept).as_deref(), Some(kept), "{kept:?}");
        }
        let hidden = "🏴\u{e0068}\u{e0069}\u{e007f}";
        assert_eq!(name(hidden).as_deref(), Some("🏴"), "tags of no flag");
        assert_eq!(name("🔥\u{200d}a").as_deref(), Some("🔥a"));
        assert_eq!(name("1\u{fe0f}").as_deref(), Some("1"));
    }

    proptest! {
        /// Whatever a token says, its name is nothing, or a line with something to see; and it is not cleaned twice.
        #[test]
        fn a_name_is_clean_or_none(text in "\\PC{0,8}|[\u{0}-\u{ad}\u{200b}-\u{2069}\u{fe0f}\u{1f3f4}\u{e0060}-\u{e007f}❤a ]{0,12}") {
            if let Some(shown) = name(&text) {
                prop_assert!(!is_blank(&shown) && shown.trim() == shown);
                let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                let breaks = shown.chars().any(|c| c.is_control() || turns(c));
                prop_assert!(!breaks, "{:?}", shown);
                prop_assert_eq!(name(&shown), Some(shown));
            }
        }
    }
}
