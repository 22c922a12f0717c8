//! The words: what reviews talk about, and how each of the four tones says it. How they combine is in `grammar.rs`.
//!
//! Predicates are past stems (`좋았`), to which any ending attaches unchanged: `좋았다`, `좋았음`, `좋았지만`.

/// How a review feels: the class it should have, in label order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    StrongNegative,
    WeakNegative,
    WeakPositive,
    StrongPositive,
}

impl Tone {
    pub(super) const ALL: [Self; 4] =
        [Self::StrongNegative, Self::WeakNegative, Self::WeakPositive, Self::StrongPositive];

    pub(super) fn is_positive(self) -> bool {
        matches!(self, Self::WeakPositive | Self::StrongPositive)
    }

    pub(super) fn is_strong(self) -> bool {
        matches!(self, Self::StrongNegative | Self::StrongPositive)
    }

    /// The same side said with the other strength.
    pub(super) fn other_strength(self) -> Self {
        match self {
            Self::StrongNegative => Self::WeakNegative,
            Self::WeakNegative => Self::StrongNegative,
            Self::WeakPositive => Self::StrongPositive,
            Self::StrongPositive => Self::WeakPositive,
        }
    }

    /// The other side, said mildly: what a review concedes before it comes to its point.
    pub(super) fn concession(self) -> Self {
        if self.is_positive() { Self::WeakNegative } else { Self::WeakPositive }
    }

    /// The words of this tone.
    pub(super) fn voice(self) -> &'static Voice {
        match self {
            Self::StrongNegative => &STRONG_NEGATIVE,
            Self::WeakNegative => &WEAK_NEGATIVE,
            Self::WeakPositive => &WEAK_POSITIVE,
            Self::StrongPositive => &STRONG_POSITIVE,
        }
    }

    /// Predicates of this side that have no strength of their own: the adverb before them decides.
    pub(super) fn open_predicates(self) -> &'static [&'static str] {
        if self.is_positive() {
            &["좋았", "재밌었", "재미있었", "잘 만들었", "인상적이었", "마음에 들었", "멋있었", "웃겼", "매력 있었"]
        } else {
            &["별로였", "재미없었", "지루했", "실망했", "아쉬웠", "답답했", "뻔했", "허술했", "이상했"]
        }
    }
}

/// What one tone draws from.
pub(super) struct Voice {
    /// Past stems that take a topic as subject.
    pub(super) predicates: &'static [&'static str],
    /// Past stems that stand on their own.
    pub(super) remarks: &'static [&'static str],
    /// Nouns for `이 영화는 …이다`.
    pub(super) verdicts: &'static [&'static str],
    /// Whole reviews of a word or two.
    pub(super) cries: &'static [&'static str],
    /// Adverbs before a predicate.
    pub(super) adverbs: &'static [&'static str],
    /// Last words: whether to go and see it.
    pub(super) advice: &'static [&'static str],
    /// Emoticons; a single letter such as `ㅋ` is repeated at will.
    pub(super) emoticons: &'static [&'static str],
    /// Lowest and highest points out of ten.
    pub(super) points: (usize, usize),
}

static STRONG_NEGATIVE: Voice = Voice {
    predicates: &[
        "최악이었",
        "형편없었",
        "끔찍했",
        "한심했",
        "엉망이었",
        "처참했",
        "어이없었",
        "허접했",
        "구렸",
        "노답이었",
        "짜증났",
        "유치했",
        "말이 안 됐",
        "역겨웠",
        "못 봐주겠",
    ],
    remarks: &[
        "돈이 아까웠",
        "시간이 아까웠",
        "시간 낭비였",
        "보다가 나왔",
        "보다가 잠들었",
        "환불받고 싶었",
        "하품만 나왔",
        "욕이 나왔",
        "팝콘이 제일 맛있었",
        "왜 만들었는지 모르겠",
        "평점 알바한테 속았",
        "끝까지 보는 게 고문이었",
        "기대한 내가 바보였",
        "두통이 왔",
        "감독이 뭘 하고 싶은지 모르겠",
    ],
    verdicts: &["쓰레기", "망작", "졸작", "최악", "올해 최악의 영화", "돈 낭비", "재앙", "핵노잼", "관객 모독"],
    cries: &[
        "핵노잼",
        "쓰레기",
        "돈 아까움",
        "최악",
        "노답",
        "망작",
        "시간 낭비",
        "보지 마세요",
        "극혐",
        "내 돈",
        "개노잼",
        "별 하나도 아깝다",
    ],
    adverbs: &["진짜", "정말", "너무", "완전", "아주", "심하게", "더럽게", "하나같이", "역대급으로", "개"],
    advice: &[
        "절대 보지 마세요",
        "비추",
        "강력 비추",
        "돈 버리지 마세요",
        "다운받아 볼 가치도 없음",
        "차라리 잠을 자라",
    ],
    emoticons: &["ㅡㅡ", "ㅡㅡ", "ㅋ", "ㅠ", ";;", "...", "👎", "💢", "하...", "에휴"],
    points: (0, 3),
};

static WEAK_NEGATIVE: Voice = Voice {
    predicates: &[
        "평범했",
        "밋밋했",
        "부족했",
        "애매했",
        "어색했",
        "산만했",
        "늘어졌",
        "심심했",
        "식상했",
        "기대에 못 미쳤",
        "무리수였",
        "약했",
        "급하게 끝났",
    ],
    remarks: &[
        "기대가 컸",
        "중간에 살짝 졸았",
        "두 번 볼 정도는 아니었",
        "그냥 그랬",
        "굳이 극장에서 볼 필요는 없었",
        "뭔가 빠진 느낌이었",
        "뒤로 갈수록 힘이 빠졌",
        "남는 게 없었",
        "집중이 잘 안 됐",
        "원작만 못했",
        "취향이 아니었",
        "조금만 더 짧았으면 싶었",
    ],
    verdicts: &["범작", "용두사미", "기대 이하", "아쉬운 영화", "애매한 영화", "평균 이하", "소문난 잔치"],
    cries: &["그냥 그럼", "별로", "아쉽다", "그닥", "쏘쏘", "기대 이하", "음...", "글쎄요", "평범", "좀 지루함"],
    adverbs: &["좀", "조금", "약간", "다소", "살짝", "은근히", "그다지", "생각보다", "어딘가", "갈수록"],
    advice: &[
        "추천까지는 못 하겠음",
        "나중에 집에서 보세요",
        "기대는 버리고 보세요",
        "굳이 안 봐도 됨",
        "호불호 갈릴 듯",
    ],
    emoticons: &["ㅠ", "ㅠ", ";;", "..", "...", "ㅡㅡ", "ㅋ", "흠", "🤔"],
    points: (3, 6),
};

static WEAK_POSITIVE: Voice = Voice {
    predicates: &[
        "괜찮았",
        "볼만했",
        "무난했",
        "나쁘지 않았",
        "신선했",
        "훈훈했",
        "자연스러웠",
        "귀여웠",
        "유쾌했",
        "깔끔했",
        "준수했",
        "평타는 쳤",
        "편안했",
    ],
    remarks: &[
        "시간은 잘 갔",
        "가볍게 보기 좋았",
        "기대보다 나았",
        "킬링타임으로 딱이었",
        "잔잔한 여운이 있었",
        "가족끼리 보기 좋았",
        "소소하게 웃었",
        "보고 나니 기분이 좋아졌",
        "돈은 안 아까웠",
        "지루하진 않았",
        "데이트로 보기 적당했",
        "한 번쯤 볼 만했",
    ],
    verdicts: &["킬링타임용", "평타 이상", "괜찮은 영화", "볼만한 영화", "무난한 오락 영화", "가족 영화", "기대 이상"],
    cries: &[
        "볼만함",
        "괜찮네",
        "재밌게 봤어요",
        "나쁘지 않음",
        "무난",
        "굿",
        "잘 봤습니다",
        "킬링타임용",
        "ㄱㅊ",
        "꿀잼",
    ],
    adverbs: &["나름", "꽤", "그럭저럭", "은근", "의외로", "제법", "생각보다", "무난하게", "대체로", "적당히"],
    advice: &["한 번쯤 보세요", "심심할 때 추천", "가볍게 볼 분께 추천", "기대 없이 보면 만족", "다음 편도 볼 듯"],
    emoticons: &["ㅎ", "ㅎ", "ㅋ", "ㅋ", "^^", "~", "😊", "👍", "☺"],
    points: (6, 8),
};

static STRONG_POSITIVE: Voice = Voice {
    predicates: &[
        "최고였",
        "완벽했",
        "대박이었",
        "환상적이었",
        "훌륭했",
        "압도적이었",
        "미쳤",
        "감동적이었",
        "소름 돋았",
        "찢었",
        "경이로웠",
        "황홀했",
        "눈부셨",
        "예술이었",
    ],
    remarks: &[
        "펑펑 울었",
        "시간 가는 줄 몰랐",
        "두 번 봤",
        "세 번째 관람했",
        "여운이 가시질 않았",
        "기립박수를 쳤",
        "눈을 뗄 수가 없었",
        "숨도 못 쉬고 봤",
        "평생 기억에 남겠",
        "이런 영화는 처음이었",
        "올해 본 것 중 제일이었",
        "울다 웃다 했",
    ],
    verdicts: &[
        "인생 영화",
        "명작",
        "걸작",
        "띵작",
        "최고의 영화",
        "갓영화",
        "올해의 영화",
        "교과서 같은 영화",
        "전설",
    ],
    cries: &[
        "인생 영화",
        "최고",
        "명작",
        "강추",
        "대박",
        "갓작",
        "미쳤다",
        "말이 필요 없음",
        "역대급",
        "두 번 보세요",
        "띵작",
    ],
    adverbs: &["진짜", "정말", "너무", "완전", "아주", "그야말로", "역대급으로", "무지무지", "말도 못하게", "개"],
    advice: &[
        "무조건 보세요",
        "강추",
        "꼭 극장에서 보세요",
        "안 보면 후회함",
        "또 보러 갈 거임",
        "별 다섯 개도 모자람",
    ],
    emoticons: &["♥", "♥", "★", "ㅠ", "ㅠ", "ㅋ", "ㅎ", "^^", "😭", "😊", "👍", "!!", "❤️"],
    points: (9, 10),
};

/// What reviews talk about.
pub(super) const TOPICS: &[&str] = &[
    "배우",
    "배우들",
    "배우들 연기",
    "연기",
    "연출",
    "스토리",
    "영상미",
    "음악",
    "OST",
    "각본",
    "대사",
    "액션",
    "결말",
    "반전",
    "CG",
    "편집",
    "캐릭터",
    "주인공",
    "조연들",
    "분위기",
    "감독",
    "후반부",
    "초반",
    "몰입감",
    "전개",
    "소재",
    "개연성",
    "개그",
    "색감",
    "더빙",
    "로맨스",
    "긴장감",
    "마지막 장면",
    "주제",
    "카메라",
];

/// What the film itself is called.
pub(super) const FILMS: &[&str] = &["이 영화", "영화", "이 작품", "이번 편", "이거", "전체적으로 영화", "속편"];

/// What happened before: past stems that say nothing of the film.
pub(super) const PRELUDES: &[&str] = &[
    "친구랑 봤",
    "주말에 봤",
    "엄마랑 봤",
    "예고편 보고 갔",
    "원작을 읽고 봤",
    "심야로 봤",
    "시사회로 봤",
    "집에서 봤",
    "평점 보고 봤",
    "아이들이랑 봤",
    "감독 이름 보고 골랐",
    "개봉날 봤",
    "아무 생각 없이 봤",
    "기대하고 갔",
    "남자친구랑 봤",
];

/// How a sentence may open.
pub(super) const OPENERS: &[&str] = &["솔직히", "개인적으로", "전체적으로", "일단", "와", "근데", "역시", "음", "아"];

/// Between two sentences that agree.
pub(super) const AGREEING: &[&str] = &["그리고", "게다가", "무엇보다", "특히", "또", "", "", ""];

/// Between two sentences that do not.
pub(super) const OPPOSING: &[&str] = &["하지만", "그런데", "그래도", "다만", "근데", "반면"];
