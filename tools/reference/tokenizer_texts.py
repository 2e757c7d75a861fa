# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The 200 strings of F10. Ours; whatever is not ASCII is written as an escape."""

import os

_HERE = os.path.dirname(__file__)

PLAIN = [
    "A red ball rolls across the table.",
    "a",
    "the the the the",
    "THE LITTLE HOUSE",
    "Three birds, 12 boats & 3.5 clouds; 100% rain!",
    "camera pans left, slow motion, 35mm film, f/2.8",
    "antidisestablishmentarianism",
    "zzzzqqqqxxxx",
    "don't stop - it's half-past nine",
    '"quoted" (in brackets) [square] {curly} <angle>',
    "http://example.org/path?query=1&other=two#frag",
    "e-mail: someone@example.org",
    "1234567890 0.001 1e-6 -42 +7",
    "snake_case camelCase kebab-case",
    "a/b\\c|d~e`f^g",
    "$5 \u00a35 \u20ac5 \u00a55 \u20b95",
    "Der Schn\u00e4ppchenj\u00e4ger fr\u00fchst\u00fcckt \u00fcber\u00e4ll\u00df",
    "\u00c0 la recherche du temps perdu, \u0153uvre, na\u00efve, fa\u00e7ade",
    "El ni\u00f1o pregunt\u00f3: \u00bfqu\u00e9? \u00a1s\u00ed!",
    "Za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 ja\u017a\u0144",
    "P\u0159\u00edli\u0161 \u017elu\u0165ou\u010dk\u00fd k\u016f\u0148",
    "\u0130stanbul'da \u0131\u015f\u0131k",
    "Ti\u1ebfng Vi\u1ec7t c\u00f3 d\u1ea5u",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! "
    "\u0401\u043b\u043a\u0430 \u0438 \u0439\u043e\u0434",
    "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac \u03ba\u03b5\u03af\u03bc\u03b5\u03bd\u03b1",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002",
    "\u7ea2\u8272\u7684\u7403\u5728\u684c\u5b50\u4e0a",
    "\u732b\u304c\u7a93\u306e\u305d\u3070\u3067\u7720\u308b",
    "\u30ab\u30bf\u30ab\u30ca \u3068 \u3072\u3089\u304c\u306a",
    "\u9ad8\u901f\u9053\u8def\u3092\u8d70\u308b\u8eca",
    "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01",
    "\u10d2\u10d0\u10db\u10d0\u10e0\u10ef\u10dd\u10d1\u10d0",
    "\u1230\u120b\u121d \u12d3\u1208\u121d",
    "\u05d0\u05d1\u05d2 abc \u0627\u0628\u062c 123",
]

SPACES = [
    "",
    " ",
    "     ",
    " leading",
    "trailing ",
    "  both  ",
    "two  spaces",
    "five     spaces here",
    "tab\there",
    "line\nbreak",
    "carriage\r\nreturn",
    "\n\nstarts with breaks",
    "ends with breaks\n\n",
    "no\u00a0break",
    "en\u2002em\u2003thin\u2009hair\u200aspace",
    "ideographic\u3000space",
    "zero\u200bwidth\u200bspace",
    "zero\u200cnon\u200djoiner",
    "line\u2028separator\u2029paragraph",
    "narrow\u202fno-break\u205fmath",
    "ogham\u1680space",
    "\ufeffbyte order mark",
    "next\u0085line",
    "vertical\x0btab\x0cform feed",
    " \t \n mixed \r\n white \u3000 space \t ",
    "\u2581already marked\u2581twice\u2581\u2581",
    "\u2581",
    " \u2581 ",
]

CONTROL = [
    "bell\x07",
    "escape\x1b[31mred\x1b[0m",
    "delete\x7fhere",
    "c1\x80\x81\x9fcontrols",
    "soft\u00adhyphen",
    "left\u200eto\u200fright marks",
    "embed\u202aleft\u202c override\u202eright\u202c",
    "isolate\u2066x\u2069",
    "word\u2060joiner",
    "variation\ufe0e\ufe0fselector",
    "replacement \ufffd character",
    "noncharacter \ufdd0 and \ufffe",
    "private \ue000 use",
    "tag \U000e0041\U000e0042 characters",
    "interlinear \ufff9a\ufffab\ufffb",
    "object \ufffc",
]

COMBINING = [
    "e\u0301 is \u00e9",
    "A\u030a \u00c5 \u212b",
    "n\u0303o mas",
    "o\u0302\u0323 \u1ed9 o\u0323\u0302",
    "q\u0307\u0323 q\u0323\u0307",
    "zalgo t\u0310\u0351\u0343e\u0334\u0322xt\u0489",
    "\u0301starts with a mark",
    " \u0301 mark on space",
    "\u0915\u094d\u0937 \u0915\u093c \u0958",
    "\u1100\u1161\u11a8 \uac01",
    "\u304b\u3099 \u304c \u30cf\u309a \u30d1",
    "\u0e01\u0e33 \u0e33",
    "\u0627\u0653 \u0622",
    "\ufb1d \u05d9\u05b4",
    "\u0344 \u0308\u0301",
    "\u0f73 \u0f71\u0f72",
    "\u1e9b\u0323",
    "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306b",
]

COMPATIBILITY = [
    "\uff26\uff55\uff4c\uff4c\uff0d\uff37\uff49\uff44\uff54\uff48",
    "\uff11\uff12\uff13\uff0c\uff14\uff15\uff16\uff01\uff1f",
    "\uff08\u62ec\u5f27\uff09\u3001\uff1a\uff1b",
    "\uff8a\uff9f\uff9d\uff80\uff9e \uff76\uff85",
    "\uffda\uffe0\uffe5\uffe6",
    "\ufb01ne \ufb02ow o\ufb00er e\ufb03ce \ufb05",
    "x\u00b2 + y\u00b3 = z\u207f, H\u2082O",
    "\u00bd cup, \u2153, \u215e",
    "\u2160 \u2171 \u217b \u2180",
    "\u2460\u2461\u2473 \u24b6\u24d0",
    "\u2122 \u00ae \u00a9 \u2120",
    "\u2103 \u2109 \u33a1 \u338f \u33c2",
    "\u3231 \u32a3 \u3300 \u3371",
    "\u2026 \u2025 \u2024",
    "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    "\u2018single\u2019 \u201cdouble\u201d \u00abguillemets\u00bb",
    "\U0001d54f\U0001d552\U0001d4d0\U0001d7d8",
    "\u01c4 \u01c6 \u0132 \u0149",
    "\u017fhort \u1e9e \u00df",
    "\u00aa \u00ba \u00b5 \u03bc \u2126 \u03a9",
    "\u2f00\u2f08 \uf900 \u8c48",
    "\u3131\u314f \uffa1\uffc2",
    "\ufdfa \ufdfb",
    "\ufefb \ufe8d\ufe8e",
    "\u02b0\u02b2 \u1d2c \u2c7d",
    "\u00a8 \u00af \u00b4 \u00b8",
    "\u301c \uff5e \u223c ~",
    "\u222c \u222d \u2230",
]

EMOJI = [
    "\U0001f600",
    "a \U0001f431 sleeps",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f44d\U0001f3fd \U0001f44d",
    "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7",
    "\u2764\ufe0f \u2764",
    "1\ufe0f\u20e3 #\ufe0f\u20e3",
    "\U0001f3f4\u200d\u2620\ufe0f",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "\U0001f600\U0001f600\U0001f600\U0001f600",
    "text\U0001f525without\U0001f525spaces",
    "\u2603 \u2605 \u266b \u2713",
    "\U00020000\U0002a6d6",
    "\U0001fae0\U0001fabf",
]

SPECIAL = [
    "</s>",
    "<pad>",
    "<unk>",
    "<s>",
    "a </s> b",
    "a</s>b",
    "the <pad> house",
    "<pad><pad></s>",
    "The <unk> sea",
    "<extra_id_0>",
    "<extra_id_9>",
    "<extra_id_10>",
    "The <extra_id_0> walks in <extra_id_1>, seats",
    "the<extra_id_0>house",
    "  <extra_id_2>  spaced  ",
    "<extra_id_0><extra_id_1>",
    "<extra_id_ 0> <EXTRA_ID_0>",
    "\uff1cextra_id_0\uff1e \uff1c/s\uff1e",
    "< /s>",
    "<0x0A> <0x41> <0xFF>",
    "<0x0A>",
    "</s",
    "<<</s>>>",
]


def _corpus():
    with open(os.path.join(_HERE, "corpus.txt"), encoding="utf-8") as file:
        return file.read().splitlines()


def long_text():
    """More than 600 tokens in every tokenizer."""
    return " ".join(_corpus()[:60])


def all_texts():
    corpus = _corpus()
    groups = PLAIN + SPACES + CONTROL + COMBINING + COMPATIBILITY + EMOJI + SPECIAL
    texts = groups + [long_text()] + ["x" * 700, "\u732b" * 50, " ".join(["boat"] * 60)]
    picked = corpus[:: max(1, len(corpus) // (200 - len(texts)))]
    texts += picked[: 200 - len(texts)]
    assert len(texts) == 200 and len(set(texts)) == 200, (len(texts), len(set(texts)))
    return texts
